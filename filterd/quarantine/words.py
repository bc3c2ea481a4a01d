"""The words for why a message is kept and how it stands, and the check that a word is one of them.

A misspelled word that is taken for a condition finds nothing, and looks like an empty quarantine.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

REASONS = ("spam", "virus", "banned", "policy", "discarded", "stripped", "failed")
"""Why a message is kept."""

STATES = ("held", "releasing", "released", "failed", "copy", "deleted", "expired")
"""How a kept message stands."""

ACTIONS = ("accept", "quarantine", "discard", "tempfail", "reject")
"""What was done with a message when it came."""


class UnknownWordError(ValueError):
    """A word that is not one of those that may be. The text says which may."""


def known(name: str, word: str, words: Sequence[str]) -> str:
    """The word, if it is one of those or empty. name: of the condition, for the error.

    Raises UnknownWordError.
    """
    if not word or word in words:
        return word
    near = difflib.get_close_matches(word[:50], words, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise UnknownWordError(f"{name}: {word[:50]!r} is unknown{hint}; expected {', '.join(words)}")
