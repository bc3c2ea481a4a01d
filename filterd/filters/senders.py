"""Senders that somebody allowed or blocked, for one recipient or for all: a list, and points.

The list is a text file that people can read and edit: `allow ann@a.example for joe@mx.example`, one
entry a line, `#` for comments. An allowed sender gets negative points and a blocked one positive
ones, so that other findings still count: an envelope sender is easily forged, and a virus stays a
virus. One message has one score, so an entry for a recipient counts where it covers all of them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

from annotated_doc import Doc
from annotated_types import Ge, Le

from filterd import paths
from filterd.bounded import open_regular
from filterd.durable import locked, write_atomically
from filterd.message import Message
from filterd.verdict import NO_OPINION, Symbol, Verdict

log = logging.getLogger(__name__)

Kind = Literal["allow", "block"]

EVERYBODY = "*"

SIZE_LIMIT = 16 << 20
"""Octets of a list that are read; some 300,000 entries, more is a job for an access map."""


class ListError(ValueError):
    """An entry that cannot be read; the text names file, line and what would be right."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. sender, recipient: an address, a domain, a domain with all below it (`.a.example`),
    or `*`. Compared without regard to case."""

    kind: Kind
    sender: str
    recipient: str = EVERYBODY

    def __post_init__(self) -> None:
        for word in (self.sender, self.recipient):
            if not word or set(word) & set(" \t\r\n#"):
                raise ListError(f"{word!r} is no address and no domain")

    def __str__(self) -> str:
        return f"{self.kind} {self.sender} for {self.recipient}"

    def fits(self, sender: str, recipients: list[str]) -> bool:
        """True if the entry speaks of that sender and of all these recipients."""
        return _fits(self.sender, sender) and all(_fits(self.recipient, r) for r in recipients)


def _fits(pattern: str, address: str) -> bool:
    pattern, address = pattern.lower(), address.lower()
    domain = address.rpartition("@")[2]
    if pattern == EVERYBODY:
        return True
    if "@" in pattern:
        return pattern == address
    return domain == pattern.removeprefix(".") or (
        pattern.startswith(".") and domain.endswith(pattern)
    )


def read(path: Path) -> tuple[Entry, ...]:
    """The entries of a list, in order; none if there is no such file.

    Raises ListError for a line that is no entry, OSError.
    """
    try:
        with open_regular(path) as file:
            text = file.read(SIZE_LIMIT).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ()
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        match words:
            case ["allow" | "block" as kind, sender]:
                found.append(Entry(kind, sender))
            case ["allow" | "block" as kind, sender, "for", recipient]:
                found.append(Entry(kind, sender, recipient))
            case _:
                raise ListError(
                    f"{path}:{number}: is no entry; right would be `allow SENDER for RECIPIENT`"
                )
    return tuple(found)


def change(path: Path, entry: Entry, *, remove: bool = False) -> bool:
    """Put an entry into the list or take it out; False if nothing had to be changed.

    An opposite entry for the same two goes when one is put in. Comments stay. Raises ListError,
    OSError.
    """
    with locked(path):
        entries = read(path)
        if (entry in entries) != remove:
            return False
        kinds: tuple[Kind, ...] = (entry.kind,) if remove else get_args(Kind)
        gone = {Entry(kind, entry.sender, entry.recipient) for kind in kinds}
        lines = path.read_bytes().splitlines() if path.exists() else []
        kept = [line for line in lines if _entry_of(line) not in gone]
        if not remove:
            kept.append(str(entry).encode("utf-8", "surrogateescape"))
        write_atomically(path, [line + b"\n" for line in kept])
        return True


def _entry_of(line: bytes) -> Entry | None:
    words = line.decode("utf-8", "surrogateescape").partition("#")[0].split()
    if not words:
        return None
    kind: Kind = "allow" if words[0] == "allow" else "block"
    return Entry(kind, *words[1:2], *words[3:4])


@dataclass
class Senders:
    """Gives points to senders that somebody allowed or blocked."""

    name: ClassVar[str] = "senders"

    file: Annotated[
        Path, Doc("the list; `filterd quarantine allow` and `block` write it, people may as well")
    ] = paths.QUARANTINE / "senders.list"
    allow_score: Annotated[float, Le(0), Doc("points for an allowed sender")] = -20.0
    block_score: Annotated[float, Ge(0), Doc("points for a blocked sender")] = 20.0

    def __post_init__(self) -> None:
        self._entries: tuple[Entry, ...] = ()
        self._seen: tuple[int, int] | None = None

    def prepare(self) -> None:
        """Read the list. Raises ListError, OSError."""
        self._refresh()

    def examine(self, message: Message) -> Verdict:
        """Find the first entry that fits.

        A list that was changed into one that cannot be read leaves the former in force, and the log
        says so. Raises OSError if the file itself cannot be read.
        """
        try:
            self._refresh()
        except ListError as error:
            log.error("the list is not used, the last good one stays: %s", error)
        envelope = message.envelope
        recipients = [recipient.address for recipient in envelope.recipients]
        for entry in self._entries:
            if entry.fits(envelope.sender, recipients):
                allowed = entry.kind == "allow"
                name = "SENDER_ALLOWED" if allowed else "SENDER_BLOCKED"
                score = self.allow_score if allowed else self.block_score
                return Verdict(symbols=(Symbol(name, score, str(entry)),))
        return NO_OPINION

    def _refresh(self) -> None:
        """Read the list anew if it has changed since."""
        try:
            status = self.file.stat()
        except FileNotFoundError:
            self._entries, self._seen = (), None
            return
        seen = (status.st_mtime_ns, status.st_ino)
        if seen != self._seen:
            # Looked at once: a mistake is not told again for every message.
            self._seen = seen
            self._entries = read(self.file)
