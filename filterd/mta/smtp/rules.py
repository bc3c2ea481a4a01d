"""What an MTA accepts from a client besides the grammar, and when it slows a client down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


def _any_name(name: str) -> bool:
    del name
    return True


def _no_repair(path: str) -> str | None:
    del path
    return None


@dataclass(frozen=True, slots=True)
class SessionRules:
    """The rules of one MTA. Kinds of commands are verbs, or `refused RCPT`."""

    slow_after: Mapping[str, int] = field(default_factory=dict)
    """Commands of a kind after which each further one is delayed, twice as long as the last."""

    constant_delay: frozenset[str] = frozenset()
    """Kinds that are delayed by one second each time instead."""

    close_after: Mapping[str, int] = field(default_factory=dict)
    """Commands of a kind that end the session."""

    soft_errors: int = 0
    """Refusals of any kind after which each further one is delayed."""

    hard_errors: int = 0
    """Refusals of any kind that end the session; 0: refusals are not counted."""

    unknown_verbs: frozenset[str] = frozenset()
    """Commands that this MTA does not have."""

    repairs_bare: bool = False
    """A lone LF in a message is a line end and a lone CR a blank, not an error."""

    valid_name: Callable[[str], bool] = _any_name
    """Whether HELO accepts a name."""

    repaired_address: Callable[[str], str | None] = _no_repair
    """What the MTA takes an invalid path for, None if it refuses it."""
