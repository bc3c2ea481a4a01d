"""Settings `[report]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_doc import Doc

from filterd.message.address import AddressPatternError, checked_mailbox
from filterd.system.mistakes import mistakes


@dataclass(frozen=True)
class AdminReportSettings:
    """A report by mail for admins, which `filterd report send` sends."""

    sender: Annotated[str, Doc("From of the report, e.g. postmaster@mx.example")] = ""
    to: Annotated[tuple[str, ...], Doc("addresses that get it; empty: nobody")] = ()
    plots: Annotated[bool, Doc("with pictures, where the package matplotlib is (extra plot)")] = (
        True
    )

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            addresses = [("sender", self.sender)] if self.sender or self.to else []
            for name, address in addresses:
                with wrong.at(name):
                    _check(address)
            for index, address in enumerate(self.to):
                with wrong.at("to", index):
                    _check(address)


def _check(address: str) -> None:
    try:
        checked_mailbox(address)
    except AddressPatternError:
        raise ValueError(
            f'{address!r} is not an address; expected "postmaster@mx.example"'
        ) from None
