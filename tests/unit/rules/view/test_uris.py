"""The URIs that rules look at: of text and HTML, in all forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.message.message import Message
from filterd.rules.conf.rule import Option, Origin
from filterd.rules.view.uris import Uris
from filterd.rules.view.view import View

HTML = b"Content-Type: text/html\n\n"


def options(**values: str) -> dict[str, tuple[Option, ...]]:
    return {name: (Option(name, value, Origin("t.cf", 1)),) for name, value in values.items()}


OPTIONS = options(
    util_rb_tld="com org net uk example",
    util_rb_2tld="co.uk",
    redirector_pattern=r"/^https?:\/\/go\.example\/\?to=(.*?)(?:$|&)/i",
)


def uris(message: bytes) -> Uris:
    return View(Message(message), OPTIONS).uri_detail


def raw(message: bytes) -> list[bytes]:
    return list(uris(message))


IN_TEXT: dict[str, tuple[bytes, list[bytes]]] = {
    "plain": (b"see http://a.com/x?y=1 now", [b"http://a.com/x?y=1"]),
    "marks at its end": (b"see http://a.com/x!), now.", [b"http://a.com/x"]),
    "in brackets": (
        b"(http://a.com/x) (http://a.com/(y))",
        [b"http://a.com/x", b"http://a.com/(y"],
    ),
    "angle brackets": (b"<http://a.com>", [b"http://a.com"]),
    "www": (b"at www.a.com now", [b"http://www.a.com"]),
    "ftp": (b"at ftp.a.com now", [b"ftp://ftp.a.com"]),
    "no scheme": (b"at a.com/x now", [b"http://a.com/x"]),
    "a port": (b"at a.com:8080/x now", [b"http://a.com:8080/x"]),
    "an address": (b"from joe@a.com now", [b"mailto:joe@a.com"]),
    "two addresses": (b"joe@a.com,ann@a.com", [b"mailto:joe@a.com", b"mailto:ann@a.com"]),
    "mailto": (b"at mailto:joe@a.com?subject=x now", [b"mailto:joe@a.com?subject=x"]),
    "escaped at": (b"at mailto:joe%40a.com now", []),
    "twice": (b"http://a.com http://a.com", [b"http://a.com"]),
    "behind a shift of ISO 2022": (b"\x1b(Bhttp://a.com\x1b(B", [b"http://a.com"]),
    "a host that ends a sentence": (b"see a.com.", [b"http://a.com"]),
    "unknown top level": (b"see a.nosuch and b.txt", []),
    "no host": (b"http:// www. @ a@ @b joe@nosuch", []),
    "a content id": (b"[cid:x@a.com]", []),
    "behind the scheme in a word": (b"xhttp://a.com", [b"http://a.com"]),
    "version numbers": (b"1.2.3 and e.g. so", []),
}


@pytest.mark.parametrize(("text", "expected"), IN_TEXT.values(), ids=IN_TEXT)
def test_uris_in_text(text: bytes, expected: list[bytes]) -> None:
    assert raw(b"\n" + text + b"\n") == expected


TYPES: dict[str, tuple[bytes, set[str]]] = {
    "http://a.com": (b"\nhttp://a.com", {"parsed"}),
    "http://www.a.com": (b"\nwww.a.com", {"parsed", "schemeless"}),
    "http://b.com": (b"\nb.com", {"parsed", "schemeless", "unlinked"}),
    "http://c.com": (HTML + b"<a href=http://c.com>http://c.com</a>", {"parsed", "a"}),
    "http://d.com/x": (HTML + b"<img src='http://d.com/x'>", {"img"}),
}


@pytest.mark.parametrize(("uri", "case"), TYPES.items(), ids=TYPES)
def test_types(uri: str, case: tuple[bytes, set[str]]) -> None:
    message, types = case
    assert uris(message)[uri.encode()].types == types


IN_HTML: dict[str, tuple[bytes, list[bytes]]] = {
    "a link": (b"<a href='http://a.com/x'>y</a>", [b"http://a.com/x"]),
    "entities": (b"<a href='http://a.com/?a&amp;b'>y</a>", [b"http://a.com/?a&b"]),
    "relative": (b"<img src=/x.png>", [b"/x.png"]),
    "a base": (
        b"<base href='http://a.com/d/i.html'><img src=../x.png>",
        [b"http://a.com/d/i.html", b"http://a.com/x.png"],
    ),
    "without a scheme": (b"<img src=//www.a.com/x>", [b"http://www.a.com/x"]),
    "a refresh": (
        b"<meta http-equiv=refresh content='0; url=http://a.com'>",
        [b"http://a.com"],
    ),
    "a form": (b"<form action='http://a.com/f'>", [b"http://a.com/f"]),
    "a background": (b"<body background='http://a.com/b'>", [b"http://a.com/b"]),
    "a slash in place of a blank": (b"<a x/href='http://a.com'>y</a>", [b"http://a.com"]),
    "blanks around": (b"<img src=' http://a.com/x\n'>", [b"http://a.com/x"]),
    "nothing": (b"<img src=''>", []),
}


@pytest.mark.parametrize(("html", "expected"), IN_HTML.values(), ids=IN_HTML)
def test_uris_in_html(html: bytes, expected: list[bytes]) -> None:
    assert raw(HTML + html) == expected


FORMS: dict[str, list[str]] = {
    "http://a.com": [],
    "http://a.com?x": ["http://a.com/?x"],
    "http:a.com": ["http://a.com"],
    "http:\\\\a.com\\x": ["http://a.com/x"],
    "http://%61.com/%7e": ["http://a.com/~"],
    "http://a.com/&#119;": ["http://a.com/w"],
    "http://u:p@a.com/": [],
    "http://u@v@a.com/": ["http://a.com/"],
    "http://a.com:80/x": ["http://a.com/x"],
    "https://a.com:443/x": ["https://a.com/x"],
    "http://a.com:8080/x": [],
    "http://a.com!!!/x": ["http://a.com/x"],
    "http://0x7f.1.02.3/": ["http://127.1.2.3/"],
    "http://2130706433/": ["http://127.0.0.1/"],
    "http://0x7f000001/": ["http://127.0.0.1/"],
    "http://example/": ["http://www.example.com/"],
    "http://a.com/?http://b.com/": ["http://b.com/"],
    "http://b\xfccher.com/\xfc": ["http://xn--bcher-kva.com/\xfc"],
    "http://B\xdcCHER.com:80/": [
        "http://B\xdcCHER.com/",
        "http://xn--bcher-kva.com:80/",
        "http://xn--bcher-kva.com/",
    ],
    "http://a\u3002com/": ["http://a.com/"],
    "http://b\xfccher.com!/": ["http://xn--bcher-kva.com!/", "http://xn--bcher-kva.com/"],
    "http://go.example/?to=b.com&x=1": ["b.com", "http://b.com"],
    "mailto:joe@a.com?subject=x": ["mailto:joe@a.com"],
    "mailto:Joe%20%3C<joe@a.com>": ["mailto:joe@a.com", "mailto:Joe%20%3C<joe@a.com>"],
    "mailto:%20joe@a.com%20": ["mailto:joe@a.com"],
}


@pytest.mark.parametrize(("uri", "others"), FORMS.items(), ids=FORMS)
def test_forms(uri: str, others: list[str]) -> None:
    detail = uris(HTML + b'<a href="' + uri.replace("&", "&amp;").encode() + b'">x</a>')
    found = detail[uri.encode()].cleaned
    assert sorted(found) == sorted({uri.encode(), *(other.encode() for other in others)})


DOMAINS: dict[str, dict[bytes, bytes]] = {
    "http://www.a.co.uk/": {b"www.a.co.uk": b"a.co.uk"},
    "http://WWW.A.COM/": {b"www.a.com": b"a.com"},
    "http://1.2.3.4/": {b"1.2.3.4": b"1.2.3.4"},
    "http://www.b\xfccher.com/": {b"www.xn--bcher-kva.com": b"xn--bcher-kva.com"},
    "mailto:joe@b\xfccher.com": {b"xn--bcher-kva.com": b"xn--bcher-kva.com"},
    "mailto:joe@b.a.com": {b"b.a.com": b"a.com"},
    "javascript:a.com": {},
    "http://a_b.com/": {},
}


@pytest.mark.parametrize(("uri", "hosts"), DOMAINS.items(), ids=DOMAINS)
def test_domains(uri: str, hosts: dict[bytes, bytes]) -> None:
    detail = uris(HTML + b'<a href="' + uri.encode() + b'">x</a>')[uri.encode()]
    assert detail.hosts == hosts
    assert detail.domains == set(hosts.values())


def test_the_text_of_links() -> None:
    detail = uris(
        HTML + b"<a href=http://a.com>b <b>c</b><img src=x></a><a href=http://a.com>d</a>"
    )
    assert detail[b"http://a.com"].anchor_text == [b"b c<img>\n", b"d"]


def test_a_long_uri_is_cut() -> None:
    detail = uris(HTML + b"<a href='http://a.com/" + b"x" * 9000 + b"'>y</a>")
    assert detail.is_truncated
    assert max(map(len, detail)) == 8192


def test_forms_are_bounded_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.rules.view.uris.FORMS_LIMIT", 1_000_000)
    links = [
        b"<a href='http://%d.a.com/?%b'>y</a>" % (n, b"http://%d.b.com/?" % n * 400)
        for n in range(20)
    ]
    view = View(Message(HTML + b"\n".join(links)), OPTIONS)
    assert view.uri_detail.is_truncated
    assert 1_000_000 < sum(map(len, view.uris)) < 2_000_000


def test_domains_of_signatures_count_unless_an_option_says_no() -> None:
    message = Message(b"DKIM-Signature: v=1; d=b.a.com; s=x\n\ny\n")
    unwanted = {**OPTIONS, **options(parse_dkim_uris="0")}
    assert list(View(message, unwanted).uri_detail) == []
    detail = View(message, OPTIONS).uri_detail[b"domainkeys:b.a.com"]
    assert detail.domains == {b"a.com"}
    assert detail.cleaned == []


def test_options_say_how_much_of_a_part_counts() -> None:
    sizes = options(body_part_scan_size="10", rawbody_part_scan_size="20")
    view = View(Message(b"Subject: s\n\n" + b"line\n" * 100), sizes)
    assert view.body == (b"s\n", b"line line line ")
    assert view.rawbody == (b"line\n" * 5,)


@given(st.text("a.@:/ <>(%20mwht\x1b&#", max_size=60))
def test_any_text_is_read(text: str) -> None:
    for detail in uris(b"\n" + text.encode()).values():
        assert detail.hosts
