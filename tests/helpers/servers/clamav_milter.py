"""clamav-milter: a filter that is not ours, to stand in line with."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from tests.helpers.process import Program, listens, require


class ClamavMilter:
    """clamav-milter on the unix socket `socket`, asking the clamd at `clamd`; refuses viruses."""

    def __init__(self, folder: Path, clamd: Path) -> None:
        program = require("clamav-milter", "clamav-milter")
        self.socket = folder / "milter.sock"
        # LocalNet is set to a network nobody comes from: its default lets loopback pass unseen.
        (folder / "milter.conf").write_text(
            f"""\
MilterSocket unix:{self.socket}
MilterSocketMode 666
FixStaleSocket yes
User {pwd.getpwuid(os.getuid()).pw_name}
Foreground yes
ClamdSocket unix:{clamd}
LocalNet 192.0.2.0/24
OnClean Accept
OnInfected Reject
OnFail Defer
RejectMsg other filter found %v
AddHeader Replace
ReportHostname mx.example.test
LogFile {folder}/log
LogInfected Full
TemporaryDirectory {folder}
"""
        )
        self.process = Program([program, "-c", folder / "milter.conf"], folder, patience=0.2)

    def start(self) -> None:
        self.process.start(lambda: listens(self.socket))

    def stop(self) -> None:
        self.process.stop()
