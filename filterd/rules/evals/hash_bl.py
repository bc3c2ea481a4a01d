"""HashBL: DNS lists of mail addresses, links, files and other text, most of them by their hashes.

Source: Mail::SpamAssassin::Plugin::HashBL(3).
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import cast

from filterd.resolver.answer import RecordType
from filterd.rules.conf.rule import EvalTest, Option, Rule, RuleKind
from filterd.rules.evals.address_lists import of_options
from filterd.rules.evals.arguments import pattern
from filterd.rules.evals.dns_questions import Question, asks, questions_of, skipped_domains
from filterd.rules.evals.mail_addresses import (
    addresses_of,
    links_to_addresses,
    text_addresses,
)
from filterd.rules.evals.people import from_addresses
from filterd.rules.evals.registry import Plugin
from filterd.rules.evals.tags import tag_values
from filterd.rules.view.domains import is_host_name
from filterd.rules.view.ip_text import reverse
from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::HashBL",
    *("hashbl_ignore", "hashbl_email_domain_alias"),
    *("hashbl_email_regex", "hashbl_email_welcomelist"),
)

QUESTIONS = 10
"""Values that one rule asks about, if its options do not say `max=`."""

LISTED = r"^127\."
"""An answer that counts, if the rule does not say."""

EMAIL_OPTIONS = "sha1/notag/noquote/max=10/shuffle"
OPTIONS = "sha1/max=10/shuffle"

VALUES = 1_000
"""Values found in a message from which those to ask about are chosen."""

_NOBODY = re.compile(
    rb"(?:abuse|(?:post|host|domain)master|undisclosed[^\n]*|request-[a-f0-9]{16}|bounced?-"
    rb"|[a-f0-9]{8}(?:\.[a-f0-9]{8}|-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12})"
    rb"|[^\n=]+=[^\n=]+=[^\n]+)@",
    re.IGNORECASE,
)
"""Addresses that nobody is asked about, if no option says."""

_NO_FIGURES = bytes(one for one in range(256) if one not in b"0123456789")
_OWN_FIELDS = ("X-Original-To", "Apparently-To", "Delivered-To", "Envelope-To")

_Options = Mapping[str, str]


def _options(text: str) -> _Options:
    words = (word.strip().partition("=") for word in text.lower().split("/"))
    return {key: value or "1" for key, _, value in words if key}


def _hashed(options: _Options, value: bytes) -> str:
    if "sha256" in options:
        return base64.b32encode(hashlib.sha256(value).digest()).decode().rstrip("=").lower()
    if "sha1" in options:
        return hashlib.sha1(value, usedforsecurity=False).hexdigest()
    if "md5" in options:
        return hashlib.md5(value, usedforsecurity=False).hexdigest()
    return value.decode("utf-8", "replace")


def _ignored(options: tuple[Option, ...]) -> frozenset[str]:
    return frozenset(word.lower() for option in options for word in option.words())


def _hosts_skipped(view: View, host: str) -> bool:
    skipped = skipped_domains(view)
    return host.lower() in skipped or view.domains.registered(host) in skipped


def _chosen(view: View, options: _Options, values: Iterable[bytes], *, whole: bool) -> list[str]:
    """What is asked for these values, without that which is ignored, and not too many. whole: the
    values are hashed as they are, else in lower case unless an option keeps it."""
    ignored = of_options(view, "hashbl_ignore", _ignored)
    found: dict[str, None] = {}
    for value in values:
        one = value if whole or "case" in options else value.lower()
        if not one or one.decode("latin-1").lower() in ignored:
            continue
        hashed = _hashed(options, one)
        if hashed.lower() not in ignored:
            found[hashed] = None
        if len(found) >= VALUES:
            break
    most = options.get("max", "")
    limit = int(most) if most.isdecimal() and len(most) < 4 and int(most) else QUESTIONS
    if len(found) <= limit or "shuffle" not in options:
        return list(found)[:limit]
    # Whoever writes a message cannot know which ones are asked about.
    return secrets.SystemRandom().sample(list(found), limit)


Finder = Callable[[View, tuple[str, ...]], list[str]]


def _asked_names(
    view: View, function: str, kind: RuleKind, arguments: tuple[str, ...]
) -> list[str]:
    """What a rule asks, the same whenever it is asked; nothing where a tag is not set yet."""
    key = f"hashbl {function} {kind} {arguments!r}"
    found = view.notes.get(key)
    if not isinstance(found, list):
        view.kind = kind
        found = _FINDERS[function](view, arguments)
        if not found:
            return []
        view.notes[key] = found
    zone = _zone(arguments[0])[0]
    return [f"{one}.{zone}" for one in cast("list[str]", found)]


def _zone(text: str) -> tuple[str, RecordType]:
    zone, slash, kind = text.rpartition("/")
    if slash and kind.upper() in ("A", "TXT"):
        return zone.rstrip("."), RecordType(kind.upper())
    return text.rstrip("."), RecordType.A


def _questions(view: View, rule: Rule) -> Iterator[Question]:
    test = rule.test
    assert isinstance(test, EvalTest)
    if not test.arguments:
        return iter(())
    kind = _zone(test.arguments[0])[1]
    found = _asked_names(view, test.function, test.kind, test.arguments)
    return iter([(name, kind) for name in found])


def _is_listed(view: View, function: str, subtest: str, arguments: tuple[str, ...]) -> bool:
    questions = questions_of(view)
    if questions is None:
        return False
    questions.start_rest(view)
    wanted = pattern(subtest or LISTED)
    names = _asked_names(view, function, view.kind, arguments)
    answers = questions.answers(names, _zone(arguments[0])[1])
    return any(wanted.search(answer.encode("latin-1", "replace")) is not None for answer in answers)


def _argument(arguments: tuple[str, ...], number: int, default: str = "") -> str:
    return (arguments[number] if len(arguments) > number else "") or default


def _aliases(options: tuple[Option, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for option in options:
        domain, *others = option.words(lower=True)
        found.update(dict.fromkeys(others, domain))
    return found


def _acl(options: tuple[Option, ...]) -> Mapping[str, bool]:
    """Domain → whether it is asked about; what an exclamation mark excludes stays so."""
    found: dict[str, bool] = {}
    for option in options:
        for word in option.words(lower=True):
            if word.startswith("!"):
                found[word[1:]] = False
            else:
                found.setdefault(word, True)
    return found


def _emails(view: View, arguments: tuple[str, ...]) -> list[str]:
    options = _options(_argument(arguments, 1, EMAIL_OPTIONS))
    fields = _argument(arguments, 2, "ALLFROM/Reply-To/body")
    acl = _argument(arguments, 4)
    allowed = (
        of_options(view, f"hashbl_acl_{acl.lower()}", _acl) if acl not in ("", "all") else None
    )
    aliases = of_options(view, "hashbl_email_domain_alias", _aliases)
    own = {one.lower() for name in _OWN_FIELDS for one in view.values(name, "addr")}
    lines = view.options.get("hashbl_email_welcomelist", ())
    values: list[bytes] = []
    for field in fields.split("/"):
        for address in _emails_in(view, field.strip(), options):
            user, _, octets = address.rpartition(b"@")
            domain = octets.decode("latin-1")
            domain = aliases.get(domain.lower(), domain)
            if not user or (allowed is not None and not allowed.get(domain.lower())):
                continue
            whole = user + b"@" + domain.encode("latin-1")
            nobody = pattern(lines[-1].value.strip()).search if lines else _NOBODY.match
            if address in own or nobody(whole) is not None:
                continue
            if allowed is None and not acl and _hosts_skipped(view, domain):
                continue
            values.append(_part(view, options, user, domain))
    return _chosen(view, options, values, whole=False)


def _part(view: View, options: _Options, user: bytes, domain: str) -> bytes:
    """That of an address which is asked about."""
    if "nodot" in options:
        user = user.replace(b".", b"")
    if "notag" in options:
        user = user.partition(b"+")[0]
    if "domain" in options:
        return view.domains.registered(domain).encode("latin-1")
    if "host" in options:
        return domain.encode("latin-1")
    return user if "user" in options else user + b"@" + domain.encode("latin-1")


def _emails_in(view: View, field: str, options: _Options) -> Iterable[bytes]:
    if field == "ALLFROM":
        return from_addresses(view)
    lines = view.options.get("hashbl_email_regex", ())
    expression = lines[-1].value.strip() if lines else ""
    if field == "body":
        in_links, quoted = "nouri" not in options, "noquote" not in options
        linked = (addresses_of(view, text, expression) for text in links_to_addresses(view))
        written = text_addresses(view, expression, in_links=in_links, quoted=quoted)
        return chain(chain.from_iterable(linked), written)
    return addresses_of(view, view.value(field), expression)


def _uris(view: View, arguments: tuple[str, ...]) -> list[str]:
    options = _options(_argument(arguments, 1, OPTIONS))
    values: list[bytes] = []
    for uri, detail in view.uri_detail.items():
        hosts = [(h.decode("latin-1"), d.decode("latin-1")) for h, d in detail.hosts.items()]
        skipped = skipped_domains(view)
        if (
            uri[:7].lower() == b"mailto:"
            or not hosts
            or detail.types.isdisjoint(("a", "parsed"))
            or any(host in skipped or domain in skipped for host, domain in hosts)
        ):
            continue
        values += [re.split(rb"[#?]", form, maxsplit=1)[0] for form in detail.cleaned]
    return [] if "raw" in options else _chosen(view, options, values, whole=False)


def _body(view: View, arguments: tuple[str, ...]) -> list[str]:
    options = _options(_argument(arguments, 1, OPTIONS))
    expression = _argument(arguments, 2)
    if not expression:
        return []
    search = pattern(expression)
    found: dict[bytes, None] = {}
    for text in view.text:
        for start, _ in search.spans(text, VALUES - len(found)):
            match = search.match(text, start)
            value = match.group(1) if match is not None and len(match.groups) > 1 else None
            if value is not None:
                found[value.translate(None, _NO_FIGURES) if "num" in options else value] = None
        if len(found) >= VALUES:
            break
    return _chosen(view, options, found, whole=False)


def _tag(view: View, arguments: tuple[str, ...]) -> list[str]:
    options = _options(_argument(arguments, 1, OPTIONS))
    name = _argument(arguments, 2).removeprefix("_").removesuffix("_").upper()
    values = (_of_tag(view, options, value) for value in tag_values(view, name))
    return _chosen(view, options, filter(None, values), whole=False)


def _of_tag(view: View, options: _Options, value: bytes) -> bytes | None:
    text = value.decode("latin-1")
    backwards = reverse(text)
    if backwards:
        is_ipv6 = ":" in text
        if ("ipv4" in options and is_ipv6) or ("ipv6" in options and not is_ipv6):
            return None
        return backwards.encode("ascii") if "revip" in options else value
    if not {"ip", "ipv4", "ipv6"}.isdisjoint(options):
        return None
    is_host = is_host_name(text)
    if not is_host and not {"fqdn", "trim"}.isdisjoint(options):
        return None
    if is_host and _hosts_skipped(view, text):
        return None
    if not {"tld", "trim"}.isdisjoint(options) and not view.domains.is_valid(text):
        return None
    return view.domains.registered(text).encode("latin-1") if "trim" in options else value


def _attachments(view: View, arguments: tuple[str, ...]) -> list[str]:
    options = _options(_argument(arguments, 1, OPTIONS))
    if "raw" in options:
        return []
    ignored = of_options(view, "hashbl_ignore", _ignored)
    least, most = (options.get(name, "") for name in ("minsize", "maxsize"))
    values = []
    for part in view.parts.walk():
        if not part.is_leaf or part.type in ignored:
            continue
        if (part.name or b"").decode("latin-1").lower() in ignored:
            continue
        size = len(part.content)
        if (least.isdecimal() and size < int(least)) or (most.isdecimal() and size > int(most)):
            continue
        values.append(part.content)
    return _chosen(view, options, values, whole=True)


_FINDERS: Mapping[str, Finder] = {
    "check_hashbl_emails": _emails,
    "check_hashbl_uris": _uris,
    "check_hashbl_bodyre": _body,
    "check_hashbl_tag": _tag,
    "check_hashbl_attachments": _attachments,
}

for _function in _FINDERS:
    asks(_function)(_questions)


@PLUGIN.test("check_hashbl_emails")
def check_hashbl_emails(view: View, zone: str, *arguments: str) -> bool:
    """A mail address of the message is in a list."""
    subtest = _argument(arguments, 2)
    return _is_listed(view, "check_hashbl_emails", subtest, (zone, *arguments))


@PLUGIN.test("check_hashbl_uris")
def check_hashbl_uris(view: View, zone: str, *arguments: str) -> bool:
    """A link is in a list."""
    subtest = _argument(arguments, 1)
    return _is_listed(view, "check_hashbl_uris", subtest, (zone, *arguments))


@PLUGIN.test("check_hashbl_bodyre")
def check_hashbl_bodyre(view: View, zone: str, *arguments: str) -> bool:
    """Text that a pattern's group takes is in a list."""
    subtest = _argument(arguments, 2)
    return _is_listed(view, "check_hashbl_bodyre", subtest, (zone, *arguments))


@PLUGIN.test("check_hashbl_tag")
def check_hashbl_tag(view: View, zone: str, *arguments: str) -> bool:
    """The value of a tag is in a list."""
    subtest = _argument(arguments, 2)
    return _is_listed(view, "check_hashbl_tag", subtest, (zone, *arguments))


@PLUGIN.test("check_hashbl_attachments")
def check_hashbl_attachments(view: View, zone: str, *arguments: str) -> bool:
    """An attached file is in a list."""
    subtest = _argument(arguments, 1)
    return _is_listed(view, "check_hashbl_attachments", subtest, (zone, *arguments))
