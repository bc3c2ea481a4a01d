"""filterd's own reference MTA, with the face of the real ones."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.helpers.process import Program, answers, free_port, wait_for
from tests.helpers.servers.filterd import COMMAND
from tests.helpers.servers.mailbox import Delivered, delivered

HOST = "mx.example.test"


class OwnMta:
    """`filterd mta run` on 127.0.0.1:`port`. filters: as `--filter` takes them. flavour: the MTA
    that it behaves as."""

    def __init__(self, folder: Path, filters: Sequence[str], flavour: str = "sendmail") -> None:
        self.folder = folder
        self.port = free_port()
        self.host = HOST
        self._mailboxes = folder / "mail"
        # An empty file: settings of the machine or of this folder are none of the test's.
        (folder / "filterd.toml").touch()
        arguments: list[str | Path] = [
            COMMAND,
            "mta",
            "run",
            "--config",
            folder / "filterd.toml",
            "--port",
            str(self.port),
            "--spool",
            folder / "spool",
            "--mail",
            self._mailboxes,
            "--hostname",
            HOST,
            "--flavour",
            flavour,
        ]
        for one in filters:
            arguments += ["--filter", one]
        self.process = Program(arguments, folder, patience=5)

    def start(self) -> None:
        self.process.start(lambda: answers(self.port))

    def stop(self) -> None:
        self.process.stop()

    @property
    def log(self) -> str:
        return self.process.output

    def _user(self, user: str) -> list[Path]:
        found = [
            file
            for box in self._mailboxes.glob("*")
            if re.fullmatch(rf"{user}(@.*)?", box.name)
            for file in (box / "new").glob("*")
        ]
        return sorted(found, key=lambda file: file.stat().st_mtime_ns)

    def mail(self, count: int = 1, user: str = "joe") -> list[Delivered]:
        """Wait until `count` messages have come to a user's mailbox, take them out of it."""

        def complete() -> list[Path]:
            files = self._user(user)
            return files if len(files) >= count else []

        return [delivered(file) for file in wait_for(f"{count} messages for {user}", complete)]

    def settled(self) -> None:
        """Wait until nothing is on its way."""
        queue = self.folder / "spool"
        wait_for(
            "the MTA at rest",
            lambda: not [f for f in queue.rglob("*.*") if f.is_file() and "hold" not in f.parts],
        )

    @property
    def mailboxes(self) -> dict[str, int]:
        """How many messages each user has."""
        boxes = sorted(self._mailboxes.glob("*"))
        counts = ((b.name.partition("@")[0], len(list((b / "new").glob("*")))) for b in boxes)
        return {name: count for name, count in counts if count}

    def held(self) -> str:
        """The queue's list."""
        return self._queue("list")

    def release(self, queue_id: str) -> None:
        """Let a held message go."""
        self._queue("release", queue_id)

    def _queue(self, *arguments: str) -> str:
        done = subprocess.run(
            [COMMAND, "mta", "queue", *arguments, "--spool", self.folder / "spool"],
            cwd=self.folder,
            check=True,
            stdout=subprocess.PIPE,
        )
        return done.stdout.decode()
