"""Settings `[filters.auth]`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.filters.auth.symbols import DESCRIPTIONS, POINTS
from filterd.message.address import AddressPatternError, pattern_keys, patterns
from filterd.message.matching import networks
from filterd.system.mistakes import mistakes

if TYPE_CHECKING:
    from filterd.chain.filter import Filter
    from filterd.chain.services import Services

DmarcAction = Literal["reject", "quarantine", "label", "ignore"]
"""What becomes of mail that fails DMARC. reject: refused. quarantine: held, and in the digest.
label: delivered as spam. ignore: nothing."""


@dataclass(frozen=True)
class AuthSettings:
    """Checks who sent a message: SPF, DKIM, DMARC and ARC."""

    needs_network: ClassVar[bool] = True
    waits_for_network: ClassVar[bool] = True

    spf: Annotated[bool, Doc("check SPF of the sender's domain and of the HELO name")] = True
    dkim: Annotated[bool, Doc("verify DKIM signatures")] = True
    dmarc: Annotated[bool, Doc("check DMARC of the domain in From")] = True
    arc: Annotated[bool, Doc("verify ARC chains of forwarders")] = True
    dkim2: Annotated[
        bool,
        Doc(
            "verify DKIM2 signatures, of draft-ietf-dkim-dkim2-spec-06. Experimental: the draft "
            "changes, and so may this setting"
        ),
    ] = False
    dmarc_reject: Annotated[
        DmarcAction,
        Doc(
            "mail that fails DMARC and whose domain asks to reject such: quarantine (hold), "
            "reject, label, or ignore"
        ),
    ] = "quarantine"
    dmarc_quarantine: Annotated[
        DmarcAction, Doc("the same where the domain asks to quarantine such mail")
    ] = "quarantine"
    domains: Annotated[
        Mapping[str, DmarcAction],
        Doc(
            "domain in From → what becomes of mail that does not prove it, whatever its owner "
            'asks; as "bank.example", or ".bank.example" with all below it'
        ),
    ] = field(default_factory=dict)
    forwarders: Annotated[
        tuple[str, ...],
        Doc("networks of hosts that forward mail to us; what they forward may fail DMARC"),
    ] = ()
    forwarder_domains: Annotated[
        tuple[str, ...],
        Doc('the same by a domain that SPF or DKIM proves, as "alumni.example", ".alumni.example"'),
    ] = ()
    mailing_lists: Annotated[
        tuple[str, ...],
        Doc("domains of mailing lists that SPF or DKIM proves; their mail may fail DMARC"),
    ] = ()
    arc_sealers: Annotated[
        tuple[str, ...],
        Doc(
            "domains that seal mail (ARC) and are believed what they say of it: if all who sealed "
            "a message are among them and DMARC passed before, it may fail here"
        ),
    ] = ()
    exempt_networks: Annotated[
        tuple[str, ...], Doc("clients whose mail is not checked, as our own hosts")
    ] = ()
    tempfail: Annotated[
        bool,
        Doc(
            "true: mail is deferred if DMARC cannot be checked because a name server does not "
            "answer; false: it is not acted on"
        ),
    ] = False
    scores: Annotated[Mapping[str, float], Doc("points by symbol, in place of the defaults")] = (
        field(default_factory=dict)
    )
    authentication_results: Annotated[
        bool, Doc("add Authentication-Results to mail that is delivered")
    ] = True
    received_spf: Annotated[bool, Doc("add Received-SPF, too")] = False
    use_results: Annotated[
        bool,
        Doc(
            "true: believe Authentication-Results of filters before filterd, as many as "
            "labels.trusted_results, and check only what they do not say"
        ),
    ] = False
    signatures_limit: Annotated[
        int, Ge(1), Le(100), Doc("DKIM signatures of a message that are verified")
    ] = 10
    partly_signed: Annotated[
        Literal["policy", "pass"],
        Doc(
            "the result of a DKIM signature that verifies, but leaves out the end of the body (l=)"
        ),
    ] = "policy"
    wait: Annotated[
        float, Gt(0), Le(60), Doc("seconds to wait for name servers; what is missing is an error")
    ] = 10.0

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for symbol, points in self.scores.items():
                with wrong.at("scores", symbol):
                    if symbol not in POINTS:
                        raise ValueError(
                            f"{symbol!r} is not a symbol of this filter; "
                            f"expected one of {', '.join(POINTS)}"
                        )
                    if not math.isfinite(points):
                        raise ValueError(f"{points} is not a number")
            for pattern in self.domains:
                with wrong.at("domains", pattern):
                    _domain_key(pattern)
            for name in ("forwarder_domains", "mailing_lists", "arc_sealers"):
                for place, pattern in enumerate(getattr(self, name)):
                    with wrong.at(name, place):
                        _domain_key(pattern)
            for name in ("forwarders", "exempt_networks"):
                for place, text in enumerate(getattr(self, name)):
                    with wrong.at(name, place):
                        networks([text], local=False)

    @property
    def points(self) -> Mapping[str, float]:
        """The points of all symbols."""
        return {**POINTS, **self.scores}

    def keys(self, name: str) -> frozenset[str]:
        """The keys of a setting that has patterns of domains."""
        return patterns(getattr(self, name))

    @property
    def actions(self) -> Mapping[str, DmarcAction]:
        """What becomes of mail by key of its author domain."""
        return {_domain_key(pattern): what for pattern, what in self.domains.items()}

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return DESCRIPTIONS

    def build_with(self, services: Services) -> Filter:
        """The filter; nothing is asked yet."""
        from filterd.filters.auth.filter import Auth  # noqa: PLC0415  (a running filter)

        return Auth(self, services)


def _domain_key(pattern: str) -> str:
    """The key of a pattern of domains. Raises AddressPatternError."""
    expected = 'expected "bank.example", or ".bank.example" for it and all below it'
    try:
        (key,) = pattern_keys(pattern)
    except AddressPatternError as error:
        raise AddressPatternError(error.what, expected) from None
    except ValueError:
        raise AddressPatternError(f"{pattern!r} is an address", expected) from None
    return key
