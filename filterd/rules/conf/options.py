"""Lines that set something which is not a rule, as eval tests find them afterwards.

What such a line takes back (`clear_trusted_networks`, `unwelcomelist_from ...`) is taken back while
the files are read, so that what is left counts. Source: Mail::SpamAssassin::Conf(3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from filterd.rules.conf.lines import LineError, quoted, text_of
from filterd.rules.conf.option_names import OptionName
from filterd.rules.conf.regexp import pattern_of
from filterd.rules.conf.rule import Option, Origin

_NUMBER = re.compile(rb"[+-]?\d++(?:\.\d*+)?\Z")
_DURATION = re.compile(rb"\+?\d++(?:\.\d*+)?(?:\s*+[smhdwSMHDW])?\Z")

_LISTED = rb"\([^)]++\)\s++\S"
_TWO = rb"\S++\s++\S++\Z"
_SHAPES: Mapping[str, tuple[re.Pattern[bytes], str]] = {
    name: (re.compile(rb"\A(?:" + shape + rb")", re.DOTALL), expected)
    for names, shape, expected in (
        ("welcomelist_from_rcvd def_welcomelist_from_rcvd", _TWO, "ADDRESS RELAY"),
        ("enlist_uri_host enlist_addrlist fns_add_addrlist", _LISTED, "(LIST) ENTRY ..."),
        ("fns_remove_addrlist", _LISTED, "(LIST) ENTRY ..."),
        (
            "welcomelist_from_dkim def_welcomelist_from_dkim unwelcomelist_from_dkim",
            rb"\S++(?:\s++\S++)?\Z",
            "ADDRESS [DOMAIN]",
        ),
        ("dns_query_restriction", rb"(?i:allow|deny)\s++\S", "allow or deny, and domains"),
        ("util_rb_tld", rb"(?:[^\s.]++(?:\s++|\Z))++\Z", "endings without a dot"),
        ("util_rb_2tld", rb"(?:[^\s.]++\.[^\s.]++(?:\s++|\Z))++\Z", "endings with one dot"),
        (
            "util_rb_3tld",
            rb"(?:[^\s.]++\.[^\s.]++\.[^\s.]++(?:\s++|\Z))++\Z",
            "endings with two dots",
        ),
        ("authres_networks", rb"(?i:internal|trusted|all)\Z", "internal, trusted or all"),
        (
            "uridnsbl urirhsbl urinsrhsbl urifullnsrhsbl",
            rb"\w++\s++\S++\s++\S++\Z",
            "NAME ZONE TYPE",
        ),
        (
            "uridnssub urirhssub urinsrhssub urifullnsrhssub",
            rb"\w++\s++\S++\s++\S++\s++\S",
            "NAME ZONE TYPE ANSWER",
        ),
        (
            "asn_lookup asn_lookup_ipv6",
            rb"\S++(?:\s++_\S++\s++_\S++)?\Z",
            "ZONE [_TAG_ _TAG_]",
        ),
        ("shortcircuit", rb"\w++\s++(?:ham|spam|on|off)\Z", "NAME and ham, spam, on or off"),
        ("fns_check", rb"[012]\Z", "0, 1 or 2"),
        ("report_safe", rb"[012]\Z", "0, 1 or 2"),
        ("allow_user_rules", rb"[01]\Z", "0 or 1"),
        (
            "adsp_override",
            rb"(?i:@?[*a-z0-9._-]++"
            rb"(?:\s++(?:nxdomain|unknown|all|discardable|custom_low|custom_med|custom_high))?\Z)",
            "DOMAIN [PRACTICE]",
        ),
        ("hashbl_email_domain_alias", rb"[^@\s]++(?:\s++[^@\s]++)++\Z", "DOMAIN ALIAS ..."),
        ("add_header", rb"(?:ham|spam|all)\s++[A-Za-z0-9_-]++\s++", "TYPE NAME TEXT"),
        ("remove_header", rb"(?:ham|spam|all)\s++[A-Za-z0-9_-]++\s*+\Z", "TYPE NAME"),
        ("rewrite_header", rb"(?i:from|subject|to)(?:\s|\Z)", "From, Subject or To, and a text"),
        ("dns_available", rb"(?:test(?::.*)?|yes|no|1|0)\Z", "yes, no or test"),
        ("lock_method", rb"(?:nfssafe|flock|win32)\Z", "nfssafe, flock or win32"),
        ("bayes_file_mode auto_welcomelist_file_mode", rb"0?[0-7]{3}\Z", "an octal mode"),
    )
    for name in names.split()
}
"""What the value of an option looks like, and how to say so."""

_CLEARED = {
    "clear_trusted_networks": ("trusted_networks",),
    "clear_internal_networks": ("internal_networks",),
    "clear_msa_networks": ("msa_networks",),
    "clear_originating_ip_headers": ("originating_ip_headers",),
    "clear_dns_query_restriction": ("dns_query_restriction",),
    "clear_util_rb": ("util_rb_tld", "util_rb_2tld", "util_rb_3tld"),
    "clear_asn_lookups": ("asn_lookup", "asn_lookup_ipv6"),
}
"""Option → those that it takes back altogether."""

_TAKEN_BACK = {
    "unwelcomelist_from": ("welcomelist_from",),
    "unblocklist_from": ("blocklist_from",),
    "unwelcomelist_auth": ("welcomelist_auth", "def_welcomelist_auth"),
    "unwelcomelist_from_spf": ("welcomelist_from_spf", "def_welcomelist_from_spf"),
    "unwelcomelist_from_rcvd": ("welcomelist_from_rcvd", "def_welcomelist_from_rcvd"),
    "unwelcomelist_from_dkim": ("welcomelist_from_dkim", "def_welcomelist_from_dkim"),
    "clear_uridnsbl_skip_domain": ("uridnsbl_skip_domain",),
    "clear_url_shortener": ("url_shortener", "url_shortener_get"),
    "clear_url_redirector": ("url_redirector", "url_redirector_get"),
    "delist_uri_host": ("enlist_uri_host",),
    "fns_remove_addrlist": ("fns_add_addrlist",),
}
"""Option → those from which it takes its words; without any, it takes all of them."""

_FIRST_WORD = frozenset(_TAKEN_BACK["unwelcomelist_from_rcvd"])
"""Options that are known by their first word."""

_ONE_ENTRY = frozenset((*_FIRST_WORD, *_TAKEN_BACK["unwelcomelist_from_dkim"]))
"""Options whose line is one entry, and not one for each word."""

_LISTS = frozenset(
    ("enlist_uri_host", "fns_add_addrlist", "delist_uri_host", "fns_remove_addrlist")
)
"""Options as in `(LIST) word ...`."""

_LIST = re.compile(rb"\(([^)]++)\)\s++")

_OF_LIST = {"blocklist_uri_host": b"(BLOCK) ", "welcomelist_uri_host": b"(WELCOME) "}
"""Options for `enlist_uri_host` with a list of its own."""


def checked(option: OptionName, value: bytes) -> None:
    """Raises LineError for a value that the option cannot have."""
    expects = option.expects
    if expects == "free":
        wrong, expected = False, ""
    elif expects == "nothing":
        wrong, expected = bool(value), "nothing behind it"
    elif not value:
        raise LineError(f"'{option.name}' without a value")
    elif expects == "number":
        wrong, expected = not _NUMBER.match(value), "a number"
    elif expects == "duration":
        wrong, expected = not _DURATION.match(value), "a duration as in 30s or 2h"
    elif expects == "flag":
        wrong, expected = value.lower() not in (b"0", b"1", b"yes", b"no"), "0 or 1"
    else:
        wrong, expected = expects == "key" and len(value.split(None, 1)) < 2, "a name and more"
    shape = _SHAPES.get(option.name)
    if not wrong and shape:
        wrong, expected = not shape[0].match(value), shape[1]
    if wrong:
        raise LineError(f"'{option.name}' expects {expected}: {quoted(value)}")
    if option.name == "redirector_pattern":
        pattern_of(value)


class Options:
    """All options that count, by name."""

    def __init__(self) -> None:
        self._lines: dict[str, list[tuple[int, Origin, bytes]]] = {}
        self._cleared: dict[str, int] = {}
        # (option, entry) → the number of the last line that took it back.
        self._gone: dict[tuple[str, bytes], int] = {}
        self._count = 0

    def add(self, name: str, value: bytes, origin: Origin) -> None:
        """One line, checked before."""
        self._count += 1
        for cleared in _CLEARED.get(name, ()):
            self._cleared[cleared] = self._count
        if name in _CLEARED:
            return
        for target in _TAKEN_BACK.get(name, ()):
            prefix, entries = _entries(name, value, one=target not in _FIRST_WORD)
            if not entries:
                self._cleared[target] = self._count
            for entry in entries:
                self._gone[target, prefix + entry.lower()] = self._count
        if name in _TAKEN_BACK:
            return
        if name in _OF_LIST:
            name, value = "enlist_uri_host", _OF_LIST[name] + value
        self._lines.setdefault(name, []).append((self._count, origin, value))

    def result(self) -> Mapping[str, tuple[Option, ...]]:
        """Those that are left, each name's in the order of the files."""
        taken_from = {target for target, _ in self._gone}
        found: dict[str, tuple[Option, ...]] = {}
        for name, lines in self._lines.items():
            last = self._cleared.get(name, 0)
            kept = [line for line in lines if line[0] > last]
            if name in taken_from:
                kept = [line for one in kept for line in self._without_gone(name, one)]
            if kept:
                found[name] = tuple(
                    Option(name, text_of(value), origin) for _, origin, value in kept
                )
        return found

    def _without_gone(
        self, name: str, line: tuple[int, Origin, bytes]
    ) -> list[tuple[int, Origin, bytes]]:
        number, origin, value = line
        prefix, entries = _entries(name, value, one=True)
        left = [
            entry
            for entry in entries
            if max(
                self._gone.get((name, prefix + _key(name, entry)), 0),
                self._gone.get((name, b"() " + entry.lower()), 0) if prefix else 0,
            )
            < number
        ]
        if len(left) == len(entries):
            return [line]
        return [(number, origin, prefix + b" ".join(left))] if left else []


def _entries(name: str, value: bytes, *, one: bool) -> tuple[bytes, list[bytes]]:
    """What stands before all entries of a line, `(LIST) ` or nothing, and the entries.

    one: whether a line of the options in `_ONE_ENTRY` is one entry.
    """
    prefix = b""
    if name in _LISTS:
        found = _LIST.match(value)
        # Without a list, `delist_uri_host` means all lists.
        prefix, value = (found[0], value[found.end() :]) if found else (b"() ", value)
        prefix = b"(" + prefix.strip().strip(b"()") + b") "
    is_one = name in _ONE_ENTRY or name == "unwelcomelist_from_dkim"
    if one and is_one:
        return prefix, [b" ".join(value.split())]
    return prefix, value.split()


def _key(name: str, entry: bytes) -> bytes:
    """What an entry is known by."""
    low = entry.lower()
    return low.split(None, 1)[0] if name in _FIRST_WORD else low
