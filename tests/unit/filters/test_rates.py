"""Rates: what is counted, for whom, and what happens above a limit; stolen accounts."""

from __future__ import annotations

import logging

import pytest

from filterd.chain import replies
from filterd.chain.report import ScanReport
from filterd.chain.services import Services
from filterd.chain.stages import Session, Stage, stages_of
from filterd.chain.verdict import NO_OPINION, Action, Reason, Symbol, Verdict
from filterd.filters.rates.filter import Rates
from filterd.filters.rates.settings import RateLimit, RatesSettings, RefusedShare
from filterd.message import Client, Envelope, Message, Recipient
from filterd.state.facts import StateError
from filterd.state.opening import open_state
from filterd.state.settings import StateSettings
from filterd.system.mistakes import SettingsError
from tests.helpers.clock import Clock

NOW = 1_700_000_000.0 - 1_700_000_000 % 3600
"""Beginning of an hour, so that windows of an hour have nothing before them."""


class Site:
    """A filter and its clock."""

    def __init__(self, *limits: RateLimit, refused: tuple[RefusedShare, ...] = (), **more: object):
        self.clock = Clock()
        self.clock.now = NOW
        settings = RatesSettings(limits, refused, **more)  # type: ignore[arg-type]
        self.filter = Rates(settings, Services(), self.clock)

    def data(self, **envelope: str) -> Verdict:
        return self.filter.data(Session("s", Stage.DATA, mail_of(**envelope)))

    def rcpt(self, recipient: str = "joe@mx.example", **envelope: str) -> Verdict:
        session = Session("s", Stage.RECIPIENT, mail_of(**envelope))
        return self.filter.recipient(session, Recipient(recipient))

    def message(self, size: int, *recipients: str, **envelope: str) -> Verdict:
        return self.filter.examine(
            Message(b"x" * size, mail_of(*recipients or ("joe@mx.example",), **envelope))
        )

    def report(self, action: Action = Action.ACCEPT, **more: object) -> None:
        """Tell the filter of a message of the user joe."""
        values = {"id": "m", "authenticated": "joe", "client_address": "192.0.2.1", "sender": "x@a"}
        report = ScanReport(**{**values, "action": action, **more})  # type: ignore[arg-type]
        self.filter.reported(Session("s"), report)


def mail_of(
    *recipients: str, user: str = "", address: str = "192.0.2.1", sender: str = "ann@a.example"
) -> Envelope:
    macros = {"{auth_authen}": user} if user else {}
    client = Client("mail.a.example", address)
    return Envelope(sender, tuple(map(Recipient, recipients)), client, macros=macros)


def passed(verdicts: list[Verdict]) -> list[bool]:
    return [verdict is NO_OPINION for verdict in verdicts]


def test_a_client_is_deferred_until_there_is_room() -> None:
    site = Site(RateLimit("client", 3))
    assert passed([site.data() for _ in range(4)]) == [True, True, True, False]
    found = site.data()
    assert found.action is Action.TEMPFAIL
    assert found.reply is not None
    assert (found.reply.code, found.reply.kind) == (451, replies.RATE.kind)
    # Three in this hour; they fade in the next one, a third of an hour for each.
    assert found.reply.text == "Too much mail for now, please try again in 80 minutes"
    assert found.symbols == (
        Symbol("RATELIMIT", 0.0, "client messages of 192.0.2.1: 3 of 3 in 3600 s"),
    )
    site.clock.now += 80 * 60 + 1
    assert passed([site.data(), site.data()]) == [True, False]


@pytest.mark.parametrize(
    ("limits", "envelope", "burst"),
    [
        ((RateLimit("client", 4, "recipients", 4),), {"sender": ""}, 4),
        ((RateLimit("recipient", 2, "messages", 2),), {}, 2),
        (
            (
                RateLimit("recipient", 2, "messages", 2),
                RateLimit("recipient", 20, "messages", 20),
            ),
            {},
            2,
        ),
        (
            (
                RateLimit("recipient", 20, "messages", 20),
                RateLimit("recipient", 2, "messages", 2),
            ),
            {},
            2,
        ),
    ],
    ids=["bounces of a client", "one recipient", "the first window is full", "the last is full"],
)
def test_a_burst_passes_and_then_as_much_as_fades(
    limits: tuple[RateLimit, ...], envelope: dict[str, str], burst: int
) -> None:
    """The situations of rspamd's functional tests of its module ratelimit, whose buckets leak where
    our windows slide: up to the burst, no more, one more when there is room, no more again."""
    site = Site(*limits)
    assert passed([site.rcpt(**envelope) for _ in range(burst + 1)]) == [True] * burst + [False]
    site.clock.now += burst + 1
    assert passed([site.rcpt(**envelope) for _ in range(2)]) == [True, False]
    # Nobody else waits for it: another recipient, and mail of another client.
    assert site.rcpt("eve@mx.example", address="192.0.2.9", **envelope) is NO_OPINION


@pytest.mark.parametrize(
    ("by", "same", "other"),
    [
        ("client", {"address": "::ffff:192.0.2.1"}, {"address": "192.0.2.2"}),
        ("network", {"address": "192.0.2.99"}, {"address": "192.0.3.1"}),
        ("network", {"address": "no address"}, {"address": ""}),
        ("user", {"user": "JOE"}, {"user": "eve"}),
        ("sender", {"sender": "<Ann+x@A.example.>"}, {"sender": "bob@a.example"}),
        ("sender_domain", {"sender": "bob@a.example"}, {"sender": "ann@sub.a.example"}),
        (
            "sender_domain",
            {"sender": "x@xn--mller-kva.example"},
            {"sender": "x@muller.example"},
        ),
    ],
)
def test_whose_mail_is_counted_together(
    by: str, same: dict[str, str], other: dict[str, str]
) -> None:
    site = Site(RateLimit(by, 1))  # type: ignore[arg-type]
    first = {
        "user": "joe",
        "sender": "y@müller.example" if "xn--" in str(same) else "ann@a.example",
        "address": "no address" if by == "network" and "no" in str(same) else "192.0.2.1",
    }
    assert site.data(**first) is NO_OPINION
    assert site.data(**{**first, **same}) is not NO_OPINION
    assert site.data(**{**first, **other}) is NO_OPINION


def test_who_has_no_name_is_not_counted() -> None:
    site = Site(RateLimit("user", 1), RateLimit("sender", 1), RateLimit("sender_domain", 1))
    assert passed([site.data(sender="") for _ in range(3)]) == [True] * 3


def test_recipients_are_counted_apart_from_messages() -> None:
    site = Site(RateLimit("client", 2, "messages"), RateLimit("client", 3, "recipients"))
    assert passed([site.rcpt(f"{n}@mx.example") for n in range(4)]) == [True] * 3 + [False]
    assert passed([site.data() for _ in range(3)]) == [True, True, False]


@pytest.mark.parametrize("count", ["messages", "recipients"])
def test_the_mail_of_a_recipient(count: str) -> None:
    site = Site(RateLimit("recipient", 1, count), RateLimit("recipient_domain", 2, count))  # type: ignore[arg-type]
    assert site.rcpt("joe@mx.example") is NO_OPINION
    assert site.rcpt("Joe+x@MX.example") is not NO_OPINION
    assert site.rcpt("eve@mx.example") is NO_OPINION
    found = site.rcpt("bob@mx.example")
    assert found.symbols[0].detail == f"recipient_domain {count} of mx.example: 2 of 2 in 3600 s"
    assert site.rcpt("joe@other.example") is NO_OPINION


def test_octets() -> None:
    site = Site(RateLimit("sender", 1000, "bytes"), RateLimit("recipient", 1500, "bytes"))
    assert passed([site.message(size) for size in (600, 401, 400, 1)]) == [
        True,
        False,
        True,
        False,
    ]
    found = site.message(600, sender="bob@a.example")
    assert found.symbols[0].detail.startswith("recipient bytes of joe@mx.example: 1000 of 1500")
    assert site.message(500, sender="bob@a.example") is NO_OPINION


def test_a_message_above_the_limit_passes_alone() -> None:
    site = Site(RateLimit("recipient_domain", 1000, "bytes"))
    assert passed([site.message(5000, "a@mx.example", "b@mx.example"), site.message(1)]) == [
        True,
        False,
    ]
    site.clock.now += 7200
    assert site.message(1) is NO_OPINION


def test_what_is_above_a_rate_may_be_held() -> None:
    site = Site(RateLimit("user", 1, action="hold"))
    assert site.data(user="joe") is NO_OPINION
    held = site.data(user="joe")
    assert (held.action, held.reply) == (Action.QUARANTINE, None)


def test_what_is_held_is_counted_by_limits_that_defer() -> None:
    site = Site(RateLimit("user", 1, action="hold"), RateLimit("client", 3))
    actions = [site.data(user="joe").action for _ in range(5)]
    assert actions == [Action.ACCEPT] + [Action.QUARANTINE] * 2 + [Action.TEMPFAIL] * 2


def test_what_is_deferred_is_counted_by_no_limit() -> None:
    site = Site(
        RateLimit("user", 1, action="hold"),
        RateLimit("client", 1, seconds=60),
        RateLimit("client", 9, name="day", seconds=86400),
    )
    site.data(user="joe")
    verdicts = [site.data(user="joe") for _ in range(20)]
    assert {verdict.action for verdict in verdicts} == {Action.TEMPFAIL}
    assert {len(verdict.symbols) for verdict in verdicts} == {1}
    site.clock.now += 120
    assert site.data(user="joe").action is Action.QUARANTINE


def test_who_is_meant() -> None:
    site = Site(
        RateLimit("client", 1, authenticated="no"),
        RateLimit("client", 2, authenticated="yes", name="logged in"),
        except_clients=("198.51.100.0/24", "local"),
        except_users=("Newsletter",),
    )
    assert passed([site.data() for _ in range(2)]) == [True, False]
    assert passed([site.data(user="joe") for _ in range(3)]) == [True, True, False]
    for never in ({"user": "newsletter"}, {"address": "198.51.100.9"}, {"address": "::1"}):
        assert passed([site.data(**never) for _ in range(4)]) == [True] * 4


def test_only_the_stages_that_are_needed_are_asked_for() -> None:
    for limits, stages in (
        ((), set()),
        ((RateLimit("client", 1),), {Stage.DATA}),
        ((RateLimit("client", 1, "recipients"),), {Stage.RECIPIENT}),
        ((RateLimit("recipient", 1),), {Stage.RECIPIENT}),
        ((RateLimit("client", 1, "bytes"),), set()),
    ):
        assert stages_of(Site(*limits).filter) == stages
    assert stages_of(Site(refused=(RefusedShare(),)).filter) == {Stage.DATA}


SHARE = RefusedShare(share=0.5, messages=10, hold_seconds=1000)


def test_a_stolen_account_is_noticed_held_and_freed(caplog: pytest.LogCaptureFixture) -> None:
    site = Site(refused=(SHARE,))
    for _ in range(5):
        site.report()
    for _ in range(4):
        site.report(Action.REJECT)
    assert site.data(user="joe") is NO_OPINION
    with caplog.at_level(logging.WARNING):
        site.report(Action.REJECT)
        site.report(Action.REJECT)
    assert caplog.messages == ["mail of user joe is held: 5 of 10 messages in 3600 s refused"]
    held = site.data(user="JOE")
    assert held.action is Action.QUARANTINE
    assert held.symbols == (
        Symbol("ACCOUNT_HELD", 0.0, "user joe: 5 of 10 messages in 3600 s refused"),
    )
    assert site.data(user="eve") is NO_OPINION
    assert site.data() is NO_OPINION

    (one,) = site.filter.counts.all_held(site.clock.now, 10)
    assert (one.by, one.party, one.until) == ("user", "joe", NOW + 1000)
    assert site.filter.counts.free("user", "joe")
    assert not site.filter.counts.free("user", "joe")
    assert site.data(user="joe") is NO_OPINION
    site.report(Action.REJECT)
    assert site.data(user="joe") is NO_OPINION


def test_a_stolen_account_that_is_held_has_its_limits_all_the_same() -> None:
    site = Site(RateLimit("client", 3), refused=(SHARE,))
    for _ in range(10):
        site.report(Action.REJECT)
    actions = [site.data(user="joe").action for _ in range(5)]
    assert actions == [Action.QUARANTINE] * 3 + [Action.TEMPFAIL] * 2


def test_a_hold_ends() -> None:
    site = Site(refused=(SHARE,))
    for _ in range(10):
        site.report(Action.REJECT)
    assert site.data(user="joe").action is Action.QUARANTINE
    site.clock.now += 1001
    assert site.data(user="joe") is NO_OPINION


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        ({"action": Action.REJECT}, True),
        ({"action": Action.REJECT, "stage": Stage.SENDER}, True),
        ({"action": Action.REJECT, "stage": Stage.RECIPIENT}, False),
        ({"labelled": True}, True),
        ({"action": Action.QUARANTINE, "reason": Reason.SPAM}, True),
        ({"action": Action.QUARANTINE, "reason": Reason.POLICY}, False),
        ({"action": Action.TEMPFAIL}, False),
        ({"action": Action.ACCEPT}, False),
        ({"action": Action.REJECT, "symbols": (Symbol("RATELIMIT"),)}, False),
        ({"action": Action.REJECT, "symbols": (Symbol("ACCOUNT_HELD"),)}, False),
        ({"action": Action.REJECT, "authenticated": ""}, False),
    ],
    ids=str,
)
def test_what_counts_as_refused(outcome: dict[str, object], counts: bool) -> None:
    site = Site(refused=(RefusedShare(share=0.5, messages=1),))
    site.report(**outcome)  # type: ignore[arg-type]
    assert (site.data(user="joe") is not NO_OPINION) is counts


def test_a_state_that_is_away_is_the_filters_failure() -> None:
    settings = StateSettings(url="unix:///nonexistent/socket")
    services = Services(state=lambda: open_state(settings, None))  # type: ignore[arg-type]
    filter = Rates(RatesSettings((RateLimit("client", 1),)), services)
    with pytest.raises(StateError):
        filter.data(Session("s", Stage.DATA, mail_of()))


def test_settings_that_cannot_be_right() -> None:
    with pytest.raises(SettingsError) as caught:
        RatesSettings(
            (
                RateLimit("client", 1),
                RateLimit("client", 2),
                RateLimit("user", 2, authenticated="no"),
            ),
            (RefusedShare(), RefusedShare()),
            except_clients=("x",),
        )
    assert [key for key, _text in caught.value.found] == [
        ("except_clients", 0),
        ("limits", 0, "name"),
        ("limits", 1, "name"),
        ("limits", 2, "authenticated"),
        ("refused", 0, "by"),
        ("refused", 1, "by"),
    ]
