"""The whole MTA on a loopback port, with scripted filters on unix sockets."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import smtplib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from filterd.milter.constants import Command
from filterd.milter.packets import Packet
from filterd.mta import handler
from filterd.mta.milters.scripted import Close, Plan, Raw, Respond, ScriptedFilter, Wait
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.queue.spool import Spool
from filterd.mta.sendmail.filter import SendmailFilter
from filterd.mta.server import MtaThread, running_mta
from filterd.mta.settings import MtaSettings
from tests.helpers.legality import NEXT_COMMANDS
from tests.helpers.process import wait_for

pytestmark = pytest.mark.server


MESSAGE = b"From: Ann <ann@x.test>\r\nSubject: one\r\n\r\nbody\r\n.dot\r\n"
JOE = "joe@mx.example.test"


@pytest.fixture(autouse=True)
def impatient_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.mta.queue.manager.LOOK_INTERVAL", 0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # A unix socket's path must be short; pytest's own folders may be too deep.
    return tmp_path


@dataclasses.dataclass
class Site:
    mta: MtaThread
    filters: list[ScriptedFilter]

    def send(self, message: bytes = MESSAGE, to: tuple[str, ...] = (JOE,)) -> tuple[int, str]:
        """The reply to the whole message, or to the first command that was refused."""
        client = smtplib.SMTP("127.0.0.1", self.mta.port, "client.test", timeout=20)
        try:
            client.ehlo()
            code, text = client.mail("ann@x.test")
            for one in to:
                if code < 400:
                    code, text = client.rcpt(one)
            if code < 400:
                code, text = client.data(message)
            return code, str(text, "ascii")
        except smtplib.SMTPResponseException as error:
            said = error.smtp_error
            return error.smtp_code, said if isinstance(said, str) else said.decode()
        finally:
            client.close()
            time.sleep(0.02)
            self.mta.settle()

    def mailbox(self, name: str = "joe") -> list[bytes]:
        return [path.read_bytes() for path in self.mta.mailbox(name)]


class Lab:
    """Starts sites; ends them with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = ExitStack()

    def site(self, *plans: Plan, equates: str = ", F=T, T=R:2s", **more: object) -> Site:
        filters, configured = [], []
        steps = more.pop("steps", 0)
        assert isinstance(steps, int)
        for index, plan in enumerate(plans):
            path = self.folder / f"f{index}"
            one = ScriptedFilter(path, plan, steps=steps)
            filters.append(self.stack.enter_context(one))
            configured.append(InputMailFilter.parse(f"f{index}, S=unix:{path}{equates}"))
        settings = MtaSettings(
            port=0,
            mail=self.folder / "mail",
            spool=self.folder / "spool",
            filters=tuple(configured),
        )
        settings = dataclasses.replace(settings, **more)  # type: ignore[arg-type]
        return Site(self.stack.enter_context(running_mta(settings)), filters)


@pytest.fixture
def lab(folder: Path) -> Iterator[Lab]:
    made = Lab(folder)
    with made.stack:
        yield made


def test_a_message_reaches_its_mailbox_with_lf_line_ends(lab: Lab) -> None:
    site = lab.site({})
    code, text = site.send()
    assert code == 250
    assert text.endswith("Message accepted for delivery")
    (mail,) = site.mailbox()
    lines = mail.decode().split("\n")
    assert lines[0] == "Return-Path: <ann@x.test>"
    assert lines[1].startswith("Received: from client.test (localhost [127.0.0.1])")
    assert f"\tfor <{JOE}>; " in mail.decode()
    assert mail.endswith(b"From: Ann <ann@x.test>\nSubject: one\n\nbody\n.dot\n")
    assert not list(Spool(lab.folder / "spool").entries())


@pytest.mark.parametrize("flavour", ["sendmail", "postfix"])
def test_the_commands_a_filter_gets_are_in_libmilters_order(lab: Lab, flavour: str) -> None:
    site = lab.site({}, flavour=flavour)
    site.send(to=(JOE, "sue@mx.example.test"))
    packets = site.filters[0].received()
    commands = [Command(p.command) for p in packets if p.command != b"D"]
    for one, following in itertools.pairwise(commands):
        if one is not Command.ABORT:
            assert following in NEXT_COMMANDS[one], f"{following.name} after {one.name}"


def test_steps_that_a_filter_declines_are_not_sent_but_their_macros_are(lab: Lab) -> None:
    site = lab.site({}, steps=0x7F | 0x300)
    site.send()
    assert site.filters[0].commands() == "ODDDDDEQ"


def test_steps_that_a_filter_does_not_answer_are_not_waited_for(lab: Lab) -> None:
    silent: Plan = dict.fromkeys("CHMRTLNB", ())
    # Whoever waited for an answer would call the filter failed, and F=T makes that a 451.
    assert lab.site(silent, steps=0xFF080).send()[0] == 250


def test_edits_are_seen_by_the_next_filter_and_delivered(lab: Lab) -> None:
    first: Plan = {
        "E": [
            Respond(b"m", b"\0\0\0\x01Subject\0changed\0"),
            Respond(b"h", b"X-One\0yes\0"),
            Respond(b"b", b"new body\r"),
            Respond(b"b", b"\nend\r\n"),
            Respond(b"+", b"<sue@mx.example.test>\0"),
            Respond(b"e", b"<other@y.test>\0"),
            Respond(b"c"),
        ]
    }
    site = lab.site(first, {})
    site.send()
    seen = [p.data for p in site.filters[1].received() if p.command in (b"L", b"B")]
    assert seen == [
        b"From\0Ann <ann@x.test>\0",
        b"Subject\0changed\0",
        b"X-One\0yes\0",
        b"new body\r\nend\r\n",
    ]
    for name in ("joe", "sue"):
        (mail,) = site.mailbox(name)
        assert mail.startswith(b"Return-Path: <other@y.test>\n")
        assert mail.endswith(b"Subject: changed\nX-One: yes\n\nnew body\nend\n")


def test_a_body_from_a_filter_that_may_not_change_it_tempfails_the_message(lab: Lab) -> None:
    plan: Plan = {
        "O": [Respond(b"O", bytes.fromhex("00000006 00000001 00000000"))],
        "E": [Respond(b"b", b"evil\r\n"), Respond(b"c")],
    }
    assert lab.site(plan).send()[0] == 451


@pytest.mark.parametrize(
    ("equates", "code", "text"),
    [
        (", F=T, T=R:1s", 451, "4.3.2 Please try again later"),
        (", F=R, T=R:1s", 554, "5.7.1 Command rejected"),
        (", F=4, T=R:1s", 421, "4.7.0 mx.example.test closing connection"),
        (", T=R:1s", 250, "Message accepted for delivery"),
    ],
)
def test_what_a_failing_filter_means(lab: Lab, equates: str, code: int, text: str) -> None:
    site = lab.site({"N": [Close()]}, equates=equates)
    said = site.send()
    assert said[0] == code
    assert said[1].endswith(text)
    assert len(site.mailbox()) == (code == 250)


@pytest.mark.parametrize("fault", [(), (Raw(b"\xff\xff\xff\xffc"),), (Raw(b"\0\0\0\0"),)])
def test_a_filter_that_says_nothing_usable_runs_into_the_read_clock(
    lab: Lab, fault: tuple[Raw, ...], caplog: pytest.LogCaptureFixture
) -> None:
    site = lab.site({"M": fault}, equates=", F=R, T=R:1s")
    assert site.send()[0] == 550
    assert "to error state: read: timeout" in caplog.text


def test_an_impossible_reply_acts_one_command_later(lab: Lab) -> None:
    site = lab.site({"M": [Respond(b"Z", b"junk\0")]}, equates=", F=R")
    assert site.send() == (550, f"5.7.1 <{JOE}>... Command rejected")


def test_progress_keeps_the_read_clock_from_running_out(lab: Lab) -> None:
    plan: Plan = {"E": [Wait(2.5), Respond(b"p"), Wait(2.5), Respond(b"p"), Respond(b"c")]}
    assert lab.site(plan, equates=", F=T, T=R:4s;E:60s").send()[0] == 250


def test_the_clock_of_end_of_message_starts_before_the_filter_hears_of_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = SendmailFilter.send

    async def busy(self: SendmailFilter, *packets: Packet) -> None:
        await send(self, *packets)
        if packets and packets[-1].command == Command.BODYEOB.value:
            await asyncio.sleep(0.5)

    monkeypatch.setattr(SendmailFilter, "send", busy)
    works: Plan = {"E": [Wait(1.1), Respond(b"p"), Respond(b"c")]}
    assert lab.site(works, equates=", F=T, T=R:9s;E:1s").send()[0] == 451


def test_the_others_abort_when_one_refuses_the_sender(lab: Lab) -> None:
    site = lab.site({}, {"M": [Respond(b"r")]})
    assert site.send() == (550, "5.7.1 <ann@x.test>... Command rejected")
    assert site.filters[0].commands() == "ODCDHDMAQ"


def test_discard_is_accepted_and_goes_nowhere(lab: Lab) -> None:
    site = lab.site({"R": [Respond(b"d")]})
    assert site.send()[0] == 250
    assert site.mailbox() == []
    assert "T" not in site.filters[0].commands()


def test_quarantined_mail_is_held_until_released(lab: Lab) -> None:
    site = lab.site({"E": [Respond(b"q", b"held by test\0"), Respond(b"c")]})
    assert site.send()[0] == 250
    assert site.mailbox() == []
    spool = Spool(lab.folder / "spool")
    (entry,) = spool.held()
    assert entry.held == "held by test"
    spool.release(entry)
    wait_for("the delivery", site.mailbox)
    assert len(site.mailbox()) == 1


def test_accepted_mail_survives_the_end_of_the_mta(lab: Lab) -> None:
    blocked = lab.folder / "mail"
    blocked.write_text("a file where the folder should be")
    site = lab.site({})
    assert site.send()[0] == 250
    spool = Spool(lab.folder / "spool")
    assert [entry.targets[0].address for entry in spool.entries()] == [JOE]
    lab.stack.close()
    blocked.unlink()
    entry = next(iter(spool.entries()))
    spool.update(dataclasses.replace(entry, due=0.0))
    again = lab.site()
    wait_for("the delivery", again.mailbox)
    assert len(again.mailbox()) == 1


def test_relaying_is_denied_and_bounces_name_the_recipient(lab: Lab) -> None:
    site = lab.site(local_domains=("here.test",))
    assert site.send(to=("bob@there.test",)) == (550, "5.7.1 <bob@there.test>... Relaying denied")
    assert site.send(to=("bob@here.test",))[0] == 250
    assert len(site.mailbox("bob@here.test")) == 1


ROUTED = (
    "u%other.test@here.test",
    "other.test!u@here.test",
    '"u@other.test"@here.test',
    "other.test!u",
    "a!b!u@here.test",
    "u%x.test%other.test@here.test",
    '"other.test!u"@here.test',
    '"u%other.test"@here.test',
    "u%other.test",
    "here.test!other.test!u@here.test",
)


@pytest.mark.parametrize("flavour", ["sendmail", "postfix"])
@pytest.mark.parametrize("domains", [("here.test",), ()])
@pytest.mark.parametrize("address", ROUTED)
def test_no_route_through_this_host_is_a_mailbox(
    lab: Lab, flavour: str, domains: tuple[str, ...], address: str
) -> None:
    site = lab.site(local_domains=domains, flavour=flavour)
    code, text = site.send(to=(address,))
    assert code == 550
    assert "Relaying denied" in text
    assert list((lab.folder / "mail").glob("*")) == []


@pytest.mark.parametrize(
    "address", ["joe%here.test@here.test", "here.test!joe@here.test", '"joe@here.test"@here.test']
)
def test_a_route_to_this_host_is_the_mailbox_it_names(lab: Lab, address: str) -> None:
    site = lab.site(local_domains=("here.test",))
    assert site.send(to=(address,))[0] == 250
    assert len(site.mailbox("joe@here.test")) == 1


@pytest.mark.parametrize("flavour", ["sendmail", "postfix"])
@pytest.mark.parametrize("reason", [b"", b"\0", b"held", b"held\0"])
def test_quarantine_needs_no_reason(lab: Lab, flavour: str, reason: bytes) -> None:
    site = lab.site({"E": (Respond(b"q", reason), Respond(b"c"))}, flavour=flavour)
    assert site.send()[0] == 250
    assert site.mailbox() == []
    assert len(list((lab.folder / "spool" / "hold").iterdir())) == 2


def test_a_message_over_the_limit_is_aborted_for_the_filters(lab: Lab) -> None:
    site = lab.site({}, max_message_size=1000)
    assert site.send(b"Subject: long\r\n\r\n" + b"x" * 2000 + b"\r\n")[0] == 552
    assert site.filters[0].commands() == "ODCDHDMDRTAQ"


def test_too_many_hops_is_a_loop(lab: Lab) -> None:
    site = lab.site(max_hops=2)
    looping = b"Received: from a by b\r\n" * 3 + MESSAGE
    assert site.send(looping) == (554, "5.4.6 Too many hops")


class HandTimer:
    """A timer that expires when the test says. started: the seconds of each start."""

    def __init__(self, expired: Callable[[], None]) -> None:
        self.started: list[float] = []
        self._loop = asyncio.get_running_loop()
        self._expired = expired
        self._runs = False

    def start(self, seconds: float) -> None:
        self.started.append(seconds)
        self._runs = True

    def pause(self) -> None:
        self._runs = False

    stop = pause

    def expire(self) -> None:
        assert self._runs
        self._loop.call_soon_threadsafe(self._expired)


def test_a_client_that_says_nothing_is_let_go(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    timers: list[HandTimer] = []

    def timer_of(expired: Callable[[], None]) -> HandTimer:
        timers.append(HandTimer(expired))
        return timers[-1]

    monkeypatch.setattr(handler, "Timer", timer_of)
    site = lab.site({}, idle_timeout=4.0)
    with socket.create_connection(("127.0.0.1", site.mta.port), 30) as client:
        replies = client.makefile("rb")
        assert replies.readline().startswith(b"220 ")
        (timer,) = timers
        for number in range(1, 4):
            # Each command restarts the timer.
            wait_for("the next command", lambda n=number: timer.started == [4.0] * n)
            client.sendall(b"NOOP\r\n")
            assert replies.readline().startswith(b"250 ")
        wait_for("the next command", lambda: timer.started == [4.0] * 4)
        timer.expire()
        assert replies.read() == b"421 4.4.1 timeout waiting for input\r\n"


@pytest.mark.parametrize("action", ["accept", "quarantine"])
@pytest.mark.parametrize(
    "rest", [[Close()], [Raw(b"\0\0\x10\0bcut"), Close()], [Raw(b"\xff\xff\xff\xffb"), Close()]]
)
def test_half_of_a_new_body_is_never_let_through(
    lab: Lab, action: str, rest: list[Close | Raw]
) -> None:
    path = lab.folder / "half"
    plan: Plan = {"E": [Respond(b"h", b"X-Half\0yes\0"), Respond(b"b", b"half\r\n"), *rest]}
    lab.stack.enter_context(ScriptedFilter(path, plan))
    equates = f"unix:{path}, default_action={action}, content_timeout=2s"
    site = lab.site(flavour="postfix", filters=(InputMailFilter.parse_postfix("half", equates),))
    assert site.send() == (421, "4.7.0 Service unavailable")
    assert site.mailbox() == []
    assert not list((lab.folder / "spool" / "hold").glob("*"))


def test_a_new_body_that_was_whole_stays_when_the_filter_is_lost_afterwards(lab: Lab) -> None:
    path = lab.folder / "whole"
    plan: Plan = {"E": [Respond(b"b", b"whole\r\n"), Respond(b"h", b"X-Then\0yes\0"), Close()]}
    lab.stack.enter_context(ScriptedFilter(path, plan))
    equates = f"unix:{path}, default_action=accept"
    site = lab.site(flavour="postfix", filters=(InputMailFilter.parse_postfix("whole", equates),))
    assert site.send()[0] == 250
    (mail,) = site.mailbox()
    assert mail.endswith(b"X-Then: yes\n\nwhole\n")
