"""The words for why a message is kept and its state, and the check that a word is one of them.

A misspelled word in a condition would find nothing, and look like an empty quarantine.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from enum import StrEnum

from filterd.chain.verdict import Action, Reason


class State(StrEnum):
    """The state of a kept message, or of one recipient's copy of it. `copy`: no recipient's copy is
    held, the message is kept for the admin."""

    HELD = "held"
    RELEASING = "releasing"
    RELEASED = "released"
    FAILED = "failed"
    COPY = "copy"
    DELETED = "deleted"
    EXPIRED = "expired"


REASONS = tuple(reason.value for reason in Reason)
"""Why a message is kept."""

STATES = tuple(state.value for state in State)
"""The states of a kept message."""

WAITING = "waiting"
"""In a search: every state in which a message waits for a decision or for its release."""

WAITING_STATES = (State.HELD.value, State.RELEASING.value, State.FAILED.value)
"""What `waiting` stands for."""

SEARCH_STATES = (*STATES, WAITING)
"""The words that a search takes for a state."""

ACTIONS = tuple(action.value for action in Action)
"""What was done with a message when it came."""


class UnknownWordError(ValueError):
    """A word that is not allowed. The text says which ones are."""


def known(name: str, word: str, words: Sequence[str]) -> str:
    """The word, if it is one of those or empty. name: of the condition, for the error.

    Raises UnknownWordError.
    """
    if not word or word in words:
        return word
    near = difflib.get_close_matches(word[:50], words, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise UnknownWordError(f"{name}: {word[:50]!r} is unknown{hint}; expected {', '.join(words)}")
