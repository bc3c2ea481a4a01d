"""Negotiation: the MTA offers, the filter answers with what it takes.

    O: uint32 version · uint32 actions · uint32 steps [· (uint32 stage · "j {daemon_name}"\\0)…]

sendmail and Postfix judge an answer differently; both judgements are here, each in the order in
which that MTA looks. Sources: sendmail 8.17 `milter.c` (milter_negotiate), Postfix 3.7 `milter8.c`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct

from filterd.milter.constants import (
    ACTIONS_BY_VERSION,
    HIGHEST_ACCEPTED_VERSION,
    STEPS_BY_VERSION,
    VERSION,
    Actions,
    Command,
    MacroStage,
    Steps,
)
from filterd.milter.packets import Packet

_TRIPLE = Struct("!III")
_STAGE = Struct("!I")


class NegotiationError(Exception):
    """An answer that cannot be agreed to. The text says why, for the log."""


@dataclass(frozen=True, slots=True)
class Negotiation:
    """One side's triple, and the macro lists that a filter may ask for.

    macros: names as the wire spells them (`i`, `{auth_authen}`), by stage.
    """

    version: int = VERSION
    actions: int = int(Actions(0x1FF))
    steps: int = int(Steps(0x1FFFFF))
    macros: Mapping[MacroStage, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def offer(cls, version: int = VERSION) -> Negotiation:
        """What an MTA of that protocol version (2 to 6) offers."""
        return cls(version, int(ACTIONS_BY_VERSION[version]), int(STEPS_BY_VERSION[version]))

    def encode(self) -> Packet:
        """The packet SMFIC_OPTNEG: version, actions, steps, and the filter's macro lists."""
        lists = b"".join(
            _STAGE.pack(stage.value) + " ".join(names).encode("ascii", "replace") + b"\0"
            for stage, names in self.macros.items()
        )
        triple = _TRIPLE.pack(self.version, self.actions, self.steps)
        return Packet(Command.OPTNEG.value, triple + lists)

    @classmethod
    def parse(cls, packet: Packet) -> Negotiation:
        """Read an answer. Raises NegotiationError for another command or too few octets."""
        if packet.command != Command.OPTNEG.value:
            raise NegotiationError(f"reply {packet.command!r} to the offer, not b'O'")
        if len(packet.data) < _TRIPLE.size:
            raise NegotiationError(f"{len(packet.data)} octets of answer, not {_TRIPLE.size}")
        version, actions, steps = _TRIPLE.unpack_from(packet.data)
        return cls(version, actions, steps, _macro_lists(packet.data[_TRIPLE.size :]))


def _macro_lists(data: bytes) -> dict[MacroStage, tuple[str, ...]]:
    """The lists after the triple. A list that is cut off or of no known stage ends the reading, as
    sendmail ends it: what was understood so far counts."""
    lists: dict[MacroStage, tuple[str, ...]] = {}
    while len(data) > _STAGE.size:
        (number,) = _STAGE.unpack_from(data)
        text, nul, data = data[_STAGE.size :].partition(b"\0")
        if not nul or number not in {stage.value for stage in MacroStage}:
            break
        lists[MacroStage(number)] = macro_names(text.decode("ascii", "replace"))
    return lists


def macro_names(text: str) -> tuple[str, ...]:
    """Names from a list separated by blanks or commas: `j`, `{daemon_name}`.

    A long name that comes without its braces is given them, as sendmail's macid() takes both.
    """
    names = text.replace(",", " ").split()
    return tuple(
        name if len(name) == 1 or name.startswith("{") else "{" + name + "}" for name in names
    )


def agree_sendmail(offer: Negotiation, answer: Negotiation) -> Negotiation:
    """What is in force after the answer, as sendmail 8.17 has it. Raises NegotiationError."""
    if answer.version == 1 or answer.version > HIGHEST_ACCEPTED_VERSION:
        raise NegotiationError(f"version {answer.version} is not supported")
    if unknown := answer.actions & ~offer.actions:
        raise NegotiationError(f"actions {unknown:#x} were not offered")
    if unknown := answer.steps & ~offer.steps:
        raise NegotiationError(f"steps {unknown:#x} were not offered")
    return Negotiation(answer.version, answer.actions, _without_new_steps(answer), answer.macros)


def agree_postfix(offer: Negotiation, answer: Negotiation) -> Negotiation:
    """What is in force after the answer, as Postfix 3.7 has it. Raises NegotiationError.

    Postfix wants a version no higher than its own and refuses unknown actions, but drops unknown
    step bits in silence.
    """
    if answer.version > offer.version:
        raise NegotiationError(f"version {answer.version} is above {offer.version}")
    if unknown := answer.actions & ~offer.actions:
        raise NegotiationError(f"actions {unknown:#x} were not offered")
    steps = _without_new_steps(answer) & offer.steps
    return Negotiation(answer.version, answer.actions, steps, answer.macros)


def _without_new_steps(answer: Negotiation) -> int:
    """The filter's step flags; commands younger than its version are never sent to it."""
    steps = answer.steps
    if answer.version <= 2:
        steps |= Steps.NOUNKNOWN
    if answer.version <= 3:
        steps |= Steps.NODATA
    return int(steps)
