"""A message in the queue: its envelope and state, and each recipient that is still to be served."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, fields
from typing import Any

from filterd.system.bounded import json_value

FORMAT = 1
"""Version of the envelope file."""


@dataclass(frozen=True, slots=True)
class Target:
    """One recipient still to be served. parameters: its DSN parameters, RFC 3461.

    sender: who hears of trouble instead of the envelope's sender (`owner-` of a list), None for the
    envelope's. user: whose `.forward` named this address, and so whom a program runs as.
    """

    address: str
    parameters: tuple[str, ...] = ()
    sender: str | None = None
    user: str = ""
    listed: bool = False
    """It comes out of an alias or a `.forward` file, and so may be a program or a file."""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One message in the queue. Times are seconds since the epoch.

    sender: `""` for the null reverse-path. targets: recipients not yet served. due: when the next
    attempt is. expires: when it goes back. held: why it is quarantined, None if it is not.
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
    """A report to the postmaster about a report: if it fails, nobody is told."""

    def encode(self) -> bytes:
        # asdict() copies deeply; this is on the way of every message.
        table = {name: getattr(self, name) for name in _ENTRY}
        table["targets"] = [{name: getattr(one, name) for name in _TARGET} for one in self.targets]
        return json.dumps({"format": FORMAT, **table}).encode("ascii")

    @classmethod
    def decode(cls, data: bytes) -> QueueEntry:
        """Raises ValueError, KeyError or TypeError if the data is not an entry."""
        table: dict[str, Any] = json_value(data)
        if table.pop("format") != FORMAT:
            raise ValueError("not of a format that this version reads")
        targets = tuple(
            Target(
                one["address"],
                tuple(one["parameters"]),
                one["sender"],
                one["user"],
                one.get("listed") is True,
            )
            for one in table.pop("targets")
        )
        parameters = tuple(table.pop("sender_parameters"))
        return cls(**table, targets=targets, sender_parameters=parameters)


_ENTRY = tuple(one.name for one in fields(QueueEntry))
_TARGET = tuple(one.name for one in fields(Target))
