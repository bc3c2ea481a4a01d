"""What came, summed up."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.chain.verdict import RemovedPart
from filterd.history import HistorySummary
from filterd.history.summary import KINDS, NameCount, Tally, kind_of, summarized
from tests.helpers.records import NOW, RECORDS, opened
from tests.helpers.reports import record

REMOVED = (RemovedPart("a.exe", "its name", 0, 4),)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"action": "accept"}, "clean"),
        ({"action": "accept", "labelled": True}, "labelled"),
        ({"action": "accept", "removed": REMOVED}, "stripped"),
        ({"action": "accept", "removed": REMOVED, "labelled": True}, "stripped"),
        ({"action": "accept", "removed": REMOVED, "virus": "Eicar"}, "virus"),
        ({"action": "quarantine", "reason": "spam"}, "held"),
        ({"action": "quarantine", "virus": "Eicar"}, "virus"),
        ({"action": "reject"}, "refused"),
        ({"action": "discard"}, "refused"),
        ({"action": "reject", "virus": "Eicar"}, "virus"),
        ({"action": "tempfail"}, "deferred"),
        ({"action": "tempfail", "virus": "Eicar"}, "deferred"),
    ],
)
def test_what_became_of_a_message(tmp_path: Path, fields: dict[str, Any], kind: str) -> None:
    history = opened(tmp_path)
    history.add([record("a", NOW, **fields)])
    kinds = history.summary(NOW, NOW + 1, 10).kinds
    assert [one for one, number in kinds.items() if number] == [kind]


def test_four_messages(tmp_path: Path) -> None:
    history = opened(tmp_path)
    history.add(RECORDS)
    found = history.summary(NOW, NOW + 60, 100)
    assert (found.messages, found.octets, found.more) == (4, 100, False)
    assert found.kinds == {**dict.fromkeys(KINDS, 0), "clean": 2, "held": 1, "refused": 1}
    assert found.senders[:2] == (NameCount("ann@a.test", 1, 1), NameCount("bob@b.test", 1, 1))
    assert found.recipients[0] == NameCount("joe@mx.test", 2, 1)
    assert found.symbols[0].name == "BAYES_99"
    assert found.clients == (NameCount("192.0.2.7", 1, 1),)
    (bayes, clamav) = found.filters
    assert (bayes.name, bayes.messages, bayes.mean, bayes.longest) == ("bayes", 1, 1.5, 1.5)
    assert (clamav.name, clamav.messages, clamav.failures, clamav.mean) == ("clamav", 0, 1, 0.0)


@pytest.mark.parametrize(
    ("since", "until", "most", "messages", "more"),
    [
        (NOW, NOW + 4, 4, 4, False),
        (NOW, NOW + 4, 3, 3, True),
        (NOW, NOW + 3, 9, 3, False),
        (NOW + 1, NOW + 3, 9, 2, False),
        (NOW + 9, NOW + 10, 9, 0, False),
        (NOW, NOW, 9, 0, False),
    ],
)
def test_only_that_time_and_so_many(
    tmp_path: Path, since: float, until: float, most: int, messages: int, more: bool
) -> None:
    history = opened(tmp_path)
    history.add(RECORDS)
    found = history.summary(since, until, most)
    assert (found.messages, found.more) == (messages, more)


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_pages_leave_nothing_out_and_count_nothing_twice(
    tmp_path: Path, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.history.records._PAGE", page)
    history = opened(tmp_path)
    # Several of one moment, as batches of a worker are.
    history.add([record(f"m{n}", NOW + n // 3, sender=f"s{n}@x.test") for n in range(7)])
    found = history.summary(NOW, NOW + 60, 100)
    assert found.messages == 7
    assert len(found.senders) == 7
    assert history.summary(NOW, NOW + 60, 5).messages == 5


def test_nothing_is_there(tmp_path: Path) -> None:
    assert opened(tmp_path).summary(1, 2, 3) == HistorySummary(1, 2)
    assert not (tmp_path / "history.sqlite3").exists(), "reading makes no file"


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    history = opened(tmp_path)
    history.add(RECORDS)
    history.close()
    with sqlite3.connect(tmp_path / "history.sqlite3") as connection:
        for id, rest in (("a", "{"), ("b", "7"), ("c", '{"recipients":7,"symbols":[[],7,""]}')):
            connection.execute("UPDATE records SET rest = ? WHERE id = ?", (rest, id))
    found = opened(tmp_path).summary(NOW, NOW + 60, 100)
    assert found.messages == 2
    assert not found.symbols


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = ("sender", "recipients", "client_address", "virus", "symbols", "milliseconds", "failures")


@given(st.lists(st.dictionaries(st.sampled_from((*NAMES, "size", "removed", "labelled")), VALUES)))
def test_no_value_ends_it(rows: list[dict[str, Any]]) -> None:
    found = summarized(0, 1, (("accept", one) for one in rows), more=False)
    assert sum(found.kinds.values()) == found.messages == len(rows)
    json.dumps([one.name for one in found.senders])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())))
def test_a_tally_counts(added: list[tuple[str, bool]]) -> None:
    tally = Tally()
    for name, unwanted in added:
        tally.add(name, unwanted=unwanted)
    assert {one.name: one.messages for one in tally.top()} == {
        name: sum(other == name for other, _ in added) for name, _ in added
    }
    assert sum(one.unwanted for one in tally.top()) == sum(unwanted for _, unwanted in added)


def test_random_senders_do_not_take_the_memory() -> None:
    tally = Tally(limit=100)
    for number in range(1000):
        tally.add(f"random{number}", unwanted=True)
        tally.add("often", unwanted=False)
    assert [one.messages for one in tally.top(1000) if one.name == "often"] == [1000]
    assert len(tally.top(1000)) <= 100


def test_every_kind_has_a_message() -> None:
    assert kind_of("accept", {}) == "clean"
    assert kind_of("an action of another version", {}) == "clean"
