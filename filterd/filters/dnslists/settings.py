"""Settings `[filters.dnslists]`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.filters.dnslists.codes import SYMBOL, CodeMeaning, Table, checked, table
from filterd.filters.dnslists.known import KNOWN, About, KnownList
from filterd.filters.dnslists.symbols import (
    DESCRIPTIONS,
    received_description,
    received_name,
)
from filterd.message.address import canonical_domain, checked_domains
from filterd.system.mistakes import mistakes

if TYPE_CHECKING:
    from filterd.chain.filter import Filter
    from filterd.chain.services import Services


@dataclass(frozen=True)
class DnsList:
    """Settings `[[filters.dnslists.lists]]`: one list.

    For a zone that filterd knows, `zone` is enough.
    """

    zone: Annotated[str, Doc("where it is asked, as zen.spamhaus.org")]
    like: Annotated[
        str,
        Doc(
            "a zone that filterd knows, for its codes: for copies, and zones with a key "
            "in their name; empty: as `zone`"
        ),
    ] = ""
    ask: Annotated[
        tuple[About, ...],
        Doc("what it is asked about; empty: as known of the zone, else client"),
    ] = ()
    codes: Annotated[
        Mapping[str, str],
        Doc(
            'return code → symbol, points, and "allow" or "client", or "error"; '
            "empty: as known of the zone"
        ),
    ] = field(default_factory=dict)
    symbol: Annotated[
        str, Doc("symbol of a listing that `codes` does not name; empty: such are ignored")
    ] = ""
    points: Annotated[float, Doc("points for that symbol")] = 0.0
    resolve: Annotated[
        bool,
        Doc(
            "true: ask about the addresses that names lead to, for lists of addresses; each host "
            "of a URL is looked up then"
        ),
    ] = False
    whole_names: Annotated[
        bool, Doc("true: ask about a host's whole name, false: about its registered domain")
    ] = False
    url_addresses: Annotated[
        bool | None,
        Doc("ask about URLs with an address for a host; unset: unless the list is known not to"),
    ] = None
    ipv6: Annotated[
        bool | None, Doc("ask about IPv6 addresses; unset: unless the list is known not to")
    ] = None

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("zone"):
                checked_domains([self.zone])
            with wrong.at("like"):
                if self.like and self.like not in KNOWN:
                    raise ValueError(
                        f"{self.like!r} is not known; expected one of {', '.join(KNOWN)}"
                    )
            with wrong.at("symbol"):
                if self.symbol and not SYMBOL.fullmatch(self.symbol):
                    raise ValueError(
                        f"{self.symbol!r} is not a symbol; expected capitals, as RCVD_IN_SBL"
                    )
                if not self.symbol and not self.codes and self.known is None:
                    raise ValueError("is empty, and no `codes` are set: a listing means nothing")
            with wrong.at("points"):
                if not math.isfinite(self.points):
                    raise ValueError(f"{self.points} is not a number")
            for code, meaning in self.codes.items():
                with wrong.at("codes", code):
                    self._check(checked(code, meaning)[1])
            if not self.codes:
                with wrong.at("ask"):
                    for _code, known in self.table:
                        self._check(known)
            with wrong.at("points"):
                self._check(CodeMeaning(self.symbol or "X", self.points))

    def _check(self, meaning: CodeMeaning) -> None:
        if meaning.praises and set(self.asked) != {"client"}:
            raise ValueError(
                f"{meaning.symbol} makes mail better, and everything but the client's address is "
                'the sender\'s own word; expected ask = ["client"]'
            )

    @property
    def name(self) -> str:
        """The zone in lower case and A-labels."""
        return canonical_domain(self.zone)

    @property
    def known(self) -> KnownList | None:
        """What filterd knows of the list, None for nothing."""
        return KNOWN.get(self.like or self.zone)

    @property
    def asked(self) -> tuple[About, ...]:
        """What it is asked about."""
        return self.ask or (self.known.about if self.known else ("client",))

    @property
    def table(self) -> Table:
        """The codes, parsed."""
        return table(self.codes or (self.known.codes if self.known else {}))

    @property
    def takes_ipv6(self) -> bool:
        """Whether it is asked about IPv6 addresses."""
        return self.ipv6 if self.ipv6 is not None else self.known is None or self.known.ipv6

    @property
    def takes_url_addresses(self) -> bool:
        """Whether it is asked about addresses where others have a name."""
        if self.url_addresses is not None:
            return self.url_addresses
        return self.known is None or self.known.url_addresses

    @property
    def unnamed(self) -> CodeMeaning | None:
        """What a listing means that no code names."""
        return CodeMeaning(self.symbol, self.points) if self.symbol else None

    @property
    def descriptions(self) -> Mapping[str, str]:
        """Symbol → what it means. A zone may have the site's key in its name: then it is called by
        the name of the list that it is like."""
        names = dict.fromkeys([*[meaning.symbol for _, meaning in self.table], self.symbol])
        told = f"It is listed in {self.like or self.zone}."
        known = self.known.descriptions if self.known else {}
        return {name: known.get(name, told) for name in names if name}


@dataclass(frozen=True)
class DnsListsSettings:
    """Asks DNS lists about the client, its names, the sender and the message's URLs."""

    needs_network: ClassVar[bool] = True
    waits_for_network: ClassVar[bool] = True

    lists: Annotated[tuple[DnsList, ...], Doc("the lists; without any nothing is asked")] = ()
    scores: Annotated[
        Mapping[str, float], Doc("points by symbol, in place of those of the lists")
    ] = field(default_factory=dict)
    reject: Annotated[
        tuple[str, ...],
        Doc('symbols of lists with which mail is refused, as "RCVD_IN_SBL"; see `early`'),
    ] = ()
    tempfail: Annotated[
        tuple[str, ...], Doc("symbols with which the client is to try again later")
    ] = ()
    early: Annotated[
        bool,
        Doc(
            "true: ask about client, its names and sender during the SMTP session, so that later "
            "filters know, and a refusal is told at RCPT"
        ),
    ] = False
    received_share: Annotated[
        float,
        Ge(0),
        Le(1),
        Doc("share of a symbol's points that an address of an earlier Received field gets"),
    ] = 0.5
    received_limit: Annotated[
        int, Ge(0), Le(50), Doc("earlier Received addresses that are asked about")
    ] = 5
    domains_limit: Annotated[
        int, Ge(1), Le(1000), Doc("domains and addresses of URLs and mail addresses asked about")
    ] = 50
    exempt_domains: Annotated[
        tuple[str, ...], Doc("domains that nobody is asked about, with all below them")
    ] = ("w3.org", "openxmlformats.org", "schemas.microsoft.com")
    authenticated: Annotated[
        bool, Doc("true: ask about client, HELO and sender of clients that logged in, too")
    ] = False
    wait: Annotated[
        float,
        Gt(0),
        Doc("seconds from the first question until the answers that are missing do not count"),
    ] = 4.0
    rest: Annotated[
        float,
        Gt(0),
        Doc("seconds for which a list that fails is not asked; doubled each time, up to an hour"),
    ] = 60.0
    failures: Annotated[
        int, Ge(1), Doc("questions one after the other without an answer after which it fails")
    ] = 5
    must_answer: Annotated[
        bool, Doc("true: if no list at all answers, the filter fails, and on_error counts")
    ] = False

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            checked_domains(self.exempt_domains, "exempt_domains")
            mine = self.symbols
            for key in ("reject", "tempfail"):
                for place, symbol in enumerate(getattr(self, key)):
                    with wrong.at(key, place):
                        if symbol not in mine:
                            raise ValueError(
                                f"no list has the symbol {symbol!r}; "
                                f"expected one of {', '.join(sorted(mine)) or 'none'}"
                            )
            for symbol, points in self.scores.items():
                with wrong.at("scores", symbol):
                    if not math.isfinite(points):
                        raise ValueError(f"{points} is not a number")

    @property
    def symbols(self) -> frozenset[str]:
        """The symbols that the lists may give to a client, a sender or a URL."""
        named = {meaning.symbol for one in self.lists for _code, meaning in one.table}
        return frozenset(named | {one.symbol for one in self.lists}) - {""}

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean, those of all lists that filterd knows among them."""
        every = [one.descriptions for one in KNOWN.values()]
        every += [one.descriptions for one in reversed(self.lists)]
        found = {name: text for one in every for name, text in one.items()}
        earlier = {received_name(name): received_description(text) for name, text in found.items()}
        return {**earlier, **found, **DESCRIPTIONS}

    def build_with(self, services: Services) -> Filter:
        """The filter; nothing is asked yet."""
        from filterd.filters.dnslists.filter import DnsLists  # noqa: PLC0415  (a running filter)

        return DnsLists(self, services)
