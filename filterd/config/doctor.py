"""Settings `[doctor]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_doc import Doc
from annotated_types import Gt, Le

from filterd.message.address import checked_domains
from filterd.message.envelope import ip
from filterd.system.mistakes import mistakes


@dataclass(frozen=True)
class DoctorSettings:
    """What `filterd doctor` asks the DNS about the site as a sender of mail."""

    domains: Annotated[
        tuple[str, ...],
        Doc(
            "domains of this site's senders, whose records are checked as receivers check them, "
            "besides those of filters.sign.keys"
        ),
    ] = ()
    addresses: Annotated[
        tuple[str, ...],
        Doc(
            "IP addresses from which this site's mail goes out; empty: the public ones of "
            "labels.hostname"
        ),
    ] = ()
    selectors: Annotated[
        tuple[str, ...],
        Doc("DKIM selectors of each of the domains, besides those of filters.sign.keys"),
    ] = ()
    seconds: Annotated[
        float, Gt(0), Le(600), Doc("for all questions about one domain, with its MTA-STS policy")
    ] = 30.0

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for index, text in enumerate(self.domains):
                with wrong.at("domains", index):
                    checked_domains([text])
            for index, text in enumerate(self.addresses):
                with wrong.at("addresses", index):
                    if ip(text) is None:
                        raise ValueError(f"{text!r} is not an IP address; expected 192.0.2.1")
            for index, text in enumerate(self.selectors):
                with wrong.at("selectors", index):
                    checked_domains([text])
