"""One file, one version of a model.

Layout: `MAGIC`, the length of the description and its CRC-32 (both little-endian u32), the
description (JSON), then the arrays, each beginning at a multiple of `PAGE`. A file is written once,
under another name, synced and renamed, and never changed after that: readers map it read-only, so
that all workers share its pages, and a version that is replaced lives as long as somebody maps it.

Two encodings: `raw` maps as it is. `packed` (weights rounded to half precision, everything
deflated) is an eighth as large and is unpacked into memory when loaded: for models that travel.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from filterd.bayes.model import model_description
from filterd.bayes.model.model_description import (
    PAGE,
    ArrayDescription,
    Description,
    DescriptionError,
)
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.tokens import FEATURE_VERSION, TABLE
from filterd.system.bounded import open_regular
from filterd.system.durable import write_atomically

MAGIC = b"\x89filterd model\r\n"
"""As PNG's: a first octet above 0x7f and both line ends show a transfer in text mode."""

FORMAT_VERSION = 1
DESCRIPTION_LIMIT = 1 << 20  # octets; a real one has about 1,000
SALT_LENGTH = 16  # octets
STARTER_SALT = b"filterd's starter"[:SALT_LENGTH]
"""The starter's is not a secret, and fixed so that training it again gives the same model."""

_PREFIX = struct.Struct("<II")
_ARRAYS: tuple[tuple[str, str, int], ...] = (
    ("weights", "<f4", 2 * TABLE),
    ("counts", "<u2", 4 * TABLE),
)

Origin = Literal["starter", "site"]


class ModelFileError(ValueError):
    """A model file that cannot be used. path: which; what: its trouble; right: what was
    expected, or what would help."""

    def __init__(self, path: Path, what: str, right: str) -> None:
        super().__init__(f"{path}: {what}; {right}")
        self.path = path
        self.what = what
        self.right = right


@dataclass(frozen=True, slots=True)
class Card:
    """What a model file says about itself.

    salt: of the feature hash. origin: `starter` for a model trained elsewhere, `site` for the
    site's own. generation: counts the versions of one site. created: ISO 8601, UTC. about: for
    people.
    """

    salt: bytes
    origin: Origin = "site"
    generation: int = 0
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    about: str = ""

    @classmethod
    def new(cls, origin: Origin = "site", about: str = "") -> Card:
        """A card with a fresh random salt."""
        return cls(os.urandom(SALT_LENGTH), origin, about=about)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model with its card. Loaded from a `raw` file its arrays are read-only."""

    card: Card
    model: OnlineModel


def save(path: Path, stored: StoredModel, *, packed: bool = False) -> None:
    """Write the model, mode 0600 (packed: 0644, it travels), so that a crash leaves the old file or
    the new one.

    Raises OSError.
    """
    write_atomically(path, _encode(stored, packed), 0o644 if packed else 0o600)


def _encode(stored: StoredModel, packed: bool) -> list[bytes]:
    arrays: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    offset = 0
    for name, dtype, _size in _ARRAYS:
        array: NDArray[Any] = getattr(stored.model, name)
        if packed and dtype == "<f4":
            dtype = "<f2"  # noqa: PLW2901  # what the table says, but half of it
        blob = array.astype(dtype, copy=False).tobytes()
        crc = zlib.crc32(blob)
        # Half-precision weights hardly compress, and unpacking them takes as long as all the rest.
        compressed = packed and dtype != "<f2"
        if compressed:
            blob = zlib.compress(blob, 9)
        arrays.append(
            {
                "name": name,
                "dtype": dtype,
                "offset": offset,
                "length": len(blob),
                "crc32": crc,
                "compressed": compressed,
            }
        )
        blobs += [blob, bytes(-len(blob) % PAGE)]
        offset += len(blob) + -len(blob) % PAGE
    description = json.dumps(
        {
            "format": FORMAT_VERSION,
            "features": FEATURE_VERSION,
            "encoding": "packed" if packed else "raw",
            **asdict(stored.card),
            "salt": stored.card.salt.hex(),
            **{name: getattr(stored.model, name) for name in _COUNTERS},
            "arrays": arrays,
        }
    ).encode()
    head = MAGIC + _PREFIX.pack(len(description), zlib.crc32(description)) + description
    return [head, bytes(-len(head) % PAGE), *blobs]


_COUNTERS = ("spam", "ham", "spam_counted", "ham_counted")


def load(path: Path) -> StoredModel:
    """Open a model file; check all of it before anything is believed.

    Raises ModelFileError for a file that is missing, foreign, damaged, of another version, or whose
    numbers make no sense.
    """
    data = _mapped(path)  # never closed: the arrays live in it
    description, start = _description(path, data)
    if len(description.arrays) != len(_ARRAYS):
        raise ModelFileError(
            path, f"has {len(description.arrays)} arrays", f"expected {len(_ARRAYS)}"
        )
    arrays = {}
    for expected, entry in zip(_ARRAYS, description.arrays, strict=True):
        # Files of before `compressed` say it for all arrays together.
        compressed = entry.compressed
        if compressed is None:
            compressed = description.encoding == "packed"
        arrays[expected[0]] = _array(path, data, start, entry, expected, compressed)
    weights = arrays["weights"]
    # What is not a number compares with nothing, so it is found as well.
    if not (weights.min() >= -WEIGHT_LIMIT and weights.max() <= WEIGHT_LIMIT):
        raise ModelFileError(
            path,
            f"has weights that are not numbers from -{WEIGHT_LIMIT:.0f} to {WEIGHT_LIMIT:.0f}",
            _RESTORE,
        )
    return StoredModel(
        Card(
            bytes.fromhex(description.salt),
            description.origin,
            description.generation,
            description.created,
            # It goes to terminals, and may come from anywhere.
            "".join(c if c.isprintable() else "\ufffd" for c in description.about),
        ),
        OnlineModel(
            weights,
            arrays["counts"].reshape(-1, 2),
            *(getattr(description, name) for name in _COUNTERS),
        ),
    )


WEIGHT_LIMIT = 65536.0
"""No weight is larger: one lesson moves a weight by 8 at most, and weights beyond 64 are rare."""

_RESTORE = "use an earlier version of the model, or train it again"


def _mapped(path: Path) -> mmap.mmap:
    """The file's bytes. Raises ModelFileError."""
    try:
        with open_regular(path) as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise ModelFileError(path, "no such file", "create a model with `filterd train`") from None
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        reason = getattr(error, "strerror", None) or "is empty"
        raise ModelFileError(path, f"cannot be read ({reason})", _RESTORE) from None


def _description(path: Path, data: mmap.mmap) -> tuple[Description, int]:
    head = len(MAGIC) + _PREFIX.size
    if data[: len(MAGIC)] != MAGIC:
        raise ModelFileError(
            path, "is not a filterd model (wrong first bytes)", "expected a .fdm file"
        )
    if len(data) < head:
        raise ModelFileError(path, f"ends at byte {len(data)}, within its header", _RESTORE)
    length, crc = _PREFIX.unpack_from(data, len(MAGIC))
    if length > DESCRIPTION_LIMIT or head + length > len(data):
        raise ModelFileError(path, f"ends at byte {len(data)}, within its description", _RESTORE)
    raw = data[head : head + length]
    if zlib.crc32(raw) != crc:
        raise ModelFileError(path, f"is damaged (checksum of bytes {head} on)", _RESTORE)
    try:
        found = model_description.read(raw)
        for key, ours in (("format", FORMAT_VERSION), ("features", FEATURE_VERSION)):
            value = found.get(key)
            if type(value) is not int or value != ours:
                newer = type(value) is int and value > ours
                raise ModelFileError(
                    path,
                    f"has {key} version {_shown(value)}, this filterd reads {ours}",
                    "run the newer filterd that wrote it, or use an earlier version of the model"
                    if newer
                    else "train it again with this version",
                )
        description = model_description.checked(found)
    except DescriptionError as error:
        raise ModelFileError(path, f"has a bad description ({error})", _RESTORE) from None
    return description, head + length + -(head + length) % PAGE


def _shown(value: object) -> str:
    """A value of somebody else's file, short."""
    short = isinstance(value, str) and len(value) <= 20 and value.isprintable()
    return str(value) if short else repr(value)[:20]


def _array(
    path: Path,
    data: mmap.mmap,
    start: int,
    entry: ArrayDescription,
    expected: tuple[str, str, int],
    compressed: bool,
) -> NDArray[Any]:
    name, dtype, size = expected
    if entry.name != name or entry.dtype not in _ENCODED[dtype]:
        raise ModelFileError(
            path,
            f"has an array {entry.name[:20]!r} of {entry.dtype}",
            f"expected {name} of {' or '.join(_ENCODED[dtype])}",
        )
    offset = start + entry.offset
    where = f"array {name}, bytes {offset} to {offset + entry.length}"
    if offset + entry.length > len(data):
        raise ModelFileError(path, f"ends at byte {len(data)}, within {where}", _RESTORE)
    blob: bytes = data[offset : offset + entry.length] if compressed else b""
    view: bytes | memoryview = memoryview(data)[offset : offset + entry.length]
    right = size * np.dtype(entry.dtype).itemsize
    if compressed:
        try:
            # One byte more than right shows an array that is too long, without unpacking it all.
            view = zlib.decompressobj().decompress(blob, right + 1)
        except zlib.error:
            raise ModelFileError(path, f"is damaged ({where})", _RESTORE) from None
    if len(view) != right:
        raise ModelFileError(path, f"has another length than {right} bytes in {where}", _RESTORE)
    if zlib.crc32(view) != entry.crc32:
        raise ModelFileError(path, f"is damaged (checksum of {where})", _RESTORE)
    return np.frombuffer(view, entry.dtype).astype(dtype, copy=False)


_ENCODED = {"<f4": ("<f4", "<f2"), "<u2": ("<u2",)}
"""How an array of each kind may be written: weights also with half precision."""
