"""What was done with kept mail: by whom, when, why, and with what result. Lines are only added.

The journal is the audit trail and the truth about states: the index is made from descriptions and
journal. An event is one line of JSON in the file of its month, written in one piece under a lock
and fsynced before the action counts as done.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, BinaryIO, Literal

from filterd.quarantine.files import StoreError
from filterd.quarantine.words import State
from filterd.system.bounded import json_value
from filterd.system.durable import PRIVATE_FILE, append, locked, make_folder, sync_folder

What = Literal[
    "viewed",
    "exported",
    "releasing",
    "released",
    "failed",
    "deleted",
    "undeleted",
    "purged",
    "expired",
    "pinned",
    "unpinned",
    "learned",
    "allowed",
    "blocked",
    "unlisted",
    "undone",
    "held_again",
    "forgotten",
    "requested",
    "refused",
    "dismissed",
    "wanted",
    "account",
]

RECIPIENT_EVENTS = frozenset({"requested", "refused", "dismissed", "wanted"})

STATE_EVENTS = frozenset({"releasing", "released", "failed", "deleted", "expired"})

UNKNOWN = "unknown:"
"""How the reply of a release begins of which nobody knows whether the MTA took it."""

LINE_LIMIT = 1 << 20
"""Octets of one line that are read; a note or a reply is far shorter."""

BLOCK = 1 << 16
"""Octets that are read at a time from the end."""


@dataclass(frozen=True, slots=True)
class Event:
    """One action. id: the message, `""` for an action about no single one. recipients: whom it
    concerns, empty for the whole message. who: `cli:root`, `web:ann`, `filterd`. note: the person's
    reason; of `held_again` the id under which the released message is kept now, and why. `deleted`:
    it can be `undeleted` until it is `purged`, its bytes removed for good. `requested`: a recipient
    asks for its copy's release, `refused`: it does not get it; `dismissed`: a recipient does not
    want its copy, `wanted`: it does after all. `account`: an account or a token was changed, which
    the note names. reply and
    queue_id: what the MTA said. again_at: seconds since 1970 of the next try, 0 for none. form:
    `original` or `attached`, how it was released.
    """

    what: What
    id: str
    who: str
    recipients: tuple[str, ...] = ()
    note: str = ""
    reply: str = ""
    queue_id: str = ""
    again_at: float = 0.0
    form: str = ""
    time: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The event as a plain value without what is empty, the time as ISO 8601 in UTC."""
        plain = {name: value for name, value in asdict(self).items() if value}
        plain["time"] = datetime.fromtimestamp(self.time, UTC).isoformat()
        return plain


class Journal:
    """The journal below one quarantine folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "journal"

    def append(self, event: Event) -> None:
        """Write an event durably. Raises StoreError."""
        path = self._folder / f"{datetime.fromtimestamp(event.time, UTC):%Y-%m}.jsonl"
        line = json.dumps(event.to_json(), ensure_ascii=True).encode("ascii") + b"\n"
        try:
            make_folder(self._folder)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                size = os.fstat(handle).st_size
                # A line that a crash cut short must not spoil the next one.
                if size and os.pread(handle, 1, size - 1) != b"\n":
                    line = b"\n" + line
                append(handle, line)
                if not size:
                    sync_folder(self._folder)
            finally:
                os.close(handle)
        except OSError as error:
            raise StoreError.about(path, error) from error

    def claim(
        self, event: Event, held_for: Iterable[str], states: Container[str], *, again: bool = False
    ) -> tuple[str, ...]:
        """Write the event for those of its recipients whose copy is in one of these states by the
        journal (`""`: it knows none); return them.

        This is what keeps a copy from being released twice where the index has lost it. again: also
        where nobody knows whether the MTA took it. Raises StoreError.
        """
        with self.locked():
            now = delivery_state_of(held_for, self.events(event.id), 0)
            copies = {d.recipient: d for d in now.deliveries}
            free = tuple(
                recipient
                for recipient in event.recipients
                if not now.gone
                and ("" if (copy := copies.get(recipient)) is None else copy.state) in states
                and (again or copy is None or not copy.is_unknown)
            )
            if free:
                self.append(replace(event, recipients=free))
            return free

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process decide meanwhile, by what the journal says, what becomes of a
        message. Raises StoreError."""
        path = self._folder / "claim"
        try:
            with locked(path):
                yield
        except StoreError:
            raise
        except OSError as error:
            raise StoreError.about(path, error) from error

    def events(self, id: str | None = None) -> Iterator[Event]:
        """All events in order, or those of one message. Lines that are not events are passed over.

        Raises StoreError if a file cannot be read.
        """
        for path in sorted(self._folder.glob("*.jsonl")) if self._folder.is_dir() else ():
            try:
                with path.open("rb") as file:
                    for line in _lines_with(file, id.encode()) if id else _lines(file):
                        event = _decoded(line)
                        if event is not None and id in (None, event.id):
                            yield event
            except OSError as error:
                raise StoreError(error.errno or 5, f"{error.strerror}", str(path)) from error

    def newest(self, word: str = "") -> Iterator[Event]:
        """All events, the last one first; with a word, those whose line has it. Lines that are
        none are passed over. Raises StoreError if a file cannot be read."""
        wanted = json.dumps(word, ensure_ascii=True)[1:-1].encode("ascii")
        files = self._folder.glob("*.jsonl") if self._folder.is_dir() else ()
        for path in sorted(files, reverse=True):
            try:
                with path.open("rb") as file:
                    for line in _backwards(file):
                        if wanted in line and (event := _decoded(line)) is not None:
                            yield event
            except OSError as error:
                raise StoreError(error.errno or 5, f"{error.strerror}", str(path)) from error


def _lines(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.readline(LINE_LIMIT), b"")


def _lines_with(file: BinaryIO, words: bytes) -> Iterator[bytes]:
    """The lines of a file that hold these words; the others are not even cut out."""
    size = os.fstat(file.fileno()).st_size
    if not size:
        return
    with mmap(file.fileno(), size, access=ACCESS_READ) as content:
        start = 0
        while (found := content.find(words, start)) >= 0:
            begin = content.rfind(b"\n", 0, found) + 1
            end = content.find(b"\n", found)
            start = end + 1 if end >= 0 else size
            if start - begin <= LINE_LIMIT:
                yield content[begin:start]


def _backwards(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, the last one first; a line beyond `LINE_LIMIT` comes in pieces."""
    position, rest = file.seek(0, os.SEEK_END), b""
    while position > 0:
        start = max(0, position - BLOCK)
        file.seek(start)
        lines = (file.read(position - start) + rest).split(b"\n")
        position, rest = start, lines[0]
        yield from filter(None, reversed(lines[1:]))
        if len(rest) > LINE_LIMIT:
            yield rest
            rest = b""
    if rest:
        yield rest


_TEXTS = ("what", "id", "who", "note", "reply", "queue_id", "form")
_NAMES = {field.name for field in fields(Event)}


def _decoded(line: bytes) -> Event | None:
    try:
        value = json_value(line)
        if not isinstance(value, dict) or not {"what", "time"} <= value.keys() <= _NAMES:
            return None
        texts: dict[str, Any] = {name: str(value.get(name, "")) for name in _TEXTS}
        return Event(
            **texts,
            recipients=tuple(map(str, value.get("recipients", ()))),
            again_at=float(value.get("again_at", 0.0)),
            time=datetime.fromisoformat(value["time"]).timestamp(),
        )
    except (ValueError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recipient's copy: its state, since when, and what the MTA said last.

    state: any but `copy`. attempts: releases that were tried. again_at: seconds since 1970 of the
    next try, 0 for none. asked, refused, dismissed: since when its recipient asks for its release,
    was refused it, or does not want it; 0 for not. request_note: why, of the first two.
    """

    recipient: str
    state: State = State.HELD
    changed: float = 0.0
    reply: str = ""
    queue_id: str = ""
    attempts: int = 0
    again_at: float = 0.0
    form: str = "original"
    asked: float = 0.0
    refused: float = 0.0
    dismissed: float = 0.0
    request_note: str = ""

    @property
    def is_unknown(self) -> bool:
        """True if nobody knows whether the MTA took it."""
        return self.state is State.FAILED and self.reply.startswith(UNKNOWN)


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """The delivery state of one message: its recipients' copies, whether it is pinned, whether it
    was taken out of the list (`deleted`, `expired`) or not (`""`), when that was (seconds since
    1970), and whether its bytes are removed for good."""

    deliveries: tuple[Delivery, ...] = ()
    pinned: bool = False
    gone: State | Literal[""] = ""
    gone_at: float = 0.0
    purged: bool = False

    @property
    def state(self) -> State:
        """One word for the whole message; what needs a person's eye comes before the rest."""
        if self.gone:
            return self.gone
        states = {delivery.state for delivery in self.deliveries}
        order = (State.RELEASING, State.FAILED, State.HELD, State.RELEASED)
        return next((state for state in order if state in states), State.COPY)


def delivery_state_of(
    held_for: Iterable[str], events: Iterable[Event], received: float
) -> DeliveryState:
    """The delivery state of a message after its events, given in order."""
    copies = {r: Delivery(r, changed=received) for r in held_for}
    before: dict[str, Delivery] = {}
    pinned = purged = False
    gone: State | Literal[""] = ""
    gone_at = 0.0
    for event in events:
        if event.what in ("pinned", "unpinned"):
            pinned = event.what == "pinned"
        elif event.what in ("deleted", "expired"):
            if not gone:
                before, gone_at = copies, event.time
            gone, purged = State(event.what), event.what == "expired"
            copies = {r: _gone(d, event) for r, d in copies.items()}
        elif event.what == "undeleted":
            # What the MTA said meanwhile of a release that was under way is later, and stays.
            copies = {r: before.get(r, d) if d.state == gone else d for r, d in copies.items()}
            gone, gone_at, purged = "", 0.0, False
        elif event.what in RECIPIENT_EVENTS:
            for recipient in event.recipients:
                if recipient in copies:
                    copies[recipient] = marked(copies[recipient], event)
        elif event.what == "purged":
            purged = bool(gone)
        elif event.what in STATE_EVENTS:
            for recipient in event.recipients:
                old = copies.get(recipient, Delivery(recipient))
                copies[recipient] = Delivery(
                    recipient,
                    State(event.what),
                    event.time,
                    event.reply,
                    event.queue_id,
                    old.attempts + (event.what == "releasing"),
                    event.again_at,
                    event.form or old.form,
                )
    return DeliveryState(tuple(copies.values()), pinned, gone, gone_at, purged)


def marked(copy: Delivery, event: Event) -> Delivery:
    """A copy after one of `RECIPIENT_EVENTS`. What becomes of it then ends all of that."""
    dismissed, note = copy.dismissed, event.note
    match event.what:
        case "requested":
            return replace(copy, asked=event.time, refused=0.0, dismissed=0.0, request_note=note)
        case "refused":
            return replace(copy, asked=0.0, refused=event.time, request_note=note)
        case "dismissed":
            dismissed = event.time
        case "wanted":
            dismissed = 0.0
    return replace(copy, asked=0.0, dismissed=dismissed)


def _gone(old: Delivery, event: Event) -> Delivery:
    # What reached its recipient stays released; only the kept copy is gone.
    if old.state is State.RELEASED:
        return old
    return Delivery(
        old.recipient, State(event.what), event.time, old.reply, old.queue_id, old.attempts
    )
