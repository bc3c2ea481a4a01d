"""Settings `[filters.rates]`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.chain.filter import Filter, StageFilter
from filterd.chain.services import Services
from filterd.filters.rates.symbols import DESCRIPTIONS
from filterd.message.matching import networks
from filterd.system.mistakes import mistakes

Party = Literal[
    "client", "network", "user", "sender", "sender_domain", "recipient", "recipient_domain"
]
"""Whose mail is counted."""

SenderParty = Literal["client", "network", "user", "sender", "sender_domain"]

OF_RECIPIENTS = ("recipient", "recipient_domain")

DEFER, HOLD = "defer", "hold"


@dataclass(frozen=True)
class RateLimit:
    """One rate."""

    by: Annotated[
        Party,
        Doc("whose mail is counted together; user: the name with which a client logged in"),
    ]
    most: Annotated[float, Gt(0), Doc("how much of it is let through within `seconds`")]
    count: Annotated[Literal["messages", "recipients", "bytes"], Doc("what is counted")] = (
        "messages"
    )
    seconds: Annotated[int, Ge(1), Doc("length of the window, which slides")] = 3600
    action: Annotated[
        Literal["defer", "hold"],
        Doc("defer: 451, the client is told when to try again; hold: quarantine"),
    ] = "defer"
    authenticated: Annotated[
        Literal["any", "yes", "no"],
        Doc("yes: only mail of clients that logged in counts; no: only that of others"),
    ] = "any"
    name: Annotated[str, Doc("in symbols and logs; empty: by and count")] = ""

    @property
    def title(self) -> str:
        """Its name."""
        return self.name or f"{self.by} {self.count}"


@dataclass(frozen=True)
class RefusedShare:
    """How much of somebody's mail may be refused, before all of it is held: a stolen account is
    noticed by it."""

    by: Annotated[SenderParty, Doc("whose mail is counted together")] = "user"
    share: Annotated[
        float, Gt(0), Le(1), Doc("of its messages, refused, kept as spam or virus, or labelled")
    ] = 0.3
    messages: Annotated[int, Ge(1), Doc("below so many messages nothing is concluded")] = 20
    seconds: Annotated[int, Ge(1), Doc("length of the window, which slides")] = 3600
    hold_seconds: Annotated[
        float, Gt(0), Doc("how long all of its mail is held, unless somebody ends it earlier")
    ] = 86400.0


@dataclass(frozen=True)
class RatesSettings:
    """Defers or holds mail above a rate, and holds that of accounts whose mail is refused."""

    needs_network: ClassVar[bool] = False

    limits: Annotated[tuple[RateLimit, ...], Doc("the rates")] = ()
    refused: Annotated[tuple[RefusedShare, ...], Doc("shares of refused mail")] = ()
    ipv4_network: Annotated[
        int, Ge(8), Le(32), Doc("bits of an IPv4 address that make a network")
    ] = 24
    ipv6_network: Annotated[int, Ge(16), Le(128), Doc("the same for IPv6")] = 64
    except_clients: Annotated[
        tuple[str, ...], Doc('networks whose mail is not counted, as "192.0.2.0/24", or "local"')
    ] = ()
    except_users: Annotated[
        tuple[str, ...], Doc("names with which clients log in whose mail is not counted")
    ] = ()

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for index, text in enumerate(self.except_clients):
                with wrong.at("except_clients", index):
                    networks([text])
            titles = Counter((one.title, one.seconds) for one in self.limits)
            for index, one in enumerate(self.limits):
                with wrong.at("limits", index, "name"):
                    if titles[one.title, one.seconds] > 1:
                        raise ValueError(f"two limits are called {one.title!r}; give them names")
                with wrong.at("limits", index, "authenticated"):
                    if one.by == "user" and one.authenticated == "no":
                        raise ValueError("would count nothing: only clients that log in are users")
            kinds = Counter(one.by for one in self.refused)
            for index, share in enumerate(self.refused):
                with wrong.at("refused", index, "by"):
                    if kinds[share.by] > 1:
                        raise ValueError(f"{share.by} has two shares; expected one")

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return DESCRIPTIONS

    def build_with(self, services: Services) -> Filter | StageFilter:
        """The filter; the state is opened with the first mail."""
        from filterd.filters.rates.filter import Rates  # noqa: PLC0415  (a running filter)

        return Rates(self, services)
