"""Deleting and bringing back: for some hours, as it was; never half, whenever a process dies."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from filterd.quarantine import GoneError, QuarantineSettings, Store, deletion
from filterd.quarantine.expiry import DAY, expire
from filterd.quarantine.index import Index
from filterd.quarantine.journal import Delivery, DeliveryState, Event, Journal, delivery_state_of
from filterd.quarantine.query import Query
from filterd.quarantine.release import Releaser, ReleaseRequest
from filterd.quarantine.words import State
from filterd.system import durable
from tests.helpers.entries import HOSTILE, RECEIVED, new
from tests.helpers.reports import revised
from tests.helpers.stores import empty_store

HOUR = 3600.0
NOW = RECEIVED.timestamp() + DAY


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Store]:
    """One message in it, and a clock that tests set."""
    made = empty_store(request, tmp_path)
    made.clock = clock
    made.put(new())
    yield made
    made.close()


def opened(tmp_path: Path, clock: Clock, **more: Any) -> Store:
    store = Store(QuarantineSettings(tmp_path / "q", **more), clock)
    store.put(new())
    return store


def files(store: Store, id: str = "id1") -> set[str]:
    return {path.suffix for path in store.settings.folder.glob(f"*/{id}.*")}


def states(store: Store) -> dict[str, str]:
    return {row.id: row.state for row in store.index.search(Query()).rows}


def told(store: Store, id: str = "id1") -> list[str]:
    return [event.what for event in store.journal.events(id)]


def test_what_is_deleted_is_out_of_reach_and_comes_back_as_it_was(store: Store) -> None:
    store.pin("id1", "t")
    before = (store.delivery_state("id1"), store.index.deliveries("id1"))
    assert store.delete("id1", "web:ann", "a mistake") == len(HOSTILE)
    assert states(store) == {"id1": "deleted"}
    with pytest.raises(GoneError, match="can still be brought back"):
        store.read("id1")
    with pytest.raises(GoneError):
        Releaser(store).release(ReleaseRequest("id1", "t"))
    assert store.index.search(Query(state="waiting")).rows == ()
    assert store.index.totals() == (0, 0)
    assert store.delete("id1", "web:ann") == 0

    assert store.undelete("id1", "web:ann", "not spam")
    assert store.read("id1") == HOSTILE
    assert states(store) == {"id1": "held"}
    assert (store.delivery_state("id1"), store.index.deliveries("id1")) == before
    assert not store.undelete("id1", "web:ann")
    assert told(store) == ["pinned", "deleted", "undeleted"]
    report = store.fsck()
    assert (report.restated, report.damaged, report.finished) == ((), (), ())


def test_until_when_is_known(store: Store, clock: Clock) -> None:
    store.put(new("id2"))
    ids = ["id1", "id2", "unknown"]
    assert store.undelete_until(ids) == {}
    store.delete("id1", "t")
    store.delete("id2", "t", at_once=True)
    assert store.undelete_until(ids) == {"id1": NOW + 24 * HOUR}
    clock.now += 25 * HOUR
    expire(store)
    assert store.undelete_until(ids) == {}


@pytest.mark.parametrize(("hours", "stays"), [(1, True), (24.1, False)])
def test_it_is_kept_for_its_hours(store: Store, clock: Clock, hours: float, stays: bool) -> None:
    store.delete("id1", "t")
    clock.now += hours * HOUR
    assert [one.why for one in expire(store, dry_run=True).expired] == ["deleted"] * (not stays)
    report = expire(store)
    assert report.octets == (0 if stays else len(HOSTILE))
    assert files(store) == ({".json", ".deleted"} if stays else {".json"})
    assert states(store) == {"id1": "deleted"}
    if stays:
        assert store.undelete("id1", "t")
    else:
        with pytest.raises(GoneError, match="removed for good"):
            store.undelete("id1", "t")
        assert told(store) == ["deleted", "purged"]
        assert expire(store).expired == ()


def test_brought_back_and_deleted_again_it_has_its_hours_again(store: Store, clock: Clock) -> None:
    store.delete("id1", "t")
    clock.now += 20 * HOUR
    store.undelete("id1", "t")
    store.delete("id1", "t")
    clock.now += 20 * HOUR
    assert expire(store).expired == ()
    assert files(store) == {".json", ".deleted"}


def test_at_once_means_for_good(store: Store) -> None:
    assert store.delete("id1", "t", at_once=True) == len(HOSTILE)
    assert files(store) == {".json"}
    assert told(store) == ["deleted", "purged"]
    with pytest.raises(GoneError, match="removed for good"):
        store.undelete("id1", "t")
    assert store.fsck().damaged == ()


def test_at_once_also_after_it_was_deleted(store: Store) -> None:
    store.delete("id1", "t")
    assert store.delete("id1", "t", at_once=True) == len(HOSTILE)
    assert store.delete("id1", "t", at_once=True) == 0
    assert files(store) == {".json"}


def test_without_hours_nothing_is_put_aside(tmp_path: Path, clock: Clock) -> None:
    store = opened(tmp_path, clock, undelete_hours=0.0)
    store.delete("id1", "t")
    assert files(store) == {".json"}


def test_what_an_older_version_deleted_cannot_be_brought_back(store: Store) -> None:
    store.note("deleted", "id1", "t")
    store.path("id1").unlink()
    store.index.update("id1", store.delivery_state("id1"))
    assert store.undelete_until(["id1"]) == {}
    with pytest.raises(GoneError, match="removed for good"):
        store.undelete("id1", "t")
    assert store.fsck().damaged == ()


def test_what_expires_goes_at_once(tmp_path: Path, clock: Clock) -> None:
    store = opened(tmp_path, clock, keep_days=2.0)
    clock.now += 2 * DAY
    expire(store, confirmed=True)
    assert files(store) == {".json"}
    with pytest.raises(GoneError):
        store.undelete("id1", "t")
    assert states(store) == {"id1": "expired"}


def test_deleting_keeps_nothing_longer_than_its_age(tmp_path: Path, clock: Clock) -> None:
    store = opened(tmp_path, clock, keep_days=1.5, undelete_hours=1000.0)
    clock.now += 10 * HOUR
    store.delete("id1", "t")
    clock.now += 3 * HOUR
    assert [one.why for one in expire(store).expired] == ["age"]
    assert files(store) == {".json"}


def test_room_is_made_with_what_was_deleted_first(tmp_path: Path, clock: Clock) -> None:
    store = Store(QuarantineSettings(tmp_path / "q", keep_megabytes=2), clock)
    for number in range(6):
        half = b"A: b\r\n\r\n".ljust(1 << 19, b"x")
        received = RECEIVED + timedelta(minutes=number)
        store.put(revised(new(f"m{number}", half), received=received))
    for number in (5, 3, 4):
        store.delete(f"m{number}", "t")
        clock.now += 60
    report = expire(store)
    assert [(one.id, one.why) for one in report.expired] == [("m5", "size"), ("m3", "size")]
    assert states(store) == {
        **{f"m{number}": "held" for number in (0, 1, 2)},
        **{f"m{number}": "deleted" for number in (3, 4, 5)},
    }
    assert store.undelete("m4", "t")


def test_while_the_clock_is_in_doubt_nothing_is_removed_for_good(
    store: Store, clock: Clock
) -> None:
    store.delete("id1", "t")
    expire(store)
    clock.now += 3 * DAY
    report = expire(store)
    assert "set ahead" in report.doubt
    assert files(store) == {".json", ".deleted"}
    assert len(expire(store, confirmed=True).expired) == 1


def test_an_unsynchronized_clock_can_count_hours(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.system.clock.is_unsynchronized", lambda: True)
    monkeypatch.setattr("filterd.quarantine.caution.JUMP", 10 * DAY)
    store.delete("id1", "t")
    clock.now += 25 * HOUR
    assert len(expire(store).expired) == 1


def test_a_description_is_not_forgotten_before_its_bytes(store: Store, clock: Clock) -> None:
    store.delete("id1", "t")
    assert store.forget(clock.now) == 0
    store.delete("id1", "t", at_once=True)
    assert store.forget(clock.now) == 1


def test_what_a_test_sent_leaves_nothing(store: Store) -> None:
    store.delete("id1", "t")
    store.erase("id1", "t")
    assert files(store) == set()


def test_a_release_that_is_put_off_goes_on_when_its_message_is_back() -> None:
    def event(what: Any, time: float, **more: Any) -> Event:
        return Event(what, "id1", "t", time=time, **more)

    to = ("joe@mx.test",)
    events = [
        event("releasing", 1, recipients=to),
        event("failed", 2, recipients=to, reply="452 full", again_at=300.0),
        event("deleted", 3),
        event("deleted", 4),
    ]
    copy = Delivery("joe@mx.test", State.FAILED, 2, "452 full", "", 1, 300.0)
    gone = delivery_state_of(to, events, 0.0)
    assert (gone.state, gone.deliveries[0].state, gone.gone_at) == ("deleted", "deleted", 3)
    back = delivery_state_of(to, [*events, event("undeleted", 5)], 0.0)
    assert back == DeliveryState((copy,))


def test_what_was_released_meanwhile_stays_released() -> None:
    to = ("joe@mx.test",)
    whats: list[Any] = ["releasing", "deleted", "released", "undeleted"]
    events = [
        Event(what, "id1", "t", to if what.startswith("releas") else (), time=float(time))
        for time, what in enumerate(whats)
    ]
    assert delivery_state_of(to, events, 0.0).state == "released"


class Died(BaseException):
    """The process is killed here: no handler may catch this."""


STEPS = (
    (Journal, "append"),
    (Path, "replace"),
    (Path, "unlink"),
    (deletion, "sync_folder"),
    (durable, "sync_folder"),
    (Index, "update"),
)
"""What a deletion consists of."""


@contextmanager
def dying_at(step: int) -> Iterator[None]:
    """A process that dies before its n-th step, counted from 0."""
    left = step

    def counted(real: Any) -> Any:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Died
            return real(*args, **kwargs)

        return stepped

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in STEPS:
            patch.setattr(owner, name, counted(getattr(owner, name)))
        yield


class Deletions(RuleBasedStateMachine):
    """One message that is deleted and brought back, by processes that may die at any step; then
    `fsck` or an expiry looks at what they left."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.store = Store(QuarantineSettings(self.folder / "q", keep_days=0), self.clock)
        self.store.put(new())
        self.wanted = {"held"}
        self.may_be_purged = False

    def does(self, wanted: str, what: Callable[[], object], step: int, *, by_expiry: bool) -> None:
        """wanted: the state afterwards, if it is done."""
        try:
            with dying_at(step):
                what()
            self.wanted = {wanted}
        except GoneError:
            assert self.may_be_purged
        except Died:
            self.wanted |= {wanted}
            self.store.close()
            self.store = Store(self.store.settings, self.clock)
            if by_expiry:
                expire(self.store)
            else:
                self.store.fsck()

    @rule(step=st.integers(0, 8), by_expiry=st.booleans())
    def delete(self, step: int, by_expiry: bool) -> None:
        self.does("deleted", lambda: self.store.delete("id1", "t"), step, by_expiry=by_expiry)

    @rule(step=st.integers(0, 8), by_expiry=st.booleans())
    def delete_at_once(self, step: int, by_expiry: bool) -> None:
        self.may_be_purged = True
        self.does(
            "deleted",
            lambda: self.store.delete("id1", "t", at_once=True),
            step,
            by_expiry=by_expiry,
        )

    @rule(step=st.integers(0, 8), by_expiry=st.booleans())
    def undelete(self, step: int, by_expiry: bool) -> None:
        self.does("held", lambda: self.store.undelete("id1", "t"), step, by_expiry=by_expiry)

    @rule(hours=st.sampled_from([1, 30]), step=st.integers(0, 8), by_expiry=st.booleans())
    def time_passes(self, hours: float, step: int, by_expiry: bool) -> None:
        self.clock.now += hours * HOUR
        state = self.store.delivery_state("id1")
        if state.gone and self.clock.now >= state.gone_at + 24 * HOUR:
            self.may_be_purged = True
        self.does(
            state.state,
            lambda: expire(self.store, confirmed=True),
            step,
            by_expiry=by_expiry,
        )

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "store"):
            return
        state = self.store.delivery_state("id1")
        kept = files(self.store)
        assert state.state in self.wanted
        self.wanted = {state.state}
        if state.purged:
            assert self.may_be_purged
            assert kept == {".json"}
        elif state.gone:
            assert kept == {".json", ".deleted"}
        else:
            assert kept == {".json", ".eml"}
            assert self.store.read("id1") == HOSTILE
        assert states(self.store) == {"id1": state.state}
        report = self.store.fsck(repair=False)
        assert (report.damaged, report.finished, report.restated) == ((), (), ())

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)


@pytest.mark.slow
def test_no_death_of_a_process_leaves_a_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.system.clock.is_unsynchronized", lambda: False)
    run_state_machine_as_test(
        Deletions, settings=settings(max_examples=12, stateful_step_count=10, deadline=None)
    )
