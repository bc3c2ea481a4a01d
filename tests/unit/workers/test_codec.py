"""Answers come from a process that a message may have taken over: none is believed unchecked."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filterd.chain import checks
from filterd.chain.chain import Examination
from filterd.chain.checks import NAME_LIMIT, VALUE_LIMIT, AnswerError
from filterd.chain.findings import NOTHING_FOUND, Findings
from filterd.chain.outgoing import spliced
from filterd.chain.pipeline import PipelineResult
from filterd.chain.policy import Decision
from filterd.chain.report import Arrival, ReportForm, ScanReport, names, values
from filterd.chain.verdict import (
    Action,
    AddField,
    ChangeField,
    Failure,
    FailureKind,
    Outcome,
    Reply,
    Splice,
    Symbol,
    Verdict,
)
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.attempt import FIRST_ATTEMPT, ScanAttempt
from filterd.workers.codec import (
    EDIT_LIMIT,
    WorkerAnswer,
    decode_answer,
    decode_report,
    decode_request,
    encode_answer,
    encode_report,
    encode_request,
)

ENVELOPE = Envelope("ann@a", (Recipient("joe@b"), Recipient("sue@b", ("NOTIFY=NEVER",))))
BODY_START, SIZE = 100, 200

octets = st.binary(max_size=20).map(lambda data: data.decode("ascii", "surrogateescape"))


def plain(*, edits: Any = (), **changes: Any) -> bytes:
    """An answer that accepts, with changes of its report."""
    return json.dumps({"report": {"action": "accept", **changes}, "edits": edits}).encode()


def refusal(action: str, code: int, xcode: str, text: str) -> bytes:
    return plain(action=action, reply={"code": code, "xcode": xcode, "text": text})


ARRIVAL = Arrival.at("id1", ENVELOPE, SIZE, "<m@a>")


def decoded(head: bytes, **options: bool) -> WorkerAnswer:
    return decode_answer(head, ARRIVAL, BODY_START, **options)


@given(octets, st.lists(octets, max_size=3), octets, st.dictionaries(octets, octets, max_size=3))
def test_requests_arrive_as_they_were(
    sender: str, recipients: list[str], helo: str, macros: dict[str, str]
) -> None:
    envelope = Envelope(
        sender,
        tuple(Recipient(r, ("NOTIFY=NEVER", "ORCPT=x"), "user") for r in recipients),
        Client("name", "192.0.2.1", 25, helo),
        ("SIZE=1",),
        macros,
    )
    failed = (
        Failure("bayes", FailureKind.CRASH, "signal 11"),
        Failure("clamav", FailureKind.TIMEOUT, "as before", again=True),
    )
    assert decode_request(encode_request("id1", envelope, failed)) == (
        "id1",
        envelope,
        failed,
        NOTHING_FOUND,
        FIRST_ATTEMPT,
    )


def test_a_second_worker_knows_that_it_is_one() -> None:
    """So that filters count once."""
    attempt = ScanAttempt("place", 7, repeated=True, begun=1_700_000_000.25)
    head = encode_request("id1", ENVELOPE, attempt=attempt)
    assert decode_request(head)[-1] == attempt
    assert b"attempt" not in encode_request("id1", ENVELOPE)


def test_what_was_found_while_the_session_went_on_arrives_with_the_request() -> None:
    early = Findings(
        Verdict(symbols=(Symbol("LISTED", 2.5, "why"),), edits=(AddField("X-Listed", "yes"),)),
        Verdict(Action.TEMPFAIL, failed=True),
        (Failure("rates", FailureKind.TIMEOUT, "no answer"),),
        {"lists": 1.5},
    )
    head = encode_request("id1", ENVELOPE, (), early)
    assert decode_request(head) == ("id1", ENVELOPE, (), early, FIRST_ATTEMPT)
    # Most sites ask nobody so early.
    assert b"early" not in encode_request("id1", ENVELOPE, ())


def test_answer_of_a_result() -> None:
    edits = (
        AddField("X-A", "1\n\t2"),
        ChangeField("Subject", 1, None),
        ChangeField("Subject", 2, "é"),
        Splice(100, 110, b"\0\xff"),
    )
    verdict = Verdict(symbols=(Symbol("A", 1.5),), virus="V")
    decision = Decision(
        Action.ACCEPT,
        edits=edits,
        drop_recipients=("sue@b",),
        outcomes=(
            Outcome("joe@b", Action.ACCEPT, "default"),
            Outcome("sue@b", Action.QUARANTINE, "strict"),
        ),
    )
    failures = (
        Failure("bayes", FailureKind.ERROR, "x", again=True),
        Failure("clamav", FailureKind.UNAVAILABLE, "y"),
    )
    examination = Examination(verdict, {"a": 1.0}, failures)
    message = Message(b"Message-ID: <m@a>\r\n\r\n".ljust(SIZE, b"x"), ENVELOPE, "id1")
    report = ScanReport.on(message, examination, decision, stored=True)
    answer = decoded(encode_answer(PipelineResult(decision, examination, report)))
    assert answer == WorkerAnswer(report, edits)
    assert answer.report.trouble == "error in bayes: x"


@given(
    st.lists(st.tuples(octets, st.sampled_from(Action), st.text(max_size=5)), max_size=4),
    st.booleans(),
)
def test_each_recipients_outcome_arrives(
    wanted: list[tuple[str, Action, str]], alike: bool
) -> None:
    """Whether all are alike, and are sent as one, or differ."""
    by_recipient = {to: (action, rule) for to, action, rule in wanted}
    if alike and wanted:
        by_recipient = dict.fromkeys(by_recipient, wanted[0][1:])
    outcomes = tuple(Outcome(to, *rest) for to, rest in by_recipient.items())
    envelope = Envelope("a@b", tuple(map(Recipient, by_recipient)))
    arrival = Arrival.at("id1", envelope, 5, "")
    report = ScanReport(**values(arrival), action=Action.ACCEPT, outcomes=outcomes)
    sent = encode_report(report)
    is_one = len(set(by_recipient.values())) == 1
    assert len(sent.get("outcomes", ())) == (1 if is_one else len(outcomes))
    assert decode_report(json.loads(json.dumps(sent)), arrival) == report


@pytest.mark.parametrize("detail", ["plain", "Gr\u00fc\u00dfe", "octets \udce9", '"\0\n'])
def test_any_text_and_a_threshold_without_end_arrive(detail: str) -> None:
    decision = Decision(Action.ACCEPT, required=math.inf)
    failures = (Failure("bayes", FailureKind.ERROR, detail),)
    examination = Examination(Verdict(), {}, failures)
    message = Message(b"Message-ID: <m@a>\r\n\r\n".ljust(SIZE, b"x"), ENVELOPE, "id1")
    report = ScanReport.on(message, examination, decision)
    assert decoded(encode_answer(PipelineResult(decision, examination, report))).report == report


def test_what_came_is_not_sent_back() -> None:
    report = ScanReport(**values(ARRIVAL), action=Action.ACCEPT, score=1.0)
    assert encode_report(report) == {"action": "accept", "score": 1.0}
    sent = json.loads(encode_answer(PipelineResult(Decision(Action.ACCEPT), Examination(), report)))
    assert sent == {"report": {"action": "accept", "score": 1.0}, "edits": []}


def test_nobody_finds_out_details_that_are_not_sent() -> None:
    asked: list[str] = []
    symbol = Symbol("A", 1.5, lambda: asked.append("A") or "why")
    report = ScanReport(**values(ARRIVAL), action=Action.ACCEPT, symbols=(symbol,))
    head = encode_answer(PipelineResult(Decision(Action.ACCEPT), Examination(), report))
    assert (asked, b"why" in head) == ([], False)
    assert "why" in str(encode_report(report, ReportForm.WHOLE))
    assert asked == ["A"]


def test_a_message_without_recipients_has_an_outcome_that_names_nobody() -> None:
    arrival = Arrival.at("id1", Envelope("ann@a"), SIZE, "")
    outcome = {"recipient": "", "action": "accept", "rule": "default"}
    answer = decode_answer(plain(outcomes=[outcome]), arrival, BODY_START)
    assert answer.report.outcomes == (Outcome("", Action.ACCEPT, "default"),)


def test_what_is_within_every_limit_is_believed() -> None:
    edits = [
        ["add", "A" * NAME_LIMIT, "x" * VALUE_LIMIT],
        ["add", "A", "é\n\tfolded"],
        ["change", "A", 1, None],
        ["change", "A", 1, "1"],
        ["change", "A", EDIT_LIMIT, None],
        ["change", "A", EDIT_LIMIT, "1"],
        ["splice", BODY_START, BODY_START, "before"],
        ["splice", BODY_START, BODY_START + 1, ""],
        ["splice", BODY_START + 1, SIZE, "\xff"],
        ["splice", SIZE, SIZE, "behind"],
    ]
    assert decoded(plain(edits=edits)).edits == (
        AddField("A" * NAME_LIMIT, "x" * VALUE_LIMIT),
        AddField("A", "é\n\tfolded"),
        ChangeField("A", 1, None),
        ChangeField("A", 1, "1"),
        ChangeField("A", EDIT_LIMIT, None),
        ChangeField("A", EDIT_LIMIT, "1"),
        Splice(BODY_START, BODY_START, b"before"),
        Splice(BODY_START, BODY_START + 1, b""),
        Splice(BODY_START + 1, SIZE, b"\xff"),
        Splice(SIZE, SIZE, b"behind"),
    )
    assert len(decoded(plain(edits=[["add", "A", "1"]] * EDIT_LIMIT)).edits) == EDIT_LIMIT


@pytest.mark.slow
def test_an_answer_to_very_many_recipients_is_short() -> None:
    outcomes = tuple(Outcome(f"{n}@x.example", Action.ACCEPT, "default") for n in range(100_000))
    sent = encode_report(ScanReport(id="x", action=Action.ACCEPT, outcomes=outcomes))
    assert len(json.dumps(sent)) < 200


def test_what_came_is_not_a_workers_word() -> None:
    lies = {"id": "other", "sender": "eve@x", "recipients": ["eve@x"], "size": 1, "queue_id": "q"}
    report = decoded(plain(**lies)).report
    assert report == ScanReport(**values(ARRIVAL), action=Action.ACCEPT)


REFUSED = {
    "an action that is none": plain(action="explode"),
    "no action": plain(action=None),
    "a refusal without a reply": plain(action="reject"),
    "a reply of the wrong class": refusal("reject", 451, "4.3.0", "later"),
    "an enhanced code of another class": refusal("reject", 550, "4.3.0", "no"),
    "a reply that is none": refusal("reject", 250, "2.0.0", "fine"),
    "a second reply line": refusal("reject", 550, "5.7.1", "no\r\n250 yes"),
    "8-bit in a reply": refusal("reject", 550, "5.7.1", "né"),
    "an empty reply": refusal("reject", 550, "5.7.1", ""),
    "a reply without end": refusal("reject", 550, "5.7.1", "x" * 901),
    "a code of four digits": refusal("reject", 5500, "5.7.1", "no"),
    "a code of two digits": refusal("tempfail", 45, "4.7.1", "later"),
    "a code that is negative": refusal("tempfail", -451, "4.7.1", "later"),
    "an enhanced code that is none": refusal("reject", 550, "5.7", "no"),
    "a reply to what is accepted": refusal("accept", 250, "2.0.0", "fine"),
    "deferred without a reply": plain(action="tempfail"),
    "edits that are no list": plain(edits={}),
    "an edit that is none": plain(edits=[["format", "/"]]),
    "an edit that is an object": plain(edits=[{"0": "add", "1": "A", "2": "1"}]),
    "an edit that is a number": plain(edits=[3]),
    "an edit that is a word": plain(edits=["add"]),
    "an edit that is empty": plain(edits=[[]]),
    "an edit that adds nothing": plain(edits=[["add"]]),
    "an edit that adds twice": plain(edits=[["add", "A", "1", "2"]]),
    "an edit of three words": plain(edits=[["drop", "A", "1"]]),
    "a name that is a number": plain(edits=[["add", 1, "1"]]),
    "a value that is a number": plain(edits=[["add", "A", 1]]),
    "too many edits": plain(edits=[["add", "A", "1"]] * 10_001),
    "a field name with a colon": plain(edits=[["add", "A:B", "1"]]),
    "a field name with a line end": plain(edits=[["add", "A\nB", "1"]]),
    "an empty field name": plain(edits=[["add", "", "1"]]),
    "a value that ends the header": plain(edits=[["add", "A", "1\n\nbody"]]),
    "a value that begins a field": plain(edits=[["add", "A", "1\nB: 2"]]),
    "a value with CR": plain(edits=[["add", "A", "1\r 2"]]),
    "a value with NUL": plain(edits=[["add", "A", "1\0"]]),
    "a value that is no text": plain(edits=[["add", "A", "\udce9"]]),
    "a value that is too long": plain(edits=[["add", "A", "x" * 60_001]]),
    "a field name that is too long": plain(edits=[["add", "A" * 201, "1"]]),
    "a name with a line end, to be changed": plain(edits=[["change", "A\n", 1, "1"]]),
    "a value with a line end, to be changed": plain(edits=[["change", "A", 1, "1\n"]]),
    "a name with a line end, to be deleted": plain(edits=[["change", "A\n", 1, None]]),
    "field number 10,001": plain(edits=[["change", "A", 10_001, "1"]]),
    "field number 10,001, to be deleted": plain(edits=[["change", "A", 10_001, None]]),
    "field number 0, to be deleted": plain(edits=[["change", "A", 0, None]]),
    "field number 0": plain(edits=[["change", "A", 0, "1"]]),
    "a splice in the header": plain(edits=[["splice", 99, 110, ""]]),
    "a splice after the end": plain(edits=[["splice", 100, 201, ""]]),
    "a splice backwards": plain(edits=[["splice", 150, 140, ""]]),
    "splices that overlap": plain(edits=[["splice", 100, 120, ""], ["splice", 119, 130, ""]]),
    "a splice of no octets": plain(edits=[["splice", 100, 101, "€"]]),
    "a recipient who is none": plain(dropped=["eve@b"], stored=True),
    "recipients that are no list": plain(dropped="joe@b", stored=True),
    "stored: maybe": plain(stored="yes"),
    "a reason with a line end": plain(mta_quarantine="a\nb"),
    "stored: as a word": plain(action="quarantine", stored="true"),
    "stored: as a number": plain(action="quarantine", stored=1),
    "an outcome of somebody else": plain(
        outcomes=[{"recipient": "eve@b", "action": "accept", "rule": "r"}]
    ),
    "an outcome that is none": plain(
        outcomes=[{"recipient": "joe@b", "action": "explode", "rule": "r"}]
    ),
    "a reason that is none": plain(reason="because"),
    "a failure of no kind": plain(failures=[{"filter": "a", "kind": "odd", "detail": ""}]),
    "a symbol without points": plain(symbols=[["A"]]),
    "a symbol of endless points": plain(symbols=[["A", float("inf")]]),
    "a symbol of more points than a number holds": plain(symbols=[["A", 10**400]]),
    "the same with a detail": plain(symbols=[{"name": "A", "score": 10**400, "detail": ""}]),
    "the same for one recipient": plain(
        outcomes=[
            {"recipient": "joe@b", "action": "accept", "rule": "r", "symbols": [["A", -(10**400)]]}
        ]
    ),
    "symbols that are no list": plain(symbols={"A": 1}),
    "times that are no numbers": plain(milliseconds={"a": "x"}),
    "a score that is none": plain(score=float("nan")),
    "a report that is none": json.dumps({"report": [], "edits": []}).encode(),
    "no report": json.dumps({"edits": []}).encode(),
    "no edits": json.dumps({"report": {"action": "accept"}}).encode(),
    "a report without an action": json.dumps({"report": {}, "edits": []}).encode(),
    "quarantine without a copy": plain(action="quarantine"),
    "discard without a copy": plain(action="discard"),
    "a recipient lost without a copy": plain(dropped=["joe@b"]),
    "no object": b"[]",
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe\xfd",
    "nesting without end": b"[" * 100_000,
    "nothing": b"",
}


@pytest.mark.parametrize("head", REFUSED.values(), ids=REFUSED.keys())
def test_is_not_believed(head: bytes) -> None:
    with pytest.raises(AnswerError):
        decoded(head)


def test_discarding_without_a_copy_needs_the_settings_word() -> None:
    assert decoded(plain(action="discard"), may_discard=True).action is Action.DISCARD
    held = decoded(plain(action="quarantine", mta_quarantine="spam"))
    assert held.report.mta_quarantine == "spam"
    with pytest.raises(AnswerError):
        decoded(plain(action="quarantine"), may_discard=True)


def test_who_is_left_out_of_the_envelope_has_a_copy_unless_it_is_discarded() -> None:
    def answer(action: str, *, stored: bool) -> bytes:
        outcomes = [
            {"recipient": "joe@b", "action": action, "rule": "r"},
            {"recipient": "sue@b", "action": "accept", "rule": "r"},
        ]
        return plain(dropped=["joe@b"], outcomes=outcomes, stored=stored)

    assert decoded(answer("discard", stored=False), may_discard=True).report.dropped == ("joe@b",)
    assert decoded(answer("quarantine", stored=True)).report.dropped == ("joe@b",)
    for action, may_discard in (("quarantine", True), ("quarantine", False), ("discard", False)):
        with pytest.raises(AnswerError, match="takes mail away without having stored it"):
            decoded(answer(action, stored=False), may_discard=may_discard)


def test_most_values_are_checked_without_a_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    edits = [["add", "X-A", "plain é"], ["add", "X-B", "folded\n\tvalue"]]
    assert decoded(plain(edits=edits)).edits == tuple(AddField(*edit[1:]) for edit in edits)
    monkeypatch.setattr(checks, "_FIELD_VALUE", None)
    assert decoded(plain(edits=edits[:1])).edits == (AddField("X-A", "plain é"),)


@pytest.mark.parametrize(
    ("action", "code", "xcode", "text"),
    [
        ("tempfail", 451, "4.7.1", "later 100%"),
        ("tempfail", 400, "4.0.0", "~"),
        ("reject", 599, "5.123.456", "x" * 900),
    ],
)
def test_refusals(action: str, code: int, xcode: str, text: str) -> None:
    answer = decoded(refusal(action, code, xcode, text))
    assert (answer.action, answer.report.reply) == (Action(action), Reply(code, xcode, text))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
KEYS = [*names(ScanReport), "edits"]


@given(st.sampled_from(KEYS), json_values)
def test_any_json_is_taken_whole_or_not_at_all(key: str, value: Any) -> None:
    try:
        answer = decoded(plain(**{key: value}))
    except AnswerError:
        return
    report = answer.report
    assert type(report.action) is Action
    assert type(report.stored) is type(report.labelled) is bool
    assert all(type(one) is Failure and type(one.kind) is FailureKind for one in report.failures)
    assert values(report) | values(ARRIVAL) == values(report)
    assert all(isinstance(edit, AddField | ChangeField | Splice) for edit in answer.edits)


@given(st.binary(max_size=300))
def test_any_octets_are_refused_in_order(head: bytes) -> None:
    with pytest.raises(AnswerError):
        decoded(head)


@given(
    st.binary(min_size=1, max_size=40),
    # Of two that put something before the same octet, the order is that of the edits.
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 40), st.binary(max_size=5)),
        max_size=4,
        unique_by=lambda one: one[:2],
    ),
)
@example(b"old", [(0, 0, b"put before, "), (0, 3, b"new")])
def test_splices_change_their_octets_and_no_other(
    body: bytes, wanted: list[tuple[int, int, bytes]]
) -> None:
    header = b"A: 1\r\n\r\n"
    expected, splices, position = b"", [], 0
    for start, size, replacement in sorted(wanted):
        if position <= start <= start + size <= len(body):
            begin = len(header) + start
            splices.append(Splice(begin, begin + size, replacement))
            expected += body[position:start] + replacement
            position = start + size
    expected += body[position:]
    # Those of the header are not for the body.
    edits = (AddField("B", "2"), *reversed(splices), ChangeField("A", 1, None))
    assert spliced(header + body, edits, len(header)) == expected
