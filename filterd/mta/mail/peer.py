"""The SMTP client."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.message.envelope import ip


@dataclass(frozen=True, slots=True)
class Peer:
    """One client. name: as resolved, or `[192.0.2.1]`. family: `4`, `6` or `U`."""

    name: str
    address: str
    port: int
    family: str = "4"

    @property
    def shown(self) -> str:
        """Its name in replies, the log and Received fields: `localhost [127.0.0.1]`."""
        return f"{self.name} [{self.address}]"

    @property
    def is_local(self) -> bool:
        found = ip(self.address)
        return found is not None and found.is_loopback
