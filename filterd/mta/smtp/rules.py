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
    """Whether a name at HELO is one."""

    accepts_bad_names: bool = False
    """HELO accepts a name that is none, and ignores it (sendmail's AllowBogusHELO)."""

    bad_recipients: int = 0
    """Refused recipients of a message after which the session is ended (BadRcptShutdown); 0: any
    number."""

    bad_share: int = 0
    """Percent of refused recipients that must be reached, too (BadRcptShutdownGood)."""

    refuses_proxies: bool = False
    """A client whose first command is HTTP's is disconnected."""

    shortest_by: int | None = None
    """Seconds that a sender must leave for the delivery at least (RFC 2852); 0: any time; None:
    DELIVERBY is not offered."""

    soft_bounces: bool = False
    """Replies 5xx become 4xx (SoftBounce)."""

    path_end: Callable[[str], int] | None = None
    """Where the path of MAIL and RCPT ends. With it paths are not checked when they are read: the
    MTA's rules do that. None: they are those of RFC 5321."""

    repaired_address: Callable[[str], str | None] = _no_repair
    """What the MTA takes an invalid path for, None if it refuses it."""


@dataclass(frozen=True, slots=True)
class ConnectionRules:
    """When connections wait or are refused. Loads are the machine's load average; 0: never.

    rate_window: seconds over which connections are counted. throttle: new ones in a second; more
    wait. refuse_load: new ones get 421. delay_load: each command waits a second.
    """

    rate_window: float = 60.0
    throttle: int = 0
    refuse_load: int = 0
    delay_load: int = 0
