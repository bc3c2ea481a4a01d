"""clamd with one signature, EICAR's, so that no virus database has to be fetched."""

from __future__ import annotations

import os
import pwd
import socket
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
