"""What was found about one recipient alone, and the one answer for all."""

from __future__ import annotations

import pytest

from filterd.chain import replies
from filterd.chain.outcomes import alone_of, with_own, worst
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicyRule, PolicySettings
from filterd.chain.verdict import (
    Action,
    Outcome,
    RecipientAction,
    RecipientSymbols,
    Reply,
    Symbol,
    Verdict,
)
from filterd.message import Envelope, Recipient

JOE, SUE = "joe@mx.test", "sue@mx.test"
BOTH = Envelope("a@x.test", (Recipient(JOE), Recipient(SUE)))


def own(name: str, points: float) -> tuple[Symbol, ...]:
    return (Symbol(name, points),)


def found(shared: float, joe: float | None, sue: float | None, action: Action) -> Verdict:
    apart = [
        RecipientSymbols(to, own(name, points))
        for to, name, points in ((JOE, "OF_JOE", joe), (SUE, "OF_SUE", sue))
        if points is not None
    ]
    return Verdict(action, (Symbol("SHARED", shared),), points_apart=tuple(apart))


@pytest.mark.parametrize(
    ("shared", "joe", "sue", "action", "held", "labelled", "said"),
    [
        (4, None, None, "accept", (), False, ""),
        (4, 0.99, None, "accept", (), False, "OF_JOE"),
        (4, 1, None, "accept", (), True, "OF_JOE"),
        (4, 1, 2, "accept", (), True, "OF_SUE"),
        # Who is left has no points of its own, and is not labelled.
        (4, 4, None, "accept", (JOE,), False, ""),
        (4, 4, 1, "accept", (JOE,), True, "OF_SUE"),
        (4, 4, 5, "quarantine", (JOE, SUE), True, "OF_SUE"),
        # A refusal needs both.
        (7, 8, None, "accept", (JOE,), True, ""),
        (7, 8, 7.99, "quarantine", (JOE, SUE), True, "OF_JOE"),
        (7, 8, 9, "reject", (), True, "OF_SUE"),
        # Points may be taken away from one.
        (9, -1.01, None, "accept", (SUE,), True, "OF_JOE"),
        (15, -1, -2, "quarantine", (JOE, SUE), True, "OF_JOE"),
        (15, -1, None, "quarantine", (JOE, SUE), True, ""),
    ],
)
def test_points_of_one_recipient_count_for_it_alone(
    shared: float,
    joe: float | None,
    sue: float | None,
    action: str,
    held: tuple[str, ...],
    labelled: bool,
    said: str,
) -> None:
    verdict = found(shared, joe, sue, Action.ACCEPT)
    decision = Policy(PolicySettings(keep_rejected=False)).decide(verdict, BOTH)
    assert (decision.action.word, decision.held_for, decision.labelled) == (action, held, labelled)
    assert "".join(symbol.name for symbol in decision.own) == said
    assert [(outcome.recipient, outcome.symbols) for outcome in decision.outcomes] == [
        (JOE, () if joe is None else own("OF_JOE", joe)),
        (SUE, () if sue is None else own("OF_SUE", sue)),
    ]


@pytest.mark.parametrize(
    ("shared", "joe", "sue", "required", "tag"),
    [
        (1, 5, 0.5, 6, "[joe] "),
        (1, 5, 1, 2, "[sue] "),
        # Nobody's: what would have been needed.
        (1, 4.99, 0.99, 2, ""),
    ],
)
def test_of_those_whose_policy_labels_it_the_lowest_counts(
    shared: float, joe: float, sue: float, required: float, tag: str
) -> None:
    rules = (
        PolicyRule("joe", recipients=(JOE,), label=6, subject_tag="[joe] "),
        PolicyRule("sue", recipients=(SUE,), label=2, subject_tag="[sue] "),
    )
    decision = Policy(PolicySettings(rules=rules)).decide(
        found(shared, joe, sue, Action.ACCEPT), BOTH
    )
    assert (decision.action, decision.required) == (Action.ACCEPT, required)
    assert (decision.labelled, decision.subject_tag) == (bool(tag), tag)


def test_what_a_person_released_is_not_labelled_for_anybody() -> None:
    verdict = found(1, 9, None, Action.ACCEPT) | Verdict(released="id1")
    decision = Policy(PolicySettings()).decide(verdict, BOTH)
    assert (decision.action, decision.labelled, decision.own) == (
        Action.ACCEPT,
        False,
        own("OF_JOE", 9),
    )


def test_the_mta_that_holds_it_is_told_of_the_recipient_with_most_points() -> None:
    policy = Policy(PolicySettings(quarantine_in="mta"))
    decision = policy.decide(found(7, 2, 3, Action.ACCEPT), BOTH)
    assert (decision.mta_quarantine, decision.own) == ("spam", own("OF_SUE", 3))


def test_who_is_told_to_try_again_is_told_of_the_recipient_with_most_points() -> None:
    decision = Policy(PolicySettings()).decide(found(1, 2, 3, Action.TEMPFAIL), BOTH)
    assert (decision.action, decision.own) == (Action.TEMPFAIL, own("OF_SUE", 3))
    assert [outcome.symbols for outcome in decision.outcomes] == [
        own("OF_JOE", 2),
        own("OF_SUE", 3),
    ]


@pytest.mark.parametrize(
    ("thresholds", "action", "labelled"),
    [
        ({"label": 0.8}, Action.ACCEPT, True),
        ({"label": 0.8, "quarantine": 0.8}, Action.QUARANTINE, True),
        ({"label": 0.81}, Action.ACCEPT, False),
    ],
)
def test_a_sum_is_rounded_as_points_are_shown(
    thresholds: dict[str, float], action: Action, labelled: bool
) -> None:
    """0.7 and 0.1 are 0.7999999999999999."""
    verdict = found(0.7, 0.1, None, Action.ACCEPT)
    envelope = Envelope("a@x.test", (Recipient(JOE),))
    decision = Policy(PolicySettings(**thresholds)).decide(verdict, envelope)
    assert (decision.action, decision.labelled) == (action, labelled)


def test_what_several_filters_found_about_a_recipient_adds_up() -> None:
    parts = [(JOE, "A", 1), (SUE, "B", 2), (JOE, "C", 3)]
    verdict = Verdict(
        points_apart=tuple(RecipientSymbols(to, own(name, n)) for to, name, n in parts)
    )
    assert alone_of(verdict) == {JOE: (Symbol("A", 1), Symbol("C", 3)), SUE: (Symbol("B", 2),)}


def test_the_worst_of_some_recipients_and_their_points() -> None:
    outcomes = [
        Outcome(JOE, Action.ACCEPT, "default", (Symbol("A", 1), Symbol("B", 0.5))),
        Outcome(SUE, Action.ACCEPT, "default", (Symbol("C", 1.4),)),
        Outcome("max@mx.test", Action.ACCEPT, "default"),
    ]
    assert worst(outcomes) == outcomes[0].symbols
    assert worst(outcomes[1:]) == outcomes[1].symbols
    assert worst(outcomes[2:]) == ()
    assert [with_own(0.7, outcome) for outcome in outcomes] == [2.2, 2.1, 0.7]


FIRST, SECOND = Reply(550, "5.7.1", "Joe's"), Reply(550, "5.7.1", "Sue's")
LATER, LATEST = Reply(451, "4.7.1", "Joe later"), Reply(451, "4.7.1", "Sue later")


@pytest.mark.parametrize(
    ("joe", "sue", "action", "reply"),
    [
        ((Action.REJECT, FIRST), (Action.REJECT, SECOND), Action.REJECT, FIRST),
        ((Action.REJECT, None), (Action.REJECT, SECOND), Action.REJECT, SECOND),
        ((Action.REJECT, None), (Action.REJECT, None), Action.REJECT, replies.POLICY),
        ((Action.TEMPFAIL, LATER), (Action.TEMPFAIL, LATEST), Action.TEMPFAIL, LATER),
        ((Action.TEMPFAIL, None), (Action.TEMPFAIL, LATEST), Action.TEMPFAIL, LATEST),
        ((Action.TEMPFAIL, LATER), None, Action.TEMPFAIL, LATER),
        # What was said for another action is not said for this one.
        ((Action.REJECT, FIRST), (Action.TEMPFAIL, None), Action.TEMPFAIL, replies.DELAY),
        ((Action.REJECT, FIRST), (Action.TEMPFAIL, LATEST), Action.TEMPFAIL, LATEST),
        ((Action.QUARANTINE, FIRST), None, Action.ACCEPT, None),
    ],
)
def test_the_reply_that_a_filter_has_for_one_recipient(
    joe: tuple[Action, Reply | None] | None,
    sue: tuple[Action, Reply | None] | None,
    action: Action,
    reply: Reply | None,
) -> None:
    apart = [
        RecipientAction(to, one[0], "list", one[1])
        for to, one in ((JOE, joe), (SUE, sue))
        if one is not None
    ]
    decision = Policy(PolicySettings()).decide(Verdict(apart=tuple(apart)), BOTH)
    assert (decision.action, decision.reply) == (action, reply)
    if action is not Action.ACCEPT:
        assert [outcome.action for outcome in decision.outcomes] == [action, action]


@pytest.mark.parametrize(
    ("verdict", "reply"),
    [
        (Verdict(Action.REJECT, reply=SECOND), SECOND),
        (Verdict(Action.REJECT), FIRST),
        (Verdict(Action.REJECT, virus="Eicar"), FIRST),
        (Verdict(Action.TEMPFAIL, reply=LATEST), LATEST),
        # Nobody is told what is about one recipient where all are delayed.
        (Verdict(Action.TEMPFAIL), replies.DELAY),
        (Verdict(Action.TEMPFAIL, failed=True), replies.TROUBLE),
    ],
)
def test_what_is_said_for_all_comes_before_what_is_said_for_one(
    verdict: Verdict, reply: Reply
) -> None:
    own = FIRST if verdict.action is Action.REJECT else LATER
    apart = Verdict(apart=(RecipientAction(JOE, verdict.action, "list", own),))
    assert Policy(PolicySettings()).decide(verdict | apart, BOTH).reply == reply


def test_what_was_said_of_an_action_that_is_not_taken_is_not_told() -> None:
    held = Verdict(Action.QUARANTINE, reply=SECOND)
    refused = Verdict(
        apart=tuple(RecipientAction(to, Action.REJECT, "x", FIRST) for to in (JOE, SUE))
    )
    decision = Policy(PolicySettings()).decide(held | refused, BOTH)
    assert (decision.action, decision.reply) == (Action.REJECT, FIRST)
