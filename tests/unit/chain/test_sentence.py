"""The verdict in one sentence: one line of the table is one message."""

from __future__ import annotations

from typing import Any

import pytest

from filterd.chain.chain import Chain
from filterd.chain.links import Link, LinkSettings, explained
from filterd.chain.pipeline import Pipeline
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicyRule, PolicySettings
from filterd.chain.report import ScanReport
from filterd.chain.report_codec import Codec
from filterd.chain.sentence import sentence
from filterd.chain.stages import Stage
from filterd.chain.verdict import (
    Action,
    Failure,
    FailureKind,
    Outcome,
    Reason,
    RemovedPart,
    Reply,
    Symbol,
    Verdict,
)
from filterd.message import Envelope, Message, Recipient
from filterd.message.authentication import Authentication, AuthResult, DmarcCheck, DmarcPolicy

ANN, JOE = "ann@mx.test", "joe@mx.test"
HELD = Action.QUARANTINE


def report(action: Action = Action.ACCEPT, **known: Any) -> ScanReport:
    known.setdefault("outcomes", (Outcome(ANN, action, "default"),))
    return ScanReport(id="1m8", recipients=(ANN, JOE), action=action, required=5.0, **known)


def failure(filter: str, detail: str = "no opinion within 2.0 s") -> Failure:
    return Failure(filter, FailureKind.TIMEOUT, detail)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (report(score=1.2), "Delivered: 1.2 points, the limit for a label is 5.0"),
        (
            report(score=6.1, labelled=True),
            "Delivered, labelled as spam: 6.1 points, the limit is 5.0",
        ),
        (
            report(score=0.5, labelled=True),
            "Delivered, labelled as spam: 0.5 points, a filter asked for the label",
        ),
        (
            report(removed=(RemovedPart("a.exe", "banned", 0, 1),), reason=Reason.STRIPPED),
            "Delivered without a.exe (banned): 0.0 points, the limit for a label is 5.0",
        ),
        (
            report(released="1m7"),
            "Delivered: a person released it (it was kept as 1m7)",
        ),
        (
            report(HELD, score=14.9, outcomes=(Outcome(ANN, HELD, "default", (), 8.0),)),
            "Held: 14.9 points, the limit is 8.0 (rule default)",
        ),
        (
            report(
                HELD,
                score=14.9,
                outcomes=(Outcome(ANN, HELD, "a", (), 8), Outcome(JOE, HELD, "b", (), 3)),
            ),
            "Held: 14.9 points, the limits are 3.0 (rule b), 8.0 (rule a)",
        ),
        (
            report(
                score=9,
                outcomes=(
                    Outcome(ANN, HELD, "default", (), 8.0),
                    Outcome(JOE, Action.ACCEPT, "lax"),
                ),
            ),
            "Held for 1 of 2 recipients: 9.0 points, the limit is 8.0 (rule default)",
        ),
        # As an older version wrote it: without a limit.
        (report(HELD, score=14.9), "Held: 14.9 points (rule default)"),
        (
            report(Action.REJECT, virus="Eicar", scanner="ClamAV 1.4.2/27000/today"),
            "Refused: ClamAV 1.4.2 found Eicar",
        ),
        (report(HELD, virus="Eicar"), "Held: the scanner found Eicar"),
        (
            report(
                HELD, reason=Reason.BANNED, removed=(RemovedPart("", "an .exe inside", 0, 1),) * 4
            ),
            "Held: it contains "
            + ", ".join(["a part without a name (an .exe inside)"] * 3)
            + " and 1 more",
        ),
        (
            report(HELD, reason=Reason.FAILED, failures=(failure("clamav"),)),
            "Held: filter clamav gave no opinion (timeout: no opinion within 2.0 s)",
        ),
        (
            report(Action.TEMPFAIL, reason=Reason.FAILED, failures=(failure("", "killed"),)),
            "Deferred: it could not be scanned (timeout: killed)",
        ),
        (
            report(
                HELD,
                reason=Reason.DMARC,
                authentication=Authentication(
                    dmarc=DmarcCheck(AuthResult.FAIL, "bank.test", DmarcPolicy.REJECT)
                ),
            ),
            "Held: bank.test asks to keep out mail that does not prove to come from it (DMARC), "
            "and this message does not",
        ),
        (
            report(HELD, reason=Reason.POLICY, because="parts: its header has 512 fields"),
            "Held: parts: its header has 512 fields",
        ),
        (
            report(
                Action.REJECT,
                stage=Stage.RECIPIENT,
                because="recipients: joe@mx.test: not known to ldap",
                reply=Reply(550, "5.1.1", "No such user"),
            ),
            "Refused at RCPT, before the message came: recipients: joe@mx.test: not known to ldap",
        ),
        (
            report(Action.TEMPFAIL, stage=Stage.CONNECT, reply=Reply(451, "4.7.1", "Later")),
            "Deferred at CONNECT, before the message came: Later",
        ),
    ],
)
def test_the_sentence(given: ScanReport, told: str) -> None:
    assert sentence(given) == told
    codec = Codec(ScanReport)
    assert sentence(codec.read(codec.plain(given))) == told, "also of a report that was read"


def test_points_are_the_cause_where_the_virus_would_only_be_stripped() -> None:
    outcomes = (Outcome(ANN, HELD, "strict", limit=3.0),)
    given = report(HELD, virus="Eicar", score=4.0, outcomes=outcomes)
    assert sentence(given) == "Held: 4.0 points, the limit is 3.0 (rule strict)"


def test_a_domain_is_named_only_if_there_is_one() -> None:
    """Of several authors none is the one whose policy counts."""
    known = Authentication(dmarc=DmarcCheck(AuthResult.PERMERROR, reason="two authors"))
    given = report(HELD, reason=Reason.DMARC, authentication=known, because="auth: two authors")
    assert sentence(given) == "Held: auth: two authors"


def test_a_text_of_the_message_is_one_line_and_bounded() -> None:
    told = sentence(report(HELD, because="x\r\ny " * 1000))
    assert "\n" not in told
    assert len(told) < 400


class Says:
    """A filter with one opinion."""

    name = "says"

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict

    def examine(self, message: Message) -> Verdict:
        return self._verdict


RULES = (PolicyRule("strict", recipients=(JOE,), label=2.0, quarantine=3.0),)
SAID = Symbol("HEADER_TOO_LONG", 0.0, "512 fields, the limit is 500")


@pytest.mark.parametrize(
    ("verdict", "recipient", "told"),
    [
        (
            Verdict(symbols=(Symbol("A", 14.9),)),
            ANN,
            "Held: 14.9 points, the limit is 8.0 (rule default)",
        ),
        (
            Verdict(symbols=(Symbol("A", 4.0),)),
            JOE,
            "Held: 4.0 points, the limit is 3.0 (rule strict)",
        ),
        (
            Verdict(symbols=(Symbol("A", 20.0),)),
            ANN,
            "Refused: 20.0 points, the limit is 15.0 (rule default)",
        ),
        (Verdict(HELD, (SAID,)), ANN, "Held: says: 512 fields, the limit is 500"),
        (Verdict(HELD, (Symbol("ODD"),)), ANN, "Held: says: ODD"),
        (Verdict(HELD), ANN, "Held: says"),
        (Verdict(HELD, (Symbol("ODD"), SAID), because="a reason"), ANN, "Held: says: a reason"),
        # Points that alone would have had it held are not the cause where a filter refuses.
        (
            Verdict(Action.REJECT, (SAID, Symbol("A", 9.0))),
            ANN,
            "Refused: says: 512 fields, the limit is 500",
        ),
    ],
)
def test_what_the_chain_and_the_policy_know_is_in_it(
    verdict: Verdict, recipient: str, told: str
) -> None:
    settings = PolicySettings(quarantine=8.0, reject=15.0, rules=RULES)
    pipeline = Pipeline(Chain([Link(Says(verdict), LinkSettings())]), Policy(settings))
    envelope = Envelope("bob@a.test", (Recipient(recipient),))
    message = Message(b"Subject: a\r\n\r\nb\r\n", envelope, "1m8")
    assert sentence(pipeline.process(message).report) == told


@pytest.mark.parametrize("limit", ["8", True, float("nan"), float("inf"), [8]])
def test_a_limit_that_is_no_number_is_refused(limit: object) -> None:
    codec = Codec(ScanReport)
    value = codec.plain(report(HELD))
    value["outcomes"] = [{"recipient": ANN, "action": "quarantine", "rule": "a", "limit": limit}]
    with pytest.raises(ValueError, match="expected an outcome"):
        codec.read(value)


def test_no_function_of_a_filter_is_called_for_it() -> None:
    """It may fail, and the filter is done by then."""

    def why() -> str:
        raise AssertionError

    told = explained(Verdict(Action.REJECT, (Symbol("TOLD", 0.0, why),)), "mine")
    assert told.because == "mine: TOLD"
    known = explained(Verdict(Action.REJECT, (Symbol("TOLD", 0.0, "a reason"),)), "mine")
    assert known.because == "mine: a reason"
