"""A message between the client's final dot and the queue: what filters may still change.

The body is kept with LF line ends, as sendmail keeps it; a filter gets and gives CRLF.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from filterd.mta.header import Header


@dataclass(frozen=True, slots=True)
class Path:
    """A reverse-path or forward-path. address: without brackets, `""` for the null path.

    text: as the client wrote it, brackets and all. parameters: `SIZE=100`, `NOTIFY=NEVER`, ...
    """

    address: str
    text: str = ""
    parameters: tuple[str, ...] = ()


@dataclass(slots=True)
class Draft:
    """Envelope, header and body of one message."""

    queue_id: str
    sender: Path
    recipients: list[Path]
    header: Header
    body: bytes
    quarantine: str | None = None
    """Why the message is to be held, None if it is not."""

    macros: dict[str, str] = field(default_factory=dict)
    identity: Callable[[str], str] = str.lower
    """The same text for addresses that are one recipient."""

    def wire_body(self) -> bytes:
        """The body with CRLF line ends."""
        return self.body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def replace_body(self, chunks: list[bytes]) -> None:
        """Take a body from a filter: CRLF (cut between chunks or not) becomes LF; a lone CR or LF
        stays what it is."""
        self.body = b"".join(chunks).replace(b"\r\n", b"\n")
