"""What rules test: the lines `header`, `body`, `rawbody`, `full`, `uri`, `meta`, `mimeheader`,
`uri_detail` and `askdns`.

Source: Mail::SpamAssassin::Conf(3), "RULE DEFINITIONS", and the manual pages of the plugins
MIMEHeader, URIDetail and AskDNS.
"""

from __future__ import annotations

import re

from filterd.rules.conf.dns_answer import wanted_answer
from filterd.rules.conf.eval_names import PLUGINS, TESTS
from filterd.rules.conf.lines import LineError, quoted, text_of
from filterd.rules.conf.meta import compile_meta
from filterd.rules.conf.regexp import pattern_of
from filterd.rules.conf.rule import (
    EvalTest,
    HeaderExists,
    HeaderTest,
    MetaTest,
    MimeHeaderTest,
    RuleKind,
    Test,
    TextTest,
    UriCondition,
    UriDetailTest,
)

NAME_LENGTH = 100
"""Longest name of a rule."""

DEFINITIONS = frozenset((*RuleKind, "askdns"))
"""Words that define a rule."""

PLUGIN_OF = {
    "mimeheader": PLUGINS + "MIMEHeader",
    "uri_detail": PLUGINS + "URIDetail",
    "askdns": PLUGINS + "AskDNS",
}
"""Those that a plugin brings."""

_NAME = re.compile(rb"[_a-zA-Z][_a-zA-Z0-9]{0,127}\Z")
_EVAL = re.compile(rb"(?:rbl)?eval:(\w++)\((.*)\)\Z")
_BARE = re.compile(rb"[\d.:A-Za-z-]++")
_SEPARATOR = re.compile(rb"\s*+(?:,\s*+|\Z)")
_HEADER = re.compile(rb"([\w.-]++)((?::[a-z]++){1,2}|:|)\s*+([=!]~)\s*+(.+)\Z")
_EXISTS = re.compile(rb"exists:([\w.-]++):?\Z")
_MIMEHEADER = re.compile(rb"([^:\s]++)(:(?:raw)?)?\s*+([=!]~)\s*+(.+)\Z")
_IF_UNSET = re.compile(rb"\[if-unset:\s++(.+)\]\Z")
_OPERATOR = re.compile(rb"[=!]~\s*+(?:m(?=\W)|(?=/))")
_PATTERN_END = re.compile(rb"[imsx]*+(?=\s|\Z)")
_WORD = bytes(one for one in range(128) if chr(one).isalnum()) + b"_!"
_ASKDNS = re.compile(rb"(\S++)(?:\s++([A-Za-z0-9,]++)(?:\s++(.*))?)?\Z")

MODIFIERS = frozenset(
    (b"raw", b"addr", b"name", b"host", b"domain", b"ip", b"revip", b"first", b"last")
)
"""What may stand behind a field's name in a `header` rule."""

_URI_KEYS = frozenset((b"raw", b"type", b"cleaned", b"text", b"domain", b"host"))

_RECORDS = frozenset(
    b"ANY A AAAA MX TXT PTR NAPTR NS SOA CERT CNAME DNAME DHCID HINFO MINFO RP HIP IPSECKEY KX LOC "
    b"GPOS SRV OPENPGPKEY SSHFP SPF TLSA URI CAA CSYNC".split()
)

_ASKED = frozenset(b"ANY A AAAA MX TXT PTR NS CNAME".split())
"""Types that the resolver knows."""


def definition(word: str, value: bytes) -> tuple[str, Test]:
    """The name of a rule, and its test. Raises LineError."""
    name, rest = (*value.split(None, 1), b"", b"")[:2]
    if not _NAME.match(name):
        expected = "letters, digits and underscores, and no digit first"
        raise LineError(f"the name of a rule has {expected}: {quoted(name)!r}")
    if len(name) > NAME_LENGTH:
        raise LineError(f"the name of a rule has up to {NAME_LENGTH} characters: {quoted(name)}")
    if not rest:
        raise LineError(f"nothing stands behind the name {quoted(name)}")
    return text_of(name), _test(word, rest)


def _test(word: str, rest: bytes) -> Test:
    if word == "askdns":
        return _askdns(rest)
    kind = RuleKind(word)
    if kind is RuleKind.META:
        meta = compile_meta(text_of(rest))
        return MetaTest(text_of(rest), meta.names)
    if kind is RuleKind.MIMEHEADER:
        return _mimeheader(rest)
    if kind is RuleKind.URI_DETAIL:
        return _uri_detail(rest)
    if kind is not RuleKind.URI and rest.startswith((b"eval:", b"rbleval:")):
        return _eval(kind, rest)
    if kind is RuleKind.HEADER:
        return _header(rest)
    return TextTest(kind, pattern_of(rest))


def _eval(kind: RuleKind, rest: bytes) -> EvalTest:
    found = _EVAL.match(rest)
    if not found or (rest.startswith(b"rbl") and kind is not RuleKind.HEADER):
        raise LineError(f"expected eval:function(arguments): {quoted(rest)}")
    function = text_of(found[1])
    arguments = _arguments(found[2])
    _, expected = TESTS.get(function, ("", "any"))
    given = RuleKind.BODY if kind is RuleKind.RAWBODY and expected == "body" else kind
    if expected not in ("any", given):
        raise LineError(f"{function}() is a test for '{expected}', and not for '{kind}'")
    return EvalTest(kind, function, arguments)


def _arguments(text: bytes) -> tuple[str, ...]:
    """Strings in quotation marks, numbers, addresses, names of domains."""
    found: list[str] = []
    at = len(text) - len(text.lstrip())
    while at < len(text):
        end, argument = _argument(text, at)
        separator = _SEPARATOR.match(text, end) if end else None
        if not separator:
            raise LineError(f"expected arguments in quotation marks: {quoted(text[at:])}")
        found.append(text_of(argument))
        at = separator.end()
    return tuple(found)


def _argument(text: bytes, at: int) -> tuple[int, bytes]:
    """Where the argument ends that begins there, and what it is; 0 where none is."""
    mark = text[at : at + 1]
    if mark not in (b"'", b'"'):
        bare = _BARE.match(text, at)
        return (bare.end(), bare[0]) if bare else (0, b"")
    # The mark may stand in the argument, as long as neither a comma nor the end follows.
    end = text.find(mark, at + 1)
    while end >= 0 and not _SEPARATOR.match(text, end + 1):
        end = text.find(mark, end + 1)
    return (end + 1, text[at + 1 : end]) if end >= 0 else (0, b"")


def _header(rest: bytes) -> HeaderTest | HeaderExists:
    if rest.startswith(b"exists:"):
        exists = _EXISTS.match(rest)
        if not exists:
            raise LineError(f"expected exists:Field: {quoted(rest)}")
        return HeaderExists(text_of(exists[1]))
    found = _HEADER.match(rest)
    if not found:
        raise LineError(f"expected Field =~ /pattern/, or Field:modifier: {quoted(rest)}")
    modifiers = [one for one in found[2].split(b":") if one]
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            known = text_of(b", ".join(sorted(MODIFIERS)))
            raise LineError(
                f"the modifier :{text_of(modifier)} is unknown, expected one of {known}"
            )
    written, unset = _if_unset(found[4])
    return HeaderTest(
        text_of(found[1]),
        tuple(map(text_of, modifiers)),
        pattern_of(written),
        found[3] == b"!~",
        unset,
    )


def _if_unset(written: bytes) -> tuple[bytes, str | None]:
    at = written.find(b"[if-unset:") if written.endswith(b"]") else -1
    while at > 0:
        found = _IF_UNSET.match(written, at)
        if found and written[at - 1 : at].isspace():
            return written[:at].rstrip(), text_of(found[1])
        at = written.find(b"[if-unset:", at + 1)
    return written, None


def _mimeheader(rest: bytes) -> MimeHeaderTest:
    found = _MIMEHEADER.match(rest)
    if not found:
        raise LineError(f"expected Field =~ /pattern/, or Field:raw: {quoted(rest)}")
    written, unset = _if_unset(found[4])
    return MimeHeaderTest(
        text_of(found[1]),
        ("raw",) if found[2] == b":raw" else (),
        pattern_of(written),
        found[3] == b"!~",
        unset,
    )


def _uri_detail(rest: bytes) -> UriDetailTest:
    conditions: dict[str, UriCondition] = {}
    unfinished: set[bytes] = set()
    at = 0
    for operator in _OPERATOR.finditer(rest):
        if operator.start() < at:
            continue
        before = rest[at : operator.start()].rstrip()
        key = before[len(before.rstrip(_WORD)) :]
        opening = operator.end()
        mark = rest[opening : opening + 1]
        if not key or mark in unfinished:
            continue
        end = _pattern_end(rest, opening + 1, mark)
        if not end:
            # What does not end here does not end behind either.
            unfinished.add(mark)
            continue
        if key.removeprefix(b"!") not in _URI_KEYS:
            known = text_of(b", ".join(sorted(_URI_KEYS)))
            raise LineError(f"{quoted(key)!r} of uri_detail is unknown, expected one of {known}")
        begin = opening - (1 if rest[opening - 1 : opening] == b"m" else 0)
        condition = UriCondition(
            text_of(key), pattern_of(rest[begin:end]), operator[0].startswith(b"!")
        )
        # The last condition for a key counts.
        conditions[condition.key.removeprefix("!")] = condition
        at = end
    if not conditions:
        raise LineError(f"expected conditions as in: text =~ /pattern/: {quoted(rest)}")
    return UriDetailTest(tuple(conditions.values()))


def _pattern_end(rest: bytes, at: int, mark: bytes) -> int:
    """Where a pattern with its flags ends: white space follows. 0 if it does not."""
    while (at := rest.find(mark, at)) >= 0:
        end = _PATTERN_END.match(rest, at + 1)
        if end:
            return end.end()
        at += 1
    return 0


def _askdns(rest: bytes) -> EvalTest:
    found = _ASKDNS.match(rest)
    if not found:
        raise LineError(f"expected askdns NAME question [type [answer]]: {quoted(rest)}")
    kinds = (found[2] or b"A").upper()
    wrong = [one for one in kinds.split(b",") if one not in _RECORDS]
    if wrong:
        raise LineError(f"{quoted(wrong[0])!r} is not a type of DNS records")
    if not _ASKED.intersection(kinds.split(b",")):
        raise LineError(f"filterd does not ask for records of the type {text_of(kinds)}")
    if found[3] is not None:
        wanted_answer(found[3])
    answer = () if found[3] is None else (text_of(found[3]),)
    return EvalTest(RuleKind.HEADER, "askdns", (text_of(found[1]), text_of(kinds), *answer))
