"""What one version of a model has more than the one before, kept so that it can be taken back.

Weights are sums of exact steps and counts are sums, so differences can be subtracted in any order.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filterd.bayes.model.online import COUNT_MAX, OnlineModel
from filterd.bayes.model.store import ModelFileError

_ARRAYS = ("weights", "counts")
_COUNTERS = ("spam", "ham", "spam_counted", "ham_counted")

FILE_LIMIT = 128 << 20
"""Bytes that a difference unpacks to; one that changes every number of a model has 64 MiB."""


def difference(old: OnlineModel, new: OnlineModel) -> bytes:
    """What `new` has more than `old`, sparse, as an .npz file."""
    parts: dict[str, Any] = {}
    for name in _ARRAYS:
        before, after = getattr(old, name).reshape(-1), getattr(new, name).reshape(-1)
        at = np.flatnonzero(before != after)
        wide = np.float32 if name == "weights" else np.int32
        parts[f"{name}_at"] = at.astype(np.uint32)
        parts[f"{name}_change"] = after[at].astype(wide) - before[at].astype(wide)
    parts["counters"] = np.array([getattr(new, n) - getattr(old, n) for n in _COUNTERS])
    buffer = io.BytesIO()
    np.savez(buffer, **parts)
    return buffer.getvalue()


def subtract(path: Path, model: OnlineModel) -> None:
    """Take the difference in a file out of a model. Raises ModelFileError, and leaves the model as
    it was, if the file is damaged or does not fit the model."""
    try:
        changes, counters = _read(path, model)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        MemoryError,
        struct.error,
        zlib.error,
        zipfile.BadZipFile,
        NotImplementedError,  # zipfile's, for methods that it does not know
    ) as error:
        raise ModelFileError(
            path, f"cannot be subtracted ({error})", "`filterd model rollback` may help"
        ) from None
    for name, (at, change) in changes.items():
        array: Any = getattr(model, name).reshape(-1)
        if name == "weights":
            array[at] -= change
        else:
            left = array[at].astype(np.int32) - change
            array[at] = np.clip(left, 0, int(COUNT_MAX)).astype(np.uint16)
    for name, left in counters.items():
        setattr(model, name, left)


_CHANGES = {"weights": np.dtype("<f4"), "counts": np.dtype("<i4")}
Changes = dict[str, tuple[NDArray[np.uint32], NDArray[Any]]]


def _read(path: Path, model: OnlineModel) -> tuple[Changes, dict[str, int]]:
    """What a file changes, and what the counters are without it. Raises ValueError and others."""
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > FILE_LIMIT:
        raise ValueError(f"it unpacks to more than {FILE_LIMIT} bytes")
    changes: Changes = {}
    with np.load(path, allow_pickle=False) as file:
        for name, dtype in _CHANGES.items():
            at, change = file[f"{name}_at"], file[f"{name}_change"]
            numbers = getattr(model, name).size
            if at.dtype != np.uint32 or at.ndim != 1 or at.shape != change.shape:
                raise ValueError(f"{name}_at: expected one place for each change")
            if at.size and int(at.max()) >= numbers:
                raise ValueError(f"{name}_at: expected places below {numbers}")
            if change.dtype != dtype or not np.isfinite(change).all():
                raise ValueError(f"{name}_change: expected numbers of type {dtype}")
            changes[name] = at, change
        taken = file["counters"]
    if taken.shape != (len(_COUNTERS),) or taken.dtype.kind != "i":
        raise ValueError(f"counters: expected {len(_COUNTERS)} whole numbers")
    counters = {
        name: getattr(model, name) - int(change)
        for name, change in zip(_COUNTERS, taken, strict=True)
    }
    for name, left in counters.items():
        if left < 0:
            raise ValueError(f"counters: {name} would become {left}")
    return changes, counters
