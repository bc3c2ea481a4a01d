"""Answers about the stages of a session come from a process that a client may have taken over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.chain.checks import AnswerError
from filterd.chain.stage_chain import StageAnswer
from filterd.chain.verdict import Action, AddField, Failure, FailureKind, Reply, Symbol, Verdict
from filterd.workers.stage_codec import decode_answer, decode_said, encode_said, frame_value

VERDICT = Verdict(
    Action.REJECT,
    (Symbol("LISTED", 5.0, "why"),),
    (AddField("X-Listed", "yes"),),
    reply=Reply(550, "5.7.1", "Listed", "policy"),
)
SAID: dict[str, Any] = {
    "filter": "lists",
    "ms": 1.5,
    "verdict": {
        "action": "reject",
        "reply": [550, "5.7.1", "Listed", "policy"],
        "symbols": [["LISTED", 5.0, "why"]],
        "edits": [["X-Listed", "yes"]],
    },
}


def decoded(value: dict[str, Any]) -> StageAnswer:
    """What the daemon makes of it, through JSON as it comes."""
    return decode_answer(frame_value(json.dumps(value).encode()), ("lists", "rates"))


@pytest.mark.parametrize(
    "answer",
    [
        StageAnswer("lists", VERDICT, 1.5),
        StageAnswer("rates", Verdict(), 0.0),
        StageAnswer("lists", Verdict(), 2.0, Failure("lists", FailureKind.MEMORY, "out of memory")),
    ],
)
def test_an_answer_arrives(answer: StageAnswer) -> None:
    frame = frame_value(encode_said(7, [answer], ended=True))
    assert decode_said(frame, ("lists", "rates")) == [answer]
    assert (frame["of"], frame["end"]) == (7, 7)
    assert "end" not in frame_value(encode_said(7, [answer], ended=False))


def test_what_the_rows_below_change_is_taken() -> None:
    assert decoded(SAID) == StageAnswer("lists", VERDICT, 1.5)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("filter",), "senders"),
        (("filter",), ["lists"]),
        (("ms",), -1.0),
        (("ms",), 1e9),
        (("ms",), 10**400),
        (("ms",), float("nan")),
        (("failure",), ["odd", "x"]),
        (("failure",), "error"),
        (("verdict",), []),
        (("verdict", "action"), "explode"),
        (("verdict", "action"), ["reject"]),
        (("verdict", "reply"), [451, "4.7.1", "Later", "policy"]),
        (("verdict", "reply"), [550, "5.7.1", "two\r\nlines", "policy"]),
        (("verdict", "reply"), [550]),
        (("verdict", "symbols"), [["A", 10**400, ""]]),
        (("verdict", "symbols"), [["A", float("inf"), ""]]),
        (("verdict", "symbols"), [["A", 1.0]]),
        (("verdict", "symbols"), [["A", 1.0, ""]] * 201),
        (("verdict", "symbols"), {}),
        (("verdict", "edits"), [["X-A", "1"]] * 51),
        (("verdict", "edits"), [["X-A:", "1"]]),
        (("verdict", "edits"), [["X-A", "1\nBcc: x"]]),
        (("verdict", "edits"), [["X-A"]]),
        (("verdict", "edits"), 5),
        (("verdict", "failed"), True),
        (("verdict", "apart"), [["joe@b", "reject", "r", None]]),
        (("verdict", "apart"), [["joe@b", "explode", "r", None]]),
        (("verdict", "apart"), 5),
        (("verdict", "points_apart"), [["joe@b", []]]),
        (("verdict", "points_apart"), [["joe@b"]]),
    ],
)
def test_what_is_not_an_answer_is_refused(place: tuple[str, ...], value: object) -> None:
    said = json.loads(json.dumps(SAID))
    table = said
    for name in place[:-1]:
        table = table[name]
    table[place[-1]] = value
    with pytest.raises(AnswerError):
        decoded(said)


@given(
    st.sampled_from([("filter",), ("ms",), ("failure",), ("verdict",)])
    | st.sampled_from(
        [("verdict", name) for name in ("action", "reply", "symbols", "edits", "apart", "failed")]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=8,
    ),
)
def test_any_json_is_taken_or_refused(place: tuple[str, ...], value: object) -> None:
    """Whatever is raised else would end the thread that reads the answers."""
    said = json.loads(json.dumps(SAID))
    (said if len(place) == 1 else said["verdict"])[place[-1]] = value
    try:
        answer = decoded(said)
    except AnswerError:
        return
    assert answer.name in ("lists", "rates")
    assert type(answer.verdict.action) is Action
