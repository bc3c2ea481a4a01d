"""HeaderEval: fields that are forged, missing, repeated or odd.

Source: the descriptions of the stock rules that call these tests; RFC 5322.
"""

from __future__ import annotations

import re
from itertools import combinations

from filterd.rules.evals import header_dates, header_webmail
from filterd.rules.evals.header_webmail import gated_through_received_hdr_remover
from filterd.rules.evals.locales import is_charset_ok, ok_locales
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::HeaderEval", "ok_locales")
PLUGIN.tests.update(header_dates.TESTS.tests | header_webmail.TESTS.tests)

_BLANKS = re.compile(rb"\s+")
_AOL_RELAY = re.compile(rb" rly-[a-z][a-z]\d\d\.", re.I)
_AOL = re.compile(rb"/AOL-\d+\.\d+\.\d+\)|ESMTP id (?:RELAY|MAILRELAY|MAILIN)")
_WORD_CHARSET = re.compile(rb"=\?([^?\n]++)\?.\?[^?\n]*+\?=")
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_ILLEGAL = bytes((*range(9), 11, 12, *range(14, 32), *range(127, 256)))
_EXEMPT = re.compile(rb"[\xa2\xa3\xae]")
_REPLY_MARKS = re.compile(rb"(?:(?:Re|Fwd|Fw|Aw|Antwort|WG|SV|VB|VS|VL):\s*+)+", re.I)
_NO_LETTER = re.compile(rb"[^a-zA-Z]+")
_CHARSET = re.compile(rb"=\?([-_a-z0-9]++)\?", re.I)
_WITHOUT_CASE = re.compile(
    rb"koi|jp|jis|euc|gb|big5|isoir|cp1251|windows-1251|georgianps|pt154|tis", re.I
)
_REWRITES_IDS = re.compile(rb"/CWT/DCE\)|iPlanet Messaging Server")
_TEMPLATE = re.compile(rb"%[A-Z][A-Z_-]")
_MAY_HAVE_TEMPLATE = re.compile(
    rb"(?:X-VMS-To|X-UIDL|X-Face|To|Cc|From|Subject|References|In-Reply-To"
    rb"|(?:X-|Resent-|X-Original-)?Message-Id):",
    re.I,
)
_RATWARE_ID = re.compile(rb"<[A-Z]{28}\.([^>]+)>")
_SRS = re.compile(rb"SRS\d[=+-]", re.I)
_GW05 = re.compile(
    rb"\nfrom\s(\S+)\sby\s(\S+)\swith\sESMTP;\s+\S\S\S,\s+\d+\s+\S\S\S\s+\d{4}\s+"
    rb"\d\d:\d\d:\d\d\s+[-+]*\d{4}\n$"
)

SORTED_LEAST, SIMILAR_LEAST = 7, 5
"""Recipients from which on their order, and their likeness, says something."""

SIMILAR_LENGTH = 2
"""First octets of a name that are compared."""

RECIPIENTS_LIMIT = 256
"""Recipients that are compared with each other."""

SUBJECT_LEAST = 10
"""Octets of a subject from which on capitals say something."""


@PLUGIN.test("check_for_fake_aol_relay_in_rcvd")
def check_for_fake_aol_relay_in_rcvd(view: View) -> bool:
    """A host is named as AOL's relays are, but writes no field as they do."""
    received = _BLANKS.sub(b" ", view.value("Received"))
    return _AOL_RELAY.search(received) is not None and _AOL.search(received) is None


@PLUGIN.test("check_for_faraway_charset_in_headers")
def check_for_faraway_charset_in_headers(view: View) -> bool:
    """An encoded word in From or Subject has a charset of no locale in `ok_locales`."""
    locales = ok_locales(view)
    if "all" in locales:
        return False
    return any(
        not is_charset_ok(match[1].decode("latin-1"), locales)
        for name in ("From", "Subject")
        for value in view.values(name, "raw")
        for match in _WORD_CHARSET.finditer(value)
    )


@PLUGIN.test("check_for_unique_subject_id")
def check_for_unique_subject_id(_view: View) -> bool:
    """Of old rules; SpamAssassin keeps the name, and never hits."""
    return False


@PLUGIN.test("check_illegal_chars")
def check_illegal_chars(view: View, name: str, ratio: str, count: str) -> bool:
    """So much of a field, and so many octets, are controls or neither ASCII nor UTF-8."""
    field = name.removesuffix(":raw")
    text = view.value(field, "raw")
    if not text.strip():
        return False
    if not text.isascii() and not _CONTROLS.search(text):
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return False
    illegal = len(text) - len(text.translate(None, _ILLEGAL))
    if field.lower() == "subject" and len(_EXEMPT.findall(text)) == 1:
        illegal -= 1
    return illegal / len(text) >= float(ratio) and illegal >= float(count)


@PLUGIN.test("check_for_matching_env_and_hdr_from")
def check_for_matching_env_and_hdr_from(view: View) -> bool:
    """The envelope sender is the address in From; also where both are missing."""
    return view.value("EnvelopeFrom", "addr").lower() == view.value("From", "addr").lower()


def _recipients(view: View) -> list[bytes]:
    found = list(view.values("ToCc", "addr"))
    if len(found) < SIMILAR_LEAST:
        found += view.values("Bcc", "addr")
    kept: list[bytes] = []
    for address in found:
        if not kept or kept[-1].lower() != address.lower():
            kept.append(address)
        if len(kept) == RECIPIENTS_LIMIT:
            break
    return kept


@PLUGIN.test("sorted_recipients")
def sorted_recipients(view: View) -> bool:
    """Many recipients, in the order of the alphabet."""
    found = _recipients(view)
    return len(found) >= SORTED_LEAST and found == sorted(found)


@PLUGIN.test("similar_recipients")
def similar_recipients(view: View, least: str, most: str) -> bool:
    """How alike the recipients are, as the share of pairs that begin alike: at least, less than."""
    found = _recipients(view)
    alike = 0.0
    if len(found) >= SIMILAR_LEAST:
        hosts = [address.partition(b"@")[2] for address in found]
        marks = [
            (address[:SIMILAR_LENGTH], host[:SIMILAR_LENGTH], host)
            for address, host in zip(found, hosts, strict=True)
        ]
        hits = pairs = 0
        for one, other in combinations(marks, 2):
            hits += one[0] == other[0]
            hits += one[1] == other[1] and one[2] != other[2]
            pairs += 1
        alike = hits / pairs
    return (least == "undef" or alike >= float(least)) and (most == "undef" or alike < float(most))


@PLUGIN.test("check_for_missing_to_header")
def check_for_missing_to_header(view: View) -> bool:
    """Neither To nor Apparently-To."""
    return not view.value("To") and not view.value("Apparently-To")


@PLUGIN.test("check_for_forged_gw05_received_headers")
def check_for_forged_gw05_received_headers(view: View) -> bool:
    """The last Received field is by a host without a dot, in one program's way."""
    match = _GW05.search(view.value("Received"))
    return match is not None and b"." not in match[2]


@PLUGIN.test("subject_is_all_caps")
def subject_is_all_caps(view: View) -> bool:
    """The subject is of several words, long, and all in capitals."""
    subject = view.value("Subject").strip()
    marks = _REPLY_MARKS.match(subject)
    if marks is not None:
        subject = subject[marks.end() :]
    if not _BLANKS.search(subject) or len(subject) < SUBJECT_LEAST:
        return False
    letters = _NO_LETTER.sub(b"", subject)
    charsets = _CHARSET.findall(view.value("Subject", "raw"))
    if any(_WITHOUT_CASE.search(charset) for charset in charsets):
        return False
    return bool(letters) and letters == letters.upper()


@PLUGIN.test("check_for_to_in_subject")
def check_for_to_in_subject(view: View, what: str) -> bool:
    """The recipient's address, or the name in it, is in the subject. what: `address`, `user`."""
    address = view.value("To", "addr")
    if not address:
        return False
    subject = view.value("Subject")
    if what == "address":
        wanted = rb"\b" + re.escape(address) + rb"\b"
        return address.lower() in subject.lower() and bool(re.search(wanted, subject, re.I))
    name = address.partition(b"@")[0]
    if what != "user" or name.lower() not in subject.lower():
        return False
    user = re.escape(name)
    pattern = (
        rb"(?:(?:re|fw):\s*(?:\w+\s+)?%b$|(?-i:%b)\s*[,:;!?-](?:$|\s)|%b$|,\s*%b[,:;!?-]$)"
    ) % (user, user, user, user)
    return re.match(pattern, subject, re.I) is not None


def _is_to_leave(value: bytes) -> bool:
    """The field ends with the address of a list program: `<mailto:leave-...>`."""
    words = value.lower().split()
    _, found, rest = words[-1].partition(b"<mailto:") if words else (b"", b"", b"")
    if not found or not rest.endswith(b">"):
        return False
    if rest.startswith(b"leave-"):
        return 0 < rest.find(b"@", 7) < len(rest) - 2
    return 0 < rest.find(b"-unsubscribe@", 1) < len(rest) - 14


@PLUGIN.test("check_messageid_not_usable")
def check_messageid_not_usable(view: View) -> bool:
    """The message has come over something that changes Message-IDs."""
    return (
        _is_to_leave(view.value("List-Unsubscribe"))
        or gated_through_received_hdr_remover(view)
        or _REWRITES_IDS.search(view.value("Received")) is not None
    )


@PLUGIN.test("check_header_count_range")
def check_header_count_range(view: View, name: str, least: str, most: str) -> bool:
    """How many different values the fields of a name have."""
    count = len(set(view.fields.values(name.lower().encode("latin-1", "replace"))))
    return float(least) <= count <= float(most)


@PLUGIN.test("check_unresolved_template")
def check_unresolved_template(view: View) -> bool:
    """`%NAME` in a field where it means nothing."""
    return any(
        _TEMPLATE.search(line) and not _MAY_HAVE_TEMPLATE.match(line)
        for line in view.header_all.split(b"\n")
    )


@PLUGIN.test("check_ratware_name_id")
def check_ratware_name_id(view: View) -> bool:
    """The Message-ID is capitals and then the address in From."""
    match = _RATWARE_ID.search(view.value("MESSAGEID"))
    if match is None:
        return False
    wanted = rb'"[^"]+"\s*<' + re.escape(match[1]) + b">"
    return re.search(wanted, view.value("From")) is not None


@PLUGIN.test("check_ratware_envelope_from")
def check_ratware_envelope_from(view: View) -> bool:
    """The envelope sender holds domain and name of the recipient."""
    user, at, host = view.value("To", "addr").partition(b"@")
    sender = view.value("EnvelopeFrom", "addr")
    if not sender or not user or not at or not host or _SRS.match(sender):
        return False
    domain = view.domains.registered(host.decode("latin-1"))
    if user.lower() not in sender.lower() or not view.domains.is_valid(domain):
        return False
    wanted = rb"\b%b.%b@" % (re.escape(domain.encode("latin-1")), re.escape(user))
    return re.search(wanted, sender, re.I) is not None


@PLUGIN.test("check_equal_from_domains")
def check_equal_from_domains(view: View) -> bool:
    """The last two labels of the envelope sender's domain are not those of the one in From."""
    domains = []
    for name in ("From", "EnvelopeFrom"):
        _, _, host = view.value(name, "addr").rpartition(b"@")
        if not host or b"@" not in view.value(name, "addr"):
            return False
        domains.append(b".".join(host.split(b".")[-2:]).lower())
    return domains[0] != domains[1]
