"""Expiry: the oldest first, never what is pinned or under way, and the truth about it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from filterd.quarantine import GoneError, QuarantineSettings, Store, UnknownIdError
from filterd.quarantine.expiry import DAY, expire
from filterd.quarantine.query import Query
from tests.helpers.entries import RECEIVED, new
from tests.helpers.reports import revised

NOW = RECEIVED.timestamp() + 10 * DAY


def filled(tmp_path: Path, **limits: Any) -> Store:
    """Messages d0 to d9, each a day older than the one before, of half a MiB."""
    store = Store(QuarantineSettings(tmp_path / "q", **limits), lambda: NOW)
    for age in range(10):
        store.put(
            revised(
                new(f"d{age}", b"A: b\r\n\r\n".ljust(1 << 19, b"x")),
                received=RECEIVED + timedelta(days=10 - age),
            )
        )
    return store


def left(store: Store) -> str:
    rows = store.index.search(Query()).rows
    return "".join(row.id[1] for row in rows if row.state != "expired")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "stays", "why"),
    [
        ({"keep_days": 3.5}, "0123", "age"),
        ({"keep_days": 0}, "0123456789", ""),
        ({"keep_messages": 4}, "0123", "number"),
        ({"keep_megabytes": 2}, "0123", "size"),
        ({"keep_days": 2.5, "keep_messages": 9}, "012", "age"),
    ],
)
def test_limits(tmp_path: Path, limits: dict[str, Any], stays: str, why: str) -> None:
    store = filled(tmp_path, **limits)
    planned = expire(store, dry_run=True)
    assert left(store) == "0123456789"
    report = expire(store)
    assert report == planned
    assert left(store) == stays
    assert {one.why for one in report.expired} == ({why} if why else set())
    assert report.octets == (10 - len(stays)) << 19
    assert expire(store).expired == ()
    on_disk = {path.stem[1] for path in (tmp_path / "q").glob("*/*.eml")}
    assert on_disk == set(stays)


def test_what_is_pinned_stays(tmp_path: Path) -> None:
    store = filled(tmp_path, keep_days=3.5)
    store.pin("d9", "test:ann", "for the police")
    expire(store)
    assert left(store) == "01239"
    store.pin("d9", "test:ann", pinned=False)
    expire(store)
    assert left(store) == "0123"


def test_what_is_being_released_stays(tmp_path: Path) -> None:
    store = filled(tmp_path, keep_days=3.5)
    store.index.claim("d9", ["joe@mx.test"], ["held"], NOW, "original")
    expire(store)
    assert left(store) == "01239"


def test_an_expired_message_keeps_its_story_until_it_is_forgotten(tmp_path: Path) -> None:
    store = filled(tmp_path, keep_days=3.5, forget_days=8.5)
    report = expire(store)
    assert report.forgotten == 1
    assert store.delivery_state("d8").state == "expired"
    assert store.get("d8").subject == describe_subject(store)
    with pytest.raises(GoneError):
        store.read("d8")
    with pytest.raises(UnknownIdError):
        store.get("d9")
    assert [event.what for event in store.journal.events("d9")] == ["expired"]
    again = store.fsck()
    assert (again.added, again.stale, again.damaged, again.restated) == ((), (), (), ())


def describe_subject(store: Store) -> str:
    return store.get("d0").subject


def test_a_removed_part_goes_with_its_message(tmp_path: Path) -> None:
    store = filled(tmp_path, keep_days=3.5)
    assert store.part("d0", 1) == store.read("d0")[10:20]
    with pytest.raises(UnknownIdError, match="no number 2"):
        store.part("d0", 2)
    expire(store)
    with pytest.raises(GoneError):
        store.part("d9", 1)
