"""Greylisting: mail of strangers waits once, at RCPT or after the message."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.chain import replies
from filterd.chain.report import ScanReport
from filterd.chain.services import Services
from filterd.chain.stages import Session, Stage, stages_of
from filterd.chain.verdict import NO_OPINION, Action, Symbol, Verdict
from filterd.filters.greylist.filter import Greylist
from filterd.filters.greylist.settings import DAY, GreylistSettings
from filterd.filters.greylist.strangers import (
    below,
    client_identity,
    stable_sender,
)
from filterd.filters.identities import mailbox_of
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.attempt import ScanAttempt
from filterd.message.authentication import Authentication, AuthResult, DkimCheck, SpfCheck
from filterd.message.matching import network_of
from filterd.resolver.settings import ResolverSettings
from filterd.state.facts import StateError
from filterd.state.once import Counting
from filterd.state.opening import open_state
from filterd.state.settings import StateSettings
from filterd.system.mistakes import SettingsError
from tests.helpers.clock import Clock
from tests.helpers.full_state import FullState
from tests.helpers.name_server import Question, Script, name_server

NOW = 1_700_000_000.0


class Site:
    """A filter, its clock, and clients that come to it."""

    def __init__(self, services: Services | None = None, **settings: object) -> None:
        self.clock = Clock()
        self.clock.now = NOW
        self.services = services or Services()
        self.filter = Greylist(GreylistSettings(**settings), self.services, self.clock)  # type: ignore[arg-type]
        self.number = 0

    def session(
        self,
        address: str = "192.0.2.1",
        sender: str = "ann@a.example",
        name: str = "",
        user: str = "",
        symbols: tuple[str, ...] = (),
    ) -> Session:
        self.number += 1
        client = Client(name or f"[{address}]", address)
        macros = {"{auth_authen}": user} if user else {}
        envelope = Envelope(sender, (), client, macros=macros)
        found = tuple(Symbol(one) for one in symbols)
        return Session("s", Stage.RECIPIENT, envelope, f"m{self.number}", found)

    def rcpt(
        self, address: str = "192.0.2.1", recipient: str = "joe@mx.example", **more: object
    ) -> Verdict:
        """What the filter says to one recipient of a new session."""
        return self.filter.recipient(self.session(address, **more), Recipient(recipient))  # type: ignore[arg-type]

    def delivered(self, session: Session, **more: object) -> None:
        """Tell the filter that the message was accepted."""
        report = ScanReport(
            id=session.transaction,
            action=Action.ACCEPT,
            client_name=session.client.name,
            client_address=session.client.address,
        )
        self.filter.reported(session, dataclasses.replace(report, **more))  # type: ignore[arg-type]


@pytest.fixture
def asked() -> list[str]:
    """Names that were asked for."""
    return []


def records(asked: list[str]) -> Script:
    """SPF of the big sender."""

    def say(question: Question) -> bytes:
        asked.append(question.name)
        if question.type == "TXT" and question.name.endswith("big.example"):
            text = f'{question.name} 60 TXT "v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 -all"'
            return question.answer(text)
        return question.answer(rcode="NXDOMAIN")

    return say


def waits(verdict: Verdict) -> bool:
    return verdict.action is Action.TEMPFAIL


def test_a_stranger_waits_and_passes_when_the_delay_is_over() -> None:
    site = Site()
    first = site.rcpt()
    assert first.action is Action.TEMPFAIL
    assert first.reply is not None
    assert (first.reply.code, first.reply.xcode) == (451, "4.7.1")
    assert first.reply.text == "Greylisted, please try again in 5 minutes"
    assert first.reply.kind == replies.GREYLIST.kind
    assert [symbol.name for symbol in first.symbols] == ["GREYLIST"]

    site.clock.now += 299
    early = site.rcpt()
    assert early.reply is not None
    assert early.reply.text == "Greylisted, please try again in 1 minute"
    assert early.symbols[0].detail == "early, 192.0.2.0/24, attempt 2, 1 s to go"

    site.clock.now += 1
    passed = site.rcpt()
    assert passed.action is Action.ACCEPT
    assert passed.symbols == (
        Symbol("GREYLIST_PASSED", 0.0, "192.0.2.0/24, attempt 3, after 300 s"),
    )
    assert site.rcpt() is NO_OPINION


def test_an_attempt_that_is_judged_again_after_a_crash_is_one_attempt() -> None:
    """Else a stranger would pass with its first attempt, where the crash took longer than the
    delay, and who has waited would not prove itself."""

    def attempt(site: Site, *, again: bool) -> tuple[Session, Verdict]:
        site.clock.now += 1
        begun = site.clock.now
        session = dataclasses.replace(site.session(), counting=Counting("p", 1, begun=begun))
        verdict = site.filter.recipient(session, Recipient("joe@mx.example"))
        if again:
            site.clock.now += 2
            counting = Counting("q", 2, repeated=True, begun=begun)
            session = dataclasses.replace(session, counting=counting, memory={})
            verdict = site.filter.recipient(session, Recipient("joe@mx.example"))
        return session, verdict

    site = Site(delay=1, auto_allow=1)
    _session, verdict = attempt(site, again=True)
    assert waits(verdict)
    assert verdict.symbols[0].detail == "new, 192.0.2.0/24, attempt 1, 1 s to go"
    _session, verdict = attempt(site, again=False)
    assert verdict.symbols[0].detail == "192.0.2.0/24, attempt 2, after 3 s"
    _session, verdict = attempt(site, again=True)
    assert verdict is NO_OPINION

    site = Site(delay=1, auto_allow=1)
    attempt(site, again=False)
    session, verdict = attempt(site, again=True)
    assert verdict.symbols[0].detail == "192.0.2.0/24, attempt 2, after 1 s"
    site.delivered(session)
    assert site.rcpt(recipient="eve@mx.example") is NO_OPINION


def test_each_triplet_waits_by_itself() -> None:
    site = Site()
    for change in ({}, {"recipient": "eve@mx.example"}, {"sender": "bob@a.example"}):
        assert waits(site.rcpt(**change))
    site.clock.now += 300
    assert not waits(site.rcpt())
    assert waits(site.rcpt(recipient="new@mx.example"))


def test_clients_of_one_network_are_one() -> None:
    site = Site()
    assert waits(site.rcpt("192.0.2.1"))
    assert waits(site.rcpt("2001:db8:0:1::1"))
    site.clock.now += 300
    assert waits(site.rcpt("192.0.3.1"))
    assert not waits(site.rcpt("192.0.2.254"))
    assert waits(site.rcpt("2001:db8:0:2::1"))
    assert not waits(site.rcpt("2001:db8:0:1:ffff::2"))
    # An IPv4-mapped address is the IPv4 address.
    assert not waits(site.rcpt("::ffff:192.0.2.9"))


def test_an_attempt_that_comes_too_late_is_a_new_one() -> None:
    site = Site()
    site.rcpt()
    site.clock.now += 48 * 3600
    assert waits(site.rcpt())


def test_who_has_passed_stays_known_while_mail_comes() -> None:
    site = Site()
    site.rcpt()
    site.clock.now += 300
    site.rcpt()
    for _ in range(6):
        site.clock.now += 30 * DAY
        assert site.rcpt() is NO_OPINION
    site.clock.now += 37 * DAY
    assert waits(site.rcpt())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann@a.example", "<Ann+lists@A.EXAMPLE.>"),
        ("bounce-1234@a.example", "bounce-98765@a.example"),
        ("prvs=123abcdef0=ann@a.example", "prvs=99fedcba01=ann@a.example"),
        ("SRS0=Abcd=X7=b.example=ann@a.example", "SRS0=zzzz=Y8=b.example=ann@a.example"),
        ("ann@müller.example", "ann@xn--mller-kva.example"),
        ("ann@m\udcc3\udcbcller.example", "ann@xn--mller-kva.example"),
    ],
)
def test_senders_that_are_one(one: str, other: str) -> None:
    assert stable_sender(one) == stable_sender(other)


def test_senders_that_are_two() -> None:
    senders = ["", "ann@a.example", "ann@b.example", "SRS0=a=b=b.example=ann@a.example"]
    senders += ["SRS0=a=b=c.example=ann@a.example", "1@a.example", "ann"]
    assert len({stable_sender(one) for one in senders}) == len(senders)
    assert mailbox_of("Joe+tag@MX.example") == "joe@mx.example"


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_nothing_that_a_client_says_raises(address: str, sender: str, recipient: str) -> None:
    site = Site(except_recipients=("eve@mx.example",), except_senders=(".b.example",))
    verdict = site.rcpt(address or "?", recipient, sender=sender or "?")
    assert verdict.action in (Action.TEMPFAIL, Action.ACCEPT)


@pytest.mark.parametrize(
    "exception",
    [
        {"address": ""},
        {"address": "127.0.0.1"},
        {"address": "::1"},
        {"address": "198.51.100.7"},
        {"address": "::ffff:198.51.100.7"},
        {"name": "Mail.Partner.Example."},
        {"user": "joe"},
        {"sender": ""},
        {"sender": "Bob@Sub.Good.example"},
        {"recipient": "postmaster+x@mx.example"},
        {"symbols": ("RCVD_IN_DNSWL_HI",)},
    ],
    ids=str,
)
def test_exceptions(exception: dict[str, object]) -> None:
    site = Site(
        except_clients=("local", "198.51.100.0/24"),
        except_client_names=("partner.example",),
        except_senders=(".good.example",),
        except_recipients=("postmaster@mx.example",),
    )
    assert site.rcpt(**exception) is NO_OPINION  # type: ignore[arg-type]
    assert waits(site.rcpt())


def test_what_is_not_excepted_if_the_settings_say_so() -> None:
    site = Site(authenticated=True, null_sender=True, except_clients=(), except_symbols=())
    for one in ({"user": "joe"}, {"sender": ""}, {"address": "127.0.0.1"}):
        assert waits(site.rcpt(**one))  # type: ignore[arg-type]
    assert waits(site.rcpt(symbols=("RCVD_IN_DNSWL_HI",)))


def test_a_name_is_below_a_domain_by_labels() -> None:
    domains = {"google.com", "müller.example".encode("idna").decode()}
    assert below("mail-io1.Google.com.", domains) == "google.com"
    assert below("mx.müller.example", domains) == "xn--mller-kva.example"
    for name in ("notgoogle.com", "google.com.evil.example", "[192.0.2.1]", "unknown", ""):
        assert below(name, domains) == ""


def test_a_big_sender_is_one_by_its_verified_name() -> None:
    site = Site()
    assert waits(site.rcpt("209.85.166.1", name="mail-io1-f1.google.com"))
    site.clock.now += 300
    assert not waits(site.rcpt("74.125.82.9", name="mail-wm1-f9.google.com"))
    assert waits(site.rcpt("203.0.113.9", name="[203.0.113.9]"))


def test_a_big_sender_is_one_by_spf(asked: list[str]) -> None:
    """Its clients have no verified name; the record says which networks are its own."""
    with name_server(records(asked)) as server:
        resolver = ResolverSettings(nameservers=(server.address,))
        site = Site(Services(resolver), spf=True, big_senders=("big.example",))
        first = site.session("198.51.100.1", "ann@mail.big.example")
        for recipient in ("joe@mx.example", "eve@mx.example"):
            assert waits(site.filter.recipient(first, Recipient(recipient)))
        assert asked.count("mail.big.example") == 1
        site.clock.now += 300
        again = site.rcpt("203.0.113.9", sender="ann@mail.big.example")
        assert again.symbols[0].detail.startswith("big.example, attempt 2")
        # Who only claims to be the big sender is a network like any other.
        assert waits(site.rcpt("192.0.2.9", sender="ann@mail.big.example"))
        before = len(asked)
        site.rcpt("192.0.2.9", sender="ann@other.example")
        assert len(asked) == before  # not one of the big ones
        site.services.resolver.close()


def test_a_big_sender_proves_itself_for_all_of_its_clients(asked: list[str]) -> None:
    with name_server(records(asked)) as server:
        resolver = ResolverSettings(nameservers=(server.address,))
        site = Site(Services(resolver), spf=True, big_senders=("big.example",), auto_allow=1)
        assert waits(site.rcpt("198.51.100.1", sender="ann@big.example"))
        site.clock.now += 300
        session = site.session("203.0.113.9", "ann@big.example")
        assert not waits(site.filter.recipient(session, Recipient("joe@mx.example")))
        site.delivered(session)
        assert site.rcpt("203.0.113.77", sender="new@big.example") is NO_OPINION
        assert waits(site.rcpt("192.0.2.9", sender="new@big.example"))
        site.services.resolver.close()


@pytest.mark.parametrize("servers", [(), ("127.0.0.1:1",)])
def test_without_an_answer_a_big_sender_is_its_network(servers: tuple[str, ...]) -> None:
    resolver = ResolverSettings(nameservers=servers, enabled=bool(servers), timeout=0.2)
    site = Site(Services(resolver), spf=True, big_senders=("big.example",))
    verdict = site.rcpt("198.51.100.1", sender="ann@big.example")
    assert "198.51.100.0/24" in verdict.symbols[0].detail
    site.services.resolver.close()


def test_after_the_message_a_big_sender_is_one_by_what_authenticates_it() -> None:
    site = Site(when="message", big_senders=("big.example",))
    passing, failing = AuthResult.PASS, AuthResult.FAIL
    by_spf = Authentication(spf=SpfCheck(passing, "bounce.big.example"))
    by_dkim = Authentication(
        spf=SpfCheck(failing, "ann.example"),
        dkim=(DkimCheck(failing, "x.example"), DkimCheck(passing, "big.example")),
    )
    forged = Authentication(dkim=(DkimCheck(failing, "big.example"),))

    def examined(address: str, known: Authentication | None) -> Verdict:
        envelope = Envelope("ann@a.example", (Recipient("joe@mx.example"),), Client("", address))
        message = Message(b"Subject: x\r\n\r\n", envelope, "id")
        message.authentication = known
        return site.filter.examine(message)

    assert examined("192.0.2.1", by_spf).symbols[0].detail.startswith("new, big.example, ")
    assert examined("198.51.100.1", by_dkim).symbols[0].detail.startswith("early, big.example, ")
    for known in (forged, None):
        assert "203.0.113.0/24" in examined("203.0.113.1", known).symbols[0].detail


def test_networks_of_what_is_not_an_address() -> None:
    assert network_of("192.0.2.77", 24, 64) == "192.0.2.0/24"
    assert network_of("no address", 24, 64) == "no address"


def test_a_client_that_proves_itself_is_not_delayed_any_more() -> None:
    site = Site(auto_allow=2)
    for sender in ("a@a.example", "b@a.example"):
        assert waits(site.rcpt(sender=sender))
        site.clock.now += 300
        session = site.session(sender=sender)
        assert not waits(site.filter.recipient(session, Recipient("joe@mx.example")))
        site.delivered(session)
        site.delivered(session)  # told twice, counted once
    assert site.rcpt(sender="new@a.example") is NO_OPINION
    assert site.rcpt("192.0.2.200", sender="other@b.example") is NO_OPINION
    assert waits(site.rcpt("203.0.113.1", sender="new@a.example"))


@pytest.mark.parametrize("outcome", [{"action": Action.REJECT}, {"labelled": True}], ids=str)
def test_spam_that_was_sent_again_proves_nothing(outcome: dict[str, object]) -> None:
    site = Site(auto_allow=1)
    site.rcpt()
    site.clock.now += 300
    session = site.session()
    site.filter.recipient(session, Recipient("joe@mx.example"))
    site.delivered(session, **outcome)
    assert waits(site.rcpt(sender="new@a.example"))


def test_mail_without_delay_proves_nothing() -> None:
    site = Site(auto_allow=1)
    session = site.session(user="joe")
    site.filter.recipient(session, Recipient("joe@mx.example"))
    site.delivered(session)
    assert waits(site.rcpt())


def test_only_the_stage_that_is_needed_is_asked_for() -> None:
    assert stages_of(Site().filter) == {Stage.RECIPIENT}
    # Nothing is asked at DATA, but who is asked at a stage hears what became of the message.
    assert stages_of(Site(when="message").filter) == {Stage.DATA}
    assert Site(when="message").filter.data(Session("s")) is NO_OPINION
    assert stages_of(Site(when="message", auto_allow=0).filter) == frozenset()


def mail(*recipients: str, score: float = 0.0, address: str = "192.0.2.1") -> Message:
    client = Client(f"[{address}]", address)
    envelope = Envelope("ann@a.example", tuple(map(Recipient, recipients)), client)
    message = Message(b"Subject: x\r\n\r\nx\r\n", envelope, "m1")
    message.symbols = (Symbol("A", score + 1), Symbol("B", -1))
    return message


def test_after_the_message_all_recipients_have_one_answer() -> None:
    site = Site(when="message", except_recipients=("eve@mx.example",))
    assert waits(site.filter.examine(mail("joe@mx.example", "eve@mx.example")))
    assert site.filter.examine(mail("eve@mx.example")) is NO_OPINION
    site.clock.now += 300
    assert waits(site.filter.examine(mail("joe@mx.example", "new@mx.example")))
    passed = site.filter.examine(mail("joe@mx.example"))
    assert passed is NO_OPINION  # it passed beside the other one's delay
    site.clock.now += 300
    passed = site.filter.examine(mail("joe@mx.example", "new@mx.example"))
    assert [one.name for one in passed.symbols] == ["GREYLIST_PASSED"]


def test_after_the_message_a_client_proves_itself_too() -> None:
    site = Site(when="message", auto_allow=1)
    site.filter.examine(mail("joe@mx.example"))
    site.clock.now += 300
    site.delivered(site.session(), symbols=site.filter.examine(mail("joe@mx.example")).symbols)
    assert site.filter.examine(mail("other@mx.example")) is NO_OPINION


def test_after_the_message_only_doubtful_mail_waits() -> None:
    site = Site(when="message", min_score=4.0)
    assert site.filter.examine(mail("joe@mx.example", score=3.9)) is NO_OPINION
    assert waits(site.filter.examine(mail("joe@mx.example", score=4.0)))
    except_symbol = mail("joe@mx.example", score=4.0)
    except_symbol.symbols = (*except_symbol.symbols, Symbol("RCVD_IN_DNSWL_MED"))
    assert site.filter.examine(except_symbol) is NO_OPINION


def test_after_the_message_an_attempt_that_is_judged_again_is_one() -> None:
    """Another worker scans it, because the first one ended; that took longer than the delay."""
    site = Site(when="message", delay=1)
    message = mail("joe@mx.example")
    message.attempt = ScanAttempt("p", 1, begun=site.clock.now)
    assert waits(site.filter.examine(message))
    site.clock.now += 5
    message.attempt = message.attempt._replace(repeated=True)
    assert waits(site.filter.examine(message))
    assert not waits(site.filter.examine(mail("joe@mx.example")))


def test_new_early_rescored_refused_and_passed() -> None:
    """The situations of rspamd's functional tests of its module greylist."""
    site = Site(when="message", min_score=4.0)
    details = []
    for _ in range(2):
        site.clock.now += 1
        verdict = site.filter.examine(mail("joe@mx.example", score=4.0))
        assert waits(verdict)
        details.append(verdict.symbols[0].detail)
    assert ["attempt 1" in details[0], "attempt 2" in details[1]] == [True, True]
    assert site.filter.examine(mail("sue@mx.example", score=3.0)) is NO_OPINION
    rescored = Site(when="message", min_score=3.0)
    waiting = rescored.filter.examine(mail("sue@mx.example", score=3.0))
    assert waits(waiting)
    # What another filter or the score refuses is refused at once, not asked for again.
    assert (waiting | Verdict(Action.REJECT)).action is Action.REJECT
    site.clock.now += 300
    verdict = site.filter.examine(mail("joe@mx.example", score=4.0))
    assert verdict.action is Action.ACCEPT
    assert [one.name for one in verdict.symbols] == ["GREYLIST_PASSED"]


def test_at_rcpt_the_message_is_not_examined_again() -> None:
    assert Site().filter.examine(mail("joe@mx.example")) is NO_OPINION


def test_what_waits_is_listed_and_let_in() -> None:
    site = Site()
    triplets = site.filter.triplets
    site.rcpt()
    site.clock.now += 10
    site.rcpt(recipient="eve@mx.example")
    site.rcpt(recipient="eve@mx.example")
    newest, oldest = triplets.waiting(site.clock.now, 10)
    assert (newest.client, newest.sender, newest.recipient, newest.attempts) == (
        "192.0.2.0/24",
        "ann@a.example",
        "eve@mx.example",
        2,
    )
    assert (oldest.since, oldest.passes) == (NOW, NOW + 300)
    assert triplets.allow(["000000000000"], "admin", site.clock.now) == []
    assert triplets.allow([newest.id], "eve", NOW, lambda one: one == "joe@mx.example") == []
    assert triplets.allow([newest.id], "admin", site.clock.now) == [newest]
    assert site.rcpt(recipient="eve@mx.example") is NO_OPINION
    assert triplets.waiting(site.clock.now, 10) == [oldest]
    assert triplets.allow([newest.id], "admin", site.clock.now) == []


def test_a_client_is_let_in() -> None:
    site = Site()
    site.filter.triplets.allow_client("192.0.2.0/24", "admin", NOW)
    assert site.rcpt() is NO_OPINION


def test_a_state_that_is_away_is_the_filters_failure(tmp_path: object) -> None:
    settings = StateSettings(url="unix:///nonexistent/socket")
    services = Services(state=lambda: open_state(settings, None))  # type: ignore[arg-type]
    with pytest.raises(StateError):
        Site(services).rcpt()


@pytest.mark.parametrize("when", ["recipient", "message"])
def test_a_trusted_relay_does_not_wait(when: str) -> None:
    site = Site(Services(trusted_networks=("192.0.2.0/28",)), when=when)
    for address, is_relay in (
        ("192.0.2.1", True),
        ("::ffff:192.0.2.1", True),
        ("192.0.2.99", False),
    ):
        envelope = dataclasses.replace(
            site.session(address).envelope, recipients=(Recipient("joe@mx.example"),)
        )
        found = (
            site.rcpt(address)
            if when == "recipient"
            else site.filter.examine(Message(b"", envelope))
        )
        assert waits(found) is not is_relay


def test_a_full_state_delays_nobody_who_is_known(caplog: pytest.LogCaptureFixture) -> None:
    state = FullState()
    site = Site(Services(state=lambda: state), keep_days=10)
    site.rcpt()
    site.clock.now += 300
    site.rcpt()
    site.filter.triplets.allow_client("198.51.100.0/24", "admin", site.clock.now)
    state.is_full = True
    site.clock.now += 9 * DAY
    assert site.rcpt() is NO_OPINION
    assert site.rcpt("198.51.100.7") is NO_OPINION
    assert (
        caplog.messages
        == ["state.url: the server has no memory left; who is known is not renewed"] * 2
    )
    with pytest.raises(StateError):
        site.rcpt(sender="new@a.example")


def test_settings_that_cannot_be_right() -> None:
    with pytest.raises(SettingsError) as caught:
        GreylistSettings(
            min_score=4.0,
            retry_hours=0.01,
            except_clients=("192.0.2.0/33",),
            except_senders=("a b",),
            big_senders=("ann@a.example",),
        )
    assert [key for key, _text in caught.value.found] == [
        ("min_score",),
        ("retry_hours",),
        ("except_clients", 0),
        ("except_senders", 0),
        ("big_senders", 0),
    ]


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:db8::1", "2001:db8::/64"),
        ("Google.com", "google.com"),
    ],
)
def test_clients_as_people_name_them(text: str, identity: str) -> None:
    assert client_identity(text, GreylistSettings()) == identity


@pytest.mark.parametrize("text", ["192.0.0.0/16", "other.example", "local", "192.0.2"])
def test_clients_that_cannot_be_let_in(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        client_identity(text, GreylistSettings())
