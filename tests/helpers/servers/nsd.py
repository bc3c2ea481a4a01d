"""nsd with zones that a test writes: a real name server, authoritative for them and for nothing
else."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import dns.message

from tests.helpers.process import Program, free_port, require

SOA = "@ 300 IN SOA ns hostmaster 1 7200 600 86400 30\n@ 300 IN NS ns\nns 300 IN A 127.0.0.1\n"
"""What every zone begins with: "no" counts 30 seconds."""


class Nsd:
    """nsd on 127.0.0.1:`port`. zones: lines of each zone, by its name; see SOA."""

    def __init__(self, folder: Path, zones: Mapping[str, str]) -> None:
        program = require("nsd", "nsd")
        self.port = free_port()
        entries = ""
        for number, (name, lines) in enumerate(zones.items()):
            path = folder / f"{number}.zone"
            path.write_text(f"$ORIGIN {name}.\n$TTL 300\n{SOA}{lines}")
            entries += f"zone:\n  name: {name}\n  zonefile: {path}\n"
        (folder / "nsd.conf").write_text(
            f"""\
server:
  ip-address: 127.0.0.1@{self.port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: {folder}
  database: ""
  xfrdfile: {folder}/xfrd.state
  zonelistfile: {folder}/zone.list
  pidfile: {folder}/nsd.pid
  logfile: {folder}/nsd.log
  xfrdir: {folder}
  hide-version: yes
  rrl-ratelimit: 0
remote-control:
  control-enable: no
{entries}"""
        )
        self.process = Program([program, "-d", "-c", folder / "nsd.conf"], folder, patience=2)

    @property
    def address(self) -> str:
        """As the setting `nameservers` has it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process.start(self._answers)

    def _answers(self) -> bool:
        question = dns.message.make_query("version.server.", "TXT", "CH").to_wire()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.2)
            try:
                asking.connect(("127.0.0.1", self.port))
                asking.send(question)
                return bool(asking.recv(4096))
            except OSError:
                return False

    def stop(self) -> None:
        self.process.stop()
