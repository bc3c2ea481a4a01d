"""The ARC sets of a message, and whether they are a chain, without any signature.

Source: RFC 8617 §5.2, steps 1 to 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from filterd.auth.arc.fields import (
    FIELDS,
    RESULTS,
    SEAL,
    SETS_LIMIT,
    Seal,
    instance_of,
    instance_of_results,
    status_of,
)
from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.header import CanonicalHeader
from filterd.auth.dkim.limits import DEFAULT, DkimLimits
from filterd.auth.dkim.tags import TagList
from filterd.message.authentication import AuthResult


@dataclass(frozen=True, slots=True)
class ArcSet:
    """One set. results, message_signature, seal: which fields of the header they are, counted from
    the top and from 0. signed: the tags of the message signature. sealed: the seal."""

    instance: int
    results: int
    message_signature: int
    seal: int
    signed: TagList
    sealed: Seal


@dataclass(frozen=True, slots=True)
class ArcChain:
    """The sets of a message, the oldest first; none where they are not a chain.

    fault: why they are not. highest: the highest instance of any ARC field, 0 where none was found,
    SETS_LIMIT where there are too many fields to look at. ended: the newest seal says cv=fail, and
    nothing may be added.
    """

    sets: tuple[ArcSet, ...] = ()
    fault: str = ""
    highest: int = 0
    ended: bool = False

    @property
    def is_there(self) -> bool:
        """Whether the message has any ARC field."""
        return bool(self.sets or self.fault)


Places = dict[int, dict[str, list[int]]]
"""By instance and name: the fields."""


def chain_of(header: CanonicalHeader, limits: DkimLimits = DEFAULT) -> ArcChain:
    """The chain of a message; raises nothing."""
    if sum(len(header.places(name)) for name in FIELDS) > SETS_LIMIT * len(FIELDS):
        return ArcChain(fault=f"more than {SETS_LIMIT} sets", highest=SETS_LIMIT)
    tags: dict[int, TagList] = {}
    places, fault = _places(header, tags)
    highest = max(places, default=0)
    newest = places.get(highest, {}).get(SEAL, [])
    if any(status_of(tags[index]) is AuthResult.FAIL for index in newest):
        domain = _sealer(tags[newest[0]], limits)
        return ArcChain(
            fault=f"{domain} sealed it as failed (cv=fail)", highest=highest, ended=True
        )
    if fault:
        return ArcChain(fault=fault, highest=highest)
    try:
        sets = [
            _set(instance, places.get(instance, {}), tags, limits)
            for instance in range(1, highest + 1)
        ]
    except DkimError as error:
        return ArcChain(fault=error.reason, highest=highest)
    return ArcChain(tuple(sets), highest=highest)


def _places(header: CanonicalHeader, tags: dict[int, TagList]) -> tuple[Places, str]:
    """The fields by instance and name, and what is wrong with the first that has no instance. tags:
    gets those of seals and message signatures."""
    places: Places = {}
    fault = ""
    for name in FIELDS:
        for index in header.places(name):
            try:
                if name == RESULTS:
                    instance = instance_of_results(header.value(index))
                else:
                    tags[index] = TagList(header.value(index))
                    instance = instance_of(tags[index])
            except DkimError as error:
                fault = fault or f"{name}: {error.reason}"
            else:
                places.setdefault(instance, {}).setdefault(name, []).append(index)
    return places, fault


def _set(
    instance: int,
    places: Mapping[str, Sequence[int]],
    tags: Mapping[int, TagList],
    limits: DkimLimits,
) -> ArcSet:
    """The set of an instance. Raises DkimError if it is not one, or cv= does not fit."""
    for name in FIELDS:
        count = len(places.get(name, ()))
        if count != 1:
            raise DkimError(f"set {instance} has {count or 'no'} {name}")
    results, message_signature, seal = (places[name][0] for name in FIELDS)
    try:
        sealed = Seal.parse(tags[seal], limits)
    except DkimError as error:
        raise DkimError(f"{SEAL} {instance}: {error.reason}") from None
    expected = AuthResult.NONE if instance == 1 else AuthResult.PASS
    if sealed.status is not expected:
        raise DkimError(f"{SEAL} {instance}: cv={sealed.status}, expected cv={expected}")
    return ArcSet(instance, results, message_signature, seal, tags[message_signature], sealed)


def _sealer(tags: TagList, limits: DkimLimits) -> str:
    try:
        return Seal.parse(tags, limits).domain
    except DkimError:
        return "somebody"
