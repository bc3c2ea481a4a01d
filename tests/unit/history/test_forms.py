"""Rows as they were written before the report, and what a record has of it now."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from filterd.chain.verdict import Action, Failure, FailureKind, Outcome, Symbol
from filterd.history.record import Record
from tests.helpers.records import NOW, REPORT

FIRST = [
    "q1",
    "<m@x>",
    "c.x[192.0.2.7]",
    "a\udce9@x",
    ["joe@mx"],
    "Hi",
    5,
    "spam",
    5.0,
    [["BAYES_99", 9.0]],
    {"bayes": 1.5},
    {"clamav": "timeout: 30 s", "odd": "who knows: x"},
]


def test_a_row_in_its_first_form() -> None:
    row = Record.decode("id1", NOW, "quarantine", 9.0, json.dumps(FIRST))
    assert (row.id, row.action, row.reason, row.score) == ("id1", Action.QUARANTINE, "spam", 9.0)
    assert (row.client, row.sender, row.recipients) == ("c.x[192.0.2.7]", "a\udce9@x", ("joe@mx",))
    assert row.symbols == (Symbol("BAYES_99", 9.0),)
    assert row.failures == (
        Failure("clamav", FailureKind.TIMEOUT, "30 s"),
        Failure("odd", FailureKind.ERROR, "who knows: x"),
    )
    assert row.to_json()["failures"] == {"clamav": "timeout: 30 s", "odd": "error: who knows: x"}
    assert row.outcomes == ()


def test_a_release_in_its_first_form() -> None:
    row = Record.decode(
        "id2", NOW, "accept", 0.0, json.dumps([*FIRST[:7], "release of id1", 5.0, [], {}, {}])
    )
    assert (row.reason, row.released, row.why) == ("", "id1", "release of id1")


def test_a_row_has_each_recipients_outcome() -> None:
    outcomes = (
        Outcome("joe@mx.test", Action.ACCEPT, "r"),
        Outcome("x\udce9@y", Action.DISCARD, "s"),
    )
    for some in (outcomes, outcomes[:1]):
        to = tuple(one.recipient for one in some)
        kept = Record.of(replace(REPORT, outcomes=some, recipients=to), NOW, "x")
        assert Record.decode(kept.id, NOW, "accept", kept.score, kept.encode()) == kept
    assert list(kept.to_json()["outcomes"]) == [
        {"recipient": "joe@mx.test", "action": "accept", "rule": "r"}
    ]


@pytest.mark.parametrize("text", ["7", '"x"', "[]", "[1]", '{"reason": "odd"}', '{"size": []}'])
def test_a_row_that_is_damaged(text: str) -> None:
    with pytest.raises(ValueError):
        Record.decode("a", NOW, "accept", 1.0, text)
