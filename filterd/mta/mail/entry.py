"""A message in the queue: its envelope and state, and each recipient that is still to be served."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from filterd.mta.mail.address import Route
from filterd.system.bounded import json_value

FORMAT = 1
"""Version of the envelope file."""


@dataclass(frozen=True, slots=True)
class Target:
    """One recipient still to be served. parameters: its DSN parameters, RFC 3461.

    sender: who gets reports instead of the envelope's sender (`owner-` of a list), None for the
    envelope's. user: the user whose `.forward` or list named this address; programs run as that
    user.
    """

    address: str
    parameters: tuple[str, ...] = ()
    sender: str | None = None
    user: str = ""
    listed: bool = False
    """It is from an alias or a `.forward` file, and so may be a program or a file."""

    waits: bool = False
    """Its aliases could not be looked up yet."""

    relayed: bool = False
    """It is on another host, and named by a client who may send mail there."""

    route: Route | None = field(default=None, compare=False)
    """Where it goes, for the first attempt; a later one finds out again."""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One message in the queue. Times are seconds since the epoch.

    sender: `""` for the null reverse-path. targets: recipients not yet served. due: time of the
    next attempt. expires: when it is returned to the sender. held: why it is quarantined, None if
    it is not.
    """

    id: str
    sender: str
    targets: tuple[Target, ...]
    arrived: float = field(default_factory=time.time)
    due: float = 0.0
    expires: float = 0.0
    attempts: int = 0
    held: str | None = None
    sender_parameters: tuple[str, ...] = ()
    trouble: str = ""
    """Why the last attempt failed, one line."""

    last: bool = False
    """A report to the postmaster about a report: if it fails, no further report is sent."""

    is_report: bool = False
    """It was made here, about mail that failed."""

    warned: bool = False
    """The sender knows that it is late."""

    macros: Mapping[str, str] = field(default_factory=dict)
    """Macros of the session that its delivery sees, by their names on the wire."""

    def encode(self) -> bytes:
        # asdict() copies deeply; this is on the way of every message.
        table = {name: getattr(self, name) for name in _ENTRY}
        if not self.warned:
            # As before there was such a mark: an older version can read it.
            del table["warned"]
        table["targets"] = [{name: getattr(one, name) for name in _TARGET} for one in self.targets]
        return json.dumps({"format": FORMAT, **table}).encode("ascii")

    @classmethod
    def decode(cls, data: bytes) -> QueueEntry:
        """Raises ValueError, KeyError or TypeError if the data is not an entry."""
        table: dict[str, Any] = json_value(data)
        if table.pop("format") != FORMAT:
            raise ValueError("format not known to this version")
        targets = tuple(
            Target(
                one["address"],
                tuple(one["parameters"]),
                one["sender"],
                one["user"],
                one.get("listed") is True,
                one.get("waits") is True,
                one.get("relayed") is True,
            )
            for one in table.pop("targets")
        )
        parameters = tuple(table.pop("sender_parameters"))
        return cls(**table, targets=targets, sender_parameters=parameters)


_ENTRY = tuple(one.name for one in fields(QueueEntry))
_TARGET = tuple(one.name for one in fields(Target) if one.name != "route")
