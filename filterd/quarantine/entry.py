"""One kept message: what is known of it, and how that is written beside the message's bytes.

The description is one JSON file beside the message file. Together they are the whole truth; the
index is made from them and can be made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from mmap import mmap
from typing import Any

from filterd.chain.verdict import RemovedPart, Symbol
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.decoding import header_text
from filterd.system.bounded import json_value

FORMAT = 1
"""Version of the description file; a reader refuses what is newer."""

SUBJECT_LIMIT = 1000
"""Characters of Subject and From that the description repeats; the whole is in the message."""

RAW_LIMIT = 10 * SUBJECT_LIMIT
"""Octets that are decoded for it; an encoded word takes up to nine octets for a character."""


class EntryError(ValueError):
    """A description file that is damaged or of a newer version."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A message to be kept.

    id: filterd's id of the message, also the file's name. data: its exact bytes (anything that
    gives a buffer). held_for: recipients whose copy this is; empty where they got the message or
    the client was refused. reason: `spam`, `virus`, `banned`, `policy`, `discarded`, `stripped` or
    `failed`. action: what the MTA was told, as a word. received: with time zone.
    """

    id: str
    data: bytes | memoryview | mmap
    envelope: Envelope
    held_for: tuple[str, ...]
    reason: str
    action: str
    score: float
    required: float
    symbols: tuple[Symbol, ...]
    virus: str
    removed: tuple[RemovedPart, ...]
    received: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept message without its bytes. size: octets; digest: SHA-256 of the bytes, in hex."""

    id: str
    received: datetime
    size: int
    digest: str
    sender: str
    recipients: tuple[str, ...]
    held_for: tuple[str, ...]
    client_name: str
    client_address: str
    helo: str
    queue_id: str
    message_id: str
    subject: str
    header_from: str
    reason: str
    action: str
    score: float
    required: float
    symbols: tuple[Symbol, ...] = ()
    virus: str = ""
    removed: tuple[RemovedPart, ...] = ()
    macros: Mapping[str, str] = field(default_factory=dict)

    @property
    def envelope(self) -> Envelope:
        """The envelope that the message came with."""
        return Envelope(
            self.sender,
            tuple(map(Recipient, self.recipients)),
            Client(self.client_name, self.client_address, helo=self.helo),
            macros=self.macros,
        )

    def to_json(self) -> dict[str, Any]:
        """The description as a plain value."""
        return {
            "format": FORMAT,
            "id": self.id,
            "received": self.received.isoformat(),
            "size": self.size,
            "sha256": self.digest,
            "sender": self.sender,
            "recipients": list(self.recipients),
            "held_for": list(self.held_for),
            "client": {
                "name": self.client_name,
                "address": self.client_address,
                "helo": self.helo,
            },
            "queue_id": self.queue_id,
            "message_id": self.message_id,
            "subject": self.subject,
            "from": self.header_from,
            "reason": self.reason,
            "action": self.action,
            "score": self.score,
            "required": self.required,
            "symbols": [
                {"name": s.name, "score": s.score, "detail": s.detail} for s in self.symbols
            ],
            "virus": self.virus,
            "removed": [
                {"filename": r.filename, "reason": r.reason, "start": r.start, "end": r.end}
                for r in self.removed
            ],
            "macros": dict(self.macros),
        }

    def encode(self) -> bytes:
        """The description file's content."""
        return (json.dumps(self.to_json(), indent=1, ensure_ascii=True) + "\n").encode("ascii")

    @classmethod
    def decode(cls, content: bytes) -> Entry:
        """Read a description file. Raises EntryError."""
        try:
            value = json_value(content)
            if not isinstance(value, dict) or value["format"] > FORMAT:
                raise EntryError(f"format {value.get('format')!r}, this version reads {FORMAT}")
            return cls(
                id=str(value["id"]),
                received=datetime.fromisoformat(value["received"]),
                size=int(value["size"]),
                digest=str(value["sha256"]),
                sender=value["sender"],
                recipients=tuple(value["recipients"]),
                held_for=tuple(value["held_for"]),
                client_name=value["client"]["name"],
                client_address=value["client"]["address"],
                helo=value["client"]["helo"],
                queue_id=value["queue_id"],
                message_id=value["message_id"],
                subject=value["subject"],
                header_from=value["from"],
                reason=value["reason"],
                action=value["action"],
                score=float(value["score"]),
                required=float(value["required"]),
                symbols=tuple(Symbol(s["name"], s["score"], s["detail"]) for s in value["symbols"]),
                virus=value["virus"],
                removed=tuple(
                    RemovedPart(r["filename"], r["reason"], r["start"], r["end"])
                    for r in value["removed"]
                ),
                macros=dict(value["macros"]),
            )
        except EntryError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EntryError(f"{type(error).__name__}: {error}") from error


def describe(new: NewEntry) -> Entry:
    """The description of a message that is to be kept."""
    message = Message(bytes(new.data), new.envelope, new.id)
    envelope = new.envelope
    return Entry(
        id=new.id,
        received=new.received,
        size=len(new.data),
        digest=hashlib.sha256(new.data).hexdigest(),
        sender=envelope.sender,
        recipients=tuple(r.address for r in envelope.recipients),
        held_for=new.held_for,
        client_name=envelope.client.name,
        client_address=envelope.client.address,
        helo=envelope.client.helo,
        queue_id=envelope.queue_id,
        message_id=message.get("Message-ID")[:SUBJECT_LIMIT],
        subject=_readable(message, "Subject"),
        header_from=_readable(message, "From"),
        reason=new.reason,
        action=new.action,
        score=new.score,
        required=new.required,
        symbols=new.symbols,
        virus=new.virus,
        removed=new.removed,
        macros=dict(envelope.macros),
    )


def _readable(message: Message, name: str) -> str:
    """The first field of that name as people read it, encoded words and 8-bit octets decoded."""
    raw = next((field.raw_value for field in message.fields(name)), b"")
    return header_text(raw[:RAW_LIMIT])[:SUBJECT_LIMIT]


def for_admins_only(entry: Entry) -> str:
    """Why only an admin may release a message as it is, in words for a recipient; empty if a
    recipient may. A banned part is not delivered to whoever asks for it because the message was
    also taken for spam."""
    if entry.virus:
        return f"it contains a virus ({entry.virus})"
    names = [part.filename or "a part without a name" for part in entry.removed]
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return f"it carries {', '.join(names[:NAMED])}{more}, which may not be delivered"
    symbols = {symbol.name for symbol in entry.symbols}
    if any(name.startswith("BANNED") for name in symbols):
        return "it carries a part that may not be delivered"
    if any(name.endswith("_FAILED") for name in symbols):
        return "it could not be examined whole"
    return ""


NAMED = 5
"""Parts that are named in one sentence."""
