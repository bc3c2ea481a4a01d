"""What is asked of rules, for those who ask and load no interpreter of rules."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.mta.cf.addresses import AddressKind


@dataclass(frozen=True)
class TraceQuestion:
    """What is asked. mailer: see an address as this mailer does; without, where it goes."""

    sender: bool = False
    header: bool = False
    mailer: str = ""

    @property
    def kind(self) -> AddressKind:
        return AddressKind(header=self.header, sender=self.sender)
