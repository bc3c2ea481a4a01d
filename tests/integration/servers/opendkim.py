"""OpenDKIM, signing: a filter that adds a field on top, to stand in line with."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.integration.servers.process import Program, listens, require


class Opendkim:
    """opendkim on the unix socket `socket`; signs mail from client.example."""

    def __init__(self, folder: Path) -> None:
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
Mode s
Domain client.example
Selector test
KeyFile {folder}/test.private
Socket local:{self.socket}
PidFile {folder}/pid
InternalHosts 127.0.0.1
RequireSafeKeys no
UMask 000
"""
        )
        self.process = Program(
            [program, "-f", "-x", folder / "opendkim.conf"], folder, patience=0.2
        )

    def start(self) -> None:
        self.process.start(lambda: listens(self.socket))

    def stop(self) -> None:
        self.process.stop()
