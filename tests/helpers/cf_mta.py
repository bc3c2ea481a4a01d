"""The MTA of a sendmail.cf of a few lines on a loopback port, and what one says to it."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

from filterd.mta.queue.spool import Spool
from filterd.mta.sendmail.cf_files import checked, parse_cf
from filterd.mta.sendmail.site import site
from filterd.mta.server import ReferenceMta
from filterd.mta.settings import MtaSettings

HEAD = """\
V10/Berkeley
Djmx.test
DZours
Cwmx.test
O OperatorChars=.:%@!^/[]+
O QueueDirectory=/nowhere
Mlocal, P=/bin/true, F=lsDFMPnq, A=true $u
Mesmtp, P=[IPC], F=mDFMuX, A=TCP $h 9
Scanonify=3
R<>\t\t$@ < @ >
R$* < $* > $*\t$2
R$* @ $+\t\t$: $1 < @ $2 >
Sparse=0
R$* < @ $=w >\t$#local $: $1
R< @ >\t\t$#local $: <>
R$* < @ $* >\t$#esmtp $@ $2 $: $1 < @ $2 >
R$*\t\t$#local $: $1
Sfinal=4
R$* < @ $* > $*\t$1 @ $2 $3
"""
"""mx.test is local, everything else goes to other hosts (and finds nobody there)."""

MESSAGE = "From: <ann@x.test>\r\nSubject: {subject}\r\n{more}\r\nbody\r\n.\r\n"


@dataclass
class CfMta:
    """A running MTA. spool: its queue."""

    port: int = 0
    spool: Path = Path()
    _stop: threading.Event = field(default_factory=threading.Event)

    def queued(self) -> list[str]:
        """Why each message in the queue is there: its quarantine reason, or "" for a delivery."""
        return [entry.held or "" for entry in Spool(self.spool).entries()]

    def messages(self) -> list[bytes]:
        """The messages in the queue."""
        spool = Spool(self.spool)
        return [spool.message(entry) for entry in spool.entries()]

    def held(self) -> list[str]:
        return [entry.held or "" for entry in Spool(self.spool).held()]

    def play(self, script: str, source: str = "127.0.0.2") -> None:
        """`S:` lines are what the server must say, `C:` lines what the client does.

        `C: .SUBJECT` is a message with that subject. Reply lines that a script leaves out may be
        EHLO's. `ID` stands for a queue id, `S:` alone for the end of the connection.
        """
        with socket.create_connection(
            ("127.0.0.1", self.port), timeout=60, source_address=(source, 0)
        ) as peer:
            file = peer.makefile("rb")
            for line in filter(None, map(str.strip, script.splitlines())):
                side, _, text = line.partition(":")
                text = text.removeprefix(" ")
                if side == "C" and text.startswith("."):
                    subject, _, more = text[1:].partition("|")
                    fields = "".join(f"{one}\r\n" for one in more.split("|") if one)
                    data = MESSAGE.format(subject=subject, more=fields)
                    peer.sendall(data.encode("utf-8", "surrogateescape"))
                elif side == "C":
                    peer.sendall(text.encode("utf-8", "surrogateescape") + b"\r\n")
                else:
                    said = _reply(file.readline, skips=text.startswith("250 mx.test Hello"))
                    assert said == text, f"{said!r} is not {text!r}"


def _reply(readline, *, skips: bool) -> str:  # type: ignore[no-untyped-def]
    line = readline().decode("ascii", "replace").rstrip("\r\n")
    first = line
    while skips and line[3:4] == "-":
        line = readline().decode("ascii", "replace").rstrip("\r\n")
    if skips:
        first = first[:3] + " " + first[4:]
    first = re.sub(r"; \w{3}, .*", "", first)
    return re.sub(r"\b[0-9A-Za-z]{8}\d{6}\b", "ID", first)


@contextmanager
def cf_mta(folder: Path, text: str, head: str = HEAD, **changes: object) -> Iterator[CfMta]:
    """Run the MTA of head and text in a thread. changes: settings that replace the file's."""
    text = head + text
    made = site(checked(parse_cf(text)), spool=folder / "spool", port=0)
    settings: MtaSettings = replace(made.settings, listen="127.0.0.1", **changes)  # type: ignore[arg-type]
    listeners = tuple(replace(one, address="127.0.0.1") for one in made.listeners)
    made = replace(made, settings=settings, listeners=listeners)
    mta, ready, errors = CfMta(spool=settings.spool), threading.Event(), []

    async def serve() -> None:
        try:
            async with ReferenceMta.from_cf(made) as server:
                mta.port = server.port
                ready.set()
                await asyncio.to_thread(mta._stop.wait)
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            ready.set()

    async def nobody(address: str, port: int) -> tuple[str, str]:
        del address, port
        return "", ""

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    # No name server is asked: only localhost has a name.
    with mock.patch("filterd.mta.handler.name_of", nobody):
        thread.start()
        ready.wait()
        assert not errors, errors
        try:
            yield mta
        finally:
            mta._stop.set()
            thread.join()
