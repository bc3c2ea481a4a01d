"""What one version of a model has more than the one before, kept so that it can be taken back.

Weights are sums of exact steps and counts are sums, so differences can be subtracted in any order.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from filterd.bayes.online import COUNT_MAX, OnlineModel
from filterd.bayes.store import ModelFileError

_ARRAYS = ("weights", "counts")
_COUNTERS = ("spam", "ham", "spam_counted", "ham_counted")


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
    """Take the difference in a file out of a model. Raises ModelFileError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in _ARRAYS:
                array: Any = getattr(model, name).reshape(-1)
                at, change = file[f"{name}_at"], file[f"{name}_change"]
                if name == "weights":
                    array[at] -= change
                else:
                    left = array[at].astype(np.int32) - change
                    array[at] = np.clip(left, 0, int(COUNT_MAX)).astype(np.uint16)
            for name, change in zip(_COUNTERS, file["counters"].tolist(), strict=True):
                setattr(model, name, getattr(model, name) - change)
    except (OSError, ValueError, KeyError) as error:
        raise ModelFileError(
            path, f"cannot be subtracted ({error})", "`filterd model rollback` may help"
        ) from None
