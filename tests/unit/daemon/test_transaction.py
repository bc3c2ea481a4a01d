"""One mail transaction as it arrives: every octet is kept, a large body in a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.config.processes import BODY_IN_MEMORY
from filterd.daemon.transaction import Transaction


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


def test_paths_lose_their_brackets_and_keep_their_spelling(tmp_path: Path) -> None:
    transaction = Transaction(tmp_path, b"", b"<>", b"SIZE=7")
    transaction.add_recipient(b" <Joe@B.example>", b"NOTIFY=NEVER")
    assert transaction.sender == ""
    assert transaction.sender_parameters == ("SIZE=7",)
    assert transaction.recipients[0].address == "Joe@B.example"
    assert transaction.paths == {"Joe@B.example": " <Joe@B.example>"}
