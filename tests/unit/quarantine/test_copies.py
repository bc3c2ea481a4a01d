"""What recipients want of their copies: the same on SQLite and PostgreSQL, and by the journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.message.address import reaches
from filterd.quarantine import Store
from filterd.quarantine.copies import HeldCopy, asked_for, held_copies, mark
from tests.helpers.entries import new
from tests.helpers.reports import revised
from tests.helpers.stores import empty_store

JOE, SUE = "joe@mx.test", "sue@mx.test"

SPELLED = (JOE, "Joe+shop@MX.test", '"joe"@mx.test', SUE, "joey@mx.test", "joe@xn--bcher-kva.test")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A message for each spelling, and one for joe and sue."""
    made = empty_store(request, tmp_path)
    for number, recipient in enumerate(SPELLED):
        made.put(revised(new(f"id{number}"), held_for=(recipient,), virus=""))
    made.put(revised(new("both"), held_for=(JOE, SUE), virus=""))
    yield made
    made.close()


def held(store: Store, address: str) -> set[str]:
    def is_own(recipient: str) -> bool:
        return reaches({address}, set(), recipient)

    return {one.row.id for one in held_copies(store.index, [address], is_own, 50, ["spam"])}


def asked(found: list[HeldCopy]) -> list[tuple[str, str, str]]:
    return [(one.row.id, one.copy.recipient, one.copy.request_note) for one in found]


def test_a_mailbox_however_it_is_spelled(store: Store) -> None:
    assert held(store, JOE) == {"id0", "id1", "id2", "both"}
    assert held(store, SUE) == {"id3", "both"}
    assert held(store, "joe@bücher.test") == {"id5"}
    assert held(store, "nobody@mx.test") == set()


def test_a_copy_that_is_not_wanted_goes_for_that_recipient_alone(store: Store) -> None:
    assert mark(store, "dismissed", "both", [JOE], "web:joe") == (JOE,)
    assert mark(store, "dismissed", "both", [JOE], "web:joe") == (), "nothing is new"
    assert "both" not in held(store, JOE)
    assert "both" in held(store, SUE)
    assert mark(store, "wanted", "both", [JOE, SUE], "web:joe") == (JOE,)
    assert "both" in held(store, JOE)


def test_requests_end_with_an_answer_or_a_release(store: Store) -> None:
    mark(store, "requested", "both", [JOE, SUE, "x@x.test"], "web:x", "the plans")
    assert asked(asked_for(store.index, 9)) == [
        ("both", JOE, "the plans"),
        ("both", SUE, "the plans"),
    ]
    assert mark(store, "refused", "both", [JOE], "web:ann", "no") == (JOE,)
    assert mark(store, "refused", "id0", [JOE], "web:ann", "no") == (), "it did not ask"
    assert asked(asked_for(store.index, 9)) == [("both", SUE, "the plans")]
    won = store.index.claim("both", [SUE], ["held"], store.clock(), "original")
    assert won == (SUE,)
    assert asked_for(store.index, 9) == []


def test_an_index_made_anew_knows_them(store: Store) -> None:
    mark(store, "dismissed", "both", [JOE], "web:joe")
    mark(store, "requested", "id3", [SUE], "web:sue", "why")
    store.index.remove(["both", "id3"])
    store.fsck()
    assert "both" not in held(store, JOE)
    assert asked(asked_for(store.index, 9)) == [("id3", SUE, "why")]
