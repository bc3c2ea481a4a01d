"""DMARC policy records: RFC 9989 §4.7, §4.8, and what becomes of damaged ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.auth.dmarc.record import (
    RECORD_LIMIT,
    URIS_LIMIT,
    Alignment,
    DmarcRecord,
    Psd,
    ReportUri,
)
from filterd.message.authentication import DmarcPolicy

NONE, QUARANTINE, REJECT = DmarcPolicy
REPORTS = "rua=mailto:dmarc@mx.example"


def parsed(text: str | bytes) -> DmarcRecord:
    record = DmarcRecord.parse(text)
    assert record is not None
    return record


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1",
        "v=DMARC1;",
        "v=DMARC1; p=none",
        "v=DMARC1;p=none;",
        "v = DMARC1 ; p = none ; ",
        "v\t=\tDMARC1\t;\tp=none",
        "V=DMARC1; p=none",
    ],
)
def test_a_record_begins_with_its_version(text: str) -> None:
    assert DmarcRecord.parse(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=spf1 -all",
        "p=reject; v=DMARC1",
        "v=DMARC2; p=reject",
        "v=DMARC10; p=reject",
        "v=DMARC1.0; p=reject",
        "v=dmarc1; p=reject",
        "v=DMARC1 p=reject",
        "v=DMARC1, p=reject",
        "v==DMARC1; p=reject",
        "DMARC1; p=reject",
        " v=DMARC1; p=reject",
        '"v=DMARC1; p=reject"',
        "\ufeffv=DMARC1; p=reject",
        "; v=DMARC1; p=reject",
        "v=DMARC1\r\n; p=reject",
        "v=DMARC1; p=reject;" + " " * RECORD_LIMIT,
    ],
)
def test_what_does_not_begin_with_it_is_no_record(text: str) -> None:
    assert DmarcRecord.parse(text) is None


def test_a_record_with_every_tag() -> None:
    record = parsed(
        "v=DMARC1; p=reject; sp=quarantine; np=none; t=y; psd=n; adkim=s; aspf=s; fo=1:d:s; "
        "rua=mailto:a@mx.example,mailto:b@mx.example; ruf=mailto:c@mx.example"
    )
    assert (record.p, record.sp, record.np) == (REJECT, QUARANTINE, NONE)
    assert (record.testing, record.psd) == (True, Psd.NO)
    assert (record.adkim, record.aspf) == (Alignment.STRICT, Alignment.STRICT)
    assert record.fo == ("1", "d", "s")
    assert [one.address for one in record.rua] == ["a@mx.example", "b@mx.example"]
    assert [one.address for one in record.ruf] == ["c@mx.example"]
    assert not record.damaged


def test_a_record_with_none_has_the_defaults() -> None:
    record = parsed("v=DMARC1")
    assert (record.p, record.sp, record.np) == (None, None, None)
    assert (record.testing, record.psd) == (False, Psd.UNKNOWN)
    assert (record.adkim, record.aspf) == (Alignment.RELAXED, Alignment.RELAXED)
    assert (record.fo, record.rua, record.ruf) == (("0",), (), ())
    assert not record.damaged


@pytest.mark.parametrize(
    ("tags", "p"),
    [
        ("p=none", NONE),
        ("p=quarantine", QUARANTINE),
        ("p=reject", REJECT),
        ("p=ReJect", REJECT),
        ("P=reject", REJECT),
        ("p\t=\treject\t", REJECT),
        ("sp=none; p=reject", REJECT),  # RFC 7489 wanted p second
        ("p=reject; p=REJECT", REJECT),
        ("p=reject; pct=0; rf=afrf; ri=1; xyz=p=none", REJECT),
        ("p=reject; pct=abc; rf=; ri", REJECT),
        (";; p=reject ;;", REJECT),
        ("p=reject; ü=ö", REJECT),
        ("p", None),
        ("p=", None),
        ("p= ", None),
        ("p=n", None),
        ("p=rejected", None),
        ("p=reject,", None),
        ("p=re ject", None),
        ("p=reject\x00", None),
        ("p=réject", None),
        ("p==reject", None),
        ("p=reject; p=none", None),
        ("p=reject; p", None),
        ("pp=reject", None),
        ("p.=reject", None),
    ],
)
def test_the_policy(tags: str, p: DmarcPolicy | None) -> None:
    assert parsed(f"v=DMARC1; {tags}").p is p


@pytest.mark.parametrize(
    ("tags", "own", "below", "of_nobody"),
    [
        ("p=reject", REJECT, REJECT, REJECT),
        ("p=none; sp=quarantine", NONE, QUARANTINE, QUARANTINE),
        ("p=none; np=reject", NONE, NONE, REJECT),
        ("p=none; sp=quarantine; np=reject", NONE, QUARANTINE, REJECT),
        ("p=reject; sp=none; np=quarantine", REJECT, NONE, QUARANTINE),
        # Without a policy that can be used: none, if somebody wants reports.
        (REPORTS, NONE, NONE, NONE),
        (f"p=bad; {REPORTS}", NONE, NONE, NONE),
        (f"p=reject; sp=bad; {REPORTS}", NONE, NONE, NONE),
        (f"p=reject; np=bad; {REPORTS}", NONE, NONE, NONE),
        (f"p=reject; np=; {REPORTS}", NONE, NONE, NONE),
        (f"p=reject; p=none; {REPORTS}", NONE, NONE, NONE),
        (f"sp=reject; {REPORTS}", NONE, NONE, NONE),
        ("p=reject; sp=bad", None, None, None),
        ("p=reject; np=bad", None, None, None),
        ("p=bad", None, None, None),
        ("p=bad; rua=dmarc@mx.example", None, None, None),
        ("sp=reject", None, None, None),
        ("", None, None, None),
        ("ruf=mailto:dmarc@mx.example", None, None, None),
        ("rua=https://mx.example/dmarc", NONE, NONE, NONE),
    ],
)
def test_what_it_asks_for(
    tags: str, own: DmarcPolicy | None, below: DmarcPolicy | None, of_nobody: DmarcPolicy | None
) -> None:
    record = parsed(f"v=DMARC1; {tags}")
    assert record.policy() is own
    assert record.policy(subdomain=True) is below
    assert record.policy(subdomain=True, exists=False) is of_nobody
    assert record.is_usable is (own is not None)


@pytest.mark.parametrize(
    ("tags", "testing", "psd", "adkim", "aspf"),
    [
        ("t=y; psd=y; adkim=s; aspf=s", True, "y", "s", "s"),
        ("t=Y; psd=Y; adkim=S; aspf=S", True, "y", "s", "s"),
        ("t=n; psd=u; adkim=r; aspf=r", False, "u", "r", "r"),
        ("t=yes; psd=maybe; adkim=strict; aspf=x", False, "u", "r", "r"),
        ("t=; psd=; adkim=; aspf=", False, "u", "r", "r"),
        ("t=y; t=n; psd=y; psd=n; adkim=s; adkim=r; aspf=s; aspf", False, "u", "r", "r"),
    ],
)
def test_damaged_tags_have_their_default(
    tags: str, testing: bool, psd: str, adkim: str, aspf: str
) -> None:
    record = parsed(f"v=DMARC1; p=reject; {tags}")
    assert record.p is REJECT
    assert (record.testing, record.psd, record.adkim, record.aspf) == (testing, psd, adkim, aspf)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", ("0",)),
        ("1:d", ("1", "d")),
        ("d:0:s", ("d", "0", "s")),
        ("S", ("s",)),
        ("1 : s", ("1", "s")),
        ("0:1", ("0",)),
        ("d:d", ("0",)),
        ("x", ("0",)),
        ("1:", ("0",)),
        ("1:d:s:0:1", ("0",)),
    ],
)
def test_when_failure_reports_are_wanted(value: str, expected: tuple[str, ...]) -> None:
    assert parsed(f"v=DMARC1; p=none; fo={value}").fo == expected


@pytest.mark.parametrize(
    ("value", "uris", "is_damaged"),
    [
        ("mailto:a@mx.example", ["mailto:a@mx.example"], False),
        ("mailto:a@mx.example!10m", ["mailto:a@mx.example"], False),
        ("mailto:a@mx.example!50", ["mailto:a@mx.example"], False),
        ("mailto:a@mx.example!10x", [], True),
        ("mailto:a@mx.example!" + "9" * 5000, [], True),
        (
            "mailto:a@mx.example,mailto:b@mx.example,mailto:a@mx.example!5m",
            ["mailto:a@mx.example", "mailto:b@mx.example"],
            False,
        ),
        ("mailto:a!b@mx.example", [], True),
        (
            "mailto:a@mx.example , MAILTO:b@mx.example",
            ["mailto:a@mx.example", "MAILTO:b@mx.example"],
            False,
        ),
        ("mailto:a@mx.example, mailto:a@mx.example", ["mailto:a@mx.example"], False),
        ("https://mx.example/dmarc?a=b", ["https://mx.example/dmarc?a=b"], False),
        ("mailto:a@mx.example,", ["mailto:a@mx.example"], True),
        ("a@mx.example", [], True),
        ("a@mx.example,mailto:b@mx.example", ["mailto:b@mx.example"], True),
        ("mailto:", [], True),
        ("__", [], True),
        ("mailto:a%zz@mx.example", [], True),
        ("mailto:<a@mx.example>", [], True),
    ],
)
def test_where_reports_go(value: str, uris: list[str], is_damaged: bool) -> None:
    record = parsed(f"v=DMARC1; p=none; rua={value}")
    assert [one.uri for one in record.rua] == uris
    assert ("rua" in record.damaged) is is_damaged


@pytest.mark.parametrize(
    ("size", "limit"),
    [
        ("", None),
        ("!500", 500),
        ("!10k", 10 << 10),
        ("!10M", 10 << 20),
        ("!2g", 2 << 30),
        ("!1t", 1 << 40),
    ],
)
def test_the_obsolete_size_of_reports(size: str, limit: int | None) -> None:
    (uri,) = parsed(f"v=DMARC1; p=none; rua=mailto:a@mx.example{size}").rua
    assert (uri.uri, uri.limit) == ("mailto:a@mx.example", limit)


@pytest.mark.parametrize(
    ("uri", "scheme", "address", "host"),
    [
        ("mailto:dmarc@mx.example", "mailto", "dmarc@mx.example", "mx.example"),
        ("MailTo:dmarc@mx.example", "mailto", "dmarc@mx.example", "mx.example"),
        ("mailto:a%21b@mx.example", "mailto", "a!b@mx.example", "mx.example"),
        ("mailto:a@mx.example?subject=x", "mailto", "a@mx.example", "mx.example"),
        ("mailto:a%2Cb@mx.example", "mailto", "", ""),
        ("mailto:a%0D%0ABcc:x@mx.example", "mailto", "", ""),
        ("mailto:a%00@mx.example", "mailto", "", ""),
        ("mailto:a@b@mx.example", "mailto", "", ""),
        ("mailto:%C3%BC@mx.example", "mailto", "", ""),
        ("mailto://mx.example", "mailto", "", ""),
        ("mailto:mx.example", "mailto", "", ""),
        ("mailto:@mx.example", "mailto", "", ""),
        ("mailto:ann@", "mailto", "", ""),
        ("https://mx.example:8443/a@b", "https", "", "mx.example"),
        ("https://ann@mx.example/", "https", "", "mx.example"),
        ("urn:x", "urn", "", ""),
    ],
)
def test_a_uri(uri: str, scheme: str, address: str, host: str) -> None:
    found = ReportUri(uri)
    assert (found.scheme, found.address, found.host) == (scheme, address, host)


def test_a_record_as_long_as_any_and_one_that_is_not_text() -> None:
    text = "v=DMARC1; p=reject;"
    assert parsed(text + " " * (RECORD_LIMIT - len(text))).p is REJECT
    assert parsed(text + " x=\udc80").p is REJECT


def test_only_so_many_uris_are_kept() -> None:
    uris = ",".join(f"mailto:{number}@mx.example" for number in range(1000))
    assert len(parsed(f"v=DMARC1; p=none; rua={uris}").rua) == URIS_LIMIT


@given(st.binary(max_size=200), st.sampled_from([b"", b"v=DMARC1", b"v=DMARC1;", b"v=DMARC1; p="]))
def test_nothing_raises(octets: bytes, begin: bytes) -> None:
    record = DmarcRecord.parse(begin + octets)
    if record is not None:
        assert record.policy() in (None, *DmarcPolicy)


TAGS = st.sampled_from(
    [
        "p=none",
        "p=reject",
        "p=",
        "sp=bad",
        "np=none",
        "t=y",
        "psd=n",
        "rua=mailto:a@b.example",
        "rua=x",
        "x=y",
        "",
        "=",
        "adkim=s",
        "fo=1",
        "p = Reject",
    ]
)


@given(st.lists(TAGS, max_size=6))
def test_the_order_of_tags_means_nothing(tags: list[str]) -> None:
    def facts(order: list[str]) -> tuple[object, ...]:
        record = parsed("v=DMARC1;" + ";".join(order))
        return record.policy(), record.testing, record.psd, record.adkim, record.fo, record.damaged

    assert facts(tags) == facts(tags[::-1])
