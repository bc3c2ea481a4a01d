"""clamd with one signature, EICAR's, so that no virus database has to be fetched."""

from __future__ import annotations

import hashlib
import io
import os
import pwd
import socket
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.helpers.messages import EICAR
from tests.helpers.process import Program, free_port, listens, require

SIGNATURE = "Eicar-Test-Signature"
VIRUS = f"{SIGNATURE}.UNOFFICIAL"
"""What clamd calls the find: signatures that are not ClamAV's own get that ending."""


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
