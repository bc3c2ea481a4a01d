"""The recipients of one message in an SMTP session, by the rules of a sendmail.cf.

Source: sendmail 8.17 `srvrsmtp.c` (RCPT).
"""

from __future__ import annotations

from collections.abc import Iterable

from filterd.mta.cf.addresses import AddressKind
from filterd.mta.cf.marks import octets
from filterd.mta.delivery.router import DeliveryError, Router
from filterd.mta.mail.address import Route
from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.mail.entry import Target
from filterd.mta.milters.macros import MacroTable
from filterd.mta.sendmail.engine import RuleSession
from filterd.mta.sendmail.macros import SendmailMacros
from filterd.mta.sendmail.recipient import QueuedRecipient, RecipientState
from filterd.mta.sendmail.router import RuleRouter, root_of, route_of, targets_of
from filterd.mta.sendmail.send_list import SendList


def rule_recipients(router: Router, macros: MacroTable) -> RuleRecipients:
    """The recipients of a message of this session."""
    assert isinstance(router, RuleRouter)
    assert isinstance(macros, SendmailMacros)
    assert macros.rules is not None
    return RuleRecipients(router, macros.rules, macros)


class RuleRecipients:
    """See `filterd.mta.delivery.recipients`."""

    blocks = True

    def __init__(self, router: RuleRouter, session: RuleSession, macros: MacroTable) -> None:
        self._router, self._session, self._macros = router, session, macros
        self._list: SendList = router.send_list(session, is_of_client=True)
        self._parsed: QueuedRecipient | None = None
        self._roots: dict[QueuedRecipient, EnvelopePath] = {}
        self._covered: set[str] = set()
        """Addresses of recipients that others stand for."""

        self._named: set[QueuedRecipient] = set()
        """Members of lists that the client named, too."""

        self._keys: dict[str, str] = {}
        self._is_complete = True

    def parse(self, path: EnvelopePath) -> Route:
        self._session.update(self._macros.now)
        self._parsed = self._list.parse(octets(path.text))
        return route_of(self._parsed)

    def add(self, path: EnvelopePath, route: Route) -> EnvelopePath:
        del route
        one = self._parsed
        assert one is not None
        counts = self._list.add(one)
        problem = self._list.problem_below(one)
        if problem is not None:
            # As sendmail in the delivery mode `interactive`: a list with an unknown member is
            # refused, by the member's name.
            self._is_complete = False
            raise problem
        self._keys[path.address] = _key(one)
        if one.state is RecipientState.VERIFIED:
            self._is_complete = False
        if counts is one:
            one.is_accepted = True
            waits = one.state is RecipientState.WAITING
            counted = (
                EnvelopePath(path.address, path.text, path.parameters, waits=True)
                if waits
                else path
            )
            self._roots[one] = path
            return counted
        self._covered.add(path.address)
        self._named.add(counts)
        known = self._roots.get(counts)
        return known if known is not None else EnvelopePath(counts.text, counts.text)

    def refused(self, path: EnvelopePath) -> None:
        del path
        self._is_complete = False

    def key(self, address: str) -> str:
        found = self._keys.get(address)
        if found is None:
            found = self._keys[address] = self._found_key(address)
        return found

    def _found_key(self, address: str) -> str:
        with self._session.asking() as question:
            question.resolver.set_kind(AddressKind())
            found = question.resolver.parse(octets(address))
            if found is None or question.refusal is not None:
                return address.lower()
        return f"{found.mailer} {found.host} {found.user}".lower()

    def asks(self, paths: Iterable[EnvelopePath]) -> bool:
        return not (self._is_complete and self._is_all(paths) and self._router.keeps_sender)

    def targets(self, paths: Iterable[EnvelopePath]) -> tuple[Target, ...]:
        given = list(paths)
        roots = {one: _target(path) for one, path in self._roots.items()}
        if not self._is_complete or not self._is_all(given):
            self._list = self._router.send_list(self._session)
            roots, failed = self._again(given)
        else:
            failed = []
        sender = self._macros.now.get("f")
        if sender and not self._router.keeps_sender:
            self._session.update(self._macros.now)
            self._list.leave_out(octets(sender), self._named)
        return (*targets_of(self._list, roots), *failed)

    def _is_all(self, given: Iterable[EnvelopePath]) -> bool:
        """Whether these are the recipients that were named, and no others."""
        named = {path.address for path in self._roots.values()}
        addresses = {path.address for path in given}
        return named <= addresses <= named | self._covered

    def _again(
        self, given: list[EnvelopePath]
    ) -> tuple[dict[QueuedRecipient, Target], list[Target]]:
        """The recipients as they are after the filters; and those that nobody can resolve, of
        which the sender hears."""
        roots: dict[QueuedRecipient, Target] = {}
        failed: list[Target] = []
        for path in given:
            try:
                one = self._list.parse(octets(path.text))
                counts = self._list.add(one)
            except DeliveryError:
                failed.append(_target(path))
                continue
            if counts is one:
                one.is_accepted = True
                roots[one] = _target(path)
            else:
                self._named.add(counts)
                if root_of(counts) not in roots:
                    roots[counts] = _target(path)
        return roots, failed


def _target(path: EnvelopePath) -> Target:
    return Target(path.address, path.parameters)


def _key(one: QueuedRecipient) -> str:
    return " ".join(one.same).lower()
