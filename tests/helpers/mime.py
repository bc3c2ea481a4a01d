"""Mail for tests: hypothesis strategies for MIME trees, sound and broken."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

BOUNDARIES = st.text("ab=_-", min_size=1, max_size=4).filter(lambda b: not b.endswith(" "))
EOLS = st.sampled_from([b"\r\n", b"\n"])

FRAGMENTS = [
    b"Content-Type: multipart/mixed; boundary=a",
    b'Content-Type: multipart/alternative;\r\n\tboundary="a"; boundary=b',
    b"Content-Type: multipart/digest; boundary*0=a; boundary*1=b",
    b"Content-Type: message/rfc822",
    b"Content-Type: text/plain; charset=utf-7; name==?utf-8?b?YS5leGU=?=",
    b'content-type : text/html (comment) ; charset="iso-8859-1',
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Content-Transfer-Encoding: x-unheard-of",
    b"Content-Disposition: attachment; filename*=utf-8''a%2eexe; filename=a.txt",
    b"Content-Disposition: attachment; filename*0*=utf-16''%00a; filename*1=.exe",
    b"Subject: =?iso-2022-jp?b?GyRC?= \xff\xfe",
    b"no colon here",
    b" continued",
    b"From someone Thu Jan  1",
    b"--a",
    b"--a--",
    b"--ab",
    b"--b",
    b"--",
    b"begin 644 a.exe",
    b"begin-base64 644 a.exe",
    b"=ybegin line=128 size=5 name=a.exe",
    b"=yend",
    b"(This file must be converted with BinHex 4.0)",
    b":!!!:",
    b"Content-Type multipart/mixed boundary=a",
    b"Content-Disposition: attachment filename*1=a; filename*3*=''b%2; (filename=c",
    b"#86)C",
    b"`",
    b"end",
    b"YWJj=YWJj",
    b"=41=\r",
    b"=",
    b"",
    b"\0",
    b"\r",
    b"\x80\xff",
]

noise = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=20)), max_size=30
).flatmap(lambda lines: EOLS.map(lambda eol: eol.join(lines)))
"""Octets that look like mail to a parser's every branch."""


@dataclass(frozen=True)
class Part:
    """A sound entity, and the (content type, body) of its leaves in order."""

    octets: bytes
    leaves: tuple[tuple[str, bytes], ...]


bodies = st.lists(st.sampled_from([b"hello", b"", b"-", b"--", b"x: y", b" a"]), max_size=4)


@st.composite
def trees(draw: st.DrawFn, eol: bytes = b"\r\n", depth: int = 3, path: str = "z") -> Part:
    """Entities as a careful program writes them; boundaries are unique by construction."""
    kind = draw(st.sampled_from(["leaf", "leaf", "multipart", "message"] if depth else ["leaf"]))
    if kind == "leaf":
        type_ = draw(st.sampled_from(["text/plain", "text/html", "application/pdf"]))
        body = eol.join(draw(bodies))
        return Part(f"Content-Type: {type_}".encode() + eol + eol + body, ((type_, body),))
    if kind == "message":
        inner = draw(trees(eol, depth - 1, path + "m"))
        return Part(b"Content-Type: message/rfc822" + eol + eol + inner.octets, inner.leaves)
    children = [
        draw(trees(eol, depth - 1, f"{path}{number}_")) for number in range(draw(st.integers(1, 3)))
    ]
    boundary = f"={path}!".encode()
    octets = b'Content-Type: multipart/mixed; boundary="' + boundary + b'"' + eol + eol
    octets += draw(st.sampled_from([b"", b"preamble" + eol]))
    for child in children:
        octets += b"--" + boundary + eol + child.octets + eol
    octets += b"--" + boundary + b"--" + draw(st.sampled_from([b"", eol, eol + b"epilogue"]))
    return Part(octets, tuple(leaf for child in children for leaf in child.leaves))
