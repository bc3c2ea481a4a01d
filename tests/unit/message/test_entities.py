"""The tree, the decoded content, and what stands where."""

from __future__ import annotations

import pytest

from filterd.message import Message
from filterd.message.tree import DEPTH_LIMIT, PART_LIMIT

TWO = (
    b"From: a@b.example\r\n"
    b'Content-Type: multipart/mixed; boundary="=_x"\r\n'
    b"\r\n"
    b"preamble\r\n"
    b"--=_x\r\n"
    b"Content-Type: text/plain; charset=iso-8859-1\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n"
    b"\r\n"
    b"sch=F6n\r\n"
    b"--=_x  \r\n"
    b"Content-Type: application/pdf; name=a.pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\n"
    b"\r\n"
    b"JVBE\r\n"
    b"Rg==\r\n"
    b"--=_x--\r\n"
    b"epilogue\r\n"
)


def octets(message: Message, span: tuple[int, int]) -> bytes:
    return bytes(message.data[span[0] : span[1]])


def outline(data: bytes) -> str:
    """The tree in one line: `multipart/mixed(text/plain, ...)`."""

    def told(entity: object) -> str:
        inner = ", ".join(told(child) for child in entity.children)  # type: ignore[attr-defined]
        return entity.content_type + (f"({inner})" if inner else "")  # type: ignore[attr-defined]

    return told(Message(data).root)


def test_a_message_in_two_parts() -> None:
    message = Message(TWO)
    text, pdf = message.leaves()

    assert (text.content_type, text.body, text.content) == ("text/plain", b"sch=F6n", b"sch\xf6n")
    assert text.text == "schön"
    assert (pdf.content, pdf.filenames, pdf.is_encoded) == (b"%PDF", ("a.pdf",), True)
    assert [octets(message, gap) for gap in message.root.gaps] == [
        b"preamble\r\n--=_x\r\n",
        b"\r\n--=_x  \r\n",
        b"\r\n--=_x--\r\nepilogue\r\n",
    ]
    assert octets(message, (pdf.start, pdf.body_start)).startswith(b"Content-Type: application")
    assert message.anomalies == ()


def part(header: bytes, body: bytes = b"x") -> bytes:
    return b"Content-Type: " + header + b"\n\n" + body


MULTI = b"multipart/mixed; boundary=x"

OUTLINES: dict[str, tuple[bytes, str]] = {
    "no MIME": (b"Subject: a\n\nb", "text/plain"),
    "nothing": (b"", "text/plain"),
    "one part": (part(MULTI, b"--x\n\na\n--x--\n"), "multipart/mixed(text/plain)"),
    "no end": (part(MULTI, b"--x\n\na\n--x\n\nb"), "multipart/mixed(text/plain, text/plain)"),
    "behind the end": (part(MULTI, b"--x\n\na\n--x--\n--x\n\nb"), "multipart/mixed(text/plain)"),
    "no delimiter": (part(MULTI, b"hello"), "multipart/mixed"),
    "no boundary": (part(b"multipart/mixed", b"--x\n\na"), "multipart/mixed"),
    "a type that is none": (part(b"text"), "text/plain"),
    "delimiter amid a line": (part(MULTI, b"a --x\n\nb"), "multipart/mixed"),
    "delimiter that goes on": (part(MULTI, b"--x\n\na\n--xy\n\nb"), "multipart/mixed(text/plain)"),
    "digest": (
        part(b"multipart/digest; boundary=x", b"--x\n\nSubject: a\n\nb\n--x--"),
        "multipart/digest(message/rfc822(text/plain))",
    ),
    "message": (
        part(b"message/rfc822", part(MULTI, b"--x\n" + part(b"text/html") + b"\n--x--")),
        "message/rfc822(multipart/mixed(text/html))",
    ),
    "inner one without an end": (
        part(
            MULTI,
            b"--x\n" + part(b"multipart/mixed; boundary=y", b"--y\n\na") + b"\n--x\n\nb\n--x--",
        ),
        "multipart/mixed(multipart/mixed(text/plain), text/plain)",
    ),
    "boundary in pieces": (
        part(b"multipart/mixed; boundary*0=a; boundary*1=b", b"--ab\n\nc\n--ab--"),
        "multipart/mixed(text/plain)",
    ),
    "an mbox line on top": (b"From a@b Thu Jan 1\n" + part(b"text/html"), "text/html"),
    "comments": (
        part(b"multipart/mixed (x; boundary=x", b"--x\n\na"),
        "multipart/mixed(text/plain)",
    ),
}


@pytest.mark.parametrize("data, expected", OUTLINES.values(), ids=OUTLINES)
@pytest.mark.parametrize("eol", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_trees(data: bytes, expected: str, eol: bytes) -> None:
    assert outline(data.replace(b"\n", eol)) == expected


@pytest.mark.parametrize(
    "encoding, body, content",
    [
        (b"base64", b"aGVs\nbG8=\n", b"hello"),
        (b"base64", b"aGVsbG8", b"hello"),
        (b"base64", b"a G!V*s b-G_8=", b"hello"),
        (b"base64", b"aGVsb", b"hel"),
        (b"base64", b"", b""),
        (b"BASE64 ", b"aGVsbG8=", b"hello"),
        (b'"base64"', b"aGVsbG8=", b"hello"),
        (b"base64 (a comment)", b"aGVsbG8=", b"hello"),
        (b"quoted-printable", b"=48el=\nlo", b"Hello"),
        (b"quoted-printable", b"=4", b"=4"),
        (b"quoted-printable", b"=zz", b"=zz"),
        (b"x-uuencode", b"begin 644 a\n%:&5L;&\\\n`\nend\n", b"hello"),
        (b"8bit", b"h\xe9", b"h\xe9"),
        (b"nonsense", b"aGVsbG8=", b"aGVsbG8="),
    ],
)
def test_contents(encoding: bytes, body: bytes, content: bytes) -> None:
    entity = Message(b"Content-Transfer-Encoding: " + encoding + b"\n\n" + body).root
    assert entity.content == content
    assert content.startswith(entity.head(3))


@pytest.mark.parametrize(
    "charset, body, text",
    [
        (b"utf-8", b"\xc3\xa4", "ä"),
        (b"iso-8859-1", b"\xe4", "ä"),
        (b'"utf-8', b"\xc3\xa4", "ä"),
        (b"no-such", b"\xc3\xa4", "ä"),
        (b"no-such", b"\xe4", "ä"),
        (b"utf-8", b"\xe4", "\ufffd"),
        (b"utf-16-le", b"h\0", "h"),
        (b"base64", b"\xc3\xa4", "ä"),
        (b"", b"abc", "abc"),
    ],
)
def test_texts(charset: bytes, body: bytes, text: str) -> None:
    assert (
        Message(b"Content-Type: text/plain; charset=" + charset + b"\n\n" + body).root.text == text
    )


def test_too_deep_is_said_and_survived() -> None:
    message = Message(b"Content-Type: message/rfc822\n\n" * (DEPTH_LIMIT + 20))
    assert [name for name, _ in message.anomalies] == ["MIME_TOO_DEEP"]
    assert len(list(message.walk())) == DEPTH_LIMIT + 1


def test_too_many_parts_are_said_and_survived() -> None:
    message = Message(part(MULTI, b"--x\n\na\n" * (PART_LIMIT + 20)))
    assert "MIME_TOO_MANY_PARTS" in [name for name, _ in message.anomalies]
    assert len(list(message.walk())) == PART_LIMIT


@pytest.mark.parametrize(
    "data, symbol",
    [
        (b"A: b\n" * 1001 + b"\n", "HEADER_LIMIT"),
        (b"A: " + b"b" * 300_000 + b"\n\n", "HEADER_LIMIT"),
        (b"Subject: " + b"=?a?q?b?= " * 600 + b"\n\n", "HEADER_LIMIT"),
        (b"Content-Type: a/b; c=" + b"d" * 20_000 + b"\n\n", "HEADER_LIMIT"),
        (b"A: b\n\n" + b"c" * 70_000 + b"\n", "LINE_LIMIT"),
        (part(b"message/partial; id=a; number=1; total=2"), "MIME_PARTIAL"),
        (part(b"message/external-body; access-type=URL"), "MIME_EXTERNAL"),
    ],
)
def test_what_passes_a_limit_or_is_elsewhere_is_said(data: bytes, symbol: str) -> None:
    assert symbol in [name for name, _ in Message(data).anomalies]


def test_ordinary_mail_has_no_anomalies() -> None:
    received = b"Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\n" * 190
    assert Message(received + b"Subject: a\n\n" + b"word " * 2000 + b"\n").anomalies == ()
