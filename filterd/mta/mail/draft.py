"""A message between the end of its data and the queue: what filters may still change.

The body has LF line ends, as in sendmail; on the wire to filters it has CRLF.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from filterd.mta.mail.header import HeaderSection


@dataclass(frozen=True, slots=True)
class EnvelopePath:
    """A reverse-path or forward-path. address: without brackets, `""` for the null path.

    text: as the client wrote it, brackets and all. parameters: `SIZE=100`, `NOTIFY=NEVER`, ...
    waits: nobody could say yet where it goes, and it is queued.
    """

    address: str
    text: str = ""
    parameters: tuple[str, ...] = ()
    waits: bool = False


class RecipientList:
    """The recipients in order, found by a key of their addresses without a search through all: a
    filter may remove tens of thousands from one message, one by one."""

    __slots__ = ("_index", "_key", "_next", "_paths")

    def __init__(self, paths: Iterable[EnvelopePath] = ()) -> None:
        self._paths = dict(enumerate(paths))
        self._next = len(self._paths)
        self._key: Callable[[str], str] | None = None
        self._index: dict[str, dict[int, EnvelopePath]] = {}

    def __iter__(self) -> Iterator[EnvelopePath]:
        return iter(self._paths.values())

    def __len__(self) -> int:
        return len(self._paths)

    def found(self, key: Callable[[str], str], text: str) -> list[EnvelopePath]:
        """The recipients whose address has this key."""
        return list(self._by(key).get(text, {}).values())

    def append(self, path: EnvelopePath) -> None:
        """Add one at the end."""
        self._paths[self._next] = path
        if self._key is not None:
            self._index.setdefault(self._key(path.address), {})[self._next] = path
        self._next += 1

    def remove(self, key: Callable[[str], str], text: str) -> None:
        """Remove all whose address has this key."""
        for number in self._by(key).pop(text, {}):
            del self._paths[number]

    def _by(self, key: Callable[[str], str]) -> dict[str, dict[int, EnvelopePath]]:
        if self._key is not key:
            self._key, self._index = key, {}
            for number, path in self._paths.items():
                self._index.setdefault(key(path.address), {})[number] = path
        return self._index


@dataclass(slots=True)
class Draft:
    """Envelope, header and body of one message."""

    queue_id: str
    sender: EnvelopePath
    recipients: RecipientList
    header: HeaderSection
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
        """Use the body that a filter sent: CRLF (also across chunks) becomes LF; a lone CR or LF is
        kept."""
        self.body = b"".join(chunks).replace(b"\r\n", b"\n")
