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

from filterd.bayes.online import OnlineModel
from filterd.bayes.tokens import FEATURE_VERSION, TABLE
from filterd.bounded import json_value, open_regular
from filterd.durable import write_atomically

MAGIC = b"\x89filterd model\r\n"
"""As PNG's: a first octet above 0x7f and both line ends show a transfer in text mode."""

FORMAT_VERSION = 1
PAGE = 4096
DESCRIPTION_LIMIT = 1 << 20  # octets; a real one has about 1,000
SALT_LENGTH = 16  # octets
STARTER_SALT = b"filterd's starter"[:SALT_LENGTH]
"""The starter's is no secret, and fixed so that training it again gives the same model."""

_PREFIX = struct.Struct("<II")
_ARRAYS: tuple[tuple[str, str, int], ...] = (
    ("weights", "<f4", 2 * TABLE),
    ("counts", "<u2", 4 * TABLE),
)

Origin = Literal["starter", "site"]


class ModelFileError(ValueError):
    """A model file that cannot be used. path: which; what: its trouble; right: what would help."""

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
            {"name": name, "dtype": dtype, "offset": offset, "length": len(blob), "crc32": crc,
             "compressed": compressed}
        )  # fmt: skip
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

    Raises ModelFileError for a file that is missing, foreign, damaged, or of another version.
    """
    try:
        with open_regular(path) as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise ModelFileError(
            path, "no such file", "`filterd train` makes a model from spam and ham"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        reason = getattr(error, "strerror", None) or "is empty"
        raise ModelFileError(path, f"cannot be read ({reason})", _RESTORE) from None
    description, start = _description(path, data)
    arrays = {}
    for (name, dtype, size), entry in zip(_ARRAYS, description["arrays"], strict=True):
        # Files of before `compressed` say it for all arrays together.
        compressed = entry.get("compressed", description["encoding"] == "packed")
        arrays[name] = _array(path, data, start, entry, name, dtype, size, compressed)
    return StoredModel(
        Card(
            bytes.fromhex(description["salt"]),
            description["origin"],
            description["generation"],
            description["created"],
            description["about"],
        ),
        OnlineModel(
            arrays["weights"],
            arrays["counts"].reshape(-1, 2),
            *(int(description[name]) for name in _COUNTERS),
        ),
    )


_RESTORE = "an earlier version of the model, or training it anew, would help"


def _description(path: Path, data: mmap.mmap) -> tuple[dict[str, Any], int]:
    head = len(MAGIC) + _PREFIX.size
    if data[: len(MAGIC)] != MAGIC:
        raise ModelFileError(
            path, "is no filterd model (its first octets are others)", "a .fdm file would be right"
        )
    if len(data) < head:
        raise ModelFileError(path, f"ends at octet {len(data)}, within its head", _RESTORE)
    length, crc = _PREFIX.unpack_from(data, len(MAGIC))
    if length > DESCRIPTION_LIMIT or head + length > len(data):
        raise ModelFileError(path, f"ends at octet {len(data)}, within its description", _RESTORE)
    raw = data[head : head + length]
    if zlib.crc32(raw) != crc:
        raise ModelFileError(path, f"is damaged (checksum of octets {head} on)", _RESTORE)
    try:
        description = json_value(raw)
    except ValueError as error:
        raise ModelFileError(
            path, f"has a description that is not JSON ({error})", _RESTORE
        ) from None
    for key, ours in (("format", FORMAT_VERSION), ("features", FEATURE_VERSION)):
        if description[key] != ours:
            raise ModelFileError(
                path,
                f"has {key} version {description[key]}, this filterd reads {ours}",
                "training it anew would be right",
            )
    return description, head + length + -(head + length) % PAGE


def _array(
    path: Path,
    data: mmap.mmap,
    start: int,
    entry: dict[str, Any],
    name: str,
    dtype: str,
    size: int,
    compressed: bool,
) -> NDArray[Any]:
    offset = start + entry["offset"]
    where = f"array {name}, octets {offset} to {offset + entry['length']}"
    if offset + entry["length"] > len(data):
        raise ModelFileError(path, f"ends at octet {len(data)}, within {where}", _RESTORE)
    blob: bytes | memoryview = memoryview(data)[offset : offset + entry["length"]]
    if compressed:
        unpacker = zlib.decompressobj()
        try:
            # One octet more than right shows an array that is too long, without unpacking it all.
            blob = unpacker.decompress(blob, size * 4 + 1)
        except zlib.error:
            raise ModelFileError(path, f"is damaged ({where})", _RESTORE) from None
    if zlib.crc32(blob) != entry["crc32"]:
        raise ModelFileError(path, f"is damaged (checksum of {where})", _RESTORE)
    array = np.frombuffer(blob, entry["dtype"])
    if len(array) != size:
        raise ModelFileError(path, f"has {len(array)} numbers in {where}, not {size}", _RESTORE)
    return array.astype(dtype, copy=False)
