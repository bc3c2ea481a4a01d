"""The journal read from its end."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.quarantine import journal
from filterd.quarantine.journal import Event, Journal

DAY = 86400.0


def written(folder: Path, notes: list[str]) -> Journal:
    """A journal with an event every ten days."""
    found = Journal(folder)
    for number, note in enumerate(notes):
        found.append(Event("viewed", f"id{number}", "cli:ann", note=note, time=number * 10 * DAY))
    return found


@given(st.lists(st.text(max_size=40), max_size=12), st.integers(1, 300))
def test_from_the_end_is_what_it_is_from_the_beginning_turned_round(
    notes: list[str], block: int
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "BLOCK", block)
        found = written(Path(folder), notes)
        assert list(found.newest()) == list(found.events())[::-1]


def test_a_word_chooses(tmp_path: Path) -> None:
    found = written(tmp_path, ["plain", "Grüße", 'a "quoted" word'])
    for word, ids in (("plain", ["id0"]), ("Grüße", ["id1"]), ('"quoted"', ["id2"]), ("x y", [])):
        assert [event.id for event in found.newest(word)] == ids


def test_lines_that_are_none_are_passed_over(tmp_path: Path) -> None:
    found = written(tmp_path, ["first", "second"])
    (file,) = (tmp_path / "journal").glob("*.jsonl")
    with file.open("ab") as handle:
        handle.write(b"\n\nno json\n{}\n" + b"x" * (3 << 20) + b"\n" + b'{"cut')
    assert [event.note for event in found.newest()] == ["second", "first"]


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert list(Journal(tmp_path).newest()) == []
