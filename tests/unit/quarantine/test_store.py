"""The store: what was put is there, byte for byte, whatever happens to the index or the process."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.quarantine import QuarantineSettings, Store, StoreError
from filterd.quarantine.entry import Entry, EntryError, describe
from filterd.quarantine.query import Query
from filterd.quarantine.store import UnknownIdError
from tests.helpers.entries import HOSTILE, RECEIVED, new
from tests.helpers.reports import revised


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(QuarantineSettings(tmp_path / "q"))


def listed(store: Store, **conditions: Any) -> list[str]:
    return [row.id for row in store.index.search(Query(**conditions)).rows]


def test_a_folded_subject_is_one_line_with_one_blank_for_a_fold(store: Store) -> None:
    store.put(new(data=b"Subject: report\r\n\tof\r\n  sales\r\n\r\nhi\r\n"))
    assert store.get("id1").subject == "report of sales"


def test_a_message_comes_back_byte_for_byte_with_all_that_is_known(store: Store) -> None:
    assert store.put(new()) == "id1"
    assert store.path("id1").read_bytes() == HOSTILE
    entry = store.get("id1")
    assert entry == describe(new())
    assert entry.envelope.sender == "a\udce9@x.test"
    assert (entry.queue_id, entry.subject) == ("q1", "caf\xe9 \xff")
    assert entry.held_for == ("joe@mx.test",)


def test_only_the_daemons_user_can_read(store: Store) -> None:
    store.put(new())
    for path in store.path("id1").parent.parent.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_putting_the_same_again_changes_nothing_and_another_is_refused(store: Store) -> None:
    store.put(new())
    store.put(new())
    assert len(listed(store, limit=10)) == 1
    with pytest.raises(StoreError, match="another message"):
        store.put(new(data=b"other"))
    assert store.path("id1").read_bytes() == HOSTILE


@pytest.mark.parametrize("id", ["", "../x", "a/b", ".hidden", "a" * 65, "a\0"])
def test_an_id_cannot_lead_elsewhere(store: Store, id: str) -> None:
    with pytest.raises(ValueError, match="is not a quarantine id"):
        store.put(new(id))
    with pytest.raises(ValueError, match="is not a quarantine id"):
        store.get(id)


def test_what_is_not_there(store: Store) -> None:
    with pytest.raises(UnknownIdError, match="no message id1"):
        store.get("id1")


def test_a_folder_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreError):
        Store(QuarantineSettings(blocked / "q")).put(new())


def test_a_full_disk_is_an_error_and_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        store.put(new())
    monkeypatch.undo()
    with pytest.raises(UnknownIdError):
        store.get("id1")


def test_a_broken_index_loses_no_message_and_fsck_mends_it(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "index.sqlite").write_bytes(b"this is no database" * 100)
    store.put(new())
    assert "kept but not in the index" in caplog.text
    assert store.get("id1").reason == "spam"
    (tmp_path / "q" / "index.sqlite").unlink()
    mended = Store(QuarantineSettings(tmp_path / "q"))
    assert mended.fsck().added == ("id1",)
    assert listed(mended) == ["id1"]
    assert mended.fsck().added == ()


def test_a_locked_index_loses_no_message(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.database.engine.BUSY_LIMIT", 0.05)
    store.put(new("id0"))
    other = sqlite3.connect(tmp_path / "q" / "index.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    locked = Store(QuarantineSettings(tmp_path / "q"))
    locked.put(new())
    assert locked.get("id1").reason == "spam"
    other.rollback()
    other.close()
    assert locked.fsck().added == ("id1",)


def test_fsck_names_what_is_damaged(store: Store) -> None:
    for id in ("cut", "gone", "garbled", "orphan", "good"):
        store.put(new(id))
    store.path("cut").write_bytes(HOSTILE[:-1])
    gone = store.path("gone")
    gone.unlink()
    store.path("garbled").with_suffix(".json").write_text("{")
    orphan = store.path("orphan")
    orphan.with_suffix(".json").unlink()
    young = store.fsck(repair=False)
    assert "orphan" not in {id for id, _ in young.damaged}
    os.utime(orphan, (0, 0))
    report = store.fsck()
    assert {id for id, _ in report.damaged} == {"cut", "gone", "garbled", "orphan"}
    assert report.stale == ("orphan",)
    assert listed(store, limit=10, text="joe@") != []


def test_fsck_removes_what_was_left_half_written(store: Store) -> None:
    store.put(new())
    day = store.path("id1").parent
    for name, age in ((".old.eml.77", 0), (".young.eml.78", None)):
        (day / name).write_bytes(b"half")
        if age is not None:
            os.utime(day / name, (age, age))
    store.fsck(repair=False)
    assert len(list(day.glob(".*"))) == 2
    store.fsck()
    assert [path.name for path in day.glob(".*")] == [".young.eml.78"]
    assert store.read("id1") == HOSTILE


def test_lists_are_newest_first_and_can_be_narrowed(store: Store) -> None:
    for number in range(5):
        entry = new(f"id{number}", b"Subject: number %d\r\n\r\n" % number)
        store.put(
            revised(
                entry,
                received=RECEIVED.replace(second=number),
                reason="virus" if number % 2 else "spam",
            )
        )
    assert listed(store, limit=3) == ["id4", "id3", "id2"]
    assert listed(store, limit=9, reason="virus") == ["id3", "id1"]
    assert listed(store, limit=9, text="NUMBER 2") == ["id2"]
    assert listed(store, limit=9, text="100%") == []
    assert [row[:3] for row in sorted(store.index.counts())] == [
        ("spam", "held", 3),
        ("virus", "held", 2),
    ]


def _put_many(folder: Path, writer: int) -> None:
    store = Store(QuarantineSettings(folder))
    for number in range(20):
        store.put(new(f"w{writer}n{number}"))


@pytest.mark.server
def test_several_processes_write_at_the_same_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_put_many, args=(tmp_path / "q", n)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    store = Store(QuarantineSettings(tmp_path / "q"))
    assert store.fsck().checked == 60
    assert len(listed(store, limit=100)) == 60


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_a_description_file_is_read_or_refused(content: bytes) -> None:
    with pytest.raises(EntryError):
        Entry.decode(content)


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=3))
def test_descriptions_survive_the_way_to_the_disk(sender: str, recipients: list[str]) -> None:
    entry = dataclasses.replace(describe(new()), sender=sender, recipients=tuple(recipients))
    assert Entry.decode(entry.encode()) == entry
