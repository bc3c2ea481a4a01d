"""One mail transaction as it arrives: every octet is kept, a large body in a file."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.config.processes import BODY_IN_MEMORY
from filterd.daemon.transaction import EnvelopeLimitError, HeaderLimitError, Transaction
from filterd.message import Recipient


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_body_is_the_chunks(chunks: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        transaction = Transaction(Path(folder))
        transaction.fields.append(("A", b" 1\n 2"))
        for chunk in chunks:
            transaction.add_body(chunk)
        assert transaction.data() == b"A: 1\r\n 2\r\n\r\n" + b"".join(chunks)
        assert transaction.size == len(transaction.data())
        transaction.close()


def test_large_body_goes_to_a_file_without_a_name(tmp_path: Path) -> None:
    transaction = Transaction(tmp_path)
    transaction.fields.append(("A", b" 1"))
    for _ in range(20):
        transaction.add_body(b"x" * 65_535)
    assert transaction.size > BODY_IN_MEMORY
    pieces, descriptor = transaction.message()
    assert pieces == []
    assert descriptor is not None
    assert os.fstat(descriptor).st_size == transaction.size
    assert transaction.data() == b"A: 1\r\n\r\n" + b"x" * (20 * 65_535)
    assert list(tmp_path.iterdir()) == []
    transaction.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_body_at_the_limit_stays_in_memory_and_one_octet_more_does_not(tmp_path: Path) -> None:
    transaction = Transaction(tmp_path)
    most, last = b"x" * BODY_IN_MEMORY, b"yz"
    held = sys.getrefcount(most)
    transaction.add_body(most)
    assert transaction.message() == ([b"\r\n", most], None)
    transaction.add_body(last[:1])
    pieces, descriptor = transaction.message()
    assert (pieces, descriptor is None) == ([], False)
    # The file is in the spool, where room is planned for it; and nothing is in memory as well.
    assert Path(f"/proc/self/fd/{descriptor}").readlink().parent == tmp_path
    assert sys.getrefcount(most) == held
    # Small pieces wait in a buffer of Python's, which a worker with the descriptor does not see.
    transaction.add_body(last[1:])
    transaction.message()
    assert os.pread(descriptor or 0, 1 << 24, 0) == b"\r\n" + most + last
    assert (transaction.body_size, transaction.size) == (len(most) + 2, len(most) + 4)
    transaction.close()


def test_what_is_over_holds_neither_memory_nor_a_file(tmp_path: Path) -> None:
    small, large = Transaction(tmp_path), Transaction(tmp_path)
    chunk = b"x" * 1000
    held = sys.getrefcount(chunk)
    small.add_body(chunk)
    large.add_body(b"x" * (BODY_IN_MEMORY + 1))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")  # ResourceWarning: closed by the garbage collector only
        small.close()
        large.close()
    assert (sys.getrefcount(chunk), told) == (held, [])


@pytest.mark.parametrize(
    ("path", "parameters", "resolved", "fits"),
    [
        (b"<a@b>", [b"X=1", b"Y"], "r", True),
        (b"<aa@b>", [b"X=1", b"Y"], "r", False),
        (b"<a@b>", [b"X=1", b"YY"], "r", False),
        (b"<a@b>", [b"X=1", b"Y"], "rr", False),
    ],
)
def test_the_size_of_an_envelope(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: bytes,
    parameters: list[bytes],
    resolved: str,
    fits: bool,
) -> None:
    """Of all its recipients together, with what the client said of them."""
    monkeypatch.setattr("filterd.daemon.transaction.ENVELOPE_SIZE_LIMIT", 14)
    transaction = Transaction(tmp_path)
    transaction.add_recipient(b"<x@y")
    if fits:
        transaction.add_recipient(path, *parameters, resolved=resolved)
        assert transaction.recipients == [Recipient("x@y"), Recipient("a@b", ("X=1", "Y"), "r")]
        return
    with pytest.raises(EnvelopeLimitError):
        transaction.add_recipient(path, *parameters, resolved=resolved)
    assert (transaction.recipients, transaction.paths) == ([], {})


def test_the_number_of_recipients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.daemon.transaction.RECIPIENTS_LIMIT", 2)
    transaction = Transaction(tmp_path)
    transaction.add_recipient(b"<a@b>")
    transaction.add_recipient(b"<c@d>")
    assert transaction.paths == {"a@b": "<a@b>", "c@d": "<c@d>"}
    with pytest.raises(EnvelopeLimitError):
        transaction.add_recipient(b"<e@f>")
    assert (transaction.recipients, transaction.paths) == ([], {})


@pytest.mark.parametrize(
    ("size", "count", "fits"), [(8, 2, True), (7, 2, False), (8, 1, False), (100, 2, True)]
)
def test_the_limits_of_a_header_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, count: int, fits: bool
) -> None:
    """Names and values; what stands between them is the MTA's."""
    monkeypatch.setattr("filterd.daemon.transaction.HEADER_SIZE_LIMIT", size)
    monkeypatch.setattr("filterd.daemon.transaction.HEADER_FIELDS_LIMIT", count)
    transaction = Transaction(tmp_path)
    transaction.add_field("A", b" 1")
    if fits:
        transaction.add_field("B", b"2345")
        assert transaction.fields == [("A", b" 1"), ("B", b"2345")]
        return
    with pytest.raises(HeaderLimitError):
        transaction.add_field("B", b"2345")
    assert transaction.fields == []


def test_the_first_field_of_a_name_however_it_is_written(tmp_path: Path) -> None:
    transaction = Transaction(tmp_path)
    transaction.add_field("X", b" no")
    transaction.add_field("SUBJECT", b" caf\xe9\n  au  lait ")
    transaction.add_field("Subject", b" second")
    assert transaction.octets("subject") == b" caf\xe9\n  au  lait "
    assert transaction.field("Subject") == "caf\udce9 au lait"
    assert (transaction.octets("Date"), transaction.field("Date")) == (b"", "")


def test_paths_lose_their_brackets_and_keep_their_spelling(tmp_path: Path) -> None:
    transaction = Transaction(tmp_path, b"", b"<\xe9@a.example>", b"SIZE=7")
    transaction.add_recipient(b" <Joe@B.example>", b"NOTIFY=NEVER", resolved="joe")
    assert transaction.sender == "\udce9@a.example"
    assert transaction.sender_parameters == ("SIZE=7",)
    assert transaction.recipients == [Recipient("Joe@B.example", ("NOTIFY=NEVER",), "joe")]
    assert transaction.paths == {"Joe@B.example": " <Joe@B.example>"}
    assert Transaction(tmp_path).sender == ""
