"""The test kit, and with it what the stages of a session mean, without a server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.chain.chain import Chain
from filterd.chain.links import Link, LinkSettings
from filterd.chain.marks import Mark
from filterd.chain.pipeline import Pipeline
from filterd.chain.play import PlayedSession
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicyRule, PolicySettings
from filterd.chain.report import ScanReport
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import (
    NO_OPINION,
    Action,
    AddField,
    Outcome,
    RemovedPart,
    Reply,
    Symbol,
    Verdict,
)
from filterd.message import Client, Message, Recipient
from filterd.message.matching import networks
from filterd.testing import Answer, Smtp

MAIL = b"Subject: hi\r\n\r\nhello\r\n"

Opinion = Callable[[Session], Verdict]


class Says:
    """A filter that says at each stage what the test wants; `asked` notes where it was asked."""

    def __init__(self, name: str = "says", **opinions: Opinion | Verdict) -> None:
        self.name = name
        self.stages = frozenset(map(Stage, opinions))
        self._opinions = opinions
        self.asked: list[str] = []

    def _say(self, session: Session, word: str = "") -> Verdict:
        self.asked.append(f"{session.stage} {word}".strip())
        opinion = self._opinions[session.stage]
        return opinion if isinstance(opinion, Verdict) else opinion(session)

    def connect(self, session: Session) -> Verdict:
        return self._say(session)

    helo = sender = data = connect

    def recipient(self, session: Session, recipient: Recipient) -> Verdict:
        return self._say(session, recipient.address)


def points(name: str, score: float) -> Verdict:
    return Verdict(symbols=(Symbol(name, score),))


def raises(_session: Session) -> Verdict:
    raise ValueError("no idea")


def for_one(address: str, verdict: Verdict) -> Says:
    """A filter that has an opinion of the mail for one recipient."""

    def opinion(_session: Session) -> Verdict:
        return verdict if filter.asked[-1].endswith(address) else NO_OPINION

    filter = Says(recipient=opinion)
    return filter


def begun(smtp: Smtp, *recipients: str) -> list[Answer]:
    """A session up to its recipients, and what was answered to these."""
    smtp.connect("192.0.2.1", "mail.a.example")
    smtp.helo("mail.a.example")
    smtp.sender("ann@a.example")
    return [smtp.recipient(one) for one in recipients or ("joe@mx.example",)]


REJECT = Verdict(Action.REJECT, reply=Reply(550, "5.7.9", "No"))
LATER = Verdict(Action.TEMPFAIL, reply=Reply(451, "4.7.9", "Later"))


def test_a_filter_is_asked_in_the_order_of_the_session() -> None:
    every = {stage.value: NO_OPINION for stage in Stage}
    filter = Says(**every)
    smtp = Smtp(filter)
    begun(smtp, "joe@mx.example", "sue@mx.example")
    assert smtp.data().code == 250
    assert smtp.message(MAIL).action == "accept"
    assert filter.asked == [
        "connect",
        "helo",
        "sender",
        "recipient joe@mx.example",
        "recipient sue@mx.example",
        "data",
    ]


@pytest.mark.parametrize(
    ("stage", "step"),
    [
        ("connect", lambda smtp: smtp.connect("192.0.2.1")),
        ("helo", lambda smtp: smtp.helo("a.example")),
        ("sender", lambda smtp: smtp.sender("ann@a.example")),
        ("recipient", lambda smtp: smtp.recipient("joe@mx.example")),
        ("data", lambda smtp: smtp.data()),
    ],
)
def test_a_refusal_is_answered_at_its_stage(stage: str, step: Callable[[Smtp], Answer]) -> None:
    smtp = Smtp(Says(**{stage: REJECT}))
    if stage != "connect":
        smtp.connect("192.0.2.1")
    answer = step(smtp)
    assert answer.code == 550
    assert answer.reply.text == f"No (id={answer.report.id})"  # type: ignore[union-attr]
    assert [(r.stage, r.action, r.rule) for r in smtp.refusals] == [(stage, "reject", "says")]


def test_the_others_of_three_recipients_get_the_message() -> None:
    smtp = Smtp(for_one("sue@mx.example", REJECT))
    answers = begun(smtp, "joe@mx.example", "sue@mx.example", "kim@mx.example")
    assert [answer.code for answer in answers] == [250, 550, 250]
    report = smtp.message(MAIL)
    assert report.action == "accept"
    assert report.recipients == ("joe@mx.example", "kim@mx.example")


def test_points_add_up_over_the_session_and_begin_again_with_each_message() -> None:
    filter = Says(connect=points("C", 1), helo=points("H", 2), sender=points("S", 0.5))
    smtp = Smtp(filter)
    smtp.connect("192.0.2.1")
    smtp.helo("one.example")
    # A client may say another name; what counts is the last.
    smtp.helo("two.example")
    for _message in range(2):
        smtp.sender("ann@a.example")
        smtp.recipient("joe@mx.example")
        report = smtp.message(MAIL)
        assert [(s.name, s.score) for s in report.symbols] == [("C", 1.0), ("H", 2.0), ("S", 0.5)]
        assert report.score == 3.5


def test_points_of_a_recipient_are_its_own() -> None:
    smtp = Smtp(for_one("sue@mx.example", points("KNOWN_VICTIM", 9)))
    begun(smtp, "joe@mx.example", "sue@mx.example")
    report = smtp.message(MAIL)
    assert report.outcomes == (
        Outcome("joe@mx.example", Action.ACCEPT, "default"),
        Outcome("sue@mx.example", Action.QUARANTINE, "default", (Symbol("KNOWN_VICTIM", 9),), 8.0),
    )
    # The delivered copy is the other's, which has no points.
    assert (report.action, report.score, report.dropped) == ("accept", 0.0, ("sue@mx.example",))


def test_points_of_the_only_recipient_are_the_message_s() -> None:
    smtp = Smtp(Says(recipient=points("R", 6)))
    begun(smtp)
    report = smtp.message(MAIL)
    assert (report.score, report.labelled) == (6.0, True)
    assert report.outcomes == (Outcome("joe@mx.example", Action.ACCEPT, "default"),)


def test_a_recipient_who_is_named_twice_has_its_points_once() -> None:
    smtp = Smtp(Says(recipient=points("R", 3)))
    begun(smtp, "joe@mx.example", "joe@mx.example")
    assert smtp.message(MAIL).score == 3.0


def test_the_rule_of_a_recipient_counts_for_its_points_and_replies() -> None:
    rule = PolicyRule(
        "strict",
        ("b.example",),
        reject=3.0,
        quarantine=3.0,
        label=3.0,
        replies={"policy": "554 5.7.2 Not at b.example"},
    )
    policy = PolicySettings(rules=(rule,))
    smtp = Smtp(Says(recipient=points("R", 4)), policy=policy)
    begun(smtp, "joe@a.example", "sue@b.example")
    outcomes = [(o.recipient, o.action, o.rule) for o in smtp.message(MAIL).outcomes]
    assert outcomes == [
        ("joe@a.example", "accept", "default"),
        ("sue@b.example", "quarantine", "strict"),
    ]
    smtp = Smtp(Says(recipient=Verdict(Action.REJECT)), policy=policy)
    texts = [a.reply.text.partition(" (")[0] for a in begun(smtp, "joe@a.example", "sue@b.example")]
    assert texts == ["Message refused by policy", "Not at b.example"]


@pytest.mark.parametrize("action", [Action.QUARANTINE, Action.DISCARD])
def test_what_is_kept_waits_for_the_message(action: Action) -> None:
    smtp = Smtp(for_one("sue@mx.example", Verdict(action)))
    assert {answer.code for answer in begun(smtp, "joe@mx.example", "sue@mx.example")} == {250}
    report = smtp.message(MAIL)
    assert report.outcomes[1] == Outcome("sue@mx.example", action, "says")
    assert (report.action, report.dropped) == ("accept", ("sue@mx.example",))
    smtp = Smtp(Says(sender=Verdict(action)))
    begun(smtp)
    assert smtp.message(MAIL).action is action


@pytest.mark.parametrize(
    ("on_error", "code", "action"),
    [("tempfail", 451, None), ("continue", 250, "accept"), ("quarantine", 250, "quarantine")],
)
def test_a_failure_means_what_on_error_says(on_error: str, code: int, action: str | None) -> None:
    link = LinkSettings(on_error=on_error)  # type: ignore[arg-type]
    smtp = Smtp(Says(recipient=raises), link=link)
    (answer,) = begun(smtp)
    assert answer.code == code
    if action is None:
        (failure,) = answer.failures
        assert str(failure) == "error: ValueError: no idea"
        assert answer.reply.text.startswith("Message could not be checked")
        return
    report = smtp.message(MAIL)
    assert report.action == action
    assert [failure.filter for failure in report.failures] == ["says"]
    assert report.symbols == (Symbol("SAYS_FAILED", 0.0, "error: ValueError: no idea"),)


def test_who_logged_in_has_an_on_error_of_its_own() -> None:
    link = LinkSettings(on_error_authenticated="continue")
    for macros, code in (({}, 451), ({"{auth_authen}": "joe"}, 250)):
        smtp = Smtp(Says(recipient=raises), link=link, macros=macros)
        assert begun(smtp)[0].code == code


def test_a_failure_does_not_keep_others_from_refusing() -> None:
    smtp = Smtp(Says("first", recipient=raises), Says("second", recipient=REJECT))
    (answer,) = begun(smtp)
    assert answer.code == 550
    assert answer.report is not None
    assert answer.report.rule == "second"
    assert [failure.filter for failure in answer.failures] == ["first"]


def test_filters_behind_one_that_refuses_are_not_asked() -> None:
    behind = Says("behind", recipient=REJECT)
    smtp = Smtp(Says("before", recipient=LATER), behind)
    assert begun(smtp)[0].code == 451
    assert behind.asked == []


def test_a_dry_run_changes_nothing() -> None:
    smtp = Smtp(
        Says(sender=Verdict(Action.REJECT, (Symbol("BAD", 20),)), recipient=raises),
        link=LinkSettings(dry_run=True),
    )
    assert begun(smtp)[0].code == 250
    report = smtp.message(MAIL)
    assert report.action == "accept"
    assert report.symbols[0] == Symbol("BAD", 0.0, "(dry run, +20 points)")


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict(virus="Eicar"),
        Verdict(banned=True),
        Verdict(removed=(RemovedPart("a", "b", 0, 1),)),
        Verdict(edits=(AddField("X Bad", "name"),)),
        Verdict(edits=(AddField("X-Bad", "two\r\nlines"),)),
        Verdict(Action.REJECT, reply=Reply(451, "4.7.1", "later")),
        Verdict(Action.TEMPFAIL, reply=Reply(550, "5.7.1", "never")),
        Verdict(Action.REJECT, reply=Reply(550, "5.7.1", "two\nlines")),
        Verdict(symbols=(Symbol("MANY"),) * 201),
    ],
)
def test_what_cannot_be_said_yet_is_a_failure_of_the_filter(verdict: Verdict) -> None:
    smtp = Smtp(Says(sender=verdict), link=LinkSettings(on_error="continue"))
    begun(smtp)
    (failure,) = smtp.message(MAIL).failures
    assert failure.kind == "error"


def test_mail_of_the_sendmail_command_is_judged_at_its_end() -> None:
    smtp = Smtp(Says(recipient=REJECT))
    smtp.connect("", "localhost")
    smtp.sender("ann@mx.example")
    assert smtp.recipient("joe@mx.example").code == 250
    report = smtp.message(MAIL)
    assert (report.action, report.stage) == ("reject", "")
    assert report.reply is not None
    assert (report.reply.code, report.reply.xcode) == (550, "5.7.9")
    assert smtp.refusals == ()


MARK = "ENVID=filterd:1m8jzxs7bfyn4m61:c:65000000:" + "0" * 32


def released_by(mark: Mark | None, filter: Says) -> PlayedSession:
    """A session with this host, from which released mail may come."""
    chain = Chain([Link(filter)])
    chain.released = lambda _message: mark
    session = PlayedSession(Pipeline(chain, Policy(PolicySettings())), networks(["127.0.0.0/8"]))
    session.connect(Client("localhost", "127.0.0.1", 4711), {})
    session.helo("localhost")
    return session


def test_a_released_message_passes_whatever_the_stages_found() -> None:
    refusing = Says(connect=REJECT, sender=points("S", 50), recipient=LATER)
    session = released_by(Mark("kept1", viruses=False), refusing)
    assert session.sender("ann@a.example", (MARK,), {}) is None
    assert session.recipient(Recipient("joe@mx.example")) is None
    report = session.result(MAIL).report
    assert (report.action, report.score, report.released) == ("accept", 0.0, "kept1")
    assert session.refusals == []


def test_a_mark_that_is_not_good_only_delays_the_refusal() -> None:
    session = released_by(None, Says(recipient=REJECT))
    session.sender("ann@a.example", (MARK,), {})
    assert session.recipient(Recipient("joe@mx.example")) is None
    report = session.result(MAIL).report
    assert (report.action, report.reply and report.reply.xcode) == ("reject", "5.7.9")


def test_where_released_mail_may_come_from_a_client_is_refused_at_mail() -> None:
    session = released_by(None, Says(connect=REJECT))
    assert session.refusals == []
    refusal = session.sender("ann@a.example", (), {})
    assert refusal is not None
    assert (refusal.action, refusal.stage) == ("reject", "sender")


def test_memory_is_of_one_session_and_one_filter() -> None:
    def counts(session: Session) -> Verdict:
        session.memory["n"] = session.memory.get("n", 0) + 1
        return points(f"N{session.memory['n']}", 0)

    filters = Says("a", connect=counts, sender=counts), Says("b", sender=counts)
    smtp = Smtp(*filters)
    begun(smtp)
    assert [s.name for s in smtp.message(MAIL).symbols] == ["N1", "N2", "N1"]


def test_a_filter_sees_what_was_found_so_far_also_when_it_examines() -> None:
    seen: list[tuple[str, ...]] = []

    class Looks(Says):
        def examine(self, message: Message) -> Verdict:
            seen.append(tuple(symbol.name for symbol in message.symbols))
            return NO_OPINION

    def look(session: Session) -> Verdict:
        seen.append(tuple(symbol.name for symbol in session.symbols))
        return NO_OPINION

    before = Says("before", connect=points("C", 1), recipient=points("R", 1))
    smtp = Smtp(before, Looks("looks", connect=look, recipient=look))
    begun(smtp)
    smtp.message(MAIL)
    assert seen == [("C",), ("C", "R"), ("C", "R")]


def test_what_becomes_of_mail_is_reported() -> None:
    told: list[tuple[str, str]] = []

    class Notes(Says):
        def reported(self, session: Session, report: ScanReport) -> None:
            told.append((session.stage.value, report.action.value))
            raise ValueError("nobody minds")

    smtp = Smtp(Notes(recipient=LATER, sender=NO_OPINION))
    begun(smtp)
    smtp.message(MAIL)
    assert told == [("recipient", "tempfail"), ("data", "accept")]


addresses = st.sampled_from(["joe@mx.example", "sue@mx.example", "kim@b.example"])
verdicts = st.sampled_from(
    [NO_OPINION, REJECT, LATER, points("P", 3), points("N", -3), Verdict(Action.QUARANTINE)]
)


@given(st.lists(addresses, min_size=1, max_size=8), st.dictionaries(addresses, verdicts))
def test_every_recipient_is_refused_or_has_one_outcome(
    recipients: list[str], opinions: dict[str, Verdict]
) -> None:
    filter = Says(recipient=lambda _session: opinions.get(filter.asked[-1].split()[1], NO_OPINION))
    smtp = Smtp(filter)
    answers = begun(smtp, *recipients)
    accepted = [r for r, a in zip(recipients, answers, strict=True) if a.code == 250]
    refused = {r for r, a in zip(recipients, answers, strict=True) if a.code != 250}
    assert refused.isdisjoint(accepted)
    report = smtp.message(MAIL)
    assert list(report.recipients) == accepted
    if accepted:
        assert [o.recipient for o in report.outcomes] == list(dict.fromkeys(accepted))
