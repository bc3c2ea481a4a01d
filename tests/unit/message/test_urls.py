"""URLs in text, HTML and Subject, and how browsers understand them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.message import Message
from filterd.message.urls import URLS_LIMIT, Place, canonical_host

pytestmark = pytest.mark.slow


def message(body: str, kind: str = "text/html", subject: str = "x") -> Message:
    head = f"Subject: {subject}\r\nContent-Type: {kind}; charset=utf-8\r\n\r\n"
    return Message(head.encode() + body.encode())


def hosts(body: str, kind: str = "text/html", subject: str = "x") -> list[tuple[str, str]]:
    found = message(body, kind, subject).urls.found
    return list(dict.fromkeys((str(url.place), url.host) for url in found))


IN_HTML = {
    "a link": ('<a href="http://www.a.example/x?y#z">', [("link", "www.a.example")]),
    "single quotes": ("<a href='https://a.example'>", [("link", "a.example")]),
    "no quotes": ("<a href=http://a.example/x>y</a>", [("link", "a.example")]),
    "an image": ('<img src="http://a.example/x.png">', [("image", "a.example")]),
    "a background": ("<td background=http://a.example/x>", [("image", "a.example")]),
    "no scheme": ('<a href="//a.example/x">', [("link", "a.example")]),
    "www": ('<a href="www.a.example">', [("link", "www.a.example")]),
    "entities": ('<a href="&#104;ttp&colon;//a.ex&#97;mple/">', [("link", "a.example")]),
    "soft hyphen": ('<a href="http://a.exa&shy;mple/">', [("link", "a.example")]),
    "tabs and lines": ('<a href=" ht\ttp://a.\r\nexample/">', [("link", "a.example")]),
    "backslashes": ('<a href="http:\\\\a.example\\x">', [("link", "a.example")]),
    "one slash": ('<a href="http:/a.example/">', [("link", "a.example")]),
    "a user that looks like a host": (
        "<a href=http://good.example@a.example/>",
        [("link", "a.example")],
    ),
    "percent": ('<a href="http://a%2Eexample/">', [("link", "a.example")]),
    "port": ('<a href="http://a.example:8080/">', [("link", "a.example")]),
    "mail": ('<a href="mailto:ann@a.example?subject=x">', [("email", "a.example")]),
    "a number": ('<a href="http://3221225985/">', [("link", "192.0.2.1")]),
    "a reference of many zeros": (
        f'<a href="http://a.exa&#{"0" * 5000}109;ple/">',
        [("link", "a.example")],
    ),
    "a reference that no character has": (
        f'&#{"1" * 5000};<a href="http://a.example/">',
        [("link", "a.example")],
    ),
    "behind a quotation mark in the text": (
        '1="<a href="ht&#9;tp://a.example/">',
        [("link", "a.example")],
    ),
    "style": ('<p style="background:url(http://a.example/x)">', [("text", "a.example")]),
    "refresh": ('<meta content="0;url=http://a.example/">', [("link", "a.example")]),
    "in text": ("<p>see http://a.example/x.</p>", [("text", "a.example")]),
    "one in another": (
        '<a href="https://r.example/?u=http%3A%2F%2Fa.example%2Fx">',
        [("link", "r.example"), ("link", "a.example")],
    ),
    "not closed": ('<a href="http://a.example/', [("link", "a.example")]),
    "other schemes": ('<a href="javascript:x()"><img src="data:image/png;base64,AA">', []),
    "an attribute that is no URL": ('<a href="/x" title="a.example">', []),
    "fragment": ('<a href="#top">', []),
}


@pytest.mark.parametrize(("body", "expected"), IN_HTML.values(), ids=IN_HTML)
def test_in_html(body: str, expected: list[tuple[str, str]]) -> None:
    assert hosts(body) == expected


IN_TEXT = {
    "a URL": ("see http://a.example/x, or not", [("text", "a.example")]),
    "brackets": (
        "<https://a.example> (http://b.example)",
        [("text", "a.example"), ("text", "b.example")],
    ),
    "full stop": ("It is at http://a.example.", [("text", "a.example")]),
    "www": ("www.a.example/x and xwww.b.example", [("text", "www.a.example")]),
    "a word before it": ("Seehttp://a.example", [("text", "a.example")]),
    "mail": ("write to ann@a.example.", [("email", "a.example")]),
    "no mail": ("@ann@ a@b", []),
    "IDN": ("http://www.müller.example/", [("text", "www.xn--mller-kva.example")]),
    "an ideographic full stop": ("http://a。example/", [("text", "a.example")]),
    "address": (
        "http://192.0.2.1/ http://[2001:db8::1]/",
        [("text", "192.0.2.1"), ("text", "2001:db8::1")],
    ),
    "upper case": ("HTTP://A.EXAMPLE/", [("text", "a.example")]),
    "one label": ("http://localhost/ http://x", []),
    "not a host": ("http://.../ http://a..b/ http:///x ://a.example", []),
}


@pytest.mark.parametrize(("body", "expected"), IN_TEXT.values(), ids=IN_TEXT)
def test_in_text(body: str, expected: list[tuple[str, str]]) -> None:
    assert hosts(body, "text/plain") == expected


@pytest.mark.parametrize(
    "subject",
    [
        "see http://a.example/x",
        "=?utf-8?b?" + base64.b64encode(b"http://a.example/x").decode() + "?=",
    ],
)
def test_in_the_subject(subject: str) -> None:
    assert hosts("", subject=subject) == [("subject", "a.example")]


HOSTS = [
    (b"a.example", "a.example"),
    (b"192.0.2.1", "192.0.2.1"),
    (b"0xc0.0.2.1", "192.0.2.1"),
    (b"0300.0.2.1", "192.0.2.1"),
    (b"192.0.513", "192.0.2.1"),
    (b"0xC0000201", "192.0.2.1"),
    (b"192.0.2.256", ""),
    (b"4294967296", ""),
    (b"1.2.3.4.5", ""),
    (b"a.1", ""),
    (b"09.1", ""),
    (b"[::ffff:192.0.2.1]", "192.0.2.1"),
    (b"[::1%25eth0]", ""),
    (b"a b.example", ""),
    (b"-", ""),
    (b"9" * 5000, ""),
    (b"a." * 500, ""),
]


@pytest.mark.parametrize(("raw", "host"), HOSTS)
def test_hosts(raw: bytes, host: str) -> None:
    assert canonical_host(raw) == host


def test_encoded_text_and_several_parts() -> None:
    text = base64.encodebytes(b"<a href='http://b.example'>").decode().replace("\n", "\r\n")
    found = Message(
        b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n\r\nhttp://a.example\r\n"
        b"--x\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + text.encode()
        + b"\r\n--x\r\nContent-Type: image/png\r\n\r\nhttp://c.example\r\n--x--\r\n"
    ).urls
    assert [url.host for url in found.found] == ["a.example", "b.example"]
    assert not found.exceeds


def test_what_is_deep_in_others_once_is_looked_into_where_it_stands_alone() -> None:
    hidden = "http://d.example/?to=http://e.example/"
    deep = f"http://a.example/?to=http://b.example/?to=http://c.example/?to={hidden}"
    for text in (f"{deep} {hidden}", f"{hidden} {deep}"):
        found = Message(f"\r\n{text}\r\n".encode()).urls
        assert "e.example" in {one.host for one in found.found}, text


def test_ten_thousand_urls_and_no_more() -> None:
    found = message("".join(f"<a href=http://h{n}.example/>\n" for n in range(12_000))).urls
    assert len(found.found) == URLS_LIMIT
    assert found.exceeds


def test_text_beyond_the_limit_is_not_read() -> None:
    found = message("x" * (1 << 20) + " http://a.example", "text/plain").urls
    assert (found.found, found.exceeds) == ((), True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["http://", "://", "='", '="', "www.", "@a.", "http://a.example", "&#104;", "www.a,"]
)
def test_hostile_text_is_read_to_its_end(piece: str) -> None:
    body = piece * (200_000 // len(piece)) + ' <a href="http://end.example/">'
    urls = message(body).urls
    assert urls.exceeds or "end.example" in {url.host for url in urls.found}


@given(st.binary(max_size=300))
def test_nothing_raises(body: bytes) -> None:
    urls = Message(b"Content-Type: text/html\r\n\r\n<a href='http://" + body).urls
    for url in urls.found:
        assert url.place in Place
        assert canonical_host(url.host.encode()) == url.host or ":" in url.host
