"""OpenDKIM, signing or verifying: a filter that adds a field on top, to stand in line with."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.helpers.process import Program, listens, require


class Opendkim:
    """opendkim on the unix socket `socket`; signs mail from client.example, or verifies (mode v).

    more: further lines of its configuration.
    """

    def __init__(self, folder: Path, mode: str = "s", more: str = "") -> None:
        program = require("opendkim", "opendkim")
        generate = require("opendkim-genkey", "opendkim-tools")
        subprocess.run(
            [generate, "--bits=1024", "--domain=client.example", "--selector=test"],
            cwd=folder,
            check=True,
        )
        self.socket = folder / "dkim.sock"
        (folder / "opendkim.conf").write_text(
            f"""\
Syslog no
Mode {mode}
Domain client.example
Selector test
KeyFile {folder}/test.private
Socket local:{self.socket}
PidFile {folder}/pid
{"InternalHosts 127.0.0.1" if mode == "s" else "InternalHosts 192.0.2.1"}
RequireSafeKeys no
UMask 000
{more}"""
        )
        self.process = Program(
            [program, "-f", "-x", folder / "opendkim.conf"], folder, patience=0.2
        )

    def start(self) -> None:
        self.process.start(lambda: listens(self.socket))

    def stop(self) -> None:
        self.process.stop()
