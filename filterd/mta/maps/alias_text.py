"""The text of an alias file as sendmail reads it: names by the rules, complaints by line.

Source: sendmail 8.17 `alias.c` (readaliases); messages are observed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from filterd.mta.cf.addresses import AddressResolver, without_marks
from filterd.mta.cf.voice import Voice
from filterd.mta.maps.base import octets, text_of

LINE_LIMIT = 8191
"""Octets of a line with those that go on it (BUFSIZ)."""

SHOWN_LINE = 40
"""Octets of a line in a complaint."""


@dataclass(frozen=True, slots=True)
class AliasLine:
    """name: the key, as a local mailer has it. shown: the name as it was written. number: of the
    line, or of the first of those that belong together."""

    number: int
    name: bytes
    shown: str
    value: bytes


@dataclass(slots=True)
class AliasCount:
    """What sendmail says when a file has been read."""

    number: int = 0
    longest: int = 0
    total: int = 0

    def add(self, line: AliasLine) -> None:
        self.number += 1
        self.total += len(line.name) + len(line.value)
        self.longest = max(self.longest, len(line.value))

    def __str__(self) -> str:
        return f"{self.number} aliases, longest {self.longest} bytes, {self.total} bytes total"


@dataclass(slots=True)
class AliasText:
    """Reads alias files. Complaints are messages of the resolver's voice; what the rules say about
    a name gets its file and line as well. count: of the lines read so far."""

    resolver: AddressResolver
    count: AliasCount = field(default_factory=AliasCount)

    @property
    def voice(self) -> Voice:
        return self.resolver.rewriter.voice

    def read(self, data: bytes, file: str) -> Iterator[AliasLine]:
        """The sound lines of a file; the others are complained of."""
        voice = self.voice
        before = voice.place
        try:
            for first, last, line in logical_lines(data):
                if not line or line.startswith(b"#"):
                    continue
                voice.place = f"{file}: line {last}: "
                found = self._alias(first, line)
                if found is not None:
                    self.count.add(found)
                    yield found
        finally:
            voice.place = before

    def _alias(self, number: int, line: bytes) -> AliasLine | None:
        complain = self.voice.complain
        if len(line) > LINE_LIMIT:
            complain("alias line too long")
            return None
        if line.startswith((b" ", b"\t")):
            complain("Non-continuation line starts with space")
            return None
        _, colon, right = line.partition(b":")
        if not colon:
            complain("missing colon")
            return None
        start = text_of(line[:SHOWN_LINE])
        address, shown = self.resolver.parse_alias(text_of(line))
        if address is None:
            complain(f"{without_marks(start)}... illegal alias name")
            return None
        mailer = self.resolver.rewriter.program.mailers.find(address.mailer)
        if mailer is None or "A" not in mailer.flags:
            complain(f"{shown}... cannot alias non-local names")
            return None
        value = right.lstrip(b" \t\n\v\f\r")
        if not value.strip():
            complain(f"{start}... missing value for alias")
            return None
        name = octets(address.user)
        if name.lower() == b"postmaster":
            name = name.lower()
        return AliasLine(number, name, shown, value)


def logical_lines(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Lines with those that go on them, and the numbers of the first and the last physical one. A
    line that begins with a blank goes on the one before it, and so does one behind a backslash."""
    current: bytearray | None = None
    first = last = 0
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n"), 1):
        line = line.partition(b"\0")[0]  # noqa: PLW2901  # as C reads it
        if current is not None and (
            current.endswith(b"\\") or (current and line.startswith((b" ", b"\t")))
        ):
            if current.endswith(b"\\"):
                del current[-1]
            current += line
        else:
            if current is not None:
                yield first, last, bytes(current)
            current, first = bytearray(line), number
        last = number
    if current is not None:
        yield first, last, bytes(current)
