"""Whatever this process does with its store, SQLite's locks on the databases stay.

A process that loses them is taken for one that ended: the next one that closes the database removes
the write-ahead log under it (https://www.sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from filterd.chain.chain import ChainSettings
from filterd.config.assembly import FailureKeeper, open_history
from filterd.config.load import Settings
from filterd.doctor.servers import store as doctor_store
from filterd.history import History, HistoryQuery
from filterd.message import Message
from filterd.ops.status import status
from filterd.quarantine import QuarantineSettings, Store
from filterd.quarantine.upkeep import Upkeep
from filterd.review.actions import ReviewActions
from tests.helpers.entries import new
from tests.helpers.locks import locks_on
from tests.helpers.messages import message
from tests.helpers.reports import record

pytestmark = pytest.mark.slow

NOW = 1_800_000_000.0


def settings_in(folder: Path) -> Settings:
    return Settings(chain=ChainSettings(filters=()), quarantine=QuarantineSettings(folder / "q"))


def again(settings: Settings) -> None:
    """What a reload does: everything is opened anew beside what is open."""
    open_history(settings).add([record("again", NOW)])
    Store(settings.quarantine).put(new("again"))


def look(settings: Settings) -> None:
    store = Store(settings.quarantine)
    store.index.counts()
    store.close()


DEEDS: dict[str, Callable[[Settings], object]] = {
    "status": status,
    "upkeep": lambda settings: Upkeep(lambda: settings.quarantine).once(),
    "a failed message": lambda settings: FailureKeeper(settings)(
        Message(message(), new().envelope, "broke"), "why", held=False
    ),
    "doctor": lambda settings: list(doctor_store(settings)),
    "fsck": lambda settings: Store(settings.quarantine).fsck(),
    "a second process": lambda settings: ReviewActions(settings).store.index.counts(),
    "a look that is closed": look,
    "a reload": again,
}


@pytest.mark.parametrize("deed", DEEDS)
def test_the_locks_on_index_and_history_stay(tmp_path: Path, deed: str) -> None:
    settings = settings_in(tmp_path)
    store, history = Store(settings.quarantine), open_history(settings)
    store.put(new())
    history.add([record("a", NOW)])
    index = settings.quarantine.folder / "index.sqlite"
    before = {path: locks_on(path) for path in (index, history.file)}
    assert all(len(locks) >= 2 for locks in before.values()), before
    DEEDS[deed](settings)
    assert {path: locks_on(path) for path in (index, history.file)} == before
    store.put(new("id2"))
    history.add([record("b", NOW)])
    assert "id2" in Store(settings.quarantine).index.states()
    assert "b" in {row.id for row in open_history(settings).search(HistoryQuery()).rows}


def in_a_child(work: Callable[[], object]) -> str:
    """What it returns in a process that is forked from this one."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(work()).encode())
            gc.collect()
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        return told.read()


def used_in_a_child(store: Store, history: History) -> list[str]:
    """Tries to use both, and lets go of them; what went wrong."""
    said = []
    for deed in (store.index.states, lambda: history.add([record("child", NOW)])):
        try:
            deed()
        except OSError as error:
            said.append(str(error).rpartition(": ")[2])
    store.close()
    history.close()
    return said


def test_a_forked_child_does_not_touch_what_its_parent_has_open(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    store, history = Store(settings.quarantine), open_history(settings)
    store.put(new())
    history.add([record("a", NOW)])
    index = settings.quarantine.folder / "index.sqlite"
    before = {path: locks_on(path) for path in (index, history.file)}
    # SQLite in the child takes the parent's locks for its own.
    refused = "open in the process from which this one was forked"
    assert in_a_child(lambda: used_in_a_child(store, history)) == str([refused] * 2)
    assert {path: locks_on(path) for path in (index, history.file)} == before
    store.put(new("id2"))
    history.add([record("b", NOW)])
    assert {"id1", "id2"} == store.index.states().keys()
    assert {row.id for row in history.search(HistoryQuery()).rows} == {"a", "b"}


def test_a_forked_child_uses_what_its_parent_has_closed(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    store, history = Store(settings.quarantine), open_history(settings)
    store.put(new())
    history.add([record("a", NOW)])
    store.close()
    history.close()

    def work() -> list[int]:
        store.put(new("child"))
        history.add([record("child", NOW)])
        index = settings.quarantine.folder / "index.sqlite"
        return [len(locks_on(path)) for path in (index, history.file)]

    assert in_a_child(work) == "[2, 2]"
    assert {"id1", "child"} == store.index.states().keys()
    assert {row.id for row in history.search(HistoryQuery()).rows} == {"a", "child"}
