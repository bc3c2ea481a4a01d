"""Who has seen which message: the same on SQLite and PostgreSQL, gone with the message."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from filterd.database.schema import alembic_config
from filterd.quarantine import QuarantineSettings, Store
from filterd.quarantine.query import Query
from filterd.quarantine.schema import SCHEMA, seen
from tests.helpers.entries import new
from tests.helpers.stores import empty_store


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Three messages, of which ann has seen the second one."""
    made = empty_store(request, tmp_path)
    for number in range(3):
        made.put(new(f"id{number}"))
    made.index.saw("id1", "ann")
    yield made
    made.close()


def marks(store: Store) -> int:
    with store.index.connection() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(seen)) or 0


def found(store: Store, reviewer: str, *, is_seen: bool, sort: str = "") -> set[str]:
    query = Query(seen=is_seen, reviewer=reviewer, sort=sort)
    rows = store.index.search(query).rows
    assert store.index.count(query) == len(rows)
    return {row.id for row in rows}


def test_each_reviewer_has_its_own_marks(store: Store) -> None:
    ids = ["id0", "id1", "id2", "unknown"]
    store.index.saw("id1", "ann")
    store.index.saw("unknown", "ann")
    assert marks(store) == 1
    assert store.index.seen(ids, "ann") == {"id1"}
    assert store.index.seen(ids, "bob") == set()
    for sort in ("", "-score", "sender"):
        assert found(store, "ann", is_seen=True, sort=sort) == {"id1"}
        assert found(store, "ann", is_seen=False, sort=sort) == {"id0", "id2"}
    assert found(store, "bob", is_seen=True) == set()


def test_a_mark_goes_with_its_message(store: Store) -> None:
    store.delete("id1", "t")
    assert marks(store) == 1, "it may be brought back"
    store.delete("id1", "t", at_once=True)
    assert marks(store) == 0
    store.index.saw("id2", "ann")
    store.erase("id2", "t")
    assert marks(store) == 0
    store.index.saw("id0", "ann")
    store.delete("id0", "t", expired=True)
    assert marks(store) == 0


def test_marks_outlive_an_index_that_is_rebuilt(store: Store) -> None:
    store.fsck(rebuild=True)
    assert store.index.seen(["id0", "id1"], "ann") == {"id1"}


def test_an_index_of_the_form_before_gets_the_table(tmp_path: Path) -> None:
    store = Store(QuarantineSettings(tmp_path / "q"))
    store.put(new())
    store.close()
    engine = sa.create_engine(f"sqlite:///{tmp_path}/q/index.sqlite")
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection, SCHEMA), "0003")
    engine.dispose()
    store = Store(store.settings)
    store.index.saw("id1", "ann")
    assert store.index.seen(["id1"], "ann") == {"id1"}
    store.index.check()
    store.close()
