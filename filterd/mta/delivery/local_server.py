"""Delivery to a server of this machine by SMTP or LMTP: over a unix socket, or to a program that
speaks on its standard input and output, as mail.local and Dovecot's or Cyrus's deliver do.

Source: sendmail 8.17 `deliver.c` (makeconnection_ds, deliver), `cf/feature/local_lmtp.m4`.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from filterd.mta.delivery.client import LHLO, connected, wire_form
from filterd.mta.delivery.lines import limited
from filterd.mta.delivery.program import DeliveryProgram
from filterd.mta.delivery.transaction import (
    CONNECT_TIMEOUT,
    OutgoingMail,
    Result,
    conversation,
)

END_TIMEOUT = 10.0
"""Seconds that a program may take after its last reply, until it is killed."""


@dataclass(frozen=True, slots=True)
class SocketServer:
    """A server on a unix socket. path: the socket."""

    path: str

    @contextmanager
    def opened(self) -> Iterator[tuple[str, socket.socket | None]]:
        yield self.path, None


@dataclass(frozen=True, slots=True)
class ProgramServer:
    """A program that is started for one message. user: whose it is, "" for nobody's."""

    program: DeliveryProgram
    user: str = ""

    @contextmanager
    def opened(self) -> Iterator[tuple[str, socket.socket | None]]:
        """Its path, and the connection to it. Raises DeliveryError if it cannot be started."""
        ours, its = socket.socketpair()
        with ours:
            with its:
                child = self.program.start(its, self.user)
            try:
                yield self.program.path, ours
            finally:
                ours.close()
                _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(END_TIMEOUT)
        return
    child.kill()
    child.wait()


@dataclass(frozen=True, slots=True)
class LocalMailer:
    """Sends messages to such a server. helo: our name. hello: how it is greeted, EHLO, HELO or
    LHLO. line_limit: octets of a line that it takes, 0 for no limit."""

    server: SocketServer | ProgramServer
    helo: str
    hello: str
    line_limit: int = 0

    def deliver(self, mail: OutgoingMail) -> list[Result]:
        """What became of each recipient, in order. Raises DeliveryError for all of them."""
        with self.server.opened() as (name, peer):
            connect = partial(
                connected, name, 0, self.helo, CONNECT_TIMEOUT, hello=self.hello, peer=peer
            )
            return conversation(connect, name, mail, self._wired, lmtp=self.hello == LHLO)

    def _wired(self, message: bytes) -> bytes:
        return wire_form(limited(message, self.line_limit))[0]
