"""What systemd's journal has of mail: one call of journalctl(1) for what is new."""

from __future__ import annotations

import math
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from filterd.system.bounded import json_value

COMMAND = (
    "journalctl",
    "--facility=mail",
    "--output=json",
    "--output-fields=MESSAGE,SYSLOG_IDENTIFIER",
    "--no-pager",
    "--quiet",
)

LINES_LIMIT = 50_000
"""Lines of one call, the newest ones the first time."""

READ_LIMIT = 64 << 20
"""Octets of its answer."""

SECONDS = 20.0
"""For which it may take."""

_ERROR_LIMIT = 200
"""Characters of what it says on its standard error."""


@dataclass(frozen=True, slots=True)
class JournalLine:
    """time: seconds since 1970. program: as syslog has it."""

    time: float
    program: str
    text: str


class MailJournal:
    """The journal. command: what is called instead of journalctl; for tests."""

    def __init__(self, command: tuple[str, ...] = COMMAND) -> None:
        self._command = command
        self._cursor = ""

    def new_lines(self) -> Iterator[JournalLine]:
        """What was logged since the last call, oldest first. Raises OSError in words."""
        after = (f"--after-cursor={self._cursor}",) if self._cursor else ()
        for octets in _answer((*self._command, f"--lines={LINES_LIMIT}", *after)).split(b"\n"):
            try:
                value = json_value(octets)
            except ValueError:
                continue
            if not isinstance(value, dict):
                continue
            if isinstance(cursor := value.get("__CURSOR"), str):
                self._cursor = cursor
            if (line := _line(value)) is not None:
                yield line


def _line(value: dict[str, object]) -> JournalLine | None:
    time, program = value.get("__REALTIME_TIMESTAMP"), value.get("SYSLOG_IDENTIFIER")
    text = value.get("MESSAGE")
    if isinstance(text, list) and all(isinstance(one, int) and 0 <= one < 256 for one in text):
        # What is not UTF-8 comes as its octets.
        text = bytes(text).decode("utf-8", "replace")
    if not (isinstance(time, str) and isinstance(text, str)):
        return None
    try:
        seconds = int(time) / 1e6 if len(time) < 20 else math.nan
    except ValueError:
        return None
    if not math.isfinite(seconds):
        return None
    return JournalLine(seconds, program if isinstance(program, str) else "", text)


def _answer(command: tuple[str, ...]) -> bytes:
    """What a command prints, up to `READ_LIMIT`, within `SECONDS`. Raises OSError."""
    environment = {**os.environ, "LC_ALL": "C"}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            answer = process.stdout.read(READ_LIMIT)
            is_cut = bool(process.stdout.read(1))
            if is_cut:
                process.kill()
            told = process.stderr.read(_ERROR_LIMIT).decode("utf-8", "replace")
        finally:
            timer.cancel()
            process.kill()
    if process.returncode and not answer:
        raise OSError(0, " ".join(told.split()) or f"ends with status {process.returncode}")
    return answer
