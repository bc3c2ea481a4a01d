"""A Redis or Valkey server of our own that writes nothing to the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.helpers.process import Program, answers, free_port, listens, require

HAS_VALKEY = shutil.which("valkey-server") is not None
"""Debian 12 has no package of it."""


class RedisServer:
    """redis-server on the unix socket `socket`. more: options, e.g. `--maxmemory 2mb`."""

    program, package = "redis-server", "redis-server"

    def __init__(self, folder: Path, *more: str) -> None:
        program = require(self.program, self.package)
        self.socket = folder / "redis.sock"
        options = [*self._where(), "--save", "", "--appendonly", "no"]
        command = [str(program), *options, "--dir", str(folder), *more]
        self.process = Program(command, folder)

    def _where(self) -> list[str]:
        return ["--port", "0", "--unixsocket", str(self.socket)]

    @property
    def url(self) -> str:
        """For `[state] url`."""
        return f"unix://{self.socket}?db=0"

    def start(self) -> None:
        self.process.start(lambda: listens(self.socket))

    def stop(self) -> None:
        self.process.stop()
        self.socket.unlink(missing_ok=True)


class ValkeyServer(RedisServer):
    """valkey-server on 127.0.0.1. Debian has it from 13 on."""

    program, package = "valkey-server", "valkey-server"

    def _where(self) -> list[str]:
        self.port = free_port()
        return ["--bind", "127.0.0.1", "--port", str(self.port)]

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process.start(lambda: answers(self.port))
