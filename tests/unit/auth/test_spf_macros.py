"""Macros of SPF: which are read, and what they stand for."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from filterd.auth.spf.macros import (
    NAME_LIMIT,
    MacroError,
    MacroValues,
    SpfSession,
    parse_domain_spec,
    parse_macros,
)


def values(local: str = "strong-bad", domain: str = "email.example.com") -> MacroValues:
    session = SpfSession(ip_address("192.0.2.3"), local, domain, "mx.example.org", "")
    return MacroValues(session, lambda: "mx.example.org")


def name(spec: str, local: str = "strong-bad") -> str | None:
    return values(local).name(parse_domain_spec(spec))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        # RFC 7208 §7.4.
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        # How they may be written.
        ("%{D02}", "example.com"),
        ("%{d10000}", "email.example.com"),
        ("%{d9999}", "email.example.com"),
        ("%{L-+}.%%%_%-.example.", "strong.bad.% %20.example"),
        ("%{h}", "mx.example.org"),
        ("%{p2}", "example.org"),
    ],
)
def test_what_a_name_stands_for(spec: str, expected: str) -> None:
    assert name(spec) == expected


@pytest.mark.parametrize(
    "spec",
    [
        *("%{d0}", "%{d00}", "%{d0r}", "%{d-2}", "%{dr2}", "%{drr}", "%{d }", "%{x}", "%{}"),
        *("%{d", "%d", "%", "%{c}", "%{r}", "%{t}", "a b.example"),
        *("", "a", "a.", "a.1", "a.-b", "a.b-"),
    ],
)
def test_what_is_not_read(spec: str) -> None:
    with pytest.raises(MacroError):
        parse_domain_spec(spec)


def test_letters_that_only_explanations_have() -> None:
    text = values().explanation(parse_macros("%{c} by %{r} at %{t}", explanation=True))
    address, _, host, _, moment = text.split()
    assert (address, host) == ("192.0.2.3", "unknown")
    assert int(moment) > 1_700_000_000


@pytest.mark.parametrize("over", range(-3, 5))
def test_a_name_is_cut_between_labels(over: int) -> None:
    local = "ab." * 80 + "c" * (NAME_LIMIT + over - 240 - len(".x.example"))
    whole = f"{local}.x.example"
    assert len(whole) == NAME_LIMIT + over
    found = name("%{l}.x.example", local)
    cut = {True: 0, False: 3 if over <= 3 else 6}[over <= 0]
    assert found == whole[cut:]
    assert name("%{l}.x.example.", local) == found
