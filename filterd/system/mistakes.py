"""All mistakes in a group of settings, reported at once.

A settings class checks its values in `__post_init__`:

    with mistakes() as wrong:
        with wrong.at("listen"):
            _check_listen(self.listen)
        with wrong.at("url"):
            _check_url(self.url)

Each block may raise a ValueError; what follows it is checked all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

Key = tuple[str | int, ...]
"""Where a value stands in its table: names of keys, and places in arrays, from 0."""


class SettingsError(ValueError):
    """Values that are not allowed. found: for each its key, counted from the table, and what is
    wrong."""

    def __init__(self, found: Sequence[tuple[Key, str]]) -> None:
        super().__init__("; ".join(f"{dotted(key)}: {text}" for key, text in found))
        self.found = tuple(found)


class Mistakes:
    """What was found so far."""

    def __init__(self) -> None:
        self.found: list[tuple[Key, str]] = []

    @contextmanager
    def at(self, *key: str | int) -> Iterator[None]:
        """Note the ValueError that the block raises under this key."""
        try:
            yield
        except SettingsError as error:
            self.found += [((*key, *inner), text) for inner, text in error.found]
        except ValueError as error:
            self.found.append((key, str(error)))


@contextmanager
def mistakes() -> Iterator[Mistakes]:
    """Collect what the block finds. Raises SettingsError at its end if that is anything."""
    wrong = Mistakes()
    yield wrong
    if wrong.found:
        raise SettingsError(wrong.found) from None


def dotted(key: Key) -> str:
    """The key as people write it, places in arrays from 1: `policy.rules[2].label`."""
    text = ""
    for part in key:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text
