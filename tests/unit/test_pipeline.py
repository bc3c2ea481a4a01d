"""The promise of the project, where it is kept: stored first, then answered."""

from __future__ import annotations

from datetime import datetime

import pytest

from filterd.chain.chain import Chain, Examination, Link
from filterd.chain.pipeline import Pipeline
from filterd.chain.policy import Decision, Policy, PolicyRule, PolicySettings
from filterd.chain.verdict import Action, AddField, RemovedPart, Splice, Symbol, Verdict
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
        self.kept: list[Decision] = []
        self._error = error

    def __call__(
        self, message: Message, examination: Examination, decision: Decision, received: datetime
    ) -> None:
        if self._error is not None:
            raise self._error
        self.kept.append(decision)


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
    assert len(keeper.kept) == 1


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
