"""Rules whose questions to the DNS are put together from the message: askdns, HashBL, ASN."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from filterd.message.authentication import Authentication, AuthResult, DkimCheck
from filterd.message.envelope import Envelope
from filterd.message.message import Message
from filterd.resolver.answer import MX, DnsStatus, Record
from filterd.rules.checker import CompiledRules
from filterd.rules.conf.read import read
from filterd.rules.evals.dns_questions import asking, begin
from filterd.rules.evals.gathered import functions
from filterd.rules.view.view import View
from tests.unit.rules.dns_zone import Zone
from tests.unit.rules.eval_mail import attached, message

DATA = message(
    "Content-Type: text/plain\n\n"
    "Write to Eve.Moor+shop@mail.crime.com, or see http://www.shop.com/Order?id=7#a\n"
    "Pay to 1BoatSLRHtKNngkdXEeobR76b53LETtpyT, call +1 (123) 123-4567\n"
    "<quoted@other.com>",
    attached("application/x-msdownload", b"MZ virus", "run.exe"),
    header="Received: from out.sender.com (gw.sender.com [192.0.2.7]) by mx.example (Postfix)"
    " with SMTP id 123\nFrom: Ann <ann@sender.com>\nReply-To: bob@mail.crime.com\n"
    "To: joe@mx.example\nX-Id: 0815x\nX-Original-To: joe@mx.example\nSubject: Minutes\n",
)

PLUGINS = "".join(
    f"loadplugin Mail::SpamAssassin::Plugin::{name}\n"
    for name in ("AskDNS", "HashBL", "ASN", "URIDNSBL")
)


def asked(
    text: str, records: dict[str, Record | DnsStatus], data: bytes = DATA
) -> tuple[str, Zone]:
    """The rules that hit, and the zone that knows what was asked."""
    lines = f"{PLUGINS}util_rb_tld com example\n{text}\n"
    rule_set = read([("local.cf", lines.encode())], evals=functions().keys(), use_network=True)
    assert not rule_set.problems
    assert not rule_set.unsupported
    rules = CompiledRules.of(rule_set, functions(), use_bayes=False, use_network=True)
    mail = Message(data, Envelope(sender="x@bounce.sender.com"))
    mail.authentication = Authentication(
        dkim=(
            DkimCheck(AuthResult.PASS, "sender.com", "s1"),
            DkimCheck(AuthResult.PASS, "esp.example", "s1"),
            DkimCheck(AuthResult.FAIL, "forged.example", "s1"),
        )
    )
    view = View(mail, rule_set.options, tests_network=True)
    zone = Zone(records)
    begin(view, asking(rule_set.rules.values()), zone)
    hits = " ".join(sorted(hit.name for hit in rules.check(view)))
    assert not zone.late, "asked for only when the answer was needed"
    return hits, zone


# askdns: the line, a record, and whether it hits.
ASKDNS: dict[str, tuple[str, dict[str, Record | DnsStatus], bool]] = {
    "each value of a tag": (
        "_DKIMDOMAIN_.l.example",
        {"esp.example.l.example A": "127.0.0.2"},
        True,
    ),
    "a signature that is not valid": (
        "_DKIMDOMAIN_.l.example",
        {"forged.example.l.example A": "127.0.0.2"},
        False,
    ),
    "author": ("_AUTHORDOMAIN_.l.example.", {"sender.com.l.example A": "127.0.0.2"}, True),
    "a field": (
        "_HEADER(Reply-To:addr:domain)_.l.example A",
        {"crime.com.l.example A": "127.0.0.2"},
        True,
    ),
    "an address backwards": (
        "_LASTEXTERNALREVIP_.l.example A 127.0.0.2",
        {"7.2.0.192.l.example A": "127.0.0.2"},
        True,
    ),
    "two tags": (
        "_SENDERDOMAIN_._AUTHORDOMAIN_.l.example",
        {"bounce.sender.com.sender.com.l.example A": "127.0.0.2"},
        True,
    ),
    "no tag": ("fixed.example TXT", {"fixed.example TXT": b"yes"}, True),
    "a tag that is not set": ("_NOBODY_.l.example", {"l.example A": "127.0.0.2"}, False),
    "without a type": ("fixed.example", {"fixed.example TXT": b"yes"}, False),
    "pattern": ("fixed.example TXT /^V=spf1 -/i", {"fixed.example TXT": b"v=spf1 -all"}, True),
    "pattern that does not match": (
        "fixed.example TXT /\\+all/",
        {"fixed.example TXT": b"-all"},
        False,
    ),
    "text": ('fixed.example TXT "list"', {"fixed.example TXT": b"list"}, True),
    "a part of the text": ("fixed.example TXT 'list'", {"fixed.example TXT": b"a list"}, False),
    "bits": ("fixed.example A 0x10", {"fixed.example A": "127.0.0.18"}, True),
    "bits outside of lists": ("fixed.example A 16", {"fixed.example A": "10.0.0.16"}, False),
    "range": ("fixed.example A 10.0.0.1-10.0.0.9", {"fixed.example A": "10.0.0.9"}, True),
    "above the range": (
        "fixed.example A 10.0.0.1-10.0.0.9",
        {"fixed.example A": "10.0.0.10"},
        False,
    ),
    "mask": ("fixed.example A 0.0.0.16/0x10", {"fixed.example A": "127.0.0.17"}, True),
    "one of several types": ("fixed.example A,MX", {"fixed.example MX": MX(5, "mx.example")}, True),
    "any type": ("fixed.example ANY", {"fixed.example TXT": b"x"}, True),
    "MX as in a zone": (
        "fixed.example MX /^10 mx\\.example\\.$/",
        {"fixed.example MX": MX(10, "mx.example")},
        True,
    ),
    "NS as in a zone": ("fixed.example NS /^ns\\.$/", {"fixed.example NS": "ns"}, True),
    "no such name": ("fixed.example A [NXDOMAIN]", {}, True),
    "codes by number": ("fixed.example A [2,3]", {"fixed.example A": DnsStatus.SERVFAIL}, True),
    "another code": ("fixed.example A [ServFail]", {"fixed.example A": DnsStatus.REFUSED}, False),
    "no answer has no code": (
        "fixed.example A [NXDOMAIN,2]",
        {"fixed.example A": DnsStatus.TIMEOUT},
        False,
    ),
    "nothing there": ("fixed.example A [NOERROR]", {"fixed.example A": DnsStatus.NODATA}, True),
    "failure": ("fixed.example A", {"fixed.example A": DnsStatus.SERVFAIL}, False),
}


@pytest.mark.parametrize("name", ASKDNS)
def test_askdns(name: str) -> None:
    line, records, hits = ASKDNS[name]
    found, _ = asked(f"askdns A {line}\nmeta M A", records)
    assert found == ("A M" if hits else "")


def test_askdns_of_what_another_rule_found() -> None:
    text = (
        r"header N X-Id =~ /^(?<XID>\d+)/"
        + "\naskdns A _XID_.ids.example\naskdns B _XID_.other.example"
    )
    assert asked(text, {"0815.ids.example A": "127.0.0.2"})[0] == "A N"


def test_askdns_leaves_out_domains_that_no_list_is_asked_about() -> None:
    found, zone = asked(
        "uridnsbl_skip_domain sender.com\n"
        "askdns A _AUTHORDOMAIN_.l.example\naskdns B _SENDERDOMAIN_.l.example",
        {"sender.com.l.example A": "127.0.0.2", "bounce.sender.com.l.example A": "127.0.0.2"},
    )
    assert (found, zone.started) == ("", set())


def test_askdns_asks_no_names_that_cannot_be() -> None:
    data = DATA.replace(b"0815x", b"a b.example")
    assert asked("askdns A _HEADER(X-Id)_.l.example", {}, data)[1].started == set()


ASKDNS_MISTAKES = {
    "fixed.example SRV": "filterd does not ask for records of the type SRV",
    "fixed.example A [NOSUCH]": "'NOSUCH' is not a status code of the DNS",
    "fixed.example A 127.0.0.300": "expected a number, an address",
    "fixed.example A /(/x/": "the delimiter '/' stands in the pattern",
}


@pytest.mark.parametrize("line", ASKDNS_MISTAKES)
def test_askdns_mistakes(line: str) -> None:
    rule_set = read([("local.cf", f"{PLUGINS}askdns A {line}".encode())])
    assert ASKDNS_MISTAKES[line] in str(rule_set.problems[0])


def sha1(text: bytes) -> str:
    return hashlib.sha1(text).hexdigest()


def sha256(text: bytes) -> str:
    return base64.b32encode(hashlib.sha256(text).digest()).decode().rstrip("=").lower()


BTC = r"\b([13][a-km-zA-HJ-NP-Z1-9]{25,34})\b"
PHONE = r"\b(?:\+)?((?:[0-9]{1,2})?\s[(]?[0-9]{3}[)]?[-\s.]?[0-9]{3}[-\s.]?[0-9]{4,6})\b"

# The test with its arguments, and all names that it asks for.
HASHBL = {
    "header A eval:check_hashbl_emails('l.example')": [
        sha1(b"ann@sender.com"),
        sha1(b"x@bounce.sender.com"),
        sha1(b"bob@mail.crime.com"),
        sha1(b"eve.moor@mail.crime.com"),
    ],
    "header A eval:check_hashbl_emails('l.example/A', 'md5', 'Reply-To')": [
        hashlib.md5(b"bob@mail.crime.com").hexdigest()
    ],
    "header A eval:check_hashbl_emails('l.example', 'sha1/case/nodot', 'body')": [
        sha1(b"EveMoor+shop@mail.crime.com"),
        sha1(b"quoted@other.com"),
    ],
    "header A eval:check_hashbl_emails('l.example', 'raw/domain/noquote', 'body')": ["crime.com"],
    "header A eval:check_hashbl_emails('l.example', 'raw/host/noquote', 'body')": [
        "mail.crime.com"
    ],
    "header A eval:check_hashbl_emails('l.example', 'raw/user/notag/noquote', 'body')": [
        "eve.moor"
    ],
    "header A eval:check_hashbl_emails('l.example', 'raw', 'To')": [],
    "hashbl_acl_bad crime.com !other.com mail.crime.com\n"
    "header A eval:check_hashbl_emails('l.example', 'raw/user', 'body/Reply-To', '^127', 'bad')": [
        "eve.moor+shop",
        "bob",
    ],
    "hashbl_email_domain_alias crime.com mail.crime.com\n"
    "header A eval:check_hashbl_emails('l.example', 'sha256', 'Reply-To')": [
        sha256(b"bob@crime.com")
    ],
    "hashbl_ignore bob@mail.crime.com\n"
    "header A eval:check_hashbl_emails('l.example', 'sha1', 'Reply-To')": [],
    "uridnsbl_skip_domain crime.com\n"
    "header A eval:check_hashbl_emails('l.example', 'sha1', 'Reply-To')": [],
    r"hashbl_email_regex \w+@other\.com" + "\n"
    "header A eval:check_hashbl_emails('l.example', 'sha1', 'body')": [sha1(b"quoted@other.com")],
    "header A eval:check_hashbl_uris('l.example', 'sha1')": [sha1(b"http://www.shop.com/order")],
    "header A eval:check_hashbl_uris('l.example', 'md5/case')": [
        hashlib.md5(b"http://www.shop.com/Order").hexdigest()
    ],
    "uridnsbl_skip_domain shop.com\nheader A eval:check_hashbl_uris('l.example')": [],
    f"body A eval:check_hashbl_bodyre('l.example', 'sha256/case', '{BTC}')": [
        sha256(b"1BoatSLRHtKNngkdXEeobR76b53LETtpyT")
    ],
    f"body A eval:check_hashbl_bodyre('l.example/TXT', 'raw/num', '{PHONE}')": ["11231234567"],
    r"header N X-Id =~ /^(?<XID>\w+)/"
    "\nheader A eval:check_hashbl_tag('l.example', 'raw', 'XID')": ["0815x"],
    "header A eval:check_hashbl_tag('l.example', 'raw/ip/revip', 'LASTEXTERNALIP')": ["7.2.0.192"],
    "header A eval:check_hashbl_tag('l.example', 'raw/ipv6', 'LASTEXTERNALIP')": [],
    "header A eval:check_hashbl_tag('l.example', 'raw/fqdn', '_LASTEXTERNALIP_')": ["192.0.2.7"],
    "header A eval:check_hashbl_tag('l.example', 'raw/trim', 'LASTEXTERNALRDNS')": ["sender.com"],
    "header A eval:check_hashbl_tag('l.example', 'sha1', 'NOBODY')": [],
    "hashbl_ignore text/plain\nbody A eval:check_hashbl_attachments('l.example', 'sha256')": [
        sha256(b"MZ virus")
    ],
    "hashbl_ignore text/plain run.exe\nbody A eval:check_hashbl_attachments('l.example')": [],
    "body A eval:check_hashbl_attachments('l.example', 'sha1/maxsize=8')": [sha1(b"MZ virus")],
    "body A eval:check_hashbl_attachments('l.example', 'sha1/maxsize=7')": [],
}


@pytest.mark.parametrize("lines", HASHBL)
def test_hashbl(lines: str) -> None:
    """What is asked; and each answer within 127.0.0.0/8 is a hit, others are none."""
    names = {f"{one}.l.example" for one in HASHBL[lines]}
    text = f"{lines}\ntflags A net"
    kind = "TXT" if "/TXT" in lines else "A"
    hits, zone = asked(text, {})
    assert {name for name, _ in zone.started} == names
    assert "A" not in hits.split()
    for name in names:
        record: Record = b"127.0.0.2" if kind == "TXT" else "127.0.0.2"
        assert "A" in asked(text, {f"{name} {kind}": record})[0].split()
        other: Record = b"no" if kind == "TXT" else "192.0.2.1"
        assert "A" not in asked(text, {f"{name} {kind}": other})[0].split()


def test_hashbl_asks_about_some_where_there_are_many() -> None:
    addresses = " ".join(f"user{n}@host{n}.com" for n in range(50))
    data = f"Subject: x\n\n{addresses}\n".encode()
    line = "header A eval:check_hashbl_emails('l.example', 'raw/user/{}', 'body')\ntflags A net"
    first = asked(line.format("max=3"), {}, data)[1].started
    assert {name for name, _ in first} == {f"user{n}.l.example" for n in range(3)}
    shuffled = {
        frozenset(name for name, _ in asked(line.format("max=3/shuffle"), {}, data)[1].started)
        for _ in range(5)
    }
    assert {len(one) for one in shuffled} == {3}
    assert len(shuffled) > 1
    assert len(asked(line.format("shuffle"), {}, data)[1].started) == 10


ASN = {
    "cymru": (
        b"64500 64501 | 192.0.2.0/24 | US | arin | 2001-01-01",
        "AS64500 AS64501",
        "192.0.2.0/24",
    ),
    "the number second": (b"192.0.2.0/24|AS64500|x", "AS64500", "192.0.2.0/24"),
    "only the number": (b"64500", "AS64500", ""),
    "nobody's": (b"4294967295 | 0.0.0.0/0", "", ""),
    "three strings, joined": (b"64500192.0.2.024", "", ""),
}


@pytest.mark.parametrize("name", ASN)
def test_asn(name: str) -> None:
    record, numbers, route = ASN[name]
    text = (
        "asn_lookup asn.example. _MYASN_ _MYROUTE_\n"
        f"header A eval:check_asn('/^{re.escape(numbers)}$/', 'MYASN')\n"
        f"header B eval:check_asn('m,^{re.escape(route)}$,', 'MYROUTE')\n"
        "tflags A net\ntflags B net"
    )
    hits, zone = asked(text, {"7.2.0.192.asn.example TXT": record})
    assert hits == " ".join(name for name, text in (("A", numbers), ("B", route)) if text)
    assert {name for name, _ in zone.started} == {"7.2.0.192.asn.example"}


def test_asn_as_it_is_by_default() -> None:
    records: dict[str, Record | DnsStatus] = {"7.2.0.192.asn.example TXT": b"64500 | 192.0.2.0/24"}
    text = "asn_lookup asn.example\nheader A eval:check_asn('/^AS64500$/')\ntflags A net"
    assert asked(text, records)[0] == "A"
    assert asked("asn_prefix ''\n" + text.replace("AS64500", "64500"), records)[0] == "A"
    assert asked("asn_use_dns 0\n" + text, records)[0] == ""


def test_nothing_is_asked_where_that_is_not_allowed() -> None:
    text = (
        f"{PLUGINS}askdns A fixed.example\nheader B eval:check_hashbl_emails('l.example')\n"
        "header C eval:check_asn('/./')\n"
    )
    rule_set = read([("local.cf", text.encode())])
    rules = CompiledRules.of(rule_set, functions(), use_bayes=False, use_network=False)
    assert rules.check(View(Message(DATA))) == ()
