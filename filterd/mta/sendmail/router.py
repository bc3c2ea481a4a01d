"""Where mail goes, by the rules of a sendmail.cf.

An address is resolved as at RCPT: rulesets 3 and 0, aliases, ruleset 5, users. See `send_list`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from filterd.mta.cf.addresses import ResolvedAddress
from filterd.mta.cf.marks import octets
from filterd.mta.delivery.router import DeliveryError, DeliveryOutcome, unique
from filterd.mta.mail.address import Route
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.sendmail.delivery import RuleDelivery
from filterd.mta.sendmail.engine import RuleEngine, RuleSession
from filterd.mta.sendmail.loops import hops
from filterd.mta.sendmail.options import is_set
from filterd.mta.sendmail.recipient import QueuedRecipient, RecipientState, unfit_list
from filterd.mta.sendmail.send_list import SendList
from filterd.mta.sendmail.users import LocalUsers

MAX_HOPS = 25
"""Received fields of a message without the option MaxHopCount."""

_LIST = QueuedRecipient("", ResolvedAddress("*list*"))
"""Stands for the list that named an address of the queue."""


def waiting(one: QueuedRecipient) -> DeliveryError:
    """Why a recipient waits."""
    return DeliveryError(one.trouble or "Deferred", temporary=True, code="4.4.3")


class RuleRouter:
    """Raises ValueError for a file without a local mailer; sendmail does not start then."""

    def __init__(self, engine: RuleEngine) -> None:
        if engine.program.mailers.find("local") is None:
            raise ValueError("No local mailer defined")
        self.engine = engine
        self.users = LocalUsers.of(engine.cf)
        self.keeps_sender = "MeToo" not in engine.cf.options or is_set(engine.cf, "MeToo")
        """The sender of a list gets a copy."""

        # Where the client does not wait for the delivery, lists are looked into after its 250.
        mode = engine.cf.option("DeliveryMode").strip()[:1]
        self._only_verifies = mode not in ("", "i")
        limit = engine.cf.option("MaxHopCount")
        self._max_hops = int(limit) if limit.isdecimal() and int(limit) else MAX_HOPS
        self._delivery = RuleDelivery(engine, self.users)

    def send_list(
        self,
        session: RuleSession | None = None,
        *,
        expands: bool = True,
        is_of_client: bool = False,
    ) -> SendList:
        """An empty list of recipients. is_of_client: for what a client names, before its message is
        there."""
        verifies = is_of_client and self._only_verifies
        return SendList(session or self.engine.session(), self.users, expands, verifies)

    def resolve(self, address: str, *, listed: bool = False) -> Route:
        """See `Router`. Aliases are not expanded, but a local name must be an alias or a user."""
        found = self.send_list(expands=False)
        one = found.parse(octets(address), _LIST if listed else None)
        if not listed and found.is_alias(one):
            return route_of(one)
        found.add(one)
        if one.problem is not None:
            raise one.problem
        if one.state is RecipientState.WAITING:
            raise waiting(one)
        wanted = [other for other in found.all if other.is_wanted]
        return route_of(wanted[-1] if wanted else one)

    def expand(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        found = self.send_list()
        roots: dict[QueuedRecipient, Target] = {}
        failed: list[Target] = []
        for target in targets:
            try:
                parent = _LIST if target.listed else None
                one = found.parse(octets(target.address), parent)
                one.user = target.user
                roots[found.add(one)] = target
            except DeliveryError:
                # It is found out again at the delivery, and reported.
                failed.append(target)
        return unique((*targets_of(found, roots), *failed))

    def members(self, address: str) -> list[str]:
        found = self.send_list()
        one = found.add(found.parse(octets(address)))
        problem = found.problem_below(one)
        if problem is not None:
            raise problem
        return [_shown(other) for other in found.all if other.is_wanted]

    def deliver(self, entry: QueueEntry, message: bytes) -> Iterator[DeliveryOutcome]:
        count = hops(message)
        if count > self._max_hops:
            # As sendmail: it stays in the queue, and goes back when it is too old.
            text = f"Too many hops {count} ({self._max_hops} max)"
            error = DeliveryError(text, temporary=True, code="5.4.6")
            yield from (DeliveryOutcome(target, error=error) for target in entry.targets)
            return
        members: list[tuple[Target, Route]] = []
        for target in self._current(entry.targets):
            try:
                if target.waits:
                    raise DeliveryError("Deferred", temporary=True, code="4.4.3")
                route = target.route
                if route is None or not self._has_mailer(route):
                    self._refuse_bad_alias(target)
                    route = self.resolve(target.address, listed=target.listed)
                members.append((target, route))
            except DeliveryError as error:
                yield DeliveryOutcome(target, error=error)
        yield from self._delivery.deliver(entry, message, members)

    def _refuse_bad_alias(self, target: Target) -> None:
        """Raises DeliveryError for an alias that leads nowhere but back to itself."""
        found = self.send_list()
        one = found.parse(octets(target.address), _LIST if target.listed else None)
        if found.is_alias(one):
            found.add(one)
            if one.problem is not None:
                raise one.problem

    def _has_mailer(self, route: Route) -> bool:
        """Whether a route can be from these rules, and not from those before them."""
        return self.engine.program.mailers.find(route.mailer) is not None

    def _current(self, targets: tuple[Target, ...]) -> Iterator[Target]:
        """The targets, those that waited for their aliases expanded now."""
        for target in targets:
            if target.waits:
                yield from self.expand((replace(target, waits=False),))
            else:
                yield target


def route_of(one: QueuedRecipient) -> Route:
    return Route(one.address.mailer, one.address.host, one.address.user)


def targets_of(found: SendList, roots: dict[QueuedRecipient, Target]) -> Iterator[Target]:
    """Who gets the message: what the roots of a list expand to. roots: with what was said of each
    address."""
    for one in found.all:
        root = root_of(one)
        given = roots.get(root)
        if given is None or not one.is_wanted:
            continue
        listed = given.listed or (one is not root and _is_listed(one))
        # A delivery refuses a program then.
        listed = listed and not unfit_list(one)
        yield replace(
            given,
            address=given.address if one.text == root.text else _plain(one.text),
            sender=_owner(one, given.sender),
            user=one.user,
            listed=listed,
            waits=one.state is RecipientState.WAITING,
            route=route_of(one) if one.state is RecipientState.OK else None,
        )


def _plain(text: str) -> str:
    """An address without the brackets around it."""
    inner = text[1:-1] if text.startswith("<") and text.endswith(">") else ""
    return text if not inner or "<" in inner or ">" in inner else inner


def root_of(one: QueuedRecipient) -> QueuedRecipient:
    """The address that the client named."""
    while one.parent is not None and one.parent is not _LIST:
        one = one.parent
    return one


def _is_listed(one: QueuedRecipient) -> bool:
    """Whether a list named it: what ruleset 5 makes of an address is none."""
    above: QueuedRecipient | None = one
    while above is not None and above.parent is not None:
        if above.text != above.parent.text:
            return True
        above = above.parent
    return False


def _owner(one: QueuedRecipient, sender: str | None) -> str | None:
    """Who gets reports: the owner of the nearest list."""
    above = one.parent
    while above is not None:
        if above.owner is not None:
            return above.owner
        above = above.parent
    return sender


def _shown(one: QueuedRecipient) -> str:
    """A recipient in the answer to EXPN."""
    if one.address.host or "@" in one.address.user:
        return one.text
    user = one.address.user
    return f'"{user}"' if user.startswith("|") else user
