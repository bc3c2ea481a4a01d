"""What is told of a message, and to which recipients."""

from __future__ import annotations

import pytest

from filterd.chain.stages import Stage
from filterd.chain.verdict import Action, Failure, FailureKind, Outcome, RemovedPart
from filterd.history import Record
from filterd.notices.events import MessageEvent, failures, local_recipients, of_message
from tests.helpers.reports import record

JOE, SUE, FAR = "joe@mx.test", "sue@mx.test", "far@other.test"


def came(action: str = "quarantine", **changes: object) -> Record:
    return record("a", 1000.0, action=action, **{"recipients": (JOE,), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (came(reason="spam"), "held"),
        (came("accept"), None),
        (came("reject"), None),
        (came("reject", virus="Evil", reason="virus"), "virus"),
        (came("accept", virus="Evil", reason="stripped"), "virus"),
        (came("accept", reason="stripped"), "stripped"),
        (came("tempfail", reason="failed"), None),
        (came("tempfail", virus="Evil"), None),
        (came(released="notice-0a"), None),
        (came(stage=Stage.RECIPIENT), None),
    ],
    ids=[
        "held",
        "accepted",
        "refused as spam",
        "virus refused",
        "virus cut out",
        "stripped",
        "to come again",
        "a virus, to come again",
        "sent by filterd",
        "refused at RCPT",
    ],
)
def test_kind_of_a_message(message: Record, kind: str | None) -> None:
    event = of_message(message)
    assert (event and event.kind) == kind


def test_only_those_are_told_whose_copy_is_held() -> None:
    outcomes = (
        Outcome(JOE, Action.ACCEPT, "default"),
        Outcome(SUE, Action.QUARANTINE, "strict"),
    )
    event = of_message(came("accept", recipients=(JOE, SUE), outcomes=outcomes, reason="spam"))
    assert event is not None
    assert event.recipients == (SUE,)


@pytest.mark.parametrize(
    ("changes", "told"), [({}, [JOE]), ({"outbound": True}, [])], ids=["inbound", "outbound"]
)
def test_strangers_are_never_told(changes: dict[str, bool], told: list[str]) -> None:
    event = of_message(came(recipients=(JOE, FAR), **changes))
    assert event is not None
    assert list(local_recipients(event, ("mx.test",))) == told


def test_failures_of_a_filter_are_one_event() -> None:
    away = Failure("clamav", FailureKind.UNAVAILABLE, "refused")
    again = Failure("parts", FailureKind.CRASH, "", again=True)
    found = failures(
        [
            record("a", 1.0).__class__(**{**_fields("a", 1.0), "failures": (away, again)}),
            record("b", 2.0).__class__(**{**_fields("b", 2.0), "failures": (away,)}),
        ]
    )
    assert [(one.filter, one.messages, one.record.id) for one in found] == [("clamav", 2, "b")]


def _fields(id: str, received: float) -> dict[str, object]:
    return {"id": id, "received": received, "action": Action.ACCEPT}


def test_what_strangers_wrote_is_left_out_by_default() -> None:
    removed = (RemovedPart("pay.exe", "type", 0, 1),)
    event = MessageEvent("held", came(subject="Secret", header_from="x", removed=removed), (JOE,))
    private = {"subject", "header_from", "removed"}
    assert not private & event.facts(subject=False).keys()
    assert event.facts(subject=True)["removed"] == ["pay.exe"]
