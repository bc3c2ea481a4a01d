"""clamd with one signature, EICAR's, so that no virus database has to be fetched."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pwd
import socket
import tarfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.helpers.messages import EICAR
from tests.helpers.process import START_LIMIT, Program, free_port, listens, require, wait_for

SIGNATURE = "Eicar-Test-Signature"
VIRUS = f"{SIGNATURE}.UNOFFICIAL"
"""What clamd calls the find: signatures that are not ClamAV's own get that ending."""

ASK_AGAIN = 3.0
"""Seconds after which RELOAD is said once more."""


class Clamd:
    """clamd on the unix socket `socket` and on 127.0.0.1:`port`. more: lines of its settings."""

    def __init__(self, folder: Path, more: str = "") -> None:
        program = require("clamd", "clamav-daemon")
        self.folder = folder
        self.socket = folder / "clamd.sock"
        self.port = free_port()
        database = folder / "database"
        database.mkdir()
        # NAME:TYPE (0 any file):OFFSET (* anywhere):HEX
        (database / "test.ndb").write_text(f"{SIGNATURE}:0:*:{EICAR.hex()}\n")
        user = pwd.getpwuid(os.getuid()).pw_name
        (folder / "clamd.conf").write_text(
            f"""\
DatabaseDirectory {database}
LocalSocket {self.socket}
LocalSocketMode 666
TCPSocket {self.port}
TCPAddr 127.0.0.1
FixStaleSocket yes
Foreground yes
LogFile {folder}/log
User {user}
TemporaryDirectory {folder}
MaxThreads 4
SelfCheck 0
{more}"""
        )
        self.process = Program([program, "-c", folder / "clamd.conf"], folder, patience=2)

    def start(self) -> None:
        self.process.start(lambda: listens(self.socket))

    @property
    def database(self) -> Path:
        """The folder of its signatures."""
        return self.folder / "database"

    def add(self, name: bytes, needle: bytes) -> None:
        """One more signature, read at the next start: content with these octets has that name."""
        with (self.database / "more.ndb").open("ab") as file:
            file.write(b"%s:0:*:%s\n" % (name, needle.hex().encode()))

    def set_age(self, days: int) -> None:
        """A daily database that was made that long ago, read at the next start."""
        (self.database / "daily.cud").write_bytes(daily(days))

    def tell(self, command: str) -> str:
        """Say one word of its protocol, `RELOAD` for instance; its answer."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect(str(self.socket))
            peer.sendall(f"n{command}\n".encode())
            return peer.recv(4096).decode().strip()

    @property
    def reloads(self) -> int:
        """How often its log says that it has read its signatures anew."""
        return (self.folder / "log").read_text().count("Database correctly reloaded")

    def reload(self) -> None:
        """Have it read its signatures anew, and wait until it has. clamd answers RELOADING to each
        request, but drops one that comes while it ends the last reload, which it has logged by
        then: so it is asked until another one is logged."""
        before, end = self.reloads, time.monotonic() + START_LIMIT
        while self.reloads == before:
            assert time.monotonic() < end, f"no reload within {START_LIMIT} s"
            assert self.tell("RELOAD") == "RELOADING"
            with contextlib.suppress(AssertionError):
                wait_for("the reload", lambda: self.reloads > before, ASK_AGAIN)

    def stop(self) -> None:
        self.process.stop()
        self.socket.unlink(missing_ok=True)


def daily(days: int) -> bytes:
    """A daily database of that age with one signature, in the form that needs nobody's key."""
    built = datetime.now(UTC) - timedelta(days=days, hours=1)
    told = f"{built:%d %b %Y %H-%M +0000}:27450:1:90:{'0' * 32}:sig:builder:{built.timestamp():.0f}"
    header = f"ClamAV-VDB:{told}"
    signature = b"Daily-Test:0:*:" + b"the daily test".hex().encode() + b"\n"
    info = f"{header}\ndaily.ndb:{len(signature)}:{hashlib.sha256(signature).hexdigest()}\n"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in (("daily.info", info.encode()), ("daily.ndb", signature)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return header.encode().ljust(512) + packed.getvalue()
