"""Settings `[filters.greylist]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.chain.filter import Filter, StageFilter
from filterd.chain.services import Services
from filterd.filters.greylist.symbols import DESCRIPTIONS
from filterd.message.address import checked_domains, patterns
from filterd.message.matching import networks
from filterd.system.mistakes import mistakes

HOUR, DAY = 3600.0, 86400.0


@dataclass(frozen=True)
class GreylistSettings:
    """Delays mail of strangers once: who sends it again passes (RFC 6647)."""

    when: Annotated[
        Literal["recipient", "message"],
        Doc(
            "recipient: at RCPT, before the message is sent; message: after it, so that only mail "
            "with `min_score` is delayed"
        ),
    ] = "recipient"
    min_score: Annotated[
        float | None,
        Doc("with when = message: points from which mail is delayed; unset: all mail of strangers"),
    ] = None
    delay: Annotated[float, Gt(0), Doc("seconds until mail that is sent again passes")] = 300.0
    retry_hours: Annotated[
        float, Gt(0), Doc("hours within which it must be sent again, else it is new")
    ] = 48.0
    keep_days: Annotated[
        float, Gt(0), Doc("days without mail after which who has passed is a stranger again")
    ] = 36.0
    ipv4_network: Annotated[
        int,
        Ge(8),
        Le(32),
        Doc("bits of an IPv4 address that count: a network is one client"),
    ] = 24
    ipv6_network: Annotated[int, Ge(16), Le(128), Doc("the same for IPv6")] = 64
    auto_allow: Annotated[
        int,
        Ge(0),
        Doc(
            "messages of a network that were sent again and were not spam, after which all its "
            "mail passes; 0: never"
        ),
    ] = 5
    big_senders: Annotated[
        tuple[str, ...],
        Doc(
            "domains that send from many networks: their clients, by names that the MTA has "
            "verified, are one, and so are those whose mail is authenticated; see `spf`"
        ),
    ] = ("google.com", "outlook.com", "yahoo.com", "amazonses.com", "icloud.com")
    spf: Annotated[
        bool,
        Doc(
            "true: at RCPT ask the DNS whether a client may send for a sender's domain that lies "
            "below one of `big_senders` (SPF); after the message the filter auth has asked"
        ),
    ] = False
    authenticated: Annotated[bool, Doc("true: clients that logged in are delayed, too")] = False
    null_sender: Annotated[
        bool, Doc("true: mail without a sender (bounces, callbacks of other MTAs) is delayed, too")
    ] = False
    except_clients: Annotated[
        tuple[str, ...], Doc('networks that are not delayed, as "192.0.2.0/24", or "local"')
    ] = ("local",)
    except_client_names: Annotated[
        tuple[str, ...], Doc("domains of clients, by names that the MTA has verified")
    ] = ()
    except_senders: Annotated[
        tuple[str, ...], Doc('senders that are not delayed, as "ann@a.example" or ".a.example"')
    ] = ()
    except_recipients: Annotated[
        tuple[str, ...], Doc("recipients whose mail is not delayed, written the same way")
    ] = ()
    except_symbols: Annotated[
        tuple[str, ...],
        Doc("symbols of filters before this one in the chain, with which mail is not delayed"),
    ] = ("RCVD_IN_DNSWL_MED", "RCVD_IN_DNSWL_HI")

    @property
    def needs_network(self) -> bool:
        """To ask name servers for SPF."""
        return self.spf

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("min_score"):
                if self.min_score is not None and self.when != "message":
                    raise ValueError('needs when = "message": at RCPT there is no score yet')
            with wrong.at("retry_hours"):
                if self.retry_hours * HOUR <= self.delay:
                    raise ValueError("ends before `delay`, so that no mail would ever pass")
            for index, text in enumerate(self.except_clients):
                with wrong.at("except_clients", index):
                    networks([text])
            for name in ("except_senders", "except_recipients"):
                for index, text in enumerate(getattr(self, name)):
                    with wrong.at(name, index):
                        patterns([text])
            for name in ("big_senders", "except_client_names"):
                for index, text in enumerate(getattr(self, name)):
                    with wrong.at(name, index):
                        checked_domains([text])

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return DESCRIPTIONS

    def build_with(self, services: Services) -> Filter | StageFilter:
        """The filter; the state is opened with the first mail."""
        from filterd.filters.greylist.filter import Greylist  # noqa: PLC0415  (a running filter)

        return Greylist(self, services)
