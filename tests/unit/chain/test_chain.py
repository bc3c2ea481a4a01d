"""The chain: order, budgets, and what a filter's failure means."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from filterd.chain.chain import Chain, ChainSettings
from filterd.chain.findings import Findings, of_failure
from filterd.chain.links import DETAIL_LIMIT, Link, LinkSettings, OnError
from filterd.chain.marks import Mark
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicySettings
from filterd.chain.report import ScanReport
from filterd.chain.report_codec import plain
from filterd.chain.verdict import NO_OPINION, Action, Failure, FailureKind, Symbol, Verdict
from filterd.message import Envelope, Message
from filterd.system.mistakes import SettingsError

MAIL = Message(b"Subject: hi\r\n\r\nhello\r\n", id="t1")
LOGGED_IN = Message(MAIL.data, Envelope(macros={"{auth_authen}": "joe"}))


class Says:
    """A filter that does what the test tells it."""

    def __init__(self, name: str, does: Callable[[Message], Verdict]) -> None:
        self.name = name
        self.examine = does


def found(name: str, points: float) -> Callable[[Message], Verdict]:
    return lambda _message: Verdict(symbols=(Symbol(name, points),))


def forgets(_message: Message) -> Any:
    """A filter that returns nothing on one of its ways out."""
    return None


def raises(_message: Message) -> Verdict:
    raise ValueError("no idea")


def loops(_message: Message) -> Verdict:
    while True:
        pass


def swallows(_message: Message) -> Verdict:
    try:
        time.sleep(30)
    except Exception:
        return NO_OPINION
    return NO_OPINION


def eats(_message: Message) -> Verdict:
    raise MemoryError


def test_all_filters_see_the_message_in_order_and_points_add_up() -> None:
    chain = Chain([Link(Says("a", found("A", 1.5))), Link(Says("b", found("B", -0.25)))])
    examination = chain.examine(MAIL)
    assert [symbol.name for symbol in examination.verdict.symbols] == ["A", "B"]
    assert examination.verdict.score == 1.25
    assert set(examination.milliseconds) == {"a", "b"}
    assert examination.failures == ()


def test_a_filter_that_calculates_with_numpy_says_what_json_can_hold() -> None:
    def calculates(_message: Message) -> Verdict:
        score, probability = np.float64(6.5), np.float32(0.5)
        return Verdict(
            symbols=(Symbol("A", score),),
            probability=probability,  # type: ignore[arg-type]
            banned=np.bool_(True),  # type: ignore[arg-type]
        )

    examination = Chain([Link(Says("a", calculates))]).examine(MAIL)
    decision = Policy(PolicySettings()).decide(examination.verdict, MAIL.envelope)
    report = ScanReport.on(MAIL, examination, decision)
    told = json.loads(json.dumps(plain(report)))
    assert (told["score"], told["labelled"], told["probability"]) == (6.5, True, 0.5)
    assert told["banned"] is True


@pytest.mark.parametrize("probability", [-0.1, 1.5, float("nan")])
def test_a_probability_that_is_none_is_a_failure_of_the_filter(probability: float) -> None:
    says = Says("a", lambda _message: Verdict(probability=probability))
    (failure,) = Chain([Link(says)]).examine(MAIL).failures
    assert f"probability: expected 0.0 to 1.0, not {probability}" in failure.detail


def test_a_filter_that_only_looks_at_sessions_is_not_asked_about_messages() -> None:
    class Sessions:
        name = "sessions"

    chain = Chain([Link(Sessions()), Link(Says("a", found("A", 1)))])  # type: ignore[arg-type]
    examination = chain.examine(MAIL)
    assert chain.names == ("sessions", "a")
    assert (set(examination.milliseconds), examination.failures) == ({"a"}, ())


def test_a_relay_that_is_not_a_network_is_named_by_its_place() -> None:
    with pytest.raises(SettingsError) as error:
        ChainSettings(trusted_networks=("192.0.2.0/24", "local", "192.0.2.0/33"))
    ((key, _text),) = error.value.found
    assert key == ("trusted_networks", 2)


def away(_message: Message) -> Verdict:
    raise FileNotFoundError(2, "No such file or directory", "/run/clamd.ctl")


def test_times_are_in_milliseconds_with_three_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(7)
    clock = SimpleNamespace(monotonic=lambda: next(ticks) * 0.0123456)
    monkeypatch.setattr("filterd.chain.chain.time", clock)
    chain = Chain([Link(Says("a", found("A", 1)))])
    assert chain.examine(MAIL).milliseconds == {"a": 12.346}
    # With what was spent while the session went on.
    early = Findings(milliseconds={"a": 100.0, "b": 1.0})
    assert chain.examine(MAIL, early=early).milliseconds == {"a": 112.346, "b": 1.0}


@pytest.mark.parametrize(
    ("on_error", "action"),
    [
        ("tempfail", Action.TEMPFAIL),
        ("continue", Action.ACCEPT),
        ("quarantine", Action.QUARANTINE),
    ],
)
def test_a_filter_that_fails_while_the_session_goes_on_is_missing_from_the_message(
    on_error: OnError, action: Action
) -> None:
    failure = Failure("early", FailureKind.ERROR, "no idea")
    early = of_failure(failure, LinkSettings(on_error=on_error), MAIL.envelope)
    chain = Chain([Link(Says("a", found("A", 1)))])
    examination = chain.examine(MAIL, early=early)
    assert (examination.verdict.action, examination.verdict.failed) == (
        action,
        action is not Action.ACCEPT,
    )
    assert [symbol.name for symbol in examination.verdict.symbols] == ["EARLY_FAILED", "A"]
    assert examination.failures == (failure,)


@pytest.mark.parametrize(
    ("does", "kind", "detail"),
    [
        (raises, "error", "ValueError: no idea"),
        (forgets, "error", "TypeError: returned NoneType, expected a Verdict"),
        (loops, "timeout", "no opinion within 0.1 s"),
        (eats, "memory", "out of memory"),
        (away, "unavailable", "[Errno 2] No such file or directory: '/run/clamd.ctl'"),
    ],
)
def test_the_failure_and_its_symbol_say_why(
    does: Callable[[Message], Verdict], kind: str, detail: str
) -> None:
    chain = Chain([Link(Says("bad", does), LinkSettings(timeout=0.1, on_error="continue"))])
    examination = chain.examine(MAIL)
    assert examination.failures == (Failure("bad", FailureKind(kind), detail),)
    assert examination.verdict.symbols == (Symbol("BAD_FAILED", 0.0, f"{kind}: {detail}"),)
    assert not examination.verdict.failed


@pytest.mark.parametrize("error", [ValueError("x" * 1000), OSError("x" * 1000)])
def test_of_a_long_text_the_beginning_is_kept(error: Exception) -> None:
    def fails(_message: Message) -> Verdict:
        raise error

    (failure,) = Chain([Link(Says("bad", fails))]).examine(MAIL).failures
    assert len(failure.detail) == DETAIL_LIMIT


@pytest.mark.parametrize(
    ("does", "kind"),
    [(raises, "error"), (loops, "timeout"), (swallows, "timeout"), (eats, "memory")],
)
@pytest.mark.parametrize(
    ("on_error", "action"),
    [
        ("tempfail", Action.TEMPFAIL),
        ("continue", Action.ACCEPT),
        ("quarantine", Action.QUARANTINE),
    ],
)
def test_a_failing_filter_costs_only_its_own_opinion(
    does: Callable[[Message], Verdict], kind: str, on_error: OnError, action: Action
) -> None:
    bad = Link(Says("bad", does), LinkSettings(timeout=0.05, on_error=on_error))
    examination = Chain([bad, Link(Says("good", found("GOOD", 2)))]).examine(MAIL)
    assert examination.verdict.action is action
    assert examination.verdict.failed is (on_error != "continue")
    assert [symbol.name for symbol in examination.verdict.symbols] == ["BAD_FAILED", "GOOD"]
    assert [(failure.filter, failure.kind) for failure in examination.failures] == [("bad", kind)]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("forced", "on_error", "action"),
    [
        (Action.ACCEPT, "tempfail", Action.TEMPFAIL),
        (Action.ACCEPT, "quarantine", Action.QUARANTINE),
        (Action.QUARANTINE, "tempfail", Action.QUARANTINE),
        (Action.DISCARD, "tempfail", Action.DISCARD),
        (Action.REJECT, "tempfail", Action.REJECT),
        (Action.TEMPFAIL, "quarantine", Action.TEMPFAIL),
    ],
)
def test_what_is_taken_out_of_the_mail_flow_need_not_come_again(
    forced: Action, on_error: OnError, action: Action, order: int
) -> None:
    """A scanner that chokes on what `parts` holds must not have the client send it for days."""
    bad = Link(Says("bad", raises), LinkSettings(on_error=on_error))
    good = Link(Says("good", lambda _message: Verdict(forced)))
    examination = Chain([bad, good][::order]).examine(MAIL)
    assert examination.verdict.action is action
    assert [symbol.name for symbol in examination.verdict.symbols] == ["BAD_FAILED"]
    assert [failure.filter for failure in examination.failures] == ["bad"]


def test_points_hold_no_message_that_a_filter_could_not_look_at() -> None:
    """The filter that failed might have taken points away."""
    chain = Chain([Link(Says("bad", raises)), Link(Says("good", found("SPAM", 99)))])
    assert chain.examine(MAIL).verdict.action is Action.TEMPFAIL


def test_a_client_that_logged_in_may_have_a_softer_failure_policy() -> None:
    settings = LinkSettings(on_error="tempfail", on_error_authenticated="continue")
    chain = Chain([Link(Says("bad", raises), settings)])
    assert chain.examine(MAIL).verdict.action is Action.TEMPFAIL
    assert chain.examine(LOGGED_IN).verdict.action is Action.ACCEPT


@pytest.mark.parametrize("on_error", ["tempfail", "quarantine"])
def test_without_one_of_its_own_it_has_that_of_everybody(on_error: OnError) -> None:
    chain = Chain([Link(Says("bad", raises), LinkSettings(on_error=on_error))])
    assert chain.examine(LOGGED_IN).verdict.action is Action(on_error)


def test_the_message_has_a_budget_of_its_own() -> None:
    # Were it the filter's own budget that ends it, this would hang.
    slow = Link(Says("slow", loops), LinkSettings(timeout=3600, on_error="continue"))
    late = Link(Says("late", found("LATE", 1)), LinkSettings(on_error="tempfail"))
    examination = Chain([slow, late], timeout=0.1).examine(MAIL)
    no_time = "no time was left by the filters before it"
    assert examination.failures == (
        Failure("slow", FailureKind.TIMEOUT, "no opinion within 0.1 s"),
        Failure("late", FailureKind.TIMEOUT, no_time, starved=True),
    )
    assert examination.verdict.action is Action.TEMPFAIL


def test_a_dry_run_is_seen_and_changes_nothing() -> None:
    def all_of_it(_message: Message) -> Verdict:
        return Verdict(Action.REJECT, (Symbol("A", 9.5, "why"),), virus="V", probability=0.9)

    chain = Chain([Link(Says("dry", all_of_it), LinkSettings(dry_run=True))])
    verdict = chain.examine(MAIL).verdict
    assert verdict == Verdict(symbols=(Symbol("A", 0, "why (dry run, +9.5 points)"),))
    failing = Chain([Link(Says("dry", raises), LinkSettings(dry_run=True))])
    assert failing.examine(MAIL).verdict.action is Action.ACCEPT


class Prepared(Says):
    """A filter that loads something first."""

    def __init__(self, name: str, log: list[str], error: OSError | None = None) -> None:
        super().__init__(name, lambda _message: log.append(f"{name} examines") or NO_OPINION)
        self._log = log
        self._error = error

    def prepare(self) -> None:
        self._log.append(f"{self.name} prepares")
        if self._error is not None:
            raise self._error


def test_filters_are_prepared_once_in_order_before_the_first_message() -> None:
    log: list[str] = []
    chain = Chain([Link(Prepared("a", log)), Link(Says("b", raises)), Link(Prepared("c", log))])
    assert log == []
    chain.prepare()
    assert log == ["a prepares", "c prepares"]
    chain.examine(MAIL)
    chain.examine(MAIL)
    assert log[2:] == ["a examines", "c examines"] * 2


def test_a_chain_that_cannot_start_does_not() -> None:
    log: list[str] = []
    bad = Link(Prepared("bad", log, OSError("no model")))
    with pytest.raises(OSError, match="no model"):
        Chain([bad, Link(Prepared("late", log))]).prepare()
    assert log == ["bad prepares"]


class Asks(Says):
    """A filter that puts its question before the others work."""

    def __init__(self, name: str, log: list[str], asks: Callable[[Message], object]) -> None:
        super().__init__(name, lambda _message: self._note(log, "examines", NO_OPINION))
        self.asks = asks
        self._log = log

    def ask(self, message: Message) -> None:
        self._note(self._log, "asks", NO_OPINION)
        self.asks(message)

    def _note(self, log: list[str], what: str, verdict: Verdict) -> Verdict:
        log.append(f"{self.name} {what}")
        return verdict


def test_questions_are_put_before_any_filter_works() -> None:
    log: list[str] = []

    def works(_message: Message) -> Verdict:
        log.append("a works")
        return NO_OPINION

    chain = Chain([Link(Says("a", works)), Link(Asks("b", log, lambda _message: None))])
    assert not chain.examine(MAIL).failures
    assert log == ["b asks", "a works", "b examines"]


@pytest.mark.parametrize("asks", [raises, loops, swallows, eats])
def test_a_question_that_cannot_be_put_is_no_failure_yet(
    asks: Callable[[Message], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.chain.chain.ASKING_LIMIT", 0.05)
    log: list[str] = []
    examination = Chain([Link(Asks("b", log, asks))]).examine(MAIL)
    assert not examination.failures
    assert log == ["b asks", "b examines"]


def test_nobody_asks_about_what_a_person_released() -> None:
    log: list[str] = []
    chain = Chain([Link(Asks("b", log, lambda _message: None))])
    chain.released = lambda _message: Mark("id", viruses=False)
    assert chain.examine(MAIL).verdict.symbols == (Symbol("RELEASED", 0.0, "id, by a person"),)
    assert log == []


def test_a_filter_goes_by_the_name_that_the_settings_give_it() -> None:
    links = [Link(Says("clamav", raises), own_name="second"), Link(Says("clamav", raises))]
    chain = Chain(links)
    assert chain.names == ("second", "clamav")
    assert chain.link_settings == {"second": LinkSettings(), "clamav": LinkSettings()}
    examination = chain.examine(MAIL)
    assert [failure.filter for failure in examination.failures] == ["second", "clamav"]
    assert set(examination.milliseconds) == {"second", "clamav"}


def test_a_virus_in_it_is_told_whole() -> None:
    class Scanner(Says):
        examines_released = True

    virus = Verdict(symbols=(Symbol("VIRUS", 3.0, "Eicar"),), virus="Eicar", scanner="Scan 1")
    chain = Chain([Link(Scanner("scanner", lambda _message: virus))])
    chain.released = lambda _message: Mark("id", viruses=False)
    told = Verdict(symbols=(Symbol("RELEASED", 0.0, "id, by a person"),), released="id")
    assert chain.examine(MAIL).verdict == told | virus


def test_a_virus_scanner_looks_at_it_and_is_named() -> None:
    def scans(_message: Message) -> Verdict:
        return Verdict(Action.QUARANTINE, (Symbol("ODD", 9.0, "why"),), scanner="Scan 1")

    class Scanner(Says):
        examines_released = True

    chain = Chain([Link(Scanner("scanner", scans)), Link(Scanner("bad", raises))])
    chain.released = lambda _message: Mark("id", viruses=False)
    examination = chain.examine(MAIL)
    assert examination.verdict == Verdict(
        symbols=(
            Symbol("RELEASED", 0.0, "id, by a person"),
            Symbol("ODD", 0.0, "why"),
            Symbol("BAD_FAILED", 0.0, "error: ValueError: no idea"),
        ),
        scanner="Scan 1",
        released="id",
    )
    assert set(examination.milliseconds) == {"scanner", "bad"}
    assert [failure.filter for failure in examination.failures] == ["bad"]


def test_nobody_asks_about_a_message_that_some_filter_must_not_see() -> None:
    """A question is work as well: whatever took the last process down could be in it."""
    log: list[str] = []
    chain = Chain([Link(Asks(name, log, lambda _message: None)) for name in "ab"])
    crash = Failure("a", FailureKind.CRASH, "it died")
    examination = chain.examine(MAIL, [crash])
    assert log == ["b examines"]
    assert examination.failures == (crash,)
    assert set(examination.milliseconds) == {"b"}
    assert [symbol.name for symbol in examination.verdict.symbols] == ["A_FAILED"]


@pytest.mark.parametrize(
    ("on_error", "again", "action"),
    [
        ("tempfail", False, Action.TEMPFAIL),
        ("tempfail", True, Action.QUARANTINE),
        ("quarantine", False, Action.QUARANTINE),
        ("quarantine", True, Action.QUARANTINE),
        ("continue", False, Action.ACCEPT),
        ("continue", True, Action.ACCEPT),
    ],
)
def test_what_failed_over_the_same_content_before_is_told_apart(
    on_error: OnError, again: bool, action: Action, caplog: pytest.LogCaptureFixture
) -> None:
    """Of one that fails again the client would send the same for days: it is not deferred."""
    failed = Failure("a", FailureKind.CRASH, "it died", again)
    link = Link(Says("a", found("A", 1)), LinkSettings(on_error=on_error))
    verdict = Chain([link]).examine(MAIL, [failed]).verdict
    assert (verdict.action, verdict.failed) == (action, action is not Action.ACCEPT)
    assert all(word in caplog.text for word in ("filter=a", "kind=crash", "id=t1", "it died"))


def test_what_fails_again_counts_beside_what_another_filter_wants() -> None:
    """It is not missing: that it cannot be examined is known, as a virus would be."""
    links = [Link(Says("a", raises)), Link(Says("b", lambda _message: Verdict(Action.QUARANTINE)))]
    crash = Failure("a", FailureKind.CRASH, "it died", again=True)
    verdict = Chain(links).examine(MAIL, [crash]).verdict
    assert (verdict.action, verdict.failed) == (Action.QUARANTINE, True)
    assert not Chain(links).examine(MAIL).verdict.failed


def test_who_watches_is_told_who_asks_ahead_and_until_when() -> None:
    told: list[tuple[str, float]] = []
    log: list[str] = []
    chain = Chain([Link(Asks("b", log, lambda _message: None), LinkSettings(timeout=3600))])
    chain.announce = lambda name, until: told.append((name, until)) or log.append(f"told {name}")
    chain.examine(MAIL)
    assert log == ["told b", "b asks", "told b", "b examines", "told "]
    # One deadline, the message's.
    assert len({until for _name, until in told}) == 1


def test_who_watches_is_told_which_filter_runs_and_until_when() -> None:
    told: list[tuple[str, float]] = []
    quick = Link(Says("quick", found("A", 1)), LinkSettings(timeout=5))
    patient = Link(Says("patient", found("B", 1)), LinkSettings(timeout=3600))
    chain = Chain([quick, patient], timeout=60)
    chain.announce = lambda name, until: told.append((name, until))
    before = time.monotonic()
    chain.examine(MAIL)
    after = time.monotonic()
    assert [name for name, _ in told] == ["quick", "patient", ""]
    (_, first), (_, second), (_, last) = told
    assert before + 5 <= first <= after + 5
    assert before + 60 <= second <= after + 60
    assert second == last


def test_a_filter_that_is_not_tried_is_not_announced_and_has_no_time() -> None:
    told: list[str] = []
    chain = Chain([Link(Says(name, found(name.upper(), 1))) for name in "ab"])
    chain.announce = lambda name, _until: told.append(name)
    examination = chain.examine(MAIL, [Failure("a", FailureKind.CRASH, "it died")])
    assert told == ["b", ""]
    assert set(examination.milliseconds) == {"b"}


def test_scanners_are_told_to_locate_viruses() -> None:
    class Scanner(Says):
        locates = False

    scanner, other = Scanner("scanner", raises), Says("other", raises)
    chain = Chain([Link(other), Link(scanner)])
    assert not scanner.locates
    chain.locate_viruses()
    assert scanner.locates
    assert not hasattr(other, "locates")
    assert chain.names == ("other", "scanner")
