"""Faults in words, and the settings that take them."""

from __future__ import annotations

import pytest

from filterd.mta.milters.scripted import Close, FaultError, Plan, Respond, Wait, parse_fault


@pytest.mark.parametrize(
    ("text", "name", "plan"),
    [
        ("f1: close at body", "f1", {"B": (Close(),)}),
        ("f1: silent at negotiate", "f1", {"O": ()}),
        ("f 1 : slow 5s at mail", "f 1", {"M": (Wait(5.0), Respond(b"c"))}),
        ("f1: reject at eom", "f1", {"E": (Respond(b"r"),)}),
    ],
)
def test_faults(text: str, name: str, plan: Plan) -> None:
    assert parse_fault(text) == (name, plan)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("close at body", "expected"),
        ("f1: close", "expected"),
        ("f1: explode at body", "faults: close"),
        ("f1: close at noon", "stages are negotiate"),
        ("f1: slow soon at mail", "not a number of seconds"),
        (": close at body", "expected"),
    ],
)
def test_what_is_no_fault(text: str, complaint: str) -> None:
    with pytest.raises(FaultError, match=complaint):
        parse_fault(text)
