"""Registered domains."""

from __future__ import annotations

import pytest

from filterd.message.suffixes import is_top_level, registered_domain

DOMAINS = [
    ("www.example.com", "example.com"),
    ("WWW.Example.COM.", "example.com"),
    ("a.b.example.co.uk", "example.co.uk"),
    ("co.uk", ""),
    ("com", ""),
    ("ann.github.io", "ann.github.io"),
    ("x.ann.github.io", "ann.github.io"),
    ("www.müller.example", "xn--mller-kva.example"),
    ("www.xn--mller-kva.example", "xn--mller-kva.example"),
    ("mail.unheard-of", "mail.unheard-of"),
    ("192.0.2.1", ""),
    ("[192.0.2.1]", ""),
    ("2001:db8::1", ""),
    ("a..example", ""),
    ("", ""),
    (".", ""),
    (".".join(["a"] * 120 + ["example.com"]), "example.com"),
    ("a" * 300 + ".example", ""),
]


@pytest.mark.parametrize(("name", "domain"), DOMAINS)
def test_registered_domains(name: str, domain: str) -> None:
    assert registered_domain(name) == domain


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("com", True),
        ("UK", True),
        ("xn--p1ai", True),
        ("рф", True),
        # All names directly below it are suffixes themselves.
        ("ck", True),
        ("nosuch", False),
        ("txt", False),
        ("co.uk", False),
        ("", False),
        ("a" * 300, False),
    ],
)
def test_top_level_domains(label: str, expected: bool) -> None:
    assert is_top_level(label) is expected
