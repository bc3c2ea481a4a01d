"""Search and paging, the same on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from filterd.chain.verdict import Symbol
from filterd.database.schema import alembic_config
from filterd.message import Client, Envelope, Recipient
from filterd.quarantine import QuarantineSettings, Store, StoreError
from filterd.quarantine.entry import describe
from filterd.quarantine.index import Index
from filterd.quarantine.journal import Delivery, DeliveryState
from filterd.quarantine.query import Query, QueryError, statement
from filterd.quarantine.schema import SCHEMA
from filterd.quarantine.words import State
from tests.helpers.entries import RECEIVED, new
from tests.helpers.reports import revised
from tests.helpers.stores import empty_store

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return empty_store(request, tmp_path)


def found(store: Store, **conditions: Any) -> list[str]:
    return [row.id for row in store.index.search(Query(**conditions)).rows]


def filled(store: Store) -> Store:
    """Four messages, an hour apart: a, b, c, d."""
    people = [
        ("ann@a.test", "joe@mx.test", "spam", "Cheap pills", 9.0, ""),
        ("bob@b.test", "sue@mx.test", "virus", "100% off_now", 0.0, "Eicar-Test"),
        ("", "max@other.test", "spam", "Gr\u00fc\u00dfe", 20.5, ""),
        ("eve@sub.a.test", "joe@mx.test", "banned", "report", 3.0, ""),
    ]
    for number, (sender, recipient, reason, subject, score, virus) in enumerate(people):
        envelope = Envelope(sender, (Recipient(recipient),), Client("c", "192.0.2.7"))
        symbol = Symbol("BAYES_99" if reason == "spam" else "BAYES_00", score)
        store.put(
            revised(
                new("abcd"[number], f"Subject: {subject}\r\n\r\n".encode()),
                envelope=envelope,
                held_for=(recipient,),
                reason=reason,
                score=score,
                virus=virus,
                symbols=(symbol,),
                received=RECEIVED + timedelta(hours=number),
            )
        )
    return store


CASES: list[tuple[dict[str, Any], str]] = [
    ({}, "dcba"),
    ({"sender": "ANN@"}, "a"),
    ({"recipient": "joe"}, "da"),
    ({"domain": "a.test"}, "a"),
    ({"domain": "mx.test"}, "dba"),
    ({"domain": "x.test"}, ""),
    ({"subject": "PILLS"}, "a"),
    ({"subject": "100%"}, "b"),
    ({"subject": "off_"}, "b"),
    ({"subject": "%"}, "b"),
    ({"text": "GR\u00dc"}, "c"),
    ({"subject": "Gr\u00fc"}, "c"),
    ({"text": "192.0.2.7"}, "dcba"),
    ({"reason": "spam"}, "ca"),
    ({"reason": "spam", "recipient": "joe"}, "a"),
    ({"state": "held"}, "dcba"),
    ({"state": "released"}, ""),
    ({"symbol": "bayes_99"}, "ca"),
    ({"symbol": "BAYES"}, ""),
    ({"virus": "eicar"}, "b"),
    ({"score_from": 3.0, "score_to": 9.0}, "da"),
    ({"since": (RECEIVED + timedelta(hours=1)).timestamp()}, "dcb"),
    ({"until": (RECEIVED + timedelta(hours=1)).timestamp()}, "a"),
    ({"pinned": True}, ""),
    ({"limit": 2}, "dc"),
    ({"visible": ("@mx.test",)}, "dba"),
    ({"visible": ("joe@mx.test", "MAX@other.test")}, "dca"),
    ({"visible": ("oe@mx.test", "@test", "@x.test", "joe@mx.tes")}, ""),
    ({"visible": ("@",)}, ""),
    ({"visible": ("@mx.test",), "reason": "spam"}, "a"),
]


def test_every_condition(store: Store) -> None:
    filled(store)
    for conditions, ids in CASES:
        assert "".join(found(store, **conditions)) == ids, conditions


def test_pages_follow_each_other_although_mail_comes_in(store: Store) -> None:
    filled(store)
    first = store.index.search(Query(limit=3))
    assert "".join(row.id for row in first.rows) == "dcb"
    store.put(revised(new("late"), received=RECEIVED + timedelta(days=1)))
    second = store.index.search(Query(limit=3, after=first.next))
    assert ("".join(row.id for row in second.rows), second.next) == ("a", "")


@pytest.mark.parametrize("conditions", [{}, {"text": "test"}, {"state": "waiting"}])
def test_oldest_first_and_the_opposite_order(store: Store, conditions: dict[str, Any]) -> None:
    filled(store)
    query = Query(limit=3, sort="received", **conditions)
    first = store.index.search(query)
    assert "".join(row.id for row in first.rows) == "abc"
    second = store.index.search(dataclasses.replace(query, after=first.next))
    assert ("".join(row.id for row in second.rows), second.next) == ("d", "")
    newest = [row.id for row in store.index.search(query.turned).rows]
    assert newest == found(store, limit=3, **conditions)
    assert query.turned.turned == query


def test_what_is_behind_a_message_in_a_list(store: Store) -> None:
    filled(store)
    for sort, behind in (("", "ba"), ("-received", "ba"), ("received", "d")):
        place = store.index.place("c", sort)
        assert "".join(found(store, sort=sort, after=place)) == behind, sort
    assert store.index.place("none", "") == ""
    for asked in (lambda: store.index.place("c", "x"), lambda: found(store, sort="x")):
        with pytest.raises(QueryError, match="sort: 'x' is unknown; expected received, -received"):
            asked()


ORDERS = {
    "received": "abcd",
    "score": "bdac",
    "sender": "cabd",
    "size": "dcab",
}
"""The four messages of `filled` (`b` has no points, `c` no sender), the least first."""

SELECTIONS: list[dict[str, Any]] = [
    {},
    {"reason": "spam"},
    {"state": "held"},
    {"state": "waiting"},
    {"text": "TEST"},
    {"recipient": "joe"},
    {"symbol": "BAYES_99"},
    {"score_from": 3.0},
    {"since": (RECEIVED + timedelta(hours=1)).timestamp()},
    {"visible": ("@mx.test",)},
]


@pytest.mark.slow
def test_every_order_in_pages_forth_and_back(store: Store) -> None:
    filled(store)
    for (name, ids), conditions in product(ORDERS.items(), SELECTIONS):
        fit = set(found(store, **conditions))
        expected = [id for id in ids if id in fit]
        for sort, order in ((name, expected), (f"-{name}", expected[::-1])):
            query = Query(sort=sort, limit=1, **conditions)
            seen = []
            while True:
                page = store.index.search(query)
                seen += [row.id for row in page.rows]
                if not page.next:
                    break
                query = dataclasses.replace(query, after=page.next)
            assert seen == order, (sort, conditions)


@pytest.mark.parametrize("order", ["score", "sender", "size"])
@pytest.mark.parametrize("conditions", [{}, {"state": "held"}, {"state": "waiting"}])
def test_an_order_is_read_from_its_index(
    tmp_path: Path, order: str, conditions: dict[str, Any]
) -> None:
    """Else 100,000 messages would be read and sorted for each page."""
    store = filled(Store(QuarantineSettings(folder=tmp_path / "q")))
    query = Query(sort=f"-{order}", **conditions)
    for one in (query, dataclasses.replace(query, after=store.index.place("a", query.sort))):
        asked = statement(one).compile(
            dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
        )
        with store.index.connection() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}").all()
        steps = [row[3] for row in plan]
        assert len(steps) == 1, steps
        assert f"USING INDEX messages_by_{order}" in steps[0]
        assert steps[0].startswith("SEARCH") is bool(one.after)


def test_messages_that_are_equal_in_an_order_are_all_shown(store: Store) -> None:
    ids = [f"m{number}" for number in range(7)]
    for id in ids:
        store.put(revised(new(id), score=5.0))
    for sort in ("score", "sender", "size"):
        query, seen = Query(sort=sort, limit=2), list[str]()
        while True:
            page = store.index.search(query)
            seen += [row.id for row in page.rows]
            if not page.next:
                break
            query = dataclasses.replace(query, after=page.next)
        assert seen == ids


@pytest.mark.parametrize(
    "sender",
    ["\0x@a.test", "\udcff@x", " blank@a.test", "a,b@c.test", "x" * 5000 + "@a.test", "É@x"],
)
def test_no_sender_breaks_the_order(store: Store, sender: str) -> None:
    entry = dataclasses.replace(describe(new("m")), sender=sender)
    store.index.add(entry, "p", DeliveryState())
    store.put(new("a"))
    for sort in ("sender", "-sender"):
        first = store.index.search(Query(sort=sort, limit=1))
        second = store.index.search(Query(sort=sort, limit=1, after=first.next))
        assert sorted(row.id for row in (*first.rows, *second.rows)) == ["a", "m"]
        assert second.next == ""


def test_a_question_that_cannot_be_asked(store: Store) -> None:
    for query, word in (
        (Query(limit=0), "limit"),
        (Query(after="x,y"), "after"),
        (Query(after="7"), "after"),
    ):
        with pytest.raises(QueryError, match=word):
            store.index.search(query)


def test_only_one_claim_wins(store: Store) -> None:
    filled(store)
    other = Index(store.settings.database, store.settings.folder)
    states = ("held", "")
    both = ["joe@mx.test", "new@mx.test"]
    assert store.index.claim("a", both, states, 1.0, "original") == tuple(both)
    assert other.claim("a", both, states, 1.0, "original") == ()
    assert found(store, state="releasing") == ["a"]
    store.index.settle("a", Delivery("joe@mx.test", "released", 2.0))
    store.index.settle("a", Delivery("new@mx.test", "released", 2.0))
    assert found(store, state="released") == ["a"]
    assert other.claim("a", ["joe@mx.test"], ("held", "failed"), 3.0, "original") == ()


def test_fsck_fills_an_empty_index(store: Store) -> None:
    filled(store)
    store.pin("b", "test")
    store.index.remove(["a", "b", "c"])
    assert store.fsck().added == ("a", "b", "c")
    assert found(store, pinned=True) == ["b"]
    again = store.fsck()
    assert (again.checked, again.added, again.stale, again.restated) == (4, (), (), ())


def test_waiting_is_every_state_that_needs_a_decision(store: Store) -> None:
    copies = {
        "a": (Delivery("joe@mx.test", State.HELD),),
        "b": (Delivery("joe@mx.test", State.RELEASING),),
        "c": (Delivery("joe@mx.test", State.FAILED),),
        "d": (Delivery("joe@mx.test", State.RELEASED),),
        "e": (),
    }
    for id, some in copies.items():
        store.index.add(describe(new(id)), "p", DeliveryState(some))
    index = store.index
    for query in (Query(state="waiting"), Query(state="waiting", visible=("@mx.test",))):
        waiting = {row.id for row in index.search(query).rows}
        assert waiting == {"a", "b", "c"}
        assert index.count(query) == 3
    assert index.count(Query()) == 5
    with pytest.raises(QueryError, match="state: 'wait' is unknown"):
        index.count(Query(state="wait"))


def test_hostile_text_can_be_stored(store: Store) -> None:
    entry = dataclasses.replace(
        describe(new("x")), subject="\0 \udc80 \u202e '; --", sender="\udcff@x", virus="\0"
    )
    store.index.add(entry, "p", DeliveryState((Delivery("\udce9\0@x"),)))
    assert found(store) == ["x"]
    assert [d.state for d in store.index.deliveries("x")] == ["held"]


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.text(max_size=30))
def test_no_text_breaks_a_search(tmp_path: Path, text: str) -> None:
    index = Index("", tmp_path / "one")
    index.search(Query(text=text, sender=text, domain=text, symbol=text))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (
            Query(reason="spma"),
            r"'spma' is unknown \(did you mean spam\?\); expected spam,",
        ),
        (Query(reason="SPAM"), "reason: 'SPAM' is unknown"),
        (Query(state="hold"), r"state: 'hold' is unknown \(did you mean held\?\); expected held,"),
        (Query(state="x" * 9000), "state: 'x{50}' is unknown; expected held,"),
    ],
)
def test_an_unknown_word_is_an_error_and_not_an_empty_quarantine(
    tmp_path: Path, query: Query, words: str
) -> None:
    with pytest.raises(QueryError, match=words):
        Index("", tmp_path / "one").search(query)


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")
def test_an_index_of_the_first_version_is_brought_up_to_date(store: Store) -> None:
    """What an earlier version has written is found, and a digest's table is there."""
    store.put(new("old", data=b"Subject: needle\r\n\r\nx\r\n"))
    with store.index.connection() as connection:
        command.downgrade(alembic_config(connection, SCHEMA), "0001")
        assert not sa.inspect(connection).has_table("digests")
        names = {index["name"] for index in sa.inspect(connection).get_indexes("messages")}
        assert "messages_by_size" not in names
    store.index.close()
    again = Store(store.settings)
    assert [row.id for row in again.index.search(Query(text="NEEDLE")).rows] == ["old"]
    with again.index.connection() as connection:
        assert sa.inspect(connection).has_table("digests")
        names = {index["name"] for index in sa.inspect(connection).get_indexes("messages")}
        if connection.dialect.name == "postgresql":
            assert "messages_words" in names
        assert {"messages_by_score", "messages_by_size"} <= names
    again.close()


def test_an_index_of_a_newer_version_is_left_alone_and_no_message_lost(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.index.search(Query())
    with store.index.connection() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    older = Store(store.settings)
    assert older.put(new("kept")) == "kept"
    assert "its form is 9999" in caplog.text
    assert older.read("kept")
    with pytest.raises(StoreError, match="this version of filterd knows"):
        older.index.search(Query())


def test_without_the_extension_searches_do_without_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    text = sa.text
    monkeypatch.setattr(sa, "text", lambda words: text(words.replace("pg_trgm", "no_such")))
    store.put(new("one", data=b"Subject: needle\r\n\r\nx\r\n"))
    assert [row.id for row in store.index.search(Query(text="needle")).rows] == ["one"]
    assert ("without an index of trigrams" in caplog.text) == bool(store.settings.database)


@pytest.mark.parametrize(
    "wish",
    [
        {"text": "bob@other"},
        {"text": "OTHER.test"},
        {"text": 'bob@other.test", "j'},
        {"recipient": "bob"},
        {"recipient": '", "'},
        {"domain": "other.test"},
    ],
)
def test_hidden_recipients_cannot_be_guessed(store: Store, wish: dict[str, Any]) -> None:
    to = ("bob@other.test", "joe@mx.test", "Al@Mx.Test")
    envelope = Envelope("Other@sender.test", tuple(map(Recipient, to)), Client("c", "192.0.2.7"))
    store.put(revised(new("a"), envelope=envelope, held_for=to))
    if '"' not in str(wish):
        assert found(store, **wish) == ["a"]
    for visible in (("joe@mx.test",), ("@mx.test",), ("@mx.test", "@")):
        assert found(store, **wish, visible=visible) == [], visible


SPELLED = {
    "a": ("jürgen@müller.test", '"team"@mx.test'),
    "b": ("jürgen@müller.test".encode().decode("ascii", "surrogateescape"), "team+x@mx.test"),
    "c": ("Jürgen@XN--MLLER-KVA.test", "@relay.test:TEAM@mx.test."),
}
"""Three spellings of one sender, and of one recipient."""


@pytest.mark.parametrize(
    ("wish", "ids"),
    [
        ({"sender": "jürgen@müller.test"}, "cba"),
        ({"sender": "JÜRGEN@xn--mller-kva.test"}, "cba"),
        ({"text": "xn--mller-kva"}, "cba"),
        ({"text": "müller.test"}, "cba"),
        ({"domain": "müller.test"}, "cba"),
        ({"domain": "xn--mller-kva.test"}, "cba"),
        ({"recipient": "team@mx.test"}, "ca"),
        ({"recipient": '"team"@mx.test'}, "ca"),
        ({"recipient": "<@x.test:team@mx.test>"}, "ca"),
        ({"visible": ("team@mx.test",)}, "cba"),
        ({"visible": ("team+x@mx.test",)}, "b"),
        ({"visible": ("eam@mx.test", "te@mx.test")}, ""),
        ({"visible": ("team@mx.test",), "recipient": "m+x@"}, "b"),
        ({"visible": ("team@mx.test",), "text": "team"}, "cba"),
    ],
)
def test_a_mailbox_is_found_however_it_is_spelled(
    store: Store, wish: dict[str, Any], ids: str
) -> None:
    for number, (id, (sender, recipient)) in enumerate(SPELLED.items()):
        received = RECEIVED + timedelta(hours=number)
        envelope = Envelope(sender, (Recipient(recipient),), Client("c", "192.0.2.7"))
        entry = new(id, b"Subject: x\r\n\r\n")
        store.put(
            dataclasses.replace(entry, envelope=envelope, held_for=(recipient,), received=received)
        )
    assert "".join(found(store, **wish)) == ids


@pytest.mark.parametrize(
    "wish",
    [
        {"text": "joe@mx"},
        {"text": "JOE@"},
        {"text": "other@sender"},
        {"text": "192.0.2"},
        {"recipient": "JOE"},
        {"recipient": "e@mx.t"},
        {"domain": "MX.test"},
        {"domain": "sender.test"},
        {"text": "gr\u00fcss"},
    ],
)
def test_a_reviewer_finds_by_its_own_recipients(store: Store, wish: dict[str, Any]) -> None:
    to = ("bob@other.test", "Joe@Mx.test", '"o\\"d"@mx.test', "x\udce9@mx.test")
    envelope = Envelope("Other@sender.test", tuple(map(Recipient, to)), Client("c", "192.0.2.7"))
    entry = new("a", "Subject: GR\u00dcSSE\r\n\r\n".encode())
    store.put(dataclasses.replace(entry, envelope=envelope, held_for=to))

    assert found(store, **wish, visible=("@mx.test",)) == ["a"]
