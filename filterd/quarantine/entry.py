"""One kept message: what is known of it, and how that is written beside the message's bytes.

The description is one JSON file beside the message file. Together they are the whole truth; the
index is built from them and can be rebuilt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from mmap import mmap
from typing import Any

from filterd.chain.report import Arrival, ScanReport, values
from filterd.chain.report_codec import Codec
from filterd.chain.verdict import Action, Failure
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.decoding import header_text
from filterd.system.bounded import json_value
from filterd.system.values import value

FORMAT = 1
"""Version of the description file; a reader refuses what is newer."""

SUBJECT_LIMIT = 1000
"""Characters of Subject and From that the description repeats; the whole is in the message."""

RAW_LIMIT = 10 * SUBJECT_LIMIT
"""Octets that are decoded for it; an encoded word takes up to nine octets for a character."""


class EntryError(ValueError):
    """A description file is damaged, or of a newer version."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A message to be kept.

    report: what was found and decided; its id is the file's name, too. data: the message's exact
    bytes (anything that gives a buffer). held_for: recipients whose copy this is; empty where they
    got the message or the client was refused. received: with time zone.
    """

    report: ScanReport
    data: bytes | memoryview | mmap
    envelope: Envelope
    held_for: tuple[str, ...]
    received: datetime

    @property
    def id(self) -> str:
        """filterd's id of the message."""
        return self.report.id


@value(frozen=True, slots=True, kw_only=True)
class Entry(ScanReport):
    """A kept message without its bytes: its report, and what the quarantine knows besides.

    held_for: recipients whose copy this is. digest: SHA-256 of the bytes, in hex. subject,
    header_from: the first field of that name, decoded. macros: the MTA's.
    """

    received: datetime
    held_for: tuple[str, ...] = ()
    digest: str = ""
    subject: str = ""
    header_from: str = ""
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
        plain = ENTRIES.plain(self)
        client = {name: plain.pop(field) for name, field in _CLIENT.items()}
        renamed = {new: plain.pop(old) for old, new in _RENAMED.items()}
        received = self.received.isoformat()
        return {"format": FORMAT, **plain, "client": client, **renamed, "received": received}

    def encode(self, indent: int | None = 1) -> bytes:
        """The description file's content; in one line, which is quicker, without an indent."""
        text = json.dumps(self.to_json(), indent=indent, ensure_ascii=True)
        return f"{text}\n".encode("ascii")

    @classmethod
    def decode(cls, content: bytes) -> Entry:
        """Read a description file. Raises EntryError."""
        try:
            value = json_value(content)
            if not isinstance(value, dict) or value["format"] > FORMAT:
                raise EntryError(f"format {value.get('format')!r}, this version reads {FORMAT}")
            missing = sorted(_FIRST_KEYS - value.keys())
            if missing:
                raise EntryError(f"has no {', '.join(missing)}")
            client = {field: value["client"][name] for name, field in _CLIENT.items()}
            renamed = {old: value[new] for old, new in _RENAMED.items() if new in value}
            received = datetime.fromisoformat(value["received"])
            if "failures" not in value:
                renamed |= _first_form(value)
            return ENTRIES.read({**value, **client, **renamed, "received": received})
        except EntryError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EntryError(f"{type(error).__name__}: {error}") from error


ENTRIES = Codec(Entry)

_FIRST_KEYS = frozenset(
    "id received size sha256 sender recipients held_for client queue_id message_id subject from "
    "reason action score required symbols virus removed macros".split()
)
"""Keys that every description has, also those in its first form."""

_CLIENT = {"name": "client_name", "address": "client_address", "helo": "helo"}
_RENAMED = {"digest": "sha256", "header_from": "from", "milliseconds": "ms"}
"""Fields that the description file calls by other names."""


def _first_form(value: dict[str, Any]) -> dict[str, Any]:
    """What descriptions that have no report say by the names of symbols alone."""
    failures, symbols = [], value["symbols"]
    for symbol in symbols:
        if symbol["name"].endswith("_FAILED"):
            filter = symbol["name"].removesuffix("_FAILED").lower()
            failures.append(Failure.parse(filter, symbol["detail"]))
    return {
        "failures": failures,
        "banned": any(symbol["name"].startswith("BANNED") for symbol in symbols),
        "labelled": value["action"] == Action.ACCEPT and value["score"] >= value["required"],
    }


def describe(new: NewEntry) -> Entry:
    """The description of a message that is to be kept."""
    message = Message(bytes(new.data), new.envelope, new.id)
    arrival = Arrival.at(new.id, new.envelope, len(new.data), message.get("Message-ID"))
    return Entry(
        **{**values(new.report), **values(arrival)},
        received=new.received,
        held_for=new.held_for,
        digest=hashlib.sha256(new.data).hexdigest(),
        subject=_readable(message, "Subject"),
        header_from=_readable(message, "From"),
        macros=dict(new.envelope.macros),
    )


def _readable(message: Message, name: str) -> str:
    """The first field of that name as people read it, encoded words and 8-bit octets decoded."""
    raw = next((field.raw_value for field in message.fields(name)), b"")
    return header_text(raw[:RAW_LIMIT])[:SUBJECT_LIMIT]


def for_admins_only(entry: Entry) -> str:
    """Why only an admin may release a message as it is, in words for a recipient; empty if a
    recipient may. A banned part is not delivered to anybody who asks for it because the message was
    also taken for spam."""
    if entry.virus:
        return f"it contains a virus ({entry.virus})"
    names = [part.filename or "a part without a name" for part in entry.removed]
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return f"it carries {', '.join(names[:NAMED])}{more}, which may not be delivered"
    if entry.banned:
        return "it carries a part that may not be delivered"
    if entry.failures:
        return "it could not be scanned completely"
    return ""


NAMED = 5
"""Parts that are named in one sentence."""
