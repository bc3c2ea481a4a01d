"""What is made of a rule set's options once, and kept for all messages.

The options of a rule set are the same objects for every message; comparing the texts of a thousand
lines each time would cost more than most rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")

KEPT_LIMIT = 512
"""Values that are kept: those of a rule set, and of the ones before it."""

_kept: dict[tuple[object, ...], tuple[tuple[object, ...], object]] = {}


def kept(what: object, of: tuple[object, ...], build: Callable[[], T]) -> T:
    """The value that `build` gives, made once as long as `of` are the same objects. what: tells
    values of the same objects apart."""
    key = (what, *map(id, of))
    found = _kept.get(key)
    if found is None or any(one is not other for one, other in zip(found[0], of, strict=True)):
        if len(_kept) >= KEPT_LIMIT:
            _kept.clear()
        found = _kept[key] = of, build()
    return cast(T, found[1])
