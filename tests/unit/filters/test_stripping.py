"""Stripping takes out what it must and touches nothing else, whatever stands around it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.chain.outgoing import spliced
from filterd.chain.verdict import Splice, Verdict
from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.message import Message
from tests.helpers.mime import EOLS, noise

pytestmark = pytest.mark.slow


BAD = b"Content-Type: application/octet-stream; name=tool.exe"
SCRIPT = b"Content-Type: text/plain\nContent-Disposition: attachment; filename=a.vbs"
GOOD = [
    b"Content-Type: text/plain",
    b"",
    b"Content-Type: text/html; charset=utf-8",
    b"Content-Type: application/x-thing; name=thing.dat",
]
BODIES = st.sampled_from([b"hello", b"", b"two\nlines\n", b"-- \nsignature", b"\xff\xfe", b"a: b"])
PARTS = Parts(PartsSettings(action="strip"))


@st.composite
def multiparts(draw: st.DrawFn) -> tuple[bytes, list[bool]]:
    """A multipart message, and for each of its parts whether it is to go."""
    flags = draw(st.lists(st.booleans(), min_size=1, max_size=5))
    eol = draw(EOLS)
    data = b"Subject: a\nContent-Type: multipart/mixed; boundary=x\n\n"
    data += draw(st.sampled_from([b"", b"preamble\n"]))
    for is_bad in flags:
        header = draw(st.sampled_from([BAD, SCRIPT] if is_bad else GOOD))
        data += b"--x\n" + (header + b"\n" if header else b"") + b"\n" + draw(BODIES) + b"\n"
    data += draw(st.sampled_from([b"--x--\n", b"--x--", b"--x--\nepilogue\n", b""]))
    return data.replace(b"\n", eol), flags


def edited(message: Message, verdict: Verdict) -> bytes:
    """The message after the verdict's splices."""
    body = spliced(message.data, verdict.edits, message.body_start)  # type: ignore[arg-type]
    return bytes(message.data[: message.body_start]) + body


@given(multiparts())
@settings(max_examples=150)
def test_banned_parts_go_and_all_else_stays(made: tuple[bytes, list[bool]]) -> None:
    data, flags = made
    before = Message(data, id="4711")
    verdict = PARTS.examine(before)
    after = Message(edited(before, verdict))

    assert len(verdict.removed) == sum(flags)
    old, new = before.root.children, after.root.children
    assert len(new) == len(old) == len(flags)
    for was, now, is_bad in zip(old, new, flags, strict=True):
        octets = bytes(after.data[now.start : now.end])
        if is_bad:
            assert now.content_type == "text/plain"
            assert now.filenames == ()
            assert "4711" in now.text
        else:
            assert octets == data[was.start : was.end]
    assert [data[a:b] for a, b in before.root.gaps] == [
        bytes(after.data[a:b]) for a, b in after.root.gaps
    ]
    assert PARTS.examine(after).removed == ()


@given(multiparts())
@settings(max_examples=50)
def test_the_notice_has_the_line_ends_of_the_message(made: tuple[bytes, list[bool]]) -> None:
    data, _flags = made
    message = Message(data)
    after = edited(message, PARTS.examine(message))
    if b"\r\n" in data:
        assert after.count(b"\n") == after.count(b"\r\n")
    else:
        assert b"\r" not in after


@given(noise)
@settings(max_examples=200)
def test_of_any_octets_only_those_in_splices_change(data: bytes) -> None:
    message = Message(data)
    verdict = PARTS.examine(message)
    splices = sorted((e for e in verdict.edits if isinstance(e, Splice)), key=lambda e: e.start)
    after, position = edited(message, verdict), 0
    for splice in splices:
        assert message.body_start <= splice.start <= splice.end <= len(data)
        kept = data[position : splice.start]
        assert after.startswith(kept + splice.replacement)
        after, position = after[len(kept) + len(splice.replacement) :], splice.end
    assert after == data[position:]
    if not verdict.edits:
        assert edited(message, verdict) == data
