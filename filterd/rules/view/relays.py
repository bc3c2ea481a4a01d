"""The relays that a message says it came through, and how far that can be believed.

A site's own relays are trusted (`trusted_networks`): they do not forge. Those of them that are the
site's MX and what stands behind it are internal (`internal_networks`). Beyond the first relay that
is not trusted, anything may be forged; with an MSA (`msa_networks`) all that it has taken from is
trusted as it is. Source: Mail::SpamAssassin::Conf(3), network test options.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from filterd.message.envelope import ip
from filterd.message.matching import Network, networks
from filterd.rules.conf.rule import Option, RuleProblem
from filterd.rules.view.ip_text import IP
from filterd.rules.view.kept import kept
from filterd.rules.view.received import Relay, read

_ADDRESS = re.compile(f"({IP})", re.ASCII)
_SHORT = re.compile(r"\d+(?:\.\d+){0,2}\.?")
_LOOPBACK = ("127.0.0.0/8", "::1")


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks of one option. entries: (network, is it one of them), the first that matches
    counts. is_set: False where no line names any."""

    entries: tuple[tuple[Network, bool], ...] = ()
    is_set: bool = False

    @classmethod
    def of(cls, options: Iterable[Option], *, loopback: bool) -> Networks:
        """The networks that these lines name; what cannot be read as one is passed over.
        loopback: this host's own addresses are among them in any case."""
        entries = [(network, True) for network in networks(_LOOPBACK if loopback else ())]
        is_set = False
        for option in options:
            for text in option.value.replace("! ", "!").split():
                is_member = not text.startswith("!")
                try:
                    network = networks((_written_out(text.lstrip("! \t")),), local=False)[0]
                except ValueError:
                    continue
                entries.append((network, is_member))
                is_set = True
        return cls(tuple(entries), is_set)

    def __contains__(self, address: object) -> bool:
        parsed = ip(address) if isinstance(address, str) else None
        if parsed is None:
            return False
        return next((is_in for network, is_in in self.entries if parsed in network), False)

    def covers(self, network: Network) -> bool:
        """True if all of a network is in these."""
        for own, is_in in self.entries:
            if own.version == network.version and network.subnet_of(own):  # type: ignore[arg-type]
                return is_in
        return False

    def within(self, others: Networks) -> Networks:
        """Those that are in the others as well: SpamAssassin leaves the rest out."""
        kept_entries = (one for one in self.entries if not one[1] or others.covers(one[0]))
        return Networks(tuple(kept_entries), self.is_set)


def _written_out(text: str) -> str:
    """`10.` and `10/8` with all four numbers."""
    address, slash, bits = text.removeprefix("[").replace("]", "").partition("/")
    if _SHORT.fullmatch(address):
        numbers = address.rstrip(".").split(".")
        bits = bits if slash else str(8 * len(numbers))
        return ".".join(numbers + ["0"] * (4 - len(numbers))) + "/" + bits
    return address + slash + bits


@dataclass(frozen=True, slots=True)
class Trust:
    """Which relays are to be believed. originating: fields that name the address of a message's
    first client (`originating_ip_headers`)."""

    trusted: Networks = Networks()
    internal: Networks = Networks()
    msa: Networks = Networks()
    originating: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: Mapping[str, Sequence[Option]]) -> Trust:
        """What the options say; where only one of trusted and internal is named, it is both."""
        names = "trusted_networks", "internal_networks", "msa_networks", "originating_ip_headers"
        lines = tuple(options.get(name, ()) for name in names)
        return kept(cls, lines, lambda: cls._of(*lines))

    @classmethod
    def _of(
        cls,
        trusted_lines: Sequence[Option],
        internal_lines: Sequence[Option],
        msa_lines: Sequence[Option],
        fields: Sequence[Option],
    ) -> Trust:
        trusted = Networks.of(trusted_lines, loopback=True)
        internal = Networks.of(internal_lines, loopback=True)
        if trusted.is_set and not internal.is_set:
            internal = trusted
        elif internal.is_set and not trusted.is_set:
            trusted = internal
        msa = Networks.of(msa_lines, loopback=False)
        if trusted.is_set or internal.is_set:
            internal, msa = internal.within(trusted), msa.within(trusted)
        names = " ".join(one.value for one in fields)
        return cls(trusted, internal, msa, tuple(names.split()))


def networks_left_out(options: Mapping[str, Sequence[Option]]) -> list[RuleProblem]:
    """Lines that name internal or MSA networks which are not trusted: they do not count."""
    trusted, internal, msa = (
        tuple(options.get(f"{name}_networks", ())) for name in ("trusted", "internal", "msa")
    )
    inside = "trusted_networks" if trusted else "internal_networks"
    others = Networks.of(trusted or internal, loopback=True)
    problems = []
    for option in (*(internal if trusted else ()), *(msa if others.is_set else ())):
        named = Networks.of((option,), loopback=False)
        left = [one for one in named.entries if one not in named.within(others).entries]
        problems += [
            RuleProblem(
                option.origin, f"{option.name}: {network} is not in {inside}: it is left out"
            )
            for network, _ in left
        ]
    return problems


@dataclass(slots=True)
class Relays:
    """The relays of a message, the nearest first.

    unparsed: fields in a form that is not known. last_trusted, last_internal: the number of the
    last Received field, from 0 at the top, of a relay that is trusted, or internal; -1 for none.
    """

    trusted: list[Relay] = field(default_factory=list)
    untrusted: list[Relay] = field(default_factory=list)
    internal: list[Relay] = field(default_factory=list)
    external: list[Relay] = field(default_factory=list)
    unparsed: int = 0
    last_trusted: int = -1
    last_internal: int = -1

    @property
    def all(self) -> list[Relay]:
        """All of them."""
        return self.trusted + self.untrusted


def text_of(relays: Iterable[Relay]) -> bytes:
    """Relays as in the pseudo fields `X-Spam-Relays-*`."""
    return " ".join(relay.text for relay in relays).encode("latin-1")


def originating(value: bytes) -> str:
    """A made-up Received value for the address in a field like `X-Originating-IP`; "" without."""
    found = _ADDRESS.search(value.decode("latin-1"))
    return f"from X-Originating-IP: {found[1]}\n" if found is not None else ""


def relays_of(received: Iterable[str], trust: Trust) -> Relays:
    """The relays that these values of Received fields tell of, topmost first."""
    found = Relays()
    in_trusted = in_internal = True
    found_msa = False
    takes_fetched = True
    sender: str | None = None
    is_set = trust.trusted.is_set or trust.internal.is_set
    for value in received:
        sender_above, sender = sender, None
        relay = read(value)
        if not isinstance(relay, Relay):
            if relay is None:
                found.unparsed += 1
            else:
                sender = relay.sender
                if relay.was_fetched and takes_fetched:
                    found.trusted, found.internal, found.external = [], [], []
            found.last_trusted += in_trusted
            found.last_internal += in_internal
            continue
        if sender_above:
            relay.sender = sender_above
        if in_trusted and not found_msa:
            if not is_set:
                # Nobody said: what cannot come from outside, or has logged in, is the site's.
                in_trusted = relay.ip_private or bool(relay.auth)
                in_internal = in_internal and in_trusted
            elif not relay.auth and relay.ip not in trust.trusted:
                in_trusted = in_internal = False
            else:
                if not relay.auth and relay.ip not in trust.internal:
                    in_internal = False
                found_msa = relay.is_msa = relay.ip in trust.msa
        relay.internal = in_internal
        takes_fetched = in_trusted
        (found.trusted if in_trusted else found.untrusted).append(relay)
        (found.internal if in_internal else found.external).append(relay)
        found.last_trusted += in_trusted
        found.last_internal += in_internal
    return found
