"""The description of a kept message: what is in it, and descriptions of earlier versions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from filterd.chain.verdict import Action, Failure, FailureKind, Outcome
from filterd.quarantine.entry import Entry, EntryError, describe, for_admins_only
from tests.helpers.entries import new
from tests.helpers.reports import revised

FIRST_KEYS = {
    "format",
    "id",
    "received",
    "size",
    "sha256",
    "sender",
    "recipients",
    "held_for",
    "client",
    "queue_id",
    "message_id",
    "subject",
    "from",
    "reason",
    "action",
    "score",
    "required",
    "symbols",
    "virus",
    "removed",
    "macros",
}


def first_form(**changes: Any) -> bytes:
    """A description as it was before it had the report."""
    value = json.loads(describe(new()).encode())
    return json.dumps({name: value[name] for name in FIRST_KEYS} | changes).encode()


def test_it_is_read_as_it_was_written() -> None:
    entry = describe(
        revised(
            new(),
            outcomes=(
                Outcome("ann@mx.test", Action.ACCEPT, "default"),
                Outcome("joe@mx.test", Action.QUARANTINE, "strict"),
            ),
            failures=(Failure("bayes", FailureKind.MEMORY, "x", again=True),),
            milliseconds={"bayes": 1.5},
            probability=0.5,
            banned=True,
        )
    )
    assert Entry.decode(entry.encode()) == entry
    assert entry.to_json()["outcomes"][1] == {
        "recipient": "joe@mx.test",
        "action": "quarantine",
        "rule": "strict",
    }


def test_a_description_in_its_first_form() -> None:
    entry = Entry.decode(first_form())
    known = replace(describe(new()), authenticated="")
    assert replace(entry, labelled=False) == known


@pytest.mark.parametrize(
    ("name", "detail", "why"),
    [
        ("BAYES_99", "", ""),
        ("BANNED_PART", "a.exe", "it carries a part that may not be delivered"),
        ("CLAMAV_FAILED", "unavailable: no answer", "it could not be scanned completely"),
        ("WORKER_FAILED", "signal 11", "it could not be scanned completely"),
    ],
)
def test_in_the_first_form_symbols_say_why_only_an_admin_may(
    name: str, detail: str, why: str
) -> None:
    symbols = [{"name": name, "score": 0.0, "detail": detail}]
    assert for_admins_only(Entry.decode(first_form(symbols=symbols, removed=[]))) == why


def test_failures_in_the_first_form() -> None:
    symbols = [{"name": "CLAMAV_FAILED", "score": 0.0, "detail": "unavailable: no answer"}]
    (failure,) = Entry.decode(first_form(symbols=symbols)).failures
    assert failure == Failure("clamav", FailureKind.UNAVAILABLE, "no answer")


@pytest.mark.parametrize("name", sorted(FIRST_KEYS))
def test_a_description_without_a_key_is_damaged(name: str) -> None:
    value = json.loads(first_form())
    del value[name]
    with pytest.raises(EntryError, match=name):
        Entry.decode(json.dumps(value).encode())


@pytest.mark.parametrize(
    "changes",
    [{"action": "explode"}, {"reason": "odd"}, {"size": "x"}, {"symbols": [1]}, {"client": []}],
)
def test_a_description_with_a_value_that_is_none_is_damaged(changes: dict[str, Any]) -> None:
    with pytest.raises(EntryError):
        Entry.decode(first_form(**changes))
