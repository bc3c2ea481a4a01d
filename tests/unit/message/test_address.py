"""One mailbox in all its spellings, and patterns: which mailboxes they cover, which are refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filterd.message.address import (
    AddressPatternError,
    Mailbox,
    canonical_domain,
    pattern_keys,
    patterns,
    readable,
    same,
)


def covers(pattern: str, address: str) -> bool:
    return not patterns([pattern]).isdisjoint(Mailbox.parse(address).covered_by())


def octets(address: str) -> str:
    """As an envelope had it that was decoded as ASCII."""
    return address.encode().decode("ascii", "surrogateescape")


@pytest.mark.parametrize(
    ("spelled", "canonical"),
    [
        ("team@mx.example", "team@mx.example"),
        ("<team@mx.example>", "team@mx.example"),
        ("TEAM@MX.Example", "team@mx.example"),
        ("team@mx.example.", "team@mx.example"),
        ('"team"@mx.example', "team@mx.example"),
        ('"te\\am"@mx.example', "team@mx.example"),
        ('te"am"@mx.example', "team@mx.example"),
        ("te\\am@mx.example", "team@mx.example"),
        ("@relay.example:team@mx.example", "team@mx.example"),
        ("<@relay.example,@[192.0.2.1],@b.example:team@mx.example>", "team@mx.example"),
        ('@[IPv6:2001:db8::1]:"team"@mx.example', "team@mx.example"),
        ("team+x@mx.example", "team+x@mx.example"),
        ("<postmaster>", "postmaster"),
        ("Postmaster", "postmaster"),
        ("", ""),
        ("<>", ""),
        ('"joe smith"@mx.example', '"joe smith"@mx.example'),
        ('"a@b"@mx.example', '"a@b"@mx.example'),
        ('"a\\"b"@mx.example', '"a\\"b"@mx.example'),
        ('"a@b"', '"a@b"'),
        ("joe@[192.0.2.1]", "joe@[192.0.2.1]"),
        ("joe@[IPv6:2001:DB8:0::1]", "joe@[ipv6:2001:db8::1]"),
        ("Jürgen@müller.example", "jürgen@müller.example"),
        ("ju\u0308rgen@mu\u0308ller.example", "jürgen@müller.example"),
        ("jürgen@MÜLLER.example", "jürgen@müller.example"),
        ("jürgen@XN--MLLER-KVA.example", "jürgen@müller.example"),
        ("joe@faß.example", "joe@faß.example"),
        ("joe@例え。テスト", "joe@例え.テスト"),
        ("joe@☕.example", "joe@☕.example"),
        ("joe@xn--53h.example", "joe@☕.example"),
        (octets("jürgen@müller.example"), "jürgen@müller.example"),
    ],
)
def test_one_mailbox(spelled: str, canonical: str) -> None:
    assert readable(spelled) == canonical
    assert same(spelled, canonical)
    assert same(readable(spelled), spelled)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("team@mx.example", "team@other.example"),
        ("team@mx.example", "teams@mx.example"),
        ("team+x@mx.example", "team@mx.example"),
        ('"@relay.example:team"@mx.example', "team@mx.example"),
        ("strasse@mx.example", "straße@mx.example"),
        ("joe@fass.example", "joe@faß.example"),
        ('" team"@mx.example', "team@mx.example"),
    ],
)
def test_two_mailboxes(one: str, other: str) -> None:
    assert not same(one, other)


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("team@mx.example", '"team"@mx.example'),
        ("team@mx.example", "<@relay.example:team@MX.example>"),
        ("team@mx.example", "team+x@mx.example"),
        ("team@mx.example", '"team+a b"@mx.example'),
        ("team+x@mx.example", "Team+X@mx.example"),
        ('"team"@mx.example', "team@mx.example"),
        ("postmaster@mx.example", "postmaster"),
        ("postmaster@mx.example", "<PostMaster>"),
        ("mx.example", "joe@mx.example"),
        ("mx.example.", "joe@mx.example"),
        ("@mx.example", "joe@mx.example"),
        ("*@mx.example", "joe@mx.example"),
        (".mx.example", "joe@mx.example"),
        (".mx.example", "joe@a.b.mx.example"),
        ("[192.0.2.1]", "joe@[192.0.2.1]"),
        ("joe@[ipv6:2001:db8::1]", "joe@[IPv6:2001:DB8:0:0:0:0:0:1]"),
        ("müller.example", "jürgen@xn--mller-kva.example"),
        ("xn--mller-kva.example", octets("jürgen@müller.example")),
        (".müller.example", "jürgen@mx.xn--mller-kva.example"),
        ("jürgen@mx.example", octets("jürgen@mx.example")),
        ("JÜRGEN@mx.example", "jürgen@mx.example"),
        ('"joe smith"@mx.example', '"joe smith"@mx.example'),
    ],
)
def test_a_pattern_covers(pattern: str, address: str) -> None:
    assert covers(pattern, address)


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("team+x@mx.example", "team@mx.example"),
        ("team@mx.example", "+team@mx.example"),
        ("mx.example", "joe@a.mx.example"),
        (".mx.example", "joe@notmx.example"),
        ("mx.example", "postmaster"),
        ("postmaster@mx.example", "postmaster@other.example"),
        ("mx.example", ""),
        ("[192.0.2.1]", "joe@192.0.2.1"),
    ],
)
def test_a_pattern_does_not_cover(pattern: str, address: str) -> None:
    assert not covers(pattern, address)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("*", "no wildcards"),
        ("jo*@mx.example", "no wildcards"),
        ("*.mx.example", 'written ".mx.example"'),
        ("mx.*", "no wildcards"),
        ("Joe <joe@mx.example>", 'expected "joe@mx.example"'),
        ("<joe@mx.example>", 'expected "joe@mx.example"'),
        ("joe@mx.example, ann@mx.example", "several addresses"),
        ("joe@mx.example;ann@mx.example", "several addresses"),
        ("joe@mx.example ann@mx.example", "spaces"),
        (" joe@mx.example", "spaces"),
        ("joe@mx.example\n", "spaces"),
        ("joe@", "not an address"),
        ("joe@mx..example", "not an address"),
        ("@", "not an address"),
        ("@@mx.example", "not an address"),
        ("joe@ann@mx.example", "not an address"),
        ("..mx.example", "not an address"),
        ("mx.example:25", "not an address"),
        ("mailto:joe@mx.example", "not an address"),
        ("mx_example/", "not an address"),
        ("192.0.2.1", 'written "[192.0.2.1]"'),
        ("joe@192.0.2.1", 'written "[192.0.2.1]"'),
        ("192.0.2.0/24", "not an address"),
        ("[192.0.2.0/24]", "address literal"),
        ("a" * 64 + ".example", "not an address"),
        ("a." * 200 + "example", "not an address"),
    ],
)
def test_a_pattern_that_could_never_match_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(AddressPatternError, match=words.replace("[", r"\[")):
        pattern_keys(pattern)


TEXTS = st.text(alphabet=st.sampled_from('ab+."\\@<>:[]()é例。☕-\udcc3\udcbc \t'), max_size=30)


@given(TEXTS)
@example("@.。")
@example("@a..")
@example("@: 。")
@example("@¨a")
@example("@a\u037a")
def test_any_text_has_one_form(text: str) -> None:
    mailbox = Mailbox.parse(text)
    assert canonical_domain(mailbox.domain) == mailbox.domain
    assert list(mailbox.covered_by())
    str(mailbox)


@given(st.text(alphabet='ab+. "\\@é', min_size=1, max_size=20))
def test_what_is_shown_is_the_same_mailbox(local: str) -> None:
    mailbox = Mailbox.parse('"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"@mx.example')
    assert Mailbox.parse(str(mailbox)) == mailbox
    assert covers(str(mailbox), str(mailbox))


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "<" * 1_000_000,
        "@a:" * 300_000,
        '"' * 1_000_000,
        '"\\' * 500_000,
        "a." * 500_000 + "@b",
        "joe@" + "a." * 500_000,
        "joe@" + "é" * 1_000_000,
        "@" + ",@a" * 300_000,
        "@[" * 300_000,
    ],
)
def test_long_ones_are_read_too(text: str) -> None:
    mailbox = Mailbox.parse(text)
    assert sum(map(len, mailbox.covered_by())) < 10 * len(text)
