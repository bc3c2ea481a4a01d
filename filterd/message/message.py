"""A message: its bytes, its envelope, and views of both that are computed when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from filterd.message.attempt import FIRST_ATTEMPT
from filterd.message.authentication import Authentication
from filterd.message.entity import Entity
from filterd.message.envelope import Envelope
from filterd.message.fields import Buffer, HeaderField, parse_header
from filterd.message.lazy import lazy
from filterd.message.limits import exceeded
from filterd.message.reading import Reading
from filterd.message.readings import other_readings
from filterd.message.received import Hop, hops
from filterd.message.tree import Anomaly, parse_tree
from filterd.message.urls import Urls, urls_of

_NO_ENVELOPE = Envelope()


class FoundSymbol(Protocol):
    """What a filter found: a name and points, see `filterd.chain.verdict.Symbol`."""

    @property
    def name(self) -> str:
        """An upper-case word."""
        ...

    @property
    def score(self) -> float:
        """Points."""
        ...


class Message:
    """One message on its way through the chain. Never changes but for what the chain notes in
    `symbols`, `authentication` and `asked_early`, and the worker in `attempt`; never raises on what
    it contains.

    data: the whole message as it crosses the wire (header section, empty line, body; CRLF).
    id: filterd's own name of it: the same in the reply, the log line, `X-Quarantine-ID` and the
    quarantine. symbols: what was found before the filter that has it now, during the SMTP session
    and by the filters before it in the chain. authentication: what they know of who sent it.
    asked_early: whether the filter that has it now had its say during the SMTP session.
    attempt: names what filters count for it, so that it counts once though its worker ends.
    """

    def __init__(self, data: Buffer, envelope: Envelope | None = None, id: str = "") -> None:
        self.data = data
        self.envelope = envelope if envelope is not None else _NO_ENVELOPE
        self.id = id
        self.symbols: Sequence[FoundSymbol] = ()
        self.authentication: Authentication | None = None
        self.asked_early = False
        self.attempt = FIRST_ATTEMPT

    @property
    def size(self) -> int:
        """Octets of the message as it arrived."""
        return len(self.data)

    @lazy
    def _header(self) -> tuple[tuple[HeaderField, ...], int]:
        fields, end = parse_header(self.data)
        return tuple(fields), end

    @property
    def header_fields(self) -> tuple[HeaderField, ...]:
        """The header fields of the message in order, top first."""
        return self._header[0]

    @property
    def body_start(self) -> int:
        """Offset of the first octet of the body, after the empty line."""
        return self._header[1]

    def fields(self, name: str) -> Iterator[HeaderField]:
        """The fields of that name, case-insensitively, top first."""
        wanted = name.lower()
        return (field for field in self.header_fields if field.name.lower() == wanted)

    def get(self, name: str, default: str = "") -> str:
        """The unfolded text of the first field of that name."""
        for field in self.fields(name):
            return field.text
        return default

    @lazy
    def received(self) -> tuple[Hop, ...]:
        """What the Received fields say, top first; how far to believe it, says
        `filterd.message.received.boundary`."""
        return hops(self.fields("Received"))

    @lazy
    def urls(self) -> Urls:
        """The URLs and mail addresses in Subject, text and HTML, within limits."""
        return urls_of(next(self.fields("Subject"), None), self.leaves())

    @lazy
    def _tree(self) -> tuple[Entity, tuple[Anomaly, ...]]:
        return parse_tree(self.data)

    @property
    def is_parsed(self) -> bool:
        """True if somebody has taken the message apart already."""
        return "_tree" in self.__dict__

    @property
    def root(self) -> Entity:
        """The message as the topmost MIME entity."""
        return self._tree[0]

    @lazy
    def _readings(self) -> tuple[tuple[Reading, ...], bool]:
        return other_readings(self.data, self.root)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The other trees that sane readers may see in this message, each with the reason; mostly
        none. Their offsets are their own: only `root` may be edited."""
        return self._readings[0]

    @lazy
    def anomalies(self) -> tuple[Anomaly, ...]:
        """What is odd about the message, as (name of a symbol, what was found).

        MIME_TOO_DEEP, MIME_TOO_MANY_PARTS, MIME_TOO_MANY_READINGS, HEADER_LIMIT, LINE_LIMIT: a
        limit is exceeded. MIME_AMBIGUOUS: `readings` has the other readings. MIME_PARTIAL,
        MIME_EXTERNAL: the content is not, or not wholly, in this message.
        """
        return (
            *self._tree[1],
            *exceeded(self.data, self.root),
            *self._elsewhere(),
            *(anomaly for reading in self.readings for anomaly in reading.anomalies),
            *(("MIME_AMBIGUOUS", reading.reason) for reading in self.readings if reading.reason),
        )

    def _elsewhere(self) -> Iterator[Anomaly]:
        if self._readings[1]:
            yield "MIME_TOO_MANY_READINGS", "mail readers may see more in it than is scanned"
        roots = (self.root, *(reading.root for reading in self.readings))
        for entity in (entity for root in roots for entity in root.walk()):
            if entity.content_type == "message/partial":
                yield "MIME_PARTIAL", "one fragment of a message that was sent in several"
            elif entity.content_type == "message/external-body":
                yield "MIME_EXTERNAL", "the content is stored elsewhere"

    def walk(self) -> Iterator[Entity]:
        """All entities, in the order of the message."""
        return self.root.walk()

    def leaves(self) -> Iterator[Entity]:
        """The entities that have a body of their own."""
        return (entity for entity in self.root.walk() if not entity.children)
