"""The daemon stopped, killed and restarted: nothing is lost, the answer is the one F= promises.

Each message carries its own subject, so that "delivered once" can be counted.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.helpers import messages
from tests.helpers.gate import Gate
from tests.helpers.process import folder, listens, wait_for
from tests.helpers.servers import sendmail as sendmail_server
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mta import Mta, postfix_with, sendmail_with
from tests.helpers.servers.own_mta import OwnMta
from tests.helpers.servers.postfix import Postfix
from tests.helpers.servers.sendmail import Sendmail
from tests.helpers.smtp import Conversation, Reply, send, stuffed

numbers = count(1)


def numbered(*fields: bytes) -> tuple[str, bytes]:
    """A message and its subject, which no other has."""
    subject = f"message {next(numbers)}"
    return subject, messages.message(messages.CLEAN_BODY, *fields, subject=subject)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """The daemon's folder, which outlives the daemon."""
    with folder("mortal") as path:
        yield path


@pytest.fixture(scope="module")
def mortal(place: Path) -> Filterd:
    """The daemon, whether it runs or not."""
    return Filterd(place, patient=True)


@pytest.fixture
def filterd(mortal: Filterd) -> Filterd:
    """The daemon, running; the test may kill it and need not start it again."""
    if not mortal.process.running:
        mortal.start()
    return mortal


@dataclass(frozen=True)
class Promise:
    """What the client is to see: at the first refusal while the daemon is down, and after the dot
    when it breaks off. None: the message is accepted and delivered unexamined."""

    down: str | None
    broken_off: str | None


SENDMAIL = {
    "T": Promise("451 4.3.2 Please try again later", "451 4.3.2 Please try again later"),
    "R": Promise("554 mx.example.test ESMTP not accepting", "554 5.7.1 Command rejected"),
    "4": Promise("421 4.7.0 mx.example.test closing", "421 4.7.0 mx.example.test closing"),
    "": Promise(None, None),
}

POSTFIX = {
    "tempfail": Promise("451 4.7.1 Service unavailable", "451 4.7.1 Service unavailable"),
    "reject": Promise("554 mx.example.test ESMTP not accepting", "550 5.5.0 Service unavailable"),
    "accept": Promise(None, None),
    "quarantine": Promise(None, None),
}

CASES = [
    *[("sendmail", flags) for flags in SENDMAIL],
    ("own", "T"),
    ("own", ""),
    *[("postfix", action) for action in POSTFIX],
]

FAIL_SOFT = pytest.mark.parametrize(
    "case",
    [("sendmail", "T"), ("own", "T"), ("postfix", "tempfail")],
    ids=lambda case: case[0],
    indirect=True,
)
"""For what does not depend on the failure action: the recommended one of each."""


@dataclass(frozen=True)
class Case:
    """An MTA with one failure action. port: where it is in force."""

    mta: Mta
    port: int
    promise: Promise
    action: str


@pytest.fixture(scope="module")
def postfix(place: Path) -> Iterator[Postfix]:
    """One Postfix, a port for each default action."""
    with folder("postfix") as path:
        server = Postfix(
            path,
            f"smtpd_milters = unix:{place}/filterd.sock\nmilter_content_timeout = 20s\n",
            [f"-o milter_default_action={action}" for action in POSTFIX],
        )
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1] or 'none'}")
def case(request: pytest.FixtureRequest, place: Path) -> Iterator[Case]:
    """Every MTA with every failure action."""
    family, action = request.param
    socket = f"unix:{place}/filterd.sock"
    if family == "postfix":
        server = request.getfixturevalue("postfix")
        port = server.ports[f"-o milter_default_action={action}"]
        yield Case(server, port, POSTFIX[action], action)
        return
    with folder(family) as path:
        mta: Mta
        if family == "sendmail":
            mta = Sendmail(path, sendmail_server.snippet(socket, action, "C:5s;S:5s;R:5s;E:30s"))
        else:
            flags = f"F={action}, " if action else ""
            mta = OwnMta(path, [f"filterd, S={socket}, {flags}T=C:5s;S:5s;R:5s;E:30s"])
        mta.start()
        yield Case(mta, mta.port, SENDMAIL[action], action)
        mta.stop()


def answer(port: int, data: bytes, meanwhile: Callable[[], object] | None = None) -> Reply:
    """The reply that decides about a message, which may be the greeting.

    meanwhile: done once the message is sent up to the final dot.
    """
    with Conversation(port) as client:
        if client.greeting.code != 220:
            return client.greeting
        client.ehlo()
        if meanwhile is None:
            return client.transaction(data).final
        assert client.say("MAIL FROM:<ann@client.example>").code == 250
        assert client.say("RCPT TO:<joe@mx.example.test>").code == 250
        assert client.say("DATA").code == 354
        client.send(stuffed(data).removesuffix(b".\r\n"))
        meanwhile()
        client.send(b".\r\n")
        return client.read()


def kept_promise(case: Case, reply: Reply, promised: str | None, subject: str) -> None:
    """The reply is the promised one, and the message is where that reply says it is."""
    if promised is not None:
        assert str(reply).startswith(promised)
        case.mta.settled()
        assert case.mta.mailboxes == {}
        return
    assert reply.code == 250
    if case.action == "quarantine":
        queue_id = reply.text.rpartition(" ")[2]
        wait_for("the message on hold", lambda: f"{queue_id}!" in case.mta.held())
        assert isinstance(case.mta, Postfix)
        case.mta.run("postsuper", "-d", queue_id)
        return
    (mail,) = case.mta.mail()
    assert mail.value("Subject") == subject
    assert mail.values("X-Spam-Status") == [], "nobody can have examined it"


def delivered_when_it_comes_again(case: Case, filterd: Filterd, subject: str, data: bytes) -> None:
    """After a restart the message passes, examined, once."""
    filterd.start()
    assert answer(case.port, data).code == 250
    (mail,) = case.mta.mail()
    assert mail.value("Subject") == subject
    assert mail.values("X-Spam-Status") != []
    case.mta.settled()
    assert case.mta.mailboxes == {}


def test_daemon_stopped_and_started_again(case: Case, filterd: Filterd) -> None:
    subject, data = numbered()
    filterd.stop()
    assert not filterd.socket.exists()

    reply = answer(case.port, data)

    kept_promise(case, reply, case.promise.down, subject)
    delivered_when_it_comes_again(case, filterd, subject, data)


def test_daemon_killed_between_data_and_dot(case: Case, filterd: Filterd) -> None:
    subject, data = numbered()

    reply = answer(case.port, data, meanwhile=filterd.kill)

    kept_promise(case, reply, case.promise.broken_off, subject)
    assert filterd.socket.exists(), "a stale socket file is what the restart has to cope with"
    delivered_when_it_comes_again(case, filterd, subject, data)


def test_daemon_killed_while_it_examines(case: Case, filterd: Filterd, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    subject, data = numbered(f"X-Obey: {gate.order}".encode())
    with Conversation(case.port) as client:
        client.ehlo()
        client.say("MAIL FROM:<ann@client.example>")
        client.say("RCPT TO:<joe@mx.example.test>")
        client.say("DATA")
        client.send(stuffed(data))
        gate.wait_until_inside()
        filterd.kill()
        reply = client.read()

    kept_promise(case, reply, case.promise.broken_off, subject)
    wait_for("the orphaned workers' end", lambda: not filterd.processes)
    delivered_when_it_comes_again(case, filterd, *numbered())


@FAIL_SOFT
def test_the_session_after_a_failure(case: Case, filterd: Filterd) -> None:
    """The rest of a session goes without the filter, as F= says; the next session has it again."""
    with Conversation(case.port) as client:
        client.ehlo()
        assert client.transaction(numbered()[1]).final.code == 250
        filterd.kill()
        filterd.start()
        first = client.transaction(numbered()[1]).final
        second = client.transaction(numbered()[1]).final

    assert (first.code, second.code) == (451, 451)
    case.mta.mail()
    subject, data = numbered()
    assert answer(case.port, data).code == 250
    (mail,) = case.mta.mail()
    assert mail.value("Subject") == subject
    assert mail.values("X-Spam-Status") != []


@pytest.fixture(scope="module", params=["sendmail", "postfix"])
def impatient(request: pytest.FixtureRequest, place: Path, postfix: Postfix) -> Iterator[Mta]:
    """An MTA that waits a few seconds for each answer, then calls the filter failed.

    sendmail counts whole seconds: of `R:1s` nothing is left where the clock ticks meanwhile.
    """
    socket = f"unix:{place}/filterd.sock"
    with folder("impatient") as path:
        if request.param == "postfix":
            mta: Mta = postfix_with(path, f"{{ {socket}, content_timeout=3s }}")
        else:
            mta = Sendmail(path, sendmail_server.snippet(socket, "T", "C:5s;S:5s;R:4s;E:60s"))
        mta.start()
        yield mta
        mta.stop()


def test_progress_keeps_an_impatient_mta_waiting(impatient: Mta, filterd: Filterd) -> None:
    """Six seconds of examination, less patience, a PROGRESS every half."""
    _, data = numbered(b"X-Obey: sleep=6")

    assert answer(impatient.port, data).code == 250

    impatient.mail()


@FAIL_SOFT
def test_sigterm_lets_the_message_in_flight_finish(
    case: Case, filterd: Filterd, tmp_path: Path
) -> None:
    gate = Gate(tmp_path)
    subject, data = numbered(f"X-Obey: {gate.order}".encode())
    with Conversation(case.port) as client:
        client.ehlo()
        client.say("MAIL FROM:<ann@client.example>")
        client.say("RCPT TO:<joe@mx.example.test>")
        client.say("DATA")
        client.send(stuffed(data))
        gate.wait_until_inside()
        filterd.process.signal(signal.SIGTERM)
        wait_for("no new sessions", lambda: not listens(filterd.socket))
        gate.open()
        reply = client.read()

    assert reply.code == 250
    (mail,) = case.mta.mail()
    assert mail.value("Subject") == subject
    assert mail.value("X-Spam-Status").startswith("No, ")
    assert filterd.process.wait() == 0
    wait_for("the workers' end", lambda: not filterd.processes)


def test_sighup_reloads_without_dropping_the_session(place: Path) -> None:
    """New thresholds count for the next message of a session; a bad file changes nothing."""
    data = messages.message(messages.CLEAN_BODY, b"X-Obey: score=6")
    with folder("reloaded") as path, folder("sendmail") as mta_path:
        daemon = Filterd(path)
        daemon.start()
        mta = sendmail_with(mta_path, filterd=f"unix:{daemon.socket}")
        mta.start()
        with Conversation(mta.port) as client:
            client.ehlo()
            assert client.transaction(data).final.code == 250

            daemon.configure(more="[policy]\nquarantine = 5.5\nreject = 5.9\n")
            daemon.process.signal(signal.SIGHUP)
            wait_for("the reload", lambda: "reloaded, chain" in daemon.process.output)
            assert str(client.transaction(data).final).startswith("550 5.7.1")

            daemon.configure(more="[policy]\nreject = 5.9\nrejekt = 7\n")
            daemon.process.signal(signal.SIGHUP)
            wait_for("the refusal", lambda: "not reloaded" in daemon.process.output)
            assert "rejekt" in daemon.process.output
            assert str(client.transaction(data).final).startswith("550 5.7.1")
        mta.mail()
        mta.stop()
        daemon.stop()


def test_no_worker_free_is_answered_at_once(place: Path, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    with folder("busy") as path, folder("sendmail") as mta_path:
        daemon = Filterd(path, patient=True)
        text = daemon.configuration.read_text().replace("count = 2", "count = 1\nqueue = 0")
        daemon.configuration.write_text(text)
        daemon.start()
        mta = sendmail_with(mta_path, filterd=f"unix:{daemon.socket}")
        mta.start()
        with Conversation(mta.port) as slow:
            slow.ehlo()
            slow.say("MAIL FROM:<ann@client.example>")
            slow.say("RCPT TO:<joe@mx.example.test>")
            slow.say("DATA")
            slow.send(stuffed(numbered(f"X-Obey: {gate.order}".encode())[1]))
            gate.wait_until_inside()
            # Answered while the other message is still being examined.
            reply = send(mta.port, numbered()[1]).final
            assert str(reply).startswith("451 4.3.0 Too busy to check the message")
            gate.open()
            assert slow.read().code == 250

        mta.mail()
        mta.stop()
        daemon.stop()


@FAIL_SOFT
def test_a_client_that_vanishes_leaves_nothing_behind(case: Case, filterd: Filterd) -> None:
    for until in ("MAIL", "RCPT", "DATA", "body"):
        client = Conversation(case.port)
        client.ehlo()
        client.say("MAIL FROM:<ann@client.example>")
        if until != "MAIL":
            client.say("RCPT TO:<joe@mx.example.test>")
        if until in ("DATA", "body"):
            client.say("DATA")
        if until == "body":
            client.send(messages.message())
        client.vanish()

    subject, data = numbered()
    assert answer(case.port, data).code == 250
    (mail,) = case.mta.mail()
    assert mail.value("Subject") == subject
    assert not list((filterd.folder / "spool").iterdir())
