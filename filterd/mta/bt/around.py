"""What test mode needs of the world around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from filterd.mta.cf.lookup import Maps

HelpFile = Callable[[str], Sequence[str] | None]
"""The lines of the help file for a topic, None if there is none."""


class HostLookups(Protocol):
    """What `/canon` and `/mx` ask."""

    def canonical(self, name: str) -> str:
        """The canonical name of a host, the name itself if there is none."""
        ...

    def mail_exchangers(self, name: str) -> Sequence[str] | int | None:
        """Hosts for mail to a name; a negative number for a failure, None for a null MX."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """What test mode needs of the world. user: who runs it."""

    maps: Maps
    hosts: HostLookups
    help: HelpFile
    version: str
    user: str
    privileged: bool = True
