"""The promise of the project, where it is kept: stored first, then answered."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from filterd.chain.chain import Chain, Examination
from filterd.chain.links import Link
from filterd.chain.pipeline import Pipeline
from filterd.chain.policy import Decision, Policy
from filterd.chain.policy_settings import PolicyRule, PolicySettings
from filterd.chain.report import ScanReport
from filterd.chain.verdict import (
    Action,
    AddField,
    Failure,
    FailureKind,
    RemovedPart,
    Splice,
    Symbol,
    Verdict,
)
from filterd.message import Envelope, Message, Recipient

MAIL = Message(
    b"Subject: hi\r\nX-Spam-Flag: NO\r\n\r\nhello\r\n",
    Envelope("a@x.test", (Recipient("ann@mx.test"), Recipient("joe@mx.test"))),
    "id7",
)


class Says:
    """A filter with one opinion."""

    name = "says"

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict

    def examine(self, message: Message) -> Verdict:
        return self._verdict


class Keeper:
    """Remembers what it was given to keep, or refuses to keep it."""

    def __init__(self, error: OSError | None = None) -> None:
        self.kept: list[ScanReport] = []
        self.held_for: tuple[str, ...] = ()
        self._error = error

    def __call__(
        self, message: Message, report: ScanReport, held_for: tuple[str, ...], received: datetime
    ) -> None:
        if self._error is not None:
            raise self._error
        self.kept.append(report)
        self.held_for = held_for


def scored(points: float) -> Verdict:
    return Verdict(symbols=(Symbol("TEST", points),))


STRIPPED = Verdict(
    symbols=(Symbol("BANNED_PART", 0.5),),
    edits=(Splice(32, 39, b"gone\r\n"),),
    removed=(RemovedPart("a.exe", "banned", 32, 39),),
)
HELD_FOR_JOE = PolicySettings(
    rules=(PolicyRule("joe", recipients=("joe@mx.test",), quarantine=2, label=2),)
)

# Everything that takes something away: the verdict, the policy, the action when it is kept.
TAKEN = {
    "quarantine": (scored(9), PolicySettings(), Action.QUARANTINE),
    "discard": (Verdict(Action.DISCARD), PolicySettings(), Action.DISCARD),
    "reject with a copy": (scored(20), PolicySettings(), Action.REJECT),
    "one recipient's copy": (scored(3), HELD_FOR_JOE, Action.ACCEPT),
    "a part": (STRIPPED, PolicySettings(), Action.ACCEPT),
}


@pytest.mark.parametrize(("verdict", "settings", "action"), TAKEN.values(), ids=TAKEN)
def test_what_is_taken_away_is_kept_first(
    verdict: Verdict, settings: PolicySettings, action: Action
) -> None:
    keeper = Keeper()
    result = Pipeline(Chain([Link(Says(verdict))]), Policy(settings), keep=keeper).process(MAIL)
    assert result.decision.action is action
    assert result.stored
    # What is kept is described as it is answered.
    assert keeper.kept == [result.report]
    assert keeper.held_for == result.decision.held_for


@pytest.mark.parametrize(("verdict", "settings", "action"), TAKEN.values(), ids=TAKEN)
def test_what_cannot_be_kept_is_not_taken(
    verdict: Verdict, settings: PolicySettings, action: Action
) -> None:
    full = Keeper(OSError(28, "No space left on device"))
    result = Pipeline(Chain([Link(Says(verdict))]), Policy(settings), keep=full).process(MAIL)
    decision = result.decision
    assert decision.action is Action.TEMPFAIL
    assert decision.reply is not None
    assert (decision.reply.code, decision.reply.xcode) == (451, "4.3.0")
    assert decision.reply.text.endswith("(id=id7)")
    assert "space" not in decision.reply.text
    assert not (result.stored or decision.edits or decision.drop_recipients)
    assert (result.report.action, result.report.reason) == (Action.TEMPFAIL, "failed")
    assert {outcome.action for outcome in decision.outcomes} == {Action.TEMPFAIL}


def test_what_is_delivered_whole_is_not_kept() -> None:
    keeper = Keeper()
    chain = Chain([Link(Says(scored(6)))])
    result = Pipeline(chain, Policy(PolicySettings()), keep=keeper).process(MAIL)
    assert result.decision.action is Action.ACCEPT
    assert (result.stored, keeper.kept) == (False, [])
    assert AddField("X-Spam-Flag", "YES") in result.decision.edits


def test_offline_nothing_is_kept_and_the_verdict_is_the_same() -> None:
    chain = Chain([Link(Says(scored(9)))])
    result = Pipeline(chain, Policy(PolicySettings())).process(MAIL)
    assert (result.decision.action, result.stored) == (Action.QUARANTINE, False)


class Endless(Policy):
    """A policy that does not come to an end."""

    def decide(self, verdict: Verdict, envelope: Envelope) -> Decision:
        while True:
            pass


def test_what_comes_behind_the_chain_has_a_limit_and_the_message_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("filterd.chain.pipeline.DECISION_LIMIT", 0.2)
    keeper = Keeper()
    pipeline = Pipeline(Chain([]), Endless(PolicySettings()), keep=keeper)
    result = pipeline.process(MAIL)
    assert result.decision.action is Action.TEMPFAIL
    assert result.decision.reply is not None
    assert "id7" in result.decision.reply.text
    assert not result.stored
    assert keeper.kept == []


def test_labels_are_made_before_anything_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object, **__: object) -> None:
        while True:
            pass

    monkeypatch.setattr("filterd.chain.pipeline.DECISION_LIMIT", 0.2)
    monkeypatch.setattr("filterd.chain.pipeline.header_edits", endless)
    keeper = Keeper()
    strip = Verdict(removed=(RemovedPart("a.exe", "banned", 0, 1),))
    pipeline = Pipeline(Chain([Link(Says(strip))]), Policy(PolicySettings()), keep=keeper)
    assert pipeline.process(MAIL).decision.action is Action.TEMPFAIL
    assert keeper.kept == []


class Offers:
    """Remembers what autolearn was offered."""

    def __init__(self) -> None:
        self.made: list[tuple[str, Verdict]] = []

    def __call__(self, message: Message, examination: Examination) -> None:
        self.made.append((message.id, examination.verdict))


@pytest.mark.parametrize(
    ("verdict", "is_offered"),
    [
        (scored(1), True),
        (scored(9), True),
        (Verdict(Action.DISCARD), True),
        (Verdict(Action.TEMPFAIL), False),
    ],
    ids=["accepted", "held", "discarded", "deferred"],
)
def test_autolearn_is_offered_what_does_not_come_again(verdict: Verdict, is_offered: bool) -> None:
    offers = Offers()
    Pipeline(
        Chain([Link(Says(verdict))]), Policy(PolicySettings()), keep=Keeper(), offer=offers
    ).process(MAIL)
    assert offers.made == ([("id7", verdict)] if is_offered else [])


@pytest.mark.parametrize(
    ("verdict", "is_copied"),
    [
        (scored(1), True),
        (scored(9), False),
        (Verdict(Action.DISCARD), False),
        (Verdict(Action.REJECT), False),
        (Verdict(Action.TEMPFAIL), False),
    ],
    ids=["accepted", "held", "discarded and kept", "refused and kept", "deferred"],
)
def test_a_copy_is_made_of_what_is_not_stored(verdict: Verdict, is_copied: bool) -> None:
    made: list[ScanReport] = []
    pipeline = Pipeline(
        Chain([Link(Says(verdict))]),
        Policy(PolicySettings()),
        keep=Keeper(),
        copy=lambda message, report: made.append(report),
    )
    result = pipeline.process(MAIL)
    assert made == ([result.report] if is_copied else [])


def test_what_cannot_be_kept_is_offered_when_it_comes_again() -> None:
    offers, full = Offers(), Keeper(OSError(28, "No space left on device"))
    Pipeline(
        Chain([Link(Says(scored(9)))]), Policy(PolicySettings()), keep=full, offer=offers
    ).process(MAIL)
    assert offers.made == []


@pytest.mark.parametrize("removed", [True, False])
def test_what_the_mta_holds_is_kept_if_a_part_is_missing_from_it(removed: bool) -> None:
    """The MTA has only what is left of the message."""
    keeper = Keeper()
    held = replace(STRIPPED, symbols=(Symbol("TEST", 9),))
    if not removed:
        held = replace(held, edits=(), removed=())
    policy = Policy(PolicySettings(quarantine_in="mta"))
    result = Pipeline(Chain([Link(Says(held))]), policy, keep=keeper).process(MAIL)
    assert result.decision.mta_quarantine
    assert (result.stored, len(keeper.kept)) == (removed, int(removed))
    assert (AddField("X-Quarantine-ID", "id7") in result.decision.edits) is removed
    # It may be released from there: it carries the labels.
    assert AddField("X-Spam-Flag", "YES") in result.decision.edits
    assert set(held.edits) <= set(result.decision.edits)


def test_a_filter_that_took_a_process_down_is_not_tried_again() -> None:
    tried = Says(scored(1))
    crash = Failure("says", FailureKind.CRASH, "it died")
    result = Pipeline(Chain([Link(tried)]), Policy(PolicySettings())).process(MAIL, [crash])
    assert result.examination.failures == (crash,)
    assert result.decision.action is Action.TEMPFAIL
    assert [symbol.name for symbol in result.examination.verdict.symbols] == ["SAYS_FAILED"]


def test_the_sites_own_words_for_trouble_and_the_id_after_them() -> None:
    settings = PolicySettings(label=4.5, replies={"trouble": "450 4.7.1 Come back at noon"})
    full = Keeper(OSError(28, "No space left on device"))
    chain = Chain([Link(Says(scored(9)))])
    decision = Pipeline(chain, Policy(settings), keep=full).process(MAIL).decision
    assert decision.reply is not None
    assert decision.reply.code == 450
    assert decision.reply.text == "Come back at noon (id=id7)"
    assert decision.required == 4.5


def test_a_recipients_own_words_are_not_replaced_by_the_sites() -> None:
    rule = PolicyRule("joe", replies={"trouble": "450 4.7.1 The rule's words"})
    settings = PolicySettings(replies={"trouble": "450 4.7.1 The site's words"}, rules=(rule,))
    chain = Chain([Link(Says(scored(1)))])
    crash = Failure("says", FailureKind.CRASH, "it died")
    decision = Pipeline(chain, Policy(settings)).process(MAIL, [crash]).decision
    assert decision.reply is not None
    assert decision.reply.text == "The rule's words (id=id7)"


def test_trouble_with_the_decision_is_worded_and_has_the_sites_threshold(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("filterd.chain.pipeline.DECISION_LIMIT", 0.2)
    settings = PolicySettings(label=4.5, replies={"trouble": "450 4.7.1 Come back at noon"})
    decision = Pipeline(Chain([]), Endless(settings)).process(MAIL).decision
    assert decision.reply is not None
    assert decision.reply.text == "Come back at noon (id=id7)"
    assert decision.required == 4.5
    assert "id=id7" in caplog.text


def test_the_log_says_why_a_message_could_not_be_kept(caplog: pytest.LogCaptureFixture) -> None:
    full = Keeper(OSError(28, "No space left on device"))
    with caplog.at_level(logging.ERROR):
        Pipeline(Chain([Link(Says(scored(9)))]), Policy(PolicySettings()), keep=full).process(MAIL)
    assert "id=id7" in caplog.text
    assert "No space left on device" in caplog.text


def test_the_copy_says_who_looked_for_viruses_and_where_the_original_is() -> None:
    scanned = replace(STRIPPED, scanner="Scan 1")

    def edits(keeper: Keeper | None) -> set[object]:
        chain = Chain([Link(Says(scanned))])
        return set(
            Pipeline(chain, Policy(PolicySettings()), keep=keeper).process(MAIL).decision.edits
        )

    assert AddField("X-Virus-Status", "Clean") in edits(None)
    assert AddField("X-Quarantine-ID", "id7") in edits(Keeper())
    assert AddField("X-Quarantine-ID", "id7") not in edits(None)  # nothing is kept offline


def test_a_copy_of_which_nothing_is_missing_names_no_original() -> None:
    chain = Chain([Link(Says(scored(6)))])
    decision = Pipeline(chain, Policy(PolicySettings()), keep=Keeper()).process(MAIL).decision
    assert AddField("X-Quarantine-ID", "id7") not in decision.edits


def test_the_time_of_receipt_is_that_of_the_examination() -> None:
    times: list[datetime] = []

    def keep(_message: Message, _report: ScanReport, _held: tuple[str, ...], at: datetime) -> None:
        times.append(at)

    class Looks(Says):
        def examine(self, message: Message) -> Verdict:
            times.append(datetime.now(UTC))
            return super().examine(message)

    Pipeline(Chain([Link(Looks(scored(9)))]), Policy(PolicySettings()), keep=keep).process(MAIL)
    looked, received = times
    assert received <= looked
    assert received.tzinfo is UTC
