"""A Redis server of our own, on a unix socket, that writes nothing to the disk."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.process import Program, listens, require


class RedisServer:
    """redis-server on the unix socket `socket`. more: options, e.g. `--maxmemory 2mb`."""

    def __init__(self, folder: Path, *more: str) -> None:
        program = require("redis-server", "redis-server")
        self.socket = folder / "redis.sock"
        options = [
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        command = [str(program), *options, "--dir", str(folder), *more]
        self.process = Program(command, folder)

    @property
    def url(self) -> str:
        """For `[state] url`."""
        return f"unix://{self.socket}?db=0"

    def start(self) -> None:
        self.process.start(lambda: listens(self.socket))

    def stop(self) -> None:
        self.process.stop()
        self.socket.unlink(missing_ok=True)
