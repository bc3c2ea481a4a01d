"""Filters that are asked at CONNECT, HELO, MAIL, RCPT and DATA, through the milter protocol."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from filterd.chain.report import ScanReport
from filterd.chain.stages import Session
from filterd.chain.verdict import Action
from filterd.daemon.service import Service
from filterd.daemon.stages import SessionStages
from filterd.filters.greylist.triplets import TRIPLET, WAITS
from filterd.filters.rates.counting import COUNT
from filterd.filters.rates.settings import RateLimit
from filterd.history import History
from filterd.history.query import HistoryQuery
from filterd.history.settings import HistorySettings
from filterd.message import Client, Envelope, Recipient
from filterd.milter.commands import Bare, Connect, Helo, Mail, Rcpt
from filterd.milter.constants import Command, Steps
from filterd.milter.negotiation import Negotiation
from filterd.replay.cases import Case
from filterd.replay.wire import DaemonClient
from filterd.state.facts import state_key
from filterd.state.opening import open_state
from filterd.state.settings import StateSettings
from tests.helpers.daemon import NewDaemon, RunningDaemon
from tests.helpers.gate import Gate
from tests.helpers.milter import MilterClient, Outcome, one_message
from tests.helpers.process import folder, wait_for

pytestmark = pytest.mark.slow

ID = r" \(id=[0-9a-z]{16}\)"

STAGED = """\
[filters.staged]
timeout = 1.0
on_error = "continue"
gate = "{gate}"
[filters.second]
on_error = "tempfail"
gate = "{gate}"
[stages]
timeout = 2.0
"""

SILENT = (
    Steps.NR_CONN
    | Steps.NR_HELO
    | Steps.NR_MAIL
    | Steps.NR_RCPT
    | Steps.NR_HDR
    | Steps.NR_BODY
    | Steps.NODATA
    | Steps.NOEOH
    | Steps.NOUNKNOWN
    | Steps.HDR_LEADSPC
)


@pytest.fixture(scope="module")
def staged() -> Iterator[RunningDaemon]:
    with folder("daemon") as path:
        gate = path / "gate"
        gate.mkdir()
        running = RunningDaemon(
            path, filters='["staged", "second"]', more=STAGED.format(gate=gate), count=1
        )
        try:
            yield running.start()
        finally:
            running.process.stop()


@pytest.fixture
def client(staged: RunningDaemon) -> Iterator[MilterClient]:
    with MilterClient(staged.socket) as found:
        yield found


def connect(name: bytes = b"ok", address: bytes = b"192.0.2.7") -> Connect:
    return Connect(name, b"4", 4711, address)


def refused(text: str, at: str) -> None:
    assert re.fullmatch(re.escape(at) + ID, text), text


def symbols(outcome: Outcome) -> str:
    """What X-Spam-Status says of the delivered message."""
    found = [edit for edit in outcome.edits if b"X-Spam-Status" in getattr(edit, "name", b"")]
    return found[0].value.decode().replace("\n\t", "") if found else ""  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("at", "heard", "packets"),
    [
        ((), Steps(0), 0),
        (("connect",), Steps.NR_CONN, 1),
        (("helo", "recipient"), Steps.NR_HELO | Steps.NR_RCPT, 3),
        (("sender", "data"), Steps.NR_MAIL | Steps.NODATA, 2),
    ],
)
def test_only_what_filters_want_is_agreed(
    new_daemon: NewDaemon, at: tuple[str, ...], heard: Steps, packets: int
) -> None:
    """packets: that the filter sends between the negotiation and the end of a message to two."""
    more = f"[filters.staged]\nat = {[*at]}\n"
    daemon = new_daemon(filters='["staged"]', more=more, count=1)
    with MilterClient(daemon.socket) as client:
        assert client.agreed.steps == SILENT & ~heard
        before = client.received
        client.hello()
        client.envelope(b"<joe@mx.example.test>", b"<sue@mx.example.test>")
        if Steps.NODATA & heard:
            assert client.told(Bare(Command.DATA)) == "continue"
        client.content()
        assert client.silent_for(0.1)
        assert client.received - before == packets
        assert client.end().word == "continue"


def test_an_old_mta_that_waits_at_every_step_gets_its_answers(staged: RunningDaemon) -> None:
    offer = Negotiation.offer()
    old = Negotiation(2, offer.actions, Steps(0x7F))
    with MilterClient(staged.socket, offer=old) as client:
        client.say(connect(), Helo(b"ok"))
        client.envelope(b"<ok@mx.example.test>")
        client.content()
        assert client.end().word == "continue"


def test_a_refusal_at_each_stage(client: MilterClient) -> None:
    refused(client.told(connect(b"refuse.example")), "550 5.7.9 No connect")
    refused(client.told(Helo(b"later.example")), "451 4.7.9 Not now")
    refused(client.told(Mail((b"<refuse@a.example>",))), "550 5.7.9 No sender")
    refused(client.told(Mail((b"<plain@a.example>",))), "550 5.7.1 Message refused by policy")


def test_one_of_three_recipients(client: MilterClient, staged: RunningDaemon) -> None:
    client.hello(b"ok")
    client.say(Mail((b"<ann@a.example>", b"SIZE=100")))
    assert client.told(Rcpt((b"<joe@mx.example.test>",))) == "continue"
    refused(client.told(Rcpt((b"<refuse@mx.example.test>",))), "550 5.7.9 No recipient")
    refused(client.told(Rcpt((b"<later@mx.example.test>",))), "451 4.7.9 Not now")
    assert client.told(Rcpt((b"<points.1@mx.example.test>",))) == "continue"
    refused(
        client.told(Rcpt((b"<who@mx.example.test>",))),
        "550 5.7.9 ok[192.0.2.7]|ok|ann@a.example|SIZE=100|"
        "joe@mx.example.test+points.1@mx.example.test|who@mx.example.test||",
    )
    assert client.told(Bare(Command.DATA)) == "continue"
    client.content()
    outcome = client.end()
    assert outcome.word == "continue"
    # Both filters give points to one of the two: it is the worst that the header speaks of.
    assert symbols(outcome) == " Yes, score=5.0 required=5.0 tests=POINTS_RECIPIENT"
    line = staged.wait_for_line("to=joe@mx.example.test,points.1@mx.example.test")
    assert "score=5.0 " in line
    assert "symbols=POINTS_RECIPIENT:2.5" in line


def test_data_can_be_refused(client: MilterClient) -> None:
    client.hello(b"ok")
    client.envelope(b"<joe@mx.example.test>", sender=b"<ann@refuse.example>")
    refused(client.told(Bare(Command.DATA)), "550 5.7.9 No data")
    # A client that does not care may send another message.
    client.write(Bare(Command.ABORT).encode().encode())
    client.envelope(b"<joe@mx.example.test>")
    assert client.told(Bare(Command.DATA)) == "continue"
    client.content()
    assert client.end().word == "continue"


FAILURES = [
    ("raise", "error", "RuntimeError: as told"),
    ("away", "unavailable", "no server"),
    ("splice", "error", "wants to change a message before there is one"),
    ("hang", "timeout", "no opinion within"),
    ("deaf", "timeout", "it did not run any more, killed"),
    ("segfault", "crash", "ended"),
    ("eat", "memory", "out of memory"),
]


@pytest.mark.parametrize(("order", "kind", "detail"), FAILURES)
def test_a_failure_costs_one_opinion(
    staged: RunningDaemon, client: MilterClient, order: str, kind: str, detail: str
) -> None:
    """`staged` goes on without its opinion, `second` is for later. Another session, whose question
    is under way at the same time, notices nothing."""
    client.hello(b"ok")
    client.say(Mail((b"<points@a.example>",)))
    gate = Gate.at(staged.folder / "gate")
    with MilterClient(staged.socket) as other:
        other.hello(b"ok")
        other.say(Mail((b"<ann@a.example>",)))
        other.write(Rcpt((b"<wait@mx.example.test>",)).encode().encode())
        gate.wait_until_inside()
        before = len(staged.lines(f"failed kind={kind}"))
        client.write(Rcpt((f"<{order}@mx.example.test>".encode(),)).encode().encode())
        gate.open()
        assert Outcome(other.reply()).word == "continue"
        text = Outcome(client.reply()).word
    refused(text, "451 4.3.0 Message could not be checked, please try again later")
    found = staged.lines(f"failed kind={kind}")[before:]
    assert ["filter=staged" in line for line in found] == [True, False]
    assert ["filter=second" in line for line in found] == [False, True]
    assert all(detail in line for line in found)
    # What went before in this session is not forgotten, and it goes on.
    assert client.told(Rcpt((b"<joe@mx.example.test>",))) == "continue"
    client.content()
    assert symbols(client.end()) == " Yes, score=5.0 required=5.0 tests=POINTS_SENDER"


COUNTING = """\
[state]
file = "{state}"
[filters.rates]
limits = [{{ by = "client", count = "recipients", most = 100 }}]
[filters.staged]
timeout = 1.0
on_error = "continue"
[stages]
timeout = 2.0
"""


GREY = """\
[state]
file = "{state}"
[filters.greylist]
except_clients = []
[filters.staged]
timeout = 1.0
on_error = "continue"
"""


@pytest.mark.parametrize("order", ["segfault", "deaf"])
def test_what_was_counted_counts_once_though_its_process_ends(
    new_daemon: NewDaemon, tmp_path: Path, order: str
) -> None:
    """`rates` has counted the recipient when `staged` takes the process down; it is asked again,
    and so is every filter of the same question, in a process that ends as well."""
    file = tmp_path / "state.sqlite3"
    daemon = new_daemon(filters='["rates", "staged"]', more=COUNTING.format(state=file), count=1)
    with MilterClient(daemon.socket) as client:
        client.hello(b"ok")
        client.say(Mail((b"<ann@a.example>",)))
        for name in ("joe", order, "sue"):
            recipient = Rcpt((f"<{name}@mx.example.test>".encode(),))
            assert client.told(recipient) == "continue"
    assert len(daemon.lines("filter=staged failed")) == 1
    limit = RateLimit(by="client", count="recipients", most=100)
    state = open_state(StateSettings(), file)
    key = state_key(COUNT, limit.title, "192.0.2.7")
    (window,) = state.windows([(key, limit.seconds)])
    # A little less where an hour has begun since; four, if one were counted twice.
    assert window.at(time.time()) == pytest.approx(3.0, abs=0.5)
    state.close()


OCTETS = """\
on_error = "continue"
[state]
file = "{state}"
[filters.rates]
limits = [{{ by = "client", count = "bytes", most = 1000000 }}]
"""


@pytest.mark.parametrize("order", [b"segfault", b"deaf"])
def test_octets_count_once_though_the_worker_ends(
    new_daemon: NewDaemon, tmp_path: Path, order: bytes
) -> None:
    """`rates` has counted the octets when `misbehaving` takes the worker down; another worker scans
    the message again. Two different messages count both."""
    file = tmp_path / "state.sqlite3"
    more = OCTETS.format(state=file)
    # However slow the machine is, there is time for a second worker.
    daemon = new_daemon(filters='["rates", "misbehaving"]', more=more, count=1, timeout=60.0)
    sizes = []
    for number in range(2):
        body = b"%d" % number + b"x" * 500 + b"\r\n"
        assert one_message(daemon.socket, (b"X-Do", b" " + order), body=body).word == "continue"
        seen = daemon.lines("event=message")[-1]
        sizes.append(int(seen.partition(" size=")[2].split()[0]))
    limit = RateLimit(by="client", count="bytes", most=1000000)
    state = open_state(StateSettings(), file)
    key = state_key(COUNT, limit.title, "192.0.2.7")
    (window,) = state.windows([(key, limit.seconds)])
    assert window.at(time.time()) == pytest.approx(sum(sizes), rel=0.2)
    state.close()


def test_who_has_waited_has_just_passed_though_the_process_ends(
    new_daemon: NewDaemon, tmp_path: Path
) -> None:
    """`greylist` has noted that the triplet passes when `staged` takes the process down; what is
    asked again still knows that it passed with this attempt."""
    file = tmp_path / "state.sqlite3"
    key = state_key(TRIPLET, "192.0.2.0/24", "ann@a.example", "segfault@mx.example.test")
    state = open_state(StateSettings(), file)
    state.touch(key, time.time() - 1000, 86400.0, WAITS)
    state.close()
    daemon = new_daemon(filters='["greylist", "staged"]', more=GREY.format(state=file), count=1)
    with MilterClient(daemon.socket) as client:
        client.hello(b"ok")
        client.say(Mail((b"<ann@a.example>",)))
        assert client.told(Rcpt((b"<segfault@mx.example.test>",))) == "continue"
        client.content()
        assert client.end().word == "continue"
    assert len(daemon.lines("filter=staged failed")) == 1
    assert "symbols=GREYLIST_PASSED" in daemon.wait_for_line("to=segfault@mx.example.test")


def test_refusals_are_counted_and_recorded(new_daemon: NewDaemon) -> None:
    """Each has its log line and counts; the history has the first of a kind, and one for the
    others."""
    daemon = new_daemon(filters='["staged"]', count=1)
    with MilterClient(daemon.socket) as client:
        client.hello(b"ok")
        client.say(Mail((b"<points@a.example>",)))
        for number in range(5):
            client.told(Rcpt((f"<refuse.{number}@mx.example.test>".encode(),)))
        client.told(Rcpt((b"<later@mx.example.test>",)))
    assert len(daemon.lines("event=refusal")) == 6
    assert daemon.asked("status")["refusals"] == {"recipient": {"reject": 5, "tempfail": 1}}
    assert sum(daemon.asked("status")["messages"].values()) == 0
    daemon.process.stop()
    history = History(daemon.folder / "quarantine" / "history.sqlite3", HistorySettings())
    records = history.search(HistoryQuery()).rows
    found = {(r.action, r.stage, r.repeated, r.recipients[0], r.score, r.rule) for r in records}
    first, last = "refuse.0@mx.example.test", "refuse.1@mx.example.test"
    assert found == {
        ("reject", "recipient", 0, first, 2.5, "staged"),
        ("reject", "recipient", 3, last, 2.5, "staged"),
        ("tempfail", "recipient", 0, "later@mx.example.test", 2.5, "staged"),
    }
    assert {len(record.recipients) for record in records} == {1, 4}
    assert all(record.session for record in records)


def test_what_becomes_of_mail_is_told_to_filters_that_want_it(
    new_daemon: NewDaemon, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    tmp_path.chmod(0o777)
    daemon = new_daemon(
        filters='["staged"]', count=1, more=f'[filters.staged]\nnotes = "{notes}"\n'
    )
    with MilterClient(daemon.socket) as client:
        client.hello(b"ok")
        client.say(Mail((b"<ann@a.example>",)))
        client.told(Rcpt((b"<refuse@mx.example.test>",)))
        client.say(Rcpt((b"<hold@mx.example.test>",)))
        client.content()
        assert client.end().word == "discard"
    told = wait_for("both reports", lambda: (lines := notes.read_text().splitlines())[1:] and lines)
    session = daemon.lines("event=refusal")[0].partition("session=")[2].split()[0]
    assert told == [f"{session} recipient reject", f"{session} message quarantine"]


def test_what_holds_or_drops_waits_for_the_message(client: MilterClient) -> None:
    client.hello(b"ok")
    client.say(Mail((b"<hold@a.example>",)), Rcpt((b"<joe@mx.example.test>",)))
    client.content()
    assert client.end().word == "discard"
    client.say(Mail((b"<ann@a.example>",)))
    client.say(Rcpt((b"<joe@mx.example.test>",)), Rcpt((b"<drop@mx.example.test>",)))
    client.content()
    outcome = client.end()
    assert outcome.word == "continue"
    assert [edit.address for edit in outcome.edits if hasattr(edit, "address")] == [
        b"<drop@mx.example.test>"
    ]


def test_header_fields_that_stages_want(client: MilterClient) -> None:
    client.hello(b"ok")
    client.say(Mail((b"<field@a.example>",)), Rcpt((b"<joe@mx.example.test>",)))
    client.content()
    edits = [e for e in client.end().edits if getattr(e, "name", b"") == b"X-Stage"]
    assert [edit.value.strip() for edit in edits] == [b"sender", b"sender"]  # type: ignore[attr-defined]


def test_a_session_remembers_and_a_new_helo_is_a_new_opinion(client: MilterClient) -> None:
    client.say(connect(b"points.example"), Helo(b"points"), Helo(b"ok"))
    text = client.told(Mail((b"<remember@a.example>",)))
    assert text.startswith("550 5.7.9 connect:points helo:points helo:ok sender:remember in ")
    for _ in range(2):
        client.say(Mail((b"<ham@a.example>",)), Rcpt((b"<joe@mx.example.test>",)))
        client.content()
        tests = "POINTS_CONNECT,HAM_SENDER"
        assert symbols(client.end()) == f" No, score=0.0 required=5.0 tests={tests}"


def test_mail_without_a_client_is_refused_at_its_end(
    client: MilterClient, staged: RunningDaemon
) -> None:
    """Of the `sendmail` command: no SMTP client is there who could be told at once."""
    client.say(Connect(b"refuse.local", b"U"))
    client.say(Mail((b"<ann@mx.example.test>",)))
    client.say(Rcpt((b"<joe@mx.example.test>",)), Rcpt((b"<refuse@mx.example.test>",)))
    client.content()
    refused(client.end().word, "550 5.7.9 No connect")
    with MilterClient(staged.socket) as other:
        other.say(Connect(b"localhost", b"U"))
        other.say(Mail((b"<ann@mx.example.test>",)))
        other.say(Rcpt((b"<refuse@mx.example.test>",)))
        other.content()
        refused(other.end().word, "550 5.7.9 No recipient")


def test_the_policy_of_a_recipient_words_its_refusal(new_daemon: NewDaemon) -> None:
    more = (
        '[policy.replies]\npolicy = "550 5.7.1 Not here"\n'
        '[[policy.rules]]\nrecipients = ["b.example"]\n'
        'replies = { policy = "554 5.7.2 Nor there" }\n'
    )
    daemon = new_daemon(filters='["staged"]', count=1, more=more)
    with MilterClient(daemon.socket) as client:
        client.hello(b"ok")
        refused(client.told(Mail((b"<plain@a.example>",))), "550 5.7.1 Not here")
        client.say(Mail((b"<ann@a.example>",)))
        refused(client.told(Rcpt((b"<plain@a.example>",))), "550 5.7.1 Not here")
        refused(client.told(Rcpt((b"<plain@b.example>",))), "554 5.7.2 Nor there")


def test_a_slow_question_delays_no_other_session(
    staged: RunningDaemon, client: MilterClient
) -> None:
    gate = Gate.at(staged.folder / "gate")
    client.hello(b"ok")
    client.say(Mail((b"<ann@a.example>",)))
    client.write(Rcpt((b"<wait@mx.example.test>",)).encode().encode())
    gate.wait_until_inside()
    with MilterClient(staged.socket) as other:
        other.hello(b"ok")
        assert other.message().word == "continue"
    gate.open()
    assert Outcome(client.reply()).word == "continue"


def test_a_reload_exchanges_the_filters_of_a_session_that_goes_on(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(filters='["staged"]', count=1)
    with MilterClient(daemon.socket) as client:
        client.hello(b"ok")
        daemon.configure(filters='["second"]', count=1)
        assert daemon.asked("reload")["reloaded"]
        client.say(Mail((b"<points@a.example>",)))
        refused(client.told(Rcpt((b"<refuse@mx.example.test>",))), "550 5.7.9 No recipient")
        daemon.configure(count=1)
        assert daemon.asked("reload")["reloaded"]
        client.say(Rcpt((b"<refuse@mx.example.test>",)))
        client.content()
        assert client.end().word == "continue"
    with MilterClient(daemon.socket) as client:
        assert client.agreed.steps == SILENT


def test_a_client_whose_name_cannot_be_read_is_judged_at_mail(new_daemon: NewDaemon) -> None:
    """pymilter calls nobody at CONNECT then. Who owns an address may call it what he likes."""
    daemon = new_daemon(filters='["staged"]', count=1, more='[filters.staged]\nclient = "refuse"\n')
    with MilterClient(daemon.socket) as client:
        assert client.told(connect(b"caf\xe9.example")) == "continue"
        client.say(Helo(b"ok"))
        for _ in range(2):
            refused(client.told(Mail((b"<ann@a.example>",))), "550 5.7.9 No connect")
    assert len(daemon.lines("event=refusal")) == 2


def test_a_report_that_cannot_be_told_changes_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    def tell(_session: Session, _report: ScanReport) -> None:
        raise MemoryError

    pool = SimpleNamespace(stages=SimpleNamespace(wants_reports=True, tell=tell))
    stages = SessionStages(cast(Service, SimpleNamespace(pool=pool)))
    stages.tell(ScanReport(id="i1", action=Action.ACCEPT), Envelope())
    assert "id=i1 filters are not told" in caplog.text


def test_filters_are_unavailable_while_the_fork_server_is_away(new_daemon: NewDaemon) -> None:
    """Not passed over: `on_error` speaks, in a session that goes on and in one that begins."""
    daemon = new_daemon(filters='["staged"]', count=1)
    later = "451 4.3.0 Message could not be checked, please try again later"
    with MilterClient(daemon.socket) as client:
        client.hello(b"ok")
        agreed = client.agreed.steps
        # With these settings no new one comes.
        daemon.configure(filters='["nobody"]', count=1)
        os.kill(forkserver_of(daemon), signal.SIGKILL)
        daemon.wait_for_line("workers cannot be started")
        refused(client.told(Mail((b"<ann@a.example>",))), later)
    with MilterClient(daemon.socket) as client:
        assert client.agreed.steps == agreed
        refused(client.told(connect()), later)
    assert daemon.lines("filter=staged failed kind=unavailable")


def forkserver_of(daemon: RunningDaemon) -> int:
    """The pid of the only child of the daemon."""
    path = f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children"
    (pid,) = Path(path).read_text("ascii").split()
    return int(pid)


def test_replay_goes_through_the_stages(staged: RunningDaemon) -> None:
    daemon = DaemonClient(f"unix:{staged.socket}", None)
    client = Client("ok", "192.0.2.7", 4711, "ok")

    def judged(sender: str, *recipients: str) -> tuple[str, str]:
        envelope = Envelope(sender, tuple(map(Recipient, recipients)), client)
        found = daemon.judge(Case("m", b"Subject: hi\r\n\r\n", envelope))
        return found.word, found.reply

    try:
        # Who is refused does not keep the message from the other.
        both = "refuse@mx.example.test", "joe@mx.example.test"
        assert judged("points@a.example", *both) == ("accept (labelled)", "")
        assert judged("ann@a.example", both[0]) == ("reject", "550 5.7.9")
        assert judged("later@a.example", both[1]) == ("tempfail", "451 4.7.9")
    finally:
        daemon.close()


def test_a_client_that_keeps_filters_busy_keeps_no_other_waiting(new_daemon: NewDaemon) -> None:
    """Four questions at a time, one of them of one client."""
    daemon = new_daemon(filters='["staged"]', count=1)
    gate = Gate.at(daemon.folder / "gate")
    settings = f'[filters.staged]\ngate = "{gate.path}"\n[stages]\nsessions = 4\ntimeout = 60.0\n'
    daemon.configure(filters='["staged"]', count=1, more=settings)
    assert daemon.asked("reload")["reloaded"]
    with (
        MilterClient(daemon.socket) as busy,
        MilterClient(daemon.socket) as same,
        MilterClient(daemon.socket) as other,
    ):
        for client, address in ((busy, b"192.0.2.7"), (same, b"192.0.2.7"), (other, b"192.0.2.8")):
            client.hello(b"ok", address)
            client.say(Mail((b"<ann@a.example>",)))
        busy.write(Rcpt((b"<wait@mx.example.test>",)).encode().encode())
        gate.wait_until_inside()
        same.write(Rcpt((b"<joe@mx.example.test>",)).encode().encode())
        assert other.told(Rcpt((b"<joe@mx.example.test>",))) == "continue"
        assert same.silent_for(0.2)
        gate.open()
        assert Outcome(same.reply()).word == "continue"
        assert Outcome(busy.reply()).word == "continue"
