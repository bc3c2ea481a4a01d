"""What one rule's named groups take out of a message, and rules that look for it."""

from __future__ import annotations

import pytest

from filterd.message import Message
from filterd.message.authentication import Authentication, AuthResult, DkimCheck
from filterd.message.envelope import Envelope
from filterd.rules import captures
from filterd.rules.checker import CompiledRules
from filterd.rules.conf.read import read
from filterd.rules.evals.tags import TAGS, tag_values
from filterd.rules.view.view import View

DATA = (
    b"Received: from out.shop.com (gw.shop.com [192.0.2.7]) by mx.example (Postfix) with SMTP\n"
    b"From: Ann <ann@shop.com>\nTo: joe@mx.example\nSubject: order 4711 of bolts+nuts\n"
    b"X-Number: 4711\nContent-Type: text/plain\n\n"
    b"Hello, Joe! Order 4711 and order 4712 are ready.\n\n"
    b"See http://www.shop.com/order/4712?to=joe@mx.example and bolts+nuts.\n"
)


def compiled(text: str) -> CompiledRules:
    rule_set = read([("local.cf", text.encode("latin-1"))])
    assert not rule_set.problems
    rules = CompiledRules.of(rule_set, {}, use_bayes=False, use_network=False)
    assert not rules.problems
    return rules


def hits(text: str, data: bytes = DATA) -> str:
    found = compiled(text).check(View(Message(data)))
    return " ".join(sorted(hit.name for hit in found))


NUMBER = r"header N X-Number =~ /^(?<NUMBER>\d+)/"

TABLE = {
    "header to body": (f"{NUMBER}\nbody A /order %{{NUMBER}}/i", "A N"),
    "header to uri": (f"{NUMBER}\nuri A m{{/%{{NUMBER}}}}", "N"),
    "body to uri": (r"body B /and order (?<LAST>\d+)/" + "\nuri A m{/%{LAST}}", "A B"),
    "uri to header": (r"uri U m,www\.(?<HOST>[\w.]+)," + "\nheader A From =~ /@%{HOST}/", "A U"),
    "rawbody": (r"rawbody R /Hello, (?<WHO>\w+)/" + "\nheader A To =~ /%{WHO}@/i", "A R"),
    "case counts": (r"rawbody R /Hello, (?<WHO>\w+)/" + "\nheader A To =~ /%{WHO}@/", "R"),
    "full": (r"full F /^X-Number: (?<NUMBER>\d+)/m" + "\nbody A /%{NUMBER}/", "A F"),
    "mimeheader": (
        r"mimeheader M X-Number =~ /(?<NUMBER>\d+)/" + "\nbody A /order %{NUMBER}/",
        "A M",
    ),
    "only what matched": (r"header N X-Number =~ /^(?<NUMBER>\d+)x/" + "\nbody A /%{NUMBER}/", ""),
    "not taken part": (r"header N X-Number =~ /4(?:7|(?<NUMBER>8))/" + "\nbody A /%{NUMBER}/", "N"),
    "all of multiple": (
        r"body B /order (?<NUMBER>\d+)/i" + "\ntflags B multiple\nuri A m{/%{NUMBER}}",
        "A B",
    ),
    "the first without it": (r"body B /order (?<NUMBER>\d+)/i" + "\nuri A m{/%{NUMBER}}", "B"),
    "text is not a pattern": (
        r"header S Subject =~ /of (?<WHAT>.*)/" + "\nbody A /%{WHAT}/",
        "A S",
    ),
    "with /x": (
        r"header S Subject =~ /(?<WHAT>\d+ of b)/" + "\nheader A Subject =~ /%{WHAT}/x",
        "A S",
    ),
    "escaped": (f"{NUMBER}\nbody A /order \\%{{NUMBER}}/i", "N"),
    "never set": ("body A /%{NOBODY}/\nheader B From !~ /%{NOBODY}/", ""),
    "negated": (
        f"{NUMBER}\nheader A From !~ /%{{NUMBER}}/\nheader B X-Number !~ /%{{NUMBER}}/",
        "A N",
    ),
    "in front of nothing": (f"{NUMBER}\nbody A /^(?!%{{NUMBER}})Hello/", "A N"),
    "two of them": (
        f"{NUMBER}\n" + r"body B /Hello, (?<WHO>\w+)/" + "\nfull A /%{NUMBER}.*%{WHO}/s",
        "A B N",
    ),
    "one after the other": (
        f"{NUMBER}\n"
        + r"body Z /%{NUMBER} and order (?<LAST>\d+)/"
        + "\npriority Z -9999\nuri A m{/%{LAST}}",
        "A N Z",
    ),
    "of a field": ("uri A m{//www\\.%{HEADER(From:addr:domain)}/}", "A"),
    "of a field that is not there": ("body A /%{HEADER(X-None)}/", ""),
    "lower case is not a tag": (
        r"header N X-Number =~ /^(?<number>\d+)/" + "\nbody A /%{number}/",
        "N",
    ),
    "in a meta": (f"{NUMBER}\nbody __A /order %{{NUMBER}}/i\nmeta A N && __A", "A N __A"),
    "P<> and quotation marks": (
        r"header N X-Number =~ /^(?P<ONE>\d)/"
        + "\n"
        + r"header M X-Number =~ /(?'TWO'\d)$/"
        + "\nheader A X-Number =~ /^%{ONE}7%{TWO}/\nheader B X-Number =~ /^%{ONE}71$/",
        "A M N",
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_captures(name: str) -> None:
    text, expected = TABLE[name]
    assert hits(text) == expected


def test_the_next_message_has_other_values() -> None:
    rules = compiled(f"{NUMBER}\nbody A /order %{{NUMBER}} and/i")
    found = [
        [hit.name for hit in rules.check(View(Message(data)))]
        for data in (DATA, DATA.replace(b"X-Number: 4711", b"X-Number: 4712"), DATA)
    ]
    assert found == [["N", "A"], ["N"], ["N", "A"]]


def test_where_it_matches() -> None:
    rules = compiled(f"{NUMBER}\nheader A Subject =~ /.%{{NUMBER}}/")
    view = View(Message(DATA))
    rules.check(view)
    assert rules.where(view, "A") == [("Subject", b" 4711")]
    assert rules.where(view, "N") == [("X-Number", b"4711")]


def test_octets_of_all_kinds_stand_for_themselves() -> None:
    value = bytes(one for one in range(1, 256) if one not in b"\r\n")
    rules = compiled("header N X-Odd:raw =~ /<(?<ODD>.*)>/\nheader A X-Copy:raw =~ /<%{ODD}>/")
    data = b"X-Odd: <" + value + b">\nX-Copy: <" + value + b">\n\n"
    assert {hit.name for hit in rules.check(View(Message(data)))} == {"A", "N"}


def test_as_many_values_as_are_kept() -> None:
    rules = compiled("rawbody N /<(?<MANY>\\w+)>/\ntflags N multiple\nrawbody A /%{MANY}\\./")
    words = [f"w{n}" for n in range(captures.VALUES + 1)]
    text = " ".join(f"<{word}>" for word in words)
    for last, expected in ((words[-2], {"A", "N"}), (words[-1], {"N"})):
        data = f"Subject: x\n\n{text}\n{last}.\n".encode()
        assert {hit.name for hit in rules.check(View(Message(data)))} == expected


def test_a_value_that_is_too_long_for_a_pattern(caplog: pytest.LogCaptureFixture) -> None:
    rules = compiled("full N /<(?<LONG>\\w+)>/\nfull A /%{LONG}\\./")
    for size, expected in ((captures.OCTETS, {"A", "N"}), (captures.OCTETS + 1, {"N"})):
        assert not caplog.text
        data = b"Subject: x\n\n<%b>\n%b.\n" % (b"a" * size, b"a" * size)
        assert {hit.name for hit in rules.check(View(Message(data)))} == expected
    assert "rule A (local.cf:2) failed" in caplog.text


VALUES = {
    "SENDERDOMAIN": ["bounce.shop.com"],
    "AUTHORDOMAIN": ["shop.com"],
    "LASTEXTERNALIP": ["192.0.2.7"],
    "LASTEXTERNALREVIP": ["7.2.0.192"],
    "LASTEXTERNALRDNS": ["gw.shop.com"],
    "LASTEXTERNALHELO": ["out.shop.com"],
    "FIRSTTRUSTEDIP": [],
    "RELAYSUNTRUSTEDREVIP": ["7.2.0.192"],
    "RELAYSTRUSTEDREVIP": [],
    "DKIMDOMAIN": ["shop.com", "esp.example"],
    "DKIMIDENTITY": ["@shop.com", "ann@esp.example"],
    "DKIMSELECTOR": ["s1"],
    "URIDOMAINS": ["shop.com"],
    "URIHOSTS": ["www.shop.com"],
    "HEADER(X-Number)": ["4711\n"],
    "HEADER(From:name)": ["Ann"],
    "NOBODY": [],
}


@pytest.mark.parametrize("name", VALUES)
def test_tags(name: str) -> None:
    message = Message(DATA, Envelope(sender="x@bounce.shop.com"))
    signatures = (
        DkimCheck(AuthResult.PASS, "shop.com", "s1"),
        DkimCheck(AuthResult.FAIL, "bad.example", "s2"),
        DkimCheck(AuthResult.PASS, "esp.example", "s1", "ann@esp.example"),
    )
    message.authentication = Authentication(dkim=signatures)
    found = tag_values(View(message), name)
    assert sorted(found) == sorted(one.encode() for one in VALUES[name])
    assert name.partition("(")[0] in TAGS or not found
