"""The models of recipients and domains, a file for each, in the folder `recipients` of the models.

A file has `MAGIC`, the CRC-32 of all behind it, a head of fixed length, whose model it is, then the
places and values of the weights that are not zero and the lessons, oldest first (little-endian).
It is written whole, synced and renamed, so that readers see the old one or the new one, and lessons
and weights always tell the same story.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from filterd.bayes.model.model_description import MESSAGES_LIMIT
from filterd.bayes.model.reading import KEY_LENGTH
from filterd.bayes.model.recipient import STEPS_LIMIT, WIDTH, RecipientModel
from filterd.bayes.model.store import ModelFileError
from filterd.bayes.model.tokens import FEATURE_VERSION
from filterd.message.address import Mailbox
from filterd.system.bounded import read_regular
from filterd.system.durable import make_folder, sync_folder, write_atomically

FOLDER = "recipients"
SUFFIX = ".fdr"
MAGIC = b"\x89filterd recipient\r\n"

FORMAT_VERSION = 1

LESSONS_LIMIT = 5000
"""Lessons of one recipient that can be taken back; what older ones taught stays in the weights."""

MODELS_LIMIT = 20_000
"""Recipients and domains of a site that may have a model, at most some 320 KiB each on disk."""

FILE_LIMIT = 1 << 20
ADDRESS_LIMIT = (
    512  # characters; a mailbox in an SMTP command has 254 at most (RFC 5321, 4.5.3.1.3)
)

_HEAD = struct.Struct("<IHH16sQQQIIH")
"""CRC-32, format, version of the features, salt, spam, ham, time of the last lesson (seconds since
1970), how many weights and lessons follow, and octets of the owner's name, which comes first."""

_CRC = 4  # octets
_WEIGHT = np.dtype([("at", "<u2"), ("steps", "<i4")])
_LESSON = np.dtype([("key", f"V{KEY_LENGTH}"), ("step", "<i4"), ("spam", "u1")])
_RESTORE = "delete the file, and teach this recipient's mail again"


@dataclass(frozen=True, slots=True)
class RecipientLesson:
    """What a message taught. step: what it added to each of its weights, in `STEP`."""

    spam: bool
    step: int


@dataclass(slots=True)
class StoredRecipient:
    """A recipient's model as it lies in a file.

    owner: a mailbox in its one spelling, or `@domain`. salt: of the features. taught: when it
    learned last, seconds since 1970. lessons: by message key, oldest first.
    """

    owner: str
    salt: bytes
    model: RecipientModel = field(default_factory=RecipientModel)
    taught: int = 0
    lessons: dict[bytes, RecipientLesson] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """True if all that it has learned was taken back."""
        return not self.lessons and not self.model.steps.any()


def owner_of(text: str) -> str:
    """The one spelling of whose model it is: a mailbox, or a domain as `@domain`. Without `@` it is
    neither: a login's name would pass for a domain.

    Raises ValueError for what is neither.
    """
    mailbox = Mailbox.parse(text)
    if not mailbox.domain or len(text) > ADDRESS_LIMIT:
        raise ValueError(f"{text[:80]!r}: expected an address, or a domain as @mx.example")
    return f"{mailbox.base}@{mailbox.domain}"


def owners_of(recipient: str) -> tuple[str, ...]:
    """Whose models are asked about mail for a recipient: the domain's, the mailbox' own."""
    mailbox = Mailbox.parse(recipient)
    if not mailbox.domain:
        return ()
    return (f"@{mailbox.domain}", f"{mailbox.base}@{mailbox.domain}") if mailbox.local else ()


class RecipientFolder:
    """The models below a site's folder of models. Reading never creates anything."""

    def __init__(self, models: Path) -> None:
        self.path = models / FOLDER

    def file(self, owner: str) -> Path:
        """Where this one's model is, or would be."""
        name = hashlib.blake2b(owner.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return self.path / f"{name}{SUFFIX}"

    def load(self, owner: str) -> StoredRecipient | None:
        """This one's model, None if there is none. Raises ModelFileError, OSError."""
        path = self.file(owner)
        try:
            found = read(path)
        except FileNotFoundError:
            return None
        if found.owner != owner:
            raise ModelFileError(path, f"is of {found.owner[:80]!r}", f"expected {owner!r}")
        return found

    def save(self, stored: StoredRecipient) -> None:
        """Write a model, mode 0600. Raises ModelFileError if there are too many, OSError."""
        make_folder(self.path)
        path = self.file(stored.owner)
        if not path.exists() and sum(1 for _ in self.files()) >= MODELS_LIMIT:
            raise ModelFileError(
                self.path, f"has {MODELS_LIMIT} models", "delete some: filterd model recipients"
            )
        write_atomically(path, [encoded(stored)])

    def delete(self, owner: str) -> bool:
        """Delete this one's model; False if there is none. Raises OSError."""
        try:
            self.file(owner).unlink()
        except FileNotFoundError:
            return False
        sync_folder(self.path)
        return True

    def files(self) -> Iterator[Path]:
        """The files of all models, in no order."""
        try:
            with os.scandir(self.path) as entries:
                names = [entry.name for entry in entries if entry.name.endswith(SUFFIX)]
        except FileNotFoundError:
            return
        for name in names:
            if not name.startswith("."):
                yield self.path / name


def encoded(stored: StoredRecipient) -> bytes:
    """The file's octets."""
    places = np.flatnonzero(stored.model.steps)
    weights = np.zeros(len(places), _WEIGHT)
    weights["at"], weights["steps"] = places, stored.model.steps[places]
    kept = list(stored.lessons.items())[-LESSONS_LIMIT:]
    lessons = np.array([(key, one.step, one.spam) for key, one in kept], _LESSON)
    owner = stored.owner.encode("utf-8", "surrogatepass")
    head = _HEAD.pack(
        0,
        FORMAT_VERSION,
        FEATURE_VERSION,
        stored.salt,
        stored.model.spam,
        stored.model.ham,
        stored.taught,
        len(weights),
        len(lessons),
        len(owner),
    )
    rest = b"".join((head[_CRC:], owner, weights.tobytes(), lessons.tobytes()))
    return MAGIC + zlib.crc32(rest).to_bytes(_CRC, "little") + rest


def read(path: Path) -> StoredRecipient:
    """Read a file and check all of it before anything is believed.

    Raises ModelFileError for one that is foreign, damaged, of another version, or whose numbers
    make no sense, OSError for one that cannot be read.
    """
    data = read_regular(path, FILE_LIMIT)
    start = len(MAGIC) + _HEAD.size
    if not data.startswith(MAGIC) or len(data) < start:
        raise ModelFileError(path, "is not a recipient's model (wrong first bytes)", _RESTORE)
    crc, form, features, salt, spam, ham, taught, many, lessons, length = _HEAD.unpack_from(
        data, len(MAGIC)
    )
    if zlib.crc32(data[len(MAGIC) + _CRC :]) != crc:
        raise ModelFileError(path, "is damaged (checksum)", _RESTORE)
    for name, value, ours in (
        ("format", form, FORMAT_VERSION),
        ("features", features, FEATURE_VERSION),
    ):
        if value != ours:
            what = f"has {name} version {value}, this filterd reads {ours}"
            raise ModelFileError(path, what, _RESTORE)
    expected = start + length + many * _WEIGHT.itemsize + lessons * _LESSON.itemsize
    if len(data) != expected:
        raise ModelFileError(path, f"has {len(data)} bytes", f"expected {expected}; {_RESTORE}")
    weights = np.frombuffer(data, _WEIGHT, many, start + length)
    told = np.frombuffer(data, _LESSON, lessons, start + length + weights.nbytes)
    steps = weights["steps"].astype(np.int64)
    if many and (weights["at"].max() >= WIDTH or np.abs(steps).max() > STEPS_LIMIT):
        raise ModelFileError(path, "has weights beyond their limits", _RESTORE)
    if max(spam, ham, taught) > MESSAGES_LIMIT:
        raise ModelFileError(path, "has counters beyond their limits", _RESTORE)
    model = RecipientModel(spam=spam, ham=ham)
    model.steps[weights["at"]] = steps
    owner = data[start : start + length].decode("utf-8", "replace")
    return StoredRecipient(
        owner,
        salt,
        model,
        taught,
        {bytes(one["key"]): RecipientLesson(bool(one["spam"]), int(one["step"])) for one in told},
    )
