"""The DKIM2 fields of a message: all there, in order, of a time that counts, of a possible way.

Nothing here asks the DNS or looks at the content. Sections are those of the draft.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.record import key_name
from filterd.auth.dkim2.fields import (
    INSTANCE,
    SIGNATURE,
    Dkim2Path,
    Dkim2Signature,
    MessageInstance,
)
from filterd.auth.dkim2.limits import (
    AGE_LIMIT,
    FIELDS_SIZE_LIMIT,
    FUTURE_LIMIT,
    INSTANCES_LIMIT,
    KEYS_LIMIT,
    SIGNATURES_LIMIT,
)
from filterd.message import Envelope, Message


@dataclass(frozen=True, slots=True)
class Dkim2Chain:
    """signatures, instances: the oldest first, numbered from 1 without gap."""

    signatures: tuple[Dkim2Signature, ...]
    instances: tuple[MessageInstance, ...]

    @classmethod
    def of(cls, message: Message) -> Dkim2Chain | None:
        """Those of a message, None where it has no such field. Raises DkimError.

        They are counted and measured before anything else is done.
        """
        signed, instances = _values(message, SIGNATURE), _values(message, INSTANCE)
        if not signed and not instances:
            return None
        for name, values, limit in (
            (SIGNATURE, signed, SIGNATURES_LIMIT),
            (INSTANCE, instances, INSTANCES_LIMIT),
        ):
            if len(values) > limit:
                raise DkimError(f"more than {limit} fields {name}")
            if not values:
                raise DkimError(f"there is no {name}")
        if sum(map(len, signed)) + sum(map(len, instances)) > FIELDS_SIZE_LIMIT:
            raise DkimError(f"more than {FIELDS_SIZE_LIMIT} octets of DKIM2 fields")
        found = cls(
            tuple(sorted(map(Dkim2Signature.parse, signed), key=lambda one: one.sequence)),
            tuple(sorted(map(MessageInstance.parse, instances), key=lambda one: one.number)),
        )
        found._check_order()
        return found

    def _check_order(self) -> None:
        """Section 11.2: no gap, nothing twice, nothing that is not signed."""
        _check_numbers(SIGNATURE, "i", [one.sequence for one in self.signatures])
        _check_numbers(INSTANCE, "m", [one.number for one in self.instances])
        for before, after in pairwise(self.signatures):
            if after.instance < before.instance:
                raise DkimError(f"{SIGNATURE} i={after.sequence} has a lower m= than before")
        newest, there = self.signatures[-1].instance, len(self.instances)
        if newest > there:
            raise DkimError(f"{INSTANCE} m={newest} missing")
        if newest < there:
            raise DkimError(f"{INSTANCE} m={there} is not signed")
        if sum(len(one.sets) for one in self.signatures) > KEYS_LIMIT:
            raise DkimError(f"more than {KEYS_LIMIT} signatures to verify")

    @property
    def keys(self) -> Iterator[str]:
        """The names of all keys."""
        for one in self.signatures:
            for part in one.sets:
                yield key_name(one.domain, part.selector)

    @property
    def changed_by(self) -> tuple[str, ...]:
        """Who changed the message after it was first signed: the first to sign the new instance."""
        found = []
        for before, after in pairwise(self.signatures):
            made = self.instances[before.instance : after.instance]
            if any(one.recipe is not None for one in made):
                found.append(after.domain)
        return tuple(found)

    def check_times(self, now: float) -> None:
        """Sections 8.4, 11.3. now: seconds since 1970. Raises DkimError."""
        for one in self.signatures:
            if one.signed_at < now - AGE_LIMIT:
                raise DkimError(f"{SIGNATURE} i={one.sequence} signature expired")
            if one.signed_at > now + FUTURE_LIMIT:
                raise DkimError(f"{SIGNATURE} i={one.sequence} signed in the future")

    def check_custody(self, envelope: Envelope) -> None:
        """Sections 9.2 to 9.4, 11.4: whether each host got the message from the one before, and
        the newest sent it to us. Raises DkimError."""
        routes = [_Route.of(one) for one in self.signatures]
        newest = routes[-1]
        if newest.sender is None:
            raise DkimError(f"{newest.who} unexpected nd= tag")
        if newest.sender != Dkim2Path.of(envelope.sender):
            raise DkimError(f"{newest.who} MAIL FROM did not match")
        for recipient in envelope.recipients:
            if Dkim2Path.of(recipient.address) not in newest.recipients:
                raise DkimError(f"{newest.who} RCPT TO did not match")
        for before, after in pairwise(routes):
            if before.sender is None:
                if before.next_domain != after.domain:
                    raise DkimError(f"{before.who} nd= does not match")
            elif not after.is_from(before.recipients):
                raise DkimError(f"{after.who} MAIL FROM did not match RCPT TO of the one before")


@dataclass(frozen=True, slots=True)
class _Route:
    """From whom to whom one host sent it."""

    who: str
    domain: str
    sender: Dkim2Path | None
    recipients: frozenset[Dkim2Path]
    next_domain: str

    @classmethod
    def of(cls, one: Dkim2Signature) -> _Route:
        who = f"{SIGNATURE} i={one.sequence}"
        try:
            sender = None if one.sender is None else Dkim2Path.parse(one.sender, "mf")
            recipients = frozenset(Dkim2Path.parse(path, "rt") for path in one.recipients)
        except DkimError as error:
            raise DkimError(f"{who}: {error.reason}") from None
        if sender is not None and sender != ("", "") and not is_within(sender.domain, one.domain):
            raise DkimError(f"{who} MAIL FROM and d= do not match")
        return cls(who, one.domain, sender, recipients, one.next_domain)

    def is_from(self, recipients: frozenset[Dkim2Path]) -> bool:
        """Whether it is one of the recipients of the host before who sends it."""
        for _local, domain in recipients:
            if self.sender is not None:
                if is_within(self.sender.domain, domain):
                    return True
            # Without MAIL FROM it is the signing domain; a MAIL FROM would be in both.
            elif is_within(self.domain, domain) or is_within(domain, self.domain):
                return True
        return False


def is_within(domain: str, other: str) -> bool:
    """The relaxed match (9.4): the first domain is the other, or below it."""
    return bool(other) and (domain == other or domain.endswith("." + other))


def _values(message: Message, name: str) -> list[bytes]:
    wanted = name.lower()
    return [one.raw_value for one in message.header_fields if one.name.lower() == wanted]


def _check_numbers(name: str, tag: str, numbers: Sequence[int]) -> None:
    for wanted, number in enumerate(numbers, 1):
        if number > wanted:
            raise DkimError(f"{name} {tag}={wanted} missing")
        if number < wanted:
            raise DkimError(f"{name} {tag}={number} is there twice")
