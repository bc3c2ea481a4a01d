"""Whatever this process does with its store, SQLite's locks on the databases stay.

A process that loses them is taken for one that ended: the next one that closes the database removes
the write-ahead log under it (https://www.sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from filterd.assembly import FailureKeeper, open_history
from filterd.config import Settings
from filterd.desk import Desk
from filterd.doctor.servers import store as doctor_store
from filterd.history import HistoryQuery, Record
from filterd.message import Message
from filterd.quarantine import QuarantineSettings, Store
from filterd.quarantine.upkeep import Upkeep
from filterd.status import status
from tests.helpers.locks import locks_on
from tests.helpers.messages import message
from tests.unit.quarantine.test_store import new

NOW = 1_800_000_000.0


def settings_in(folder: Path) -> Settings:
    return Settings(quarantine=QuarantineSettings(folder / "q"))


def again(settings: Settings) -> None:
    """What a reload does: everything is opened anew beside what is open."""
    open_history(settings).add([Record("again", NOW)])
    Store(settings.quarantine).put(new("again"))


def look(settings: Settings) -> None:
    store = Store(settings.quarantine)
    store.index.counts()
    store.close()


DEEDS: dict[str, Callable[[Settings], object]] = {
    "status": status,
    "upkeep": lambda settings: Upkeep(lambda: settings.quarantine).once(),
    "a failed message": lambda settings: FailureKeeper(settings)(
        Message(message(), new().envelope, "broke"), "why"
    ),
    "doctor": lambda settings: list(doctor_store(settings)),
    "fsck": lambda settings: Store(settings.quarantine).fsck(),
    "a second desk": lambda settings: Desk(settings).store.index.counts(),
    "a look that is closed": look,
    "a reload": again,
}


@pytest.mark.parametrize("deed", DEEDS)
def test_the_locks_on_index_and_history_stay(tmp_path: Path, deed: str) -> None:
    settings = settings_in(tmp_path)
    store, history = Store(settings.quarantine), open_history(settings)
    store.put(new())
    history.add([Record("a", NOW)])
    index = settings.quarantine.folder / "index.sqlite"
    before = {path: locks_on(path) for path in (index, history.file)}
    assert all(len(locks) >= 2 for locks in before.values()), before
    DEEDS[deed](settings)
    assert {path: locks_on(path) for path in (index, history.file)} == before
    store.put(new("id2"))
    history.add([Record("b", NOW)])
    assert "id2" in Store(settings.quarantine).index.states()
    assert "b" in {row.id for row in open_history(settings).search(HistoryQuery()).rows}
