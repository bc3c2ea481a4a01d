"""The names of a message's parts in its report."""

from __future__ import annotations

import pytest

from filterd.chain.report import ATTACHMENTS_LIMIT, NAME_LIMIT, SEEN_LIMIT, attachment_names
from filterd.message import Message


def message(*parts: bytes, parsed: bool = True) -> Message:
    body = b"".join(b"--b\r\n" + part + b"\r\n\r\nx\r\n" for part in parts)
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    found = Message(head + body + b"--b--\r\n")
    if parsed:
        assert found.root
    return found


def test_all_names_that_a_reader_might_show_each_once() -> None:
    found = message(
        b'Content-Type: application/pdf; name="b.pdf"\r\n'
        b'Content-Disposition: attachment; filename="a.pdf"',
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Disposition: attachment; filename==?utf-8?q?gr=C3=BC=C3=9Fe.txt?=",
        b'Content-Disposition: attachment; filename="a.pdf"',
    )
    assert attachment_names(found) == ("a.pdf", "b.pdf", "gr\u00fc\u00dfe.txt")


def test_nobody_takes_a_message_apart_for_that() -> None:
    untouched = message(b'Content-Disposition: attachment; filename="a.pdf"', parsed=False)
    assert not untouched.is_parsed
    assert attachment_names(untouched) == ()
    assert not untouched.is_parsed


@pytest.mark.parametrize("number", [ATTACHMENTS_LIMIT + 5, SEEN_LIMIT + 5])
def test_many_and_long_names_are_cut(number: int) -> None:
    disposition = b'Content-Disposition: attachment; filename="%d-%s"'
    names = attachment_names(message(*(disposition % (n, b"x" * 300) for n in range(number))))
    assert len(names) == ATTACHMENTS_LIMIT
    assert {len(name) for name in names} == {NAME_LIMIT}
