"""Who looks at kept mail, and at which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from filterd.message.address import listed_domain, reaches, readable

Role = Literal["admin", "reviewer", "helpdesk", "auditor", "user"]

ROLES: tuple[Role, ...] = get_args(Role)

NOBODY = "@"
"""A `visible` that fits no address: an empty one would mean all."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Somebody who is logged in.

    An admin sees and does everything. A reviewer sees messages to recipients in its domains (those
    below them are others) or to its recipients, with any +detail, and acts for these recipients
    only. A helpdesk, with limits such as these or without, searches, looks and releases. An auditor
    sees everything and changes nothing. A user has a page of its own (`filterd.review.own_mail`),
    for mail to its addresses. What each role may do: `filterd.review.rights`.
    domains and recipients: in any spelling; kept as `filterd.message.address` reads them.
    """

    name: str
    role: Role
    domains: frozenset[str] = frozenset()
    recipients: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        # Frozen, and still each limit has one spelling, wherever the value comes from.
        for name, spell in (("domains", listed_domain), ("recipients", readable)):
            spelled = frozenset(map(spell, getattr(self, name)))
            object.__setattr__(self, name, spelled)

    @property
    def is_admin(self) -> bool:
        """True if it may do everything."""
        return self.role == "admin"

    @property
    def sees_all(self) -> bool:
        """True if nothing is hidden from it."""
        limited = bool(self.domains or self.recipients)
        return self.role in ("admin", "auditor") or (self.role == "helpdesk" and not limited)

    def within(self, recipients: Sequence[str]) -> tuple[str, ...]:
        """Those of the recipients that it may act for, in their order."""
        return tuple(r for r in recipients if self._reaches(r))

    def may_see(self, recipients: Sequence[str]) -> bool:
        """True if it may see a message to these recipients: one of its own is enough."""
        return self.sees_all or any(map(self._reaches, recipients))

    def may_decide(self, recipients: Sequence[str]) -> bool:
        """True if it may do what concerns every recipient, such as deleting the message."""
        return self.sees_all or (bool(recipients) and all(map(self._reaches, recipients)))

    @property
    def limits(self) -> tuple[str, ...]:
        """Its domains, as `@domain`, and its recipients; empty where it has none."""
        return (*sorted(f"@{domain}" for domain in self.domains), *sorted(self.recipients))

    @property
    def visible(self) -> tuple[str, ...]:
        """Its limits as `Query.visible` takes them: addresses and `@domain`; empty for all."""
        if self.sees_all:
            return ()
        return self.limits or (NOBODY,)

    def _reaches(self, recipient: str) -> bool:
        return self.sees_all or reaches(self.recipients, self.domains, recipient)
