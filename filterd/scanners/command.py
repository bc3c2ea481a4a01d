"""Scanners that are a command: content as a file or on standard input, the answer as exit status.

A status that the table does not have does not count, and neither does a program that a signal
ended. The name is what a pattern finds in the output. Source: the manual of each program; see
`presets.py`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from filterd.message.fields import Buffer
from filterd.scanners.answer import (
    CLEAN,
    Answer,
    GivenUp,
    Infected,
    ScannerError,
    Signatures,
    Unavailable,
    shortened,
)
from filterd.scanners.clamd.server import signatures_of
from filterd.scanners.processes import Finished, Limits, run

Meaning = Literal["clean", "infected", "given_up", "unavailable"]
"""What an exit status means."""

LINE_LIMIT = 1000
"""Characters of a line of output in which a name is looked for: the first and the last ones, as a
pattern may go by the line's end and a name may be longer."""

IDLE_SECONDS = 5.0
"""Seconds that a program may take for no content at all and still be well."""


class CommandScanner:
    """One program."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        statuses: Mapping[int, Meaning],
        pattern: str,
        *,
        limits: Limits,
        version: Sequence[str] = (),
        user: str = "",
        folder: str = "",
        size_limit: int = 1 << 30,
    ) -> None:
        """arguments: of the command, `{file}` stands for the content's path. pattern: a regular
        expression that finds the name in a line, in its first group if it has one; empty for a
        program that says no names. version: a command that says what it scans with. user: as
        whom it runs."""
        self.name = name
        self.size_limit = size_limit
        self._arguments = tuple(arguments)
        self._statuses = dict(statuses)
        self._pattern = re.compile(pattern) if pattern else None
        self._limits = limits
        self._version = tuple(version)
        self._user = user
        self._folder = folder

    def scan(self, content: Buffer, deadline: float) -> Answer:
        """The answer. A program that takes too long for this content, and not for none at all, gave
        up on it."""
        if len(content) > self.size_limit:
            return GivenUp(f"{len(content)} octets are more than size_limit", "size")
        seconds = min(self._limits.seconds, deadline - time.monotonic())
        if seconds <= 0:
            return Unavailable(f"no time was left for {self.name}")
        try:
            done = self._run(self._arguments, content, seconds)
        except (OSError, LookupError) as error:
            return Unavailable(f"{self.name}: {self._arguments[0]}: {error}")
        if done.stopped:
            why = f"{self.name} {done.stopped}"
            return GivenUp(why, "time") if self._is_well() else Unavailable(why)
        return self._answer(done)

    def signatures(self, deadline: float) -> Signatures:
        """What the version command says. Raises ScannerError."""
        if not self._version:
            raise ScannerError(f"{self.name} has no command that says its version")
        seconds = min(self._limits.seconds, max(deadline - time.monotonic(), 0.01))
        try:
            done = self._run(self._version, b"", seconds)
        except (OSError, LookupError) as error:
            raise ScannerError(f"{self.name}: {error}") from error
        said = done.output.strip()
        if done.status or done.stopped or not said:
            raise ScannerError(f"{self.name} does not say its version: {shortened(said)}")
        first = shortened(said.splitlines()[0])
        known = signatures_of(first)
        return Signatures(first, tag=said) if known is None else known

    def _run(self, arguments: Sequence[str], content: Buffer, seconds: float) -> Finished:
        limits = replace(self._limits, seconds=seconds)
        return run(arguments, content, limits, self._user, self._folder)

    def _is_well(self) -> bool:
        try:
            done = self._run(self._arguments, b"", IDLE_SECONDS)
        except (OSError, LookupError):
            return False
        return not done.stopped and self._statuses.get(done.status) == "clean"

    def _answer(self, done: Finished) -> Answer:
        meaning = self._statuses.get(done.status)
        if meaning == "clean":
            return CLEAN
        said = shortened(done.output)
        if meaning == "infected":
            found = self._found(done.output)
            if found is not None:
                return Infected.named(found)
            # Many programs end with 1 when they crash: a message must not be refused for that.
            return Unavailable(f"{self.name} says infected, and its output has no name: {said}")
        if done.status < 0:
            ended = f"was ended by signal {-done.status}"
        else:
            ended = f"ended with status {done.status}"
        if meaning == "given_up":
            return GivenUp(f"{self.name} {ended}: {said}")
        unknown = "" if meaning else ", which its table does not have"
        return Unavailable(f"{self.name} {ended}{unknown}: {said}")

    def _found(self, output: str) -> str | None:
        """The name in the output, None if there should be one and is not."""
        if self._pattern is None:
            return ""
        # Not splitlines, which takes more for the end of a line than a program does.
        for line in output.split("\n"):
            half = LINE_LIMIT // 2
            shown = line if len(line) <= LINE_LIMIT else line[:half] + line[-half:]
            match = self._pattern.search(shown.removesuffix("\r"))
            if match is not None:
                return (match[1] or "") if match.re.groups else match[0]
        return None
