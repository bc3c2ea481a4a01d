"""Questions to a stage process and its answers, which may come from a process in foreign hands."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.chain.checks import AnswerError
from filterd.chain.findings import Findings
from filterd.chain.report import ScanReport
from filterd.chain.stage_chain import StageAnswer
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import (
    NO_OPINION,
    Action,
    AddField,
    Failure,
    FailureKind,
    RecipientAction,
    RecipientSymbols,
    Reply,
    Symbol,
    Verdict,
)
from filterd.message import Client, Envelope, Recipient
from filterd.message.attempt import FIRST_ATTEMPT
from filterd.workers.codec import decode_request, encode_request
from filterd.workers.frames import Frames
from filterd.workers.framing import FrameError
from filterd.workers.stage_codec import (
    StageQuestion,
    decode_answer,
    decode_question,
    decode_reported,
    decode_said,
    encode_question,
    encode_reported,
    encode_said,
    frame_value,
)

texts = st.text(max_size=20) | st.binary(max_size=20).map(
    lambda octets: octets.decode("ascii", "surrogateescape")
)
recipients = st.builds(Recipient, texts, st.tuples(texts) | st.just(()), texts)
sessions = st.builds(
    Session,
    texts,
    st.sampled_from(Stage),
    st.builds(
        Envelope,
        texts,
        st.lists(recipients, max_size=4).map(tuple),
        st.builds(Client, texts, texts, st.integers(0, 65535), texts),
        st.tuples(texts),
        st.dictionaries(texts, texts, max_size=3),
    ),
    texts,
    st.lists(st.builds(Symbol, texts, st.floats(-100, 100), texts), max_size=2).map(tuple),
)


@given(sessions, st.none() | recipients, st.integers(0, 4))
def test_a_question_comes_as_it_was_asked(
    session: Session, recipient: Recipient | None, begun: int
) -> None:
    known = session.envelope.recipients[:begun]
    question = StageQuestion(7, session, ("a", "b"), 1.5, recipient, len(known))
    # What the process remembers beyond that is of a transaction that went another way.
    stale = (*known, Recipient("stale@mx.example"))
    assert decode_question(frame_value(encode_question(question)), stale) == question


ANSWERS = [
    StageAnswer("a", NO_OPINION, 0.5),
    StageAnswer("a", Verdict(symbols=(Symbol("S", 1.5, "why"),)), 1.0),
    StageAnswer("a", Verdict(Action.REJECT, reply=Reply(550, "5.7.1", "No", "policy")), 1.0),
    StageAnswer("a", Verdict(Action.QUARANTINE, edits=(AddField("X-A", "b\n\tc"),)), 1.0),
    StageAnswer("a", NO_OPINION, 2.0, Failure("a", FailureKind.ERROR, "no idea")),
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_comes_as_it_was_given(answer: StageAnswer) -> None:
    value = frame_value(encode_said(7, [answer], ended=True))
    assert value["of"] == 7
    (found,) = decode_said(value, ("a", "b"))
    assert found == answer
    assert [s.detail for s in found.verdict.symbols] == [s.detail for s in answer.verdict.symbols]


FORGED: list[dict[str, Any]] = [
    {"filter": "c"},
    {"filter": ["a"]},
    {"ms": -1},
    {"ms": "1"},
    {"ms": float("nan")},
    {"failure": ["unheard", "x"]},
    {"failure": "crash"},
    {"verdict": None},
    {"verdict": []},
    {"verdict": {"action": "deliver"}},
    {"verdict": {"action": ["accept"]}},
    {"verdict": {"action": "reject", "reply": [250, "2.0.0", "Ok", ""]}},
    {"verdict": {"action": "reject", "reply": [550, "5.7.1", "two\r\nlines", ""]}},
    {"verdict": {"action": "tempfail", "reply": [550, "5.7.1", "No", ""]}},
    {"verdict": {"action": "reject", "reply": "550 5.7.1 No"}},
    {"verdict": {"action": "accept", "symbols": [["S", "1", ""]]}},
    {"verdict": {"action": "accept", "symbols": [["S", float("inf"), ""]]}},
    {"verdict": {"action": "accept", "symbols": "S"}},
    {"verdict": {"action": "accept", "symbols": [["S", 1, ""]] * 201}},
    {"verdict": {"action": "accept", "edits": [["X-A", "b\r\nX-C: d"]]}},
    {"verdict": {"action": "accept", "edits": [["X A", "b"]]}},
    {"verdict": {"action": "accept", "edits": [["change", "Subject", 1, "b"]]}},
    {"verdict": {"action": "accept", "edits": {"X-A": "b"}}},
    {"verdict": {"action": "accept", "failed": True}},
    {"verdict": {"action": "accept", "apart": [["joe@a", "discard", "a", None]]}},
    {"verdict": {"action": "accept", "points_apart": [["joe@a", [["S", 1, ""]]]]}},
]


@pytest.mark.parametrize("forged", FORGED, ids=[json.dumps(one)[:60] for one in FORGED])
def test_a_forged_answer_is_refused(forged: dict[str, Any]) -> None:
    with pytest.raises(AnswerError):
        decode_answer({"filter": "a", "ms": 1.0, **forged}, ("a",))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
keys = st.sampled_from(["action", "symbols", "edits", "reply", "apart", "points_apart", "failed"])


@pytest.mark.slow
@given(st.sampled_from([*Action]) | json_values, st.dictionaries(keys, json_values))
def test_no_answer_raises_anything_else(action: Any, verdict: dict[str, Any]) -> None:
    value = {"filter": "a", "ms": 1, "verdict": {**verdict, "action": action}}
    try:
        found = decode_answer(value, ("a",))
    except AnswerError:
        return
    assert found.verdict.action in Action


@pytest.mark.parametrize("octets", [b"", b"[1]", b'"x"', b"{", b"[" * 100_000, b"\xff"])
def test_what_is_no_object_is_refused(octets: bytes) -> None:
    with pytest.raises(AnswerError):
        frame_value(octets)


def test_findings_reach_the_worker() -> None:
    reply = Reply(550, "5.7.9", "No")
    findings = Findings(
        Verdict(
            Action.QUARANTINE,
            (Symbol("S", 1.0, "why"),),
            (AddField("X-A", "b"),) * 60,
            reply=reply,
            apart=(RecipientAction("joe@a", Action.REJECT, "f", reply),),
            points_apart=(RecipientSymbols("sue@a", (Symbol("T", 2.0),)),),
        ),
        Verdict(Action.TEMPFAIL, failed=True),
        (Failure("f", FailureKind.TIMEOUT, "late"),),
        {"f": 1.5},
    )
    request = encode_request("id1", Envelope(), (), findings)
    assert decode_request(request) == ("id1", Envelope(), (), findings, FIRST_ATTEMPT)


def test_a_report_reaches_the_filters_that_want_it() -> None:
    session = Session("s1", Stage.DATA, Envelope("ann@a", (Recipient("joe@b"),)))
    report = ScanReport(id="i", action=Action.REJECT, stage=Stage.RECIPIENT, recipients=("joe@b",))
    assert decode_reported(frame_value(encode_reported(session, report))) == (session, report)


@given(st.lists(st.binary(max_size=200), max_size=8), st.integers(1, 50))
def test_frames_come_whole_however_they_are_cut(frames: list[bytes], size: int) -> None:
    one, other = socket.socketpair()
    reading = Frames(other, 1000)
    octets = b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
    with one:
        for start in range(0, len(octets), size):
            one.sendall(octets[start : start + size])
    assert list(reading.received()) == frames
    reading.close()


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"\0\0\0", "closed within a frame"),
        (b"\0\0\0\5abc", "closed within a frame"),
        (b"\0\0\x10\0", "over the limit"),
        (b"\xff\xff\xff\xff", "over the limit"),
    ],
)
def test_what_is_no_frame_is_an_error(octets: bytes, says: str) -> None:
    one, other = socket.socketpair()
    with one:
        one.sendall(octets)
    reading = Frames(other, 1000)
    with pytest.raises(FrameError, match=says):
        list(reading.received())
    reading.close()
