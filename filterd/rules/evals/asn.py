"""ASN: the autonomous system of the host that handed the message over, as a DNS zone says it.

`asn_lookup origin.asn.cymru.com _ASN_ _ASNCIDR_`; the answers set the tags. Only zones whose answer
is one string with fields between bars are read, `23028 | 216.90.108.0/24 | US`, or one number: the
resolver joins the strings of a record. Source: Mail::SpamAssassin::Plugin::ASN(3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from filterd.resolver.answer import RecordType
from filterd.rules.conf.rule import Option, Rule
from filterd.rules.evals.address_lists import of_options
from filterd.rules.evals.arguments import pattern
from filterd.rules.evals.dns_questions import Question, asks, questions_of
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.ip_text import reverse
from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::ASN",
    *("asn_lookup", "asn_lookup_ipv6", "asn_prefix"),
    *("asn_use_geodb", "asn_prefer_geodb", "asn_use_dns"),
)

_LINE = re.compile(r"(\S+?)\.?(?:\s+_(\S+)_\s+_(\S+)_)?\Z")
_NUMBERS = re.compile(r"(?:AS)?\d{1,10}(?: +(?:AS)?\d{1,10})*\Z", re.IGNORECASE | re.ASCII)
_NOBODY = ("0", "4294967295")
"""Of addresses that no system announces."""


@dataclass(frozen=True, slots=True)
class _AsnZone:
    zone: str
    number: str
    route: str


def _zones(options: tuple[Option, ...]) -> tuple[_AsnZone, ...]:
    found = (_LINE.match(option.text) for option in options)
    return tuple(
        _AsnZone(line[1], line[2] or "ASN", line[3] or "ASNCIDR")
        for line in found
        if line is not None
    )


def _of(view: View) -> tuple[str, tuple[_AsnZone, ...]]:
    """The address as it is asked about, and the zones for its family."""
    relay = next(iter(view.relays.external), None)
    lines = view.options.get("asn_use_dns", ())
    if relay is None or relay.ip_private or (lines and lines[-1].value.strip() == "0"):
        return "", ()
    option = "asn_lookup_ipv6" if ":" in relay.ip else "asn_lookup"
    return reverse(relay.ip), of_options(view, option, _zones)


@asks("check_asn")
def _questions(view: View, _rule: Rule) -> Iterator[Question]:
    address, zones = _of(view)
    return ((f"{address}.{one.zone}", RecordType.TXT) for one in zones if address)


def _prefix(view: View) -> str:
    lines = view.options.get("asn_prefix", ())
    if not lines:
        return "AS"
    text = lines[-1].value.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def set_tags(view: View) -> None:
    """Set the tags of all zones; nothing where none may be asked."""
    questions = questions_of(view)
    if questions is None or not questions.is_begun or "asn" in view.notes:
        return
    view.notes["asn"] = True
    address, zones = _of(view)
    found: dict[str, dict[bytes, None]] = {}
    for one in zones if address else ():
        for record in questions.answers([f"{address}.{one.zone}"], RecordType.TXT):
            fields = [field.strip() for field in record.split("|")]
            at = next((n for n, field in enumerate(fields[:2]) if _NUMBERS.match(field)), None)
            if at is None:
                continue
            for number in fields[at].upper().split():
                if (bare := number.removeprefix("AS")) not in _NOBODY:
                    value = f"{_prefix(view)}{bare}".encode()
                    found.setdefault(one.number, {})[value] = None
            for route in fields[1 - at].split() if len(fields) > 1 else ():
                if not route.endswith("/0"):
                    found.setdefault(one.route, {})[route.encode("latin-1")] = None
    for tag, values in found.items():
        view.tags[tag] = tuple(values)


@PLUGIN.test("check_asn")
def check_asn(view: View, expression: str, tag: str = "ASN") -> bool:
    """The system's number matches the expression."""
    set_tags(view)
    values = view.tags.get(tag)
    return bool(values) and pattern(expression).search(b" ".join(values or ())) is not None
