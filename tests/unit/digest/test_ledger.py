"""Who is told of what, the same on SQLite and PostgreSQL, and by one of many at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from filterd.digest.ledger import BEGINNING, CLAIM_LIMIT, EVERYBODY, DigestLedger, Due, name
from filterd.quarantine import Store
from tests.helpers.entries import RECEIVED, new
from tests.helpers.reports import revised
from tests.helpers.stores import empty_store

NOW = RECEIVED.timestamp()
JOE, SUE = "joe@mx.test", "Sue@Mx.Test"


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return empty_store(request, tmp_path)


def put(store: Store, id: str, hours: float, *to: str, **changes: object) -> None:
    received = RECEIVED - timedelta(hours=hours)
    store.put(revised(new(id), received=received, held_for=to, **changes))


def test_what_is_due(store: Store) -> None:
    put(store, "a", 3, JOE, SUE)
    put(store, "b", 2, JOE)
    put(store, "later", -1, JOE)
    put(store, "v", 2, JOE, virus="Evil")
    put(store, "p", 2, JOE, reason="policy")
    put(store, "odd", 2, "a\udce9@mx.test", "x@notmx.test")
    ledger = DigestLedger(store.index)
    begun = ledger.begun(NOW - 4 * 3600)

    def due(**changes: object) -> dict[str, list[str]]:
        wish = {"begun": begun, "until": NOW, "reasons": ("spam",), "domains": ("MX.test",)}
        found = ledger.due(**{**wish, **changes})  # type: ignore[arg-type]
        return {one.address: list(one.held) for one in found.values()}

    assert due() == {JOE: ["b", "a"], SUE: ["a"]}
    assert due(reasons=("policy",)) == {JOE: ["p"]}
    assert due(reasons=()) == {}
    assert due(since=NOW - 2.5 * 3600) == {JOE: ["b"]}
    assert ledger.claim(JOE, begun, NOW, NOW)
    assert due()[JOE] == ["b", "a"]
    ledger.settle(JOE, NOW - 2.5 * 3600)
    assert due() == {JOE: ["b"], SUE: ["a"]}
    store.delete("a", "test")
    assert due() == {JOE: ["b"]}
    assert [row.id for row in ledger.rows(["a", "b"])] == ["b", "a"]
    assert ledger.rows([]) == []


def test_nobody_is_due_for_what_is_old_once_everybody_was_told(store: Store) -> None:
    put(store, "old", 60, JOE)
    put(store, "late", 20, SUE)
    ledger = DigestLedger(store.index)
    begun = ledger.begun(NOW - 90 * 3600)
    late = {name(SUE): Due(SUE, {"late": SUE})}
    assert set(ledger.due(begun, NOW, ("spam",))) == {JOE, name(SUE)}
    ledger.complete(NOW)
    assert ledger.due(begun, NOW, ("spam",)) == late, "it may have come into the index"
    ledger.complete(NOW - 3600)
    assert ledger.due(begun, NOW, ("spam",)) == late, "an older moment changes nothing"
    assert set(ledger.due(begun, NOW, ("spam",), since=begun)) == {JOE, name(SUE)}
    ledger.complete(NOW + 6 * 3600)
    assert ledger.due(begun, NOW, ("spam",)) == {}
    assert ledger.begun(NOW) == begun


def test_one_of_many_claims(store: Store) -> None:
    others = [DigestLedger(Store(store.settings).index) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        for round in range(5):
            now = NOW + round * (CLAIM_LIMIT + 1)
            won = list(threads.map(lambda one, now=now: one.claim(JOE, 0.0, NOW, now), others))  # type: ignore[misc]
            assert won.count(True) == 1
    begun = {other.begun(NOW + number) for number, other in enumerate(others)}
    assert len(begun) == 1
    assert not others[0].claim(BEGINNING, 0.0, NOW - 1e9, NOW)


SPELLINGS = [
    ("Joe@MX.test", "joe@mx.test"),
    ('"joe"@mx.test', "joe@mx.test"),
    ("joe@mx.test.", "joe@mx.test"),
    ("joe@b\u00fccher.test", "joe@xn--bcher-kva.test"),
    ("joe@[IPv6:2001:DB8:0::1]", "joe@[IPv6:2001:db8::1]"),
]


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_two_spellings_are_one_mailbox(store: Store, one: str, other: str) -> None:
    put(store, "a", 3, one)
    put(store, "b", 2, other)
    put(store, "both", 1, one, other)
    ledger = DigestLedger(store.index)
    begun = ledger.begun(NOW - 4 * 3600)
    ((mailbox, due),) = ledger.due(begun, NOW, ("spam",)).items()
    assert mailbox == name(one) == name(other)
    assert due.address in (one, other)
    # Each can be released to the recipient that it has, and is listed once.
    assert list(due.held) == ["both", "b", "a"]
    assert (due.held["a"], due.held["b"]) == (one, other)
    assert ledger.claim(mailbox, begun, NOW, NOW)
    ledger.settle(mailbox, NOW - 2.5 * 3600)
    assert list(ledger.due(begun, NOW, ("spam",))[mailbox].held) == ["both", "b"]
    ledger.settle(mailbox, NOW)
    assert ledger.due(begun, NOW, ("spam",)) == {}


def test_what_an_earlier_version_told_a_spelling_is_not_told_again(store: Store) -> None:
    """It had a row for each spelling."""
    put(store, "a", 3, "Joe@MX.test")
    put(store, "b", 2, "joe@mx.test")
    put(store, "c", 1, "Joe@MX.test")
    ledger = DigestLedger(store.index)
    begun = ledger.begun(NOW - 4 * 3600)
    assert ledger.claim("Joe@MX.test", begun, NOW, NOW)
    ledger.settle("Joe@MX.test", NOW - 1.5 * 3600)
    assert list(ledger.due(begun, NOW, ("spam",))["joe@mx.test"].held) == ["c", "b"]


def test_a_recipient_named_like_a_row_of_the_ledger_is_left_out(store: Store) -> None:
    put(store, "a", 3, EVERYBODY, JOE)
    ledger = DigestLedger(store.index)
    begun = ledger.begun(NOW - 4 * 3600)
    assert set(ledger.due(begun, NOW, ("spam",))) == {JOE}
