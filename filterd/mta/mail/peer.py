"""The SMTP client."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """One client. name: as resolved, or `[192.0.2.1]`. family: `4`, `6` or `U`.

    pointer: what its address resolves to, whether or not that name has this address; "" for nothing
    or the name itself. trouble: why it has no name, FORGED or TEMP; "" for FAIL.
    """

    name: str
    address: str
    port: int
    family: str = "4"
    pointer: str = ""
    trouble: str = ""

    @property
    def shown(self) -> str:
        """Its name in replies, the log and Received fields: `localhost [127.0.0.1]`."""
        if self.trouble == "FORGED":
            return f"{self.pointer} [{self.address}] (may be forged)"
        return self.name if self.name.startswith("[") else f"{self.name} [{self.address}]"

    @property
    def resolved(self) -> str:
        """sendmail's `${client_resolve}`: OK, FAIL, FORGED or TEMP."""
        if self.trouble:
            return self.trouble
        return "FAIL" if self.name.startswith("[") else "OK"
