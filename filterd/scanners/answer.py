"""What every scanner is to filterd: content in, one of four answers out.

`Clean` and `Infected` are answers about the content. `GivenUp` is one as well: the scanner works,
and will not or cannot get done with this content, so that asking again would not help.
`Unavailable` says nothing about the content; another scanner, or the same one later, may answer.
There is no fifth: what a scanner says in a form that is not known is `Unavailable`, never
`Clean`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from filterd.message.fields import Buffer
from filterd.system.display import printable

NAME_LIMIT = 128
"""Characters of a signature's name that are kept; real ones are a few dozen long."""

WHY_LIMIT = 300
"""Characters of a reason that are kept; it may quote what a scanner said."""

GivenUpKind = Literal["size", "limit", "time"]
"""What was too much: the content's size for what the scanner takes at all, something inside (depth,
number, unpacked size, broken data), or the time that anybody waits."""


@dataclass(frozen=True, slots=True)
class Clean:
    """Nothing was found."""


@dataclass(frozen=True, slots=True)
class Infected:
    """Something was found. name: the signature's, printable and not empty. by: the scanner that
    says so, empty where there is only one."""

    name: str
    by: str = ""

    @classmethod
    def named(cls, name: str) -> Infected:
        """The answer with a name as a stranger spells it."""
        return cls(printable(name.strip(), NAME_LIMIT) or "unnamed")


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The scanner works and has no answer about this content. why: for the admin."""

    why: str
    kind: GivenUpKind = "limit"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The scanner gave no answer. why: for the admin."""

    why: str


Answer = Clean | Infected | GivenUp | Unavailable

CLEAN = Clean()


def shortened(text: str) -> str:
    """A reason as it is kept: printable, `WHY_LIMIT` characters."""
    return printable(" ".join(text.split()), WHY_LIMIT)


@dataclass(frozen=True, slots=True)
class Signatures:
    """What a scanner scans with. engine: `ClamAV 1.4.3`. number: of the daily database, None where
    the scanner has none. built: when the signatures were made, UTC, None if it does not say. tag:
    equal as long as the same signatures are in use, empty if that cannot be known. by: the scanner
    that says so, empty where there is only one."""

    engine: str
    number: int | None = None
    built: datetime | None = None
    tag: str = ""
    by: str = ""

    def __str__(self) -> str:
        return self.engine + (f"/{self.number}" if self.number is not None else "")

    @property
    def days(self) -> int | None:
        """Their age in whole days, None if that is unknown."""
        return None if self.built is None else max((datetime.now(UTC) - self.built).days, 0)


class ScannerError(OSError):
    """A scanner could not be asked about itself; the text says why."""


class Scanner(Protocol):
    """One scanner on one host, or several that answer as one."""

    @property
    def name(self) -> str:
        """The word for it in settings, log lines and symbols."""
        ...

    @property
    def size_limit(self) -> int:
        """Octets of content above which it answers `GivenUp` of the kind `size` unasked."""
        ...

    def scan(self, content: Buffer, deadline: float) -> Answer:
        """The answer about the content. deadline: `time.monotonic()` when it has to be there.

        Raises nothing that the scanner or the content causes.
        """
        ...

    def signatures(self, deadline: float) -> Signatures:
        """What it scans with. Raises ScannerError."""
        ...
