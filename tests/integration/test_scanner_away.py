"""clamd is dead, silent or talks nonsense: no message passes as scanned that was not.

What then happens is the filter's `on_error`; a virus is found as soon as any clamd answers.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import messages
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.clamd import VIRUS, Clamd
from tests.helpers.servers.filterd import Filterd, id_in
from tests.helpers.servers.mta import MTAS, Mta, sendmail_with
from tests.helpers.servers.own_mta import OwnMta
from tests.helpers.smtp import Conversation, Reply, send

UNCHECKED = "451 4.3.0 Message could not be checked, please try again later (id="


@pytest.fixture
def clamd() -> Iterator[Clamd]:
    """A clamd that the test may stop."""
    with folder("clamd-away") as path:
        server = Clamd(path)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def daemon() -> Iterator[Filterd]:
    """The daemon; each test says where its clamd is."""
    with folder("scanner-away") as path:
        server = Filterd(path, path / "no-clamd.sock")
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module", params=MTAS)
def mta(request: pytest.FixtureRequest, daemon: Filterd) -> Iterator[Mta]:
    with folder(request.param) as path:
        server = MTAS[request.param](path, filterd=f"unix:{daemon.socket}")
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def sendmail(daemon: Filterd) -> Iterator[Mta]:
    """For what cannot depend on the MTA."""
    with folder("sendmail") as path:
        server = sendmail_with(path, filterd=f"unix:{daemon.socket}")
        server.start()
        yield server
        server.stop()


def reloaded(daemon: Filterd, clamd: Path, more: str = "", servers: str = "") -> None:
    """Give the running daemon other settings of `[filters.clamav]`.

    servers: TOML for `server`, in the place of that clamd's socket.
    """
    daemon.configure(clamd, more)
    if servers:
        text = daemon.configuration.read_text()
        daemon.configuration.write_text(text.replace(f'server = "unix:{clamd}"', servers))
    before = daemon.process.output.count("reloaded, chain")
    daemon.process.signal(signal.SIGHUP)
    wait_for("the reload", lambda: daemon.process.output.count("reloaded, chain") > before)


class StubbornScanner:
    """A clamd on `path` that takes every message and then says `answer`, or nothing at all."""

    def __init__(self, path: Path, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._peers: list[socket.socket] = []
        self._serving = threading.Thread(target=self._serve, daemon=True)
        self._serving.start()

    def __enter__(self) -> StubbornScanner:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._peers):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._serving.join()
        for one in (self._listener, *self._peers):
            one.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._peers.append(peer)
            if self._answer:
                # INSTREAM ends with a chunk of length 0.
                seen = b""
                while not seen.endswith(b"\0\0\0\0") and (data := peer.recv(65536)):
                    seen += data
                # Who read the first line of it may have had enough.
                with contextlib.suppress(OSError):
                    peer.sendall(self._answer)


def answer(mta: Mta, data: bytes) -> Reply:
    return send(mta.port, data).final


def test_a_dead_scanner_delays_mail_until_it_is_back(
    mta: Mta, daemon: Filterd, clamd: Clamd
) -> None:
    """All on one SMTP connection: scanned, not scanned, scanned again."""
    reloaded(daemon, clamd.socket)
    before = daemon.stored
    with Conversation(mta.port) as client:
        client.ehlo()
        assert client.transaction(messages.message()).final.code == 250
        clamd.stop()
        clean = client.transaction(messages.message()).final
        virus = client.transaction(messages.eicar()).final
        clamd.start()
        assert client.transaction(messages.message()).final.code == 250
        found = client.transaction(messages.eicar()).final
        client.quit()

    assert str(clean).startswith(UNCHECKED)
    assert str(virus).startswith(UNCHECKED)
    assert str(found).startswith("554 5.7.0 ")
    assert daemon.stored - before == {id_in(found.text)}
    assert [mail.value("X-Virus-Status") for mail in mta.mail(2)] == ["Clean", "Clean"]
    mta.settled()
    assert mta.mailboxes == {}
    (line,) = (one for one in daemon.log_lines() if one["id"] == id_in(clean.text))
    assert line["action"] == "tempfail"
    assert "CLAMAV_FAILED" in str(line["symbols"])
    if not isinstance(mta, OwnMta):
        wait_for("the id in the log", lambda: id_in(clean.text) in mta.log)


def test_a_silent_scanner_costs_its_time(sendmail: Mta, daemon: Filterd) -> None:
    path = daemon.folder / "silent.sock"
    reloaded(daemon, path, "timeout = 1.0\n")
    with StubbornScanner(path, b""):
        reply = answer(sendmail, messages.message())

    assert str(reply).startswith(UNCHECKED)
    assert daemon.last()["failures"] == "clamav:timeout: no opinion within 1.0 s"


@pytest.mark.parametrize(
    "said",
    [b"stream: Eicar\n", b"\xff\xfe\n", b"\n" * 3],
    ids=["cut short", "no text", "nothing"],
)
def test_nonsense_is_no_clean_bill(sendmail: Mta, daemon: Filterd, said: bytes) -> None:
    path = daemon.folder / "nonsense.sock"
    path.unlink(missing_ok=True)
    reloaded(daemon, path)
    with StubbornScanner(path, said):
        assert str(answer(sendmail, messages.eicar())).startswith(UNCHECKED)
    sendmail.settled()
    assert sendmail.mailboxes == {}


def test_on_error_continue_delivers_and_does_not_say_clean(sendmail: Mta, daemon: Filterd) -> None:
    reloaded(daemon, daemon.folder / "no-clamd.sock", 'on_error = "continue"\n')

    assert answer(sendmail, messages.message()).code == 250

    (mail,) = sendmail.mail()
    assert mail.values("X-Virus-Status") == []
    assert mail.values("X-Virus-Scanned") == []
    assert mail.value("X-Spam-Status").endswith("tests=CLAMAV_FAILED")


def test_on_error_quarantine_holds(sendmail: Mta, daemon: Filterd) -> None:
    reloaded(daemon, daemon.folder / "no-clamd.sock", 'on_error = "quarantine"\n')
    before = daemon.stored

    assert answer(sendmail, messages.eicar()).code == 250

    (id,) = daemon.stored - before
    assert (daemon.entry(id).reason, daemon.entry(id).action) == ("failed", "quarantine")
    assert daemon.original(id) == messages.eicar()
    sendmail.settled()
    assert sendmail.mailboxes == {}


def test_the_second_scanner_is_asked_where_the_first_is_away(
    sendmail: Mta, daemon: Filterd, clamd: Clamd
) -> None:
    """The second over TCP."""
    servers = f'server = ["unix:{daemon.folder}/no-clamd.sock", "tcp:127.0.0.1:{clamd.port}"]'
    reloaded(daemon, clamd.socket, servers=servers)

    assert answer(sendmail, messages.message()).code == 250
    reply = answer(sendmail, messages.eicar_zip())

    assert str(reply).startswith("554 5.7.0 ")
    assert daemon.entry(id_in(reply.text)).virus == VIRUS
    assert sendmail.mail()[0].value("X-Virus-Status") == "Clean"
