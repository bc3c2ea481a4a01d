"""Which domains there are, by a rule set's own lists and by the Public Suffix List."""

from __future__ import annotations

import pytest

from filterd.rules.conf.rule import Option, Origin
from filterd.rules.view.domains import Domains


def domains(*lines: str) -> Domains:
    """By lines of the configuration, as octets in Latin-1."""
    found: dict[str, list[Option]] = {}
    for number, line in enumerate(lines, 1):
        name, _, value = line.encode().decode("latin-1").partition(" ")
        found.setdefault(name, []).append(Option(name, value, Origin("local.cf", number)))
    return Domains.of(found)


NONE = ()
ADDED = "util_rb_tld corp lan", "util_rb_2tld intern.corp", "util_rb_3tld a.b.com"
WHOLE = "util_rb_tld com net uk рф", "util_rb_2tld co.uk", "util_rb_3tld a.b.com"


@pytest.mark.parametrize(
    ("lines", "known", "unknown"),
    [
        (NONE, ("com", "ORG", "uk", "xn--p1ai"), ("nosuch", "txt", "corp", "")),
        (ADDED, ("com", "ORG", "uk", "corp", "LAN"), ("nosuch", "txt")),
        (WHOLE, ("com", "NET", "xn--p1ai"), ("org", "corp")),
    ],
)
def test_top_level_domains(
    lines: tuple[str, ...], known: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    found = domains(*lines)
    assert [label for label in known + unknown if found.is_top(label)] == list(known)


@pytest.mark.parametrize(
    ("lines", "host", "expected"),
    [
        (NONE, "www.example.co.uk", "example.co.uk"),
        (NONE, "co.uk", "co.uk"),
        (ADDED, "www.example.co.uk", "example.co.uk"),
        (ADDED, "www.example.org", "example.org"),
        (ADDED, "www.example.corp", "example.corp"),
        (ADDED, "www.example.intern.corp", "example.intern.corp"),
        (ADDED, "x.y.a.b.com", "y.a.b.com"),
        (WHOLE, "www.example.co.uk", "example.co.uk"),
        (WHOLE, "www.example.org.uk", "org.uk"),
        (WHOLE, "x.y.a.b.com", "y.a.b.com"),
        (WHOLE, "x.y.pvt.k12.ma.us", "y.pvt.k12.ma.us"),
        (WHOLE, "x..B.net.", "b.net"),
        (WHOLE, "com", "com"),
    ],
)
def test_registered_domains(lines: tuple[str, ...], host: str, expected: str) -> None:
    assert domains(*lines).registered(host) == expected
