"""Settings `[filters.known]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.chain.filter import Filter, StageFilter
from filterd.chain.services import Services
from filterd.filters.known.symbols import DESCRIPTIONS
from filterd.message.address import patterns
from filterd.message.matching import networks
from filterd.system.mistakes import mistakes

DAY = 86400.0


@dataclass(frozen=True)
class KnownSettings:
    """Gives ham points to people to whom this site has written, and to replies."""

    needs_network: ClassVar[bool] = False

    sender_score: Annotated[
        float, Le(0), Doc("points of mail from an author to whom the recipient has written")
    ] = -3.0
    reply_score: Annotated[
        float, Le(0), Doc("points of a reply to a message that the recipient sent")
    ] = -3.0
    unproven_share: Annotated[
        float,
        Ge(0),
        Le(1),
        Doc(
            "share of these points where no filter before this one in the chain has authenticated "
            "senders: an author is easily forged"
        ),
    ] = 0.25
    site: Annotated[
        bool, Doc("true: who is known to one recipient of the site is known to all of them")
    ] = False
    domains: Annotated[
        tuple[str, ...],
        Doc(
            'the site\'s own domains, as "mx.example" or ".mx.example": only mail from these makes '
            "its recipients known, and who claims one of them from outside is not; empty: any "
            "sender of `clients`, and the domains of the recipients"
        ),
    ] = ()
    clients: Annotated[
        tuple[str, ...],
        Doc(
            'networks whose mail this site sends, as "192.0.2.0/24", or "local"; clients that '
            "logged in always count"
        ),
    ] = ("local",)
    keep_days: Annotated[
        float, Gt(0), Doc("days for which a person is known after the last message to it")
    ] = 180.0
    reply_days: Annotated[
        float, Gt(0), Doc("days within which a reply counts as one, by its Message-ID")
    ] = 60.0
    recipients_limit: Annotated[
        int, Ge(1), Le(1000), Doc("a message to more recipients makes nobody known")
    ] = 20
    new_per_day: Annotated[
        int, Ge(1), Doc("people who become known by one sender in a day, at most")
    ] = 200
    key_file: Annotated[
        Path | None,
        Doc(
            "secret key of the hashes, 16 octets or more, the same on all hosts that share the "
            "state; unset: made from the quarantine's release.key"
        ),
    ] = None

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for index, text in enumerate(self.domains):
                with wrong.at("domains", index):
                    patterns([text])
            for index, text in enumerate(self.clients):
                with wrong.at("clients", index):
                    networks([text])

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return DESCRIPTIONS

    def build_with(self, services: Services) -> Filter | StageFilter:
        """The filter; the state is opened with the first mail."""
        from filterd.filters.known.filter import Known  # noqa: PLC0415  (a running filter)

        return Known(self, services)
