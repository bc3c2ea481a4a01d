"""Many messages at a time, of every kind, while the daemon reloads and workers die: none is lost.

Every message carries a Message-ID of its own. At the end each of them is where its reply said it
would be, in a mailbox or in the store, once, and nowhere else; and the daemon's log names it once.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pytest

from tests.helpers import messages
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.clamd import Clamd
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.smtp import Conversation

CLIENTS = 4
"""Connections at a time; more than there are workers."""

ROUNDS = 3
"""Messages of every kind that each client sends."""

RELOADS = 3


@dataclass(frozen=True)
class Fate:
    """What becomes of a message: the reply's code, copies in the mailbox, copies in the store."""

    code: int
    delivered: int
    stored: int


def told(order: str) -> Callable[[], bytes]:
    return lambda: messages.told(order)


def stripped() -> bytes:
    return messages.multipart([("tool.exe", messages.program())])


KINDS: Mapping[str, tuple[Callable[[], bytes], Fate]] = {
    "clean": (messages.message, Fate(250, 1, 0)),
    "labelled": (told("score=6"), Fate(250, 1, 0)),
    "stripped": (stripped, Fate(250, 1, 1)),
    "held": (told("score=9"), Fate(250, 0, 1)),
    "discarded": (told("discard"), Fate(250, 0, 1)),
    "spam": (messages.gtube, Fate(550, 0, 1)),
    "virus": (messages.eicar_zip, Fate(554, 0, 1)),
    "tempfail": (told("tempfail"), Fate(451, 0, 0)),
    # Kept for people who want to know what broke a filter.
    "raises": (told("raise"), Fate(451, 0, 1)),
    "dies": (told("die"), Fate(451, 0, 1)),
    "slow": (told("sleep=0.2"), Fate(250, 1, 0)),
}


@pytest.fixture
def daemon(clamd: Clamd) -> Iterator[Filterd]:
    with folder("accounting") as path:
        server = Filterd(path, clamd.socket)
        server.start()
        yield server
        server.stop()


@pytest.fixture(params=MTAS)
def mta(request: pytest.FixtureRequest, daemon: Filterd) -> Iterator[Mta]:
    with folder(request.param) as path:
        server = MTAS[request.param](path, filterd=f"unix:{daemon.socket}")
        server.start()
        yield server
        server.stop()


class Client(threading.Thread):
    """Sends every kind of message, ROUNDS times, on one connection. codes: by Message-ID."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(name=f"client {number}")
        self._port = port
        self._number = number
        self.codes: dict[str, int] = {}

    def run(self) -> None:
        with Conversation(self._port) as client:
            client.ehlo()
            for turn in range(ROUNDS):
                for kind, (make, _) in KINDS.items():
                    name = f"<{kind}.{self._number}.{turn}@client.example>"
                    data = make().replace(b"<m1@client.example>", name.encode(), 1)
                    self.codes[name] = client.transaction(data).final.code
            client.quit()


def reloaded(daemon: Filterd, times: int) -> bool:
    """True once the daemon has read its settings anew that often."""
    return daemon.process.output.count("reloaded, chain") == times


def kind_of(name: str) -> str:
    return name.strip("<").partition(".")[0]


def test_every_message_is_accounted_for(mta: Mta, daemon: Filterd) -> None:
    clients = [Client(mta.port, number) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for number in range(1, RELOADS + 1):
        daemon.process.signal(signal.SIGHUP)
        wait_for("a reload", partial(reloaded, daemon, number))
    for client in clients:
        client.join()
    codes = {name: code for client in clients for name, code in client.codes.items()}
    assert len(codes) == CLIENTS * ROUNDS * len(KINDS)
    expected = {name: KINDS[kind_of(name)][1] for name in codes}

    assert codes == {name: fate.code for name, fate in expected.items()}

    mail = mta.mail(sum(fate.delivered for fate in expected.values()))
    mta.settled()
    assert mta.mailboxes == {}
    boxes = Counter(one.value("Message-ID") for one in mail)
    assert boxes == Counter({n: fate.delivered for n, fate in expected.items() if fate.delivered})

    store = Counter(daemon.entry(id).message_id for id in daemon.stored)
    assert store == Counter({n: fate.stored for n, fate in expected.items() if fate.stored})

    # A line is written after its reply.
    wait_for("the last lines of the log", lambda: len(daemon.log_lines()) >= len(codes))
    lines = daemon.log_lines()
    assert Counter(line["message_id"] for line in lines) == Counter(list(codes))
    assert len({line["id"] for line in lines}) == len(lines)
    assert daemon.stored <= {line["id"] for line in lines}
    assert not list((daemon.folder / "spool").iterdir())
