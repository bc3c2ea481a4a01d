"""Mail that is held for one person, and what that person may do with it without an admin.

On top of `Access`, as which a person is somebody of the role `user` with its addresses: what it
sees here is less than a reviewer sees, and each action is counted. Results are words, not
sentences, since people read them in their own language.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from filterd.config.proof import proof_missing
from filterd.filters.senders.list import Kind, NotedEntry, SenderEntry
from filterd.message.address import Mailbox
from filterd.quarantine import Entry, GoneError, UnknownIdError
from filterd.quarantine.entry import for_admins_only
from filterd.quarantine.words import State
from filterd.review.access import Access, Source
from filterd.review.actions import ActionError, ActionRequest, ReviewActions, without_effect
from filterd.review.rights import recipients_of
from filterd.review.senders import SendersError, SiteSenders
from filterd.state.facts import StateError

if TYPE_CHECKING:
    from filterd.quarantine.copies import HeldCopy, Wish
    from filterd.quarantine.journal import Delivery
    from filterd.review.reviewer import Reviewer
    from filterd.review.user_limits import UserLimits

log = logging.getLogger(__name__)

OwnAction = Literal["deliver", "request", "delete", "undelete", "ham", "block", "allow"]
"""What a person may do with a message; each from a form."""

OwnWord = Literal[
    "delivered",
    "under_way",
    "not_delivered",
    "delivered_learned",
    "delivered_not_learned",
    "deleted",
    "undeleted",
    "asked",
    "blocked",
    "allowed",
    "added",
    "removed",
    "not_there",
    "gone",
    "not_permitted",
    "not_listed",
    "not_proven",
    "too_many",
    "too_many_entries",
    "not_now",
    "strictness_set",
]
"""What became of it."""

SHOWN_LIMIT = 200
"""Messages of one page."""

NOTE_LIMIT = 300
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class OwnResult:
    """What became of one action. id: of the message, or the entry of the list. undo: it can be
    undone."""

    id: str
    word: OwnWord
    ok: bool = True
    undo: bool = False


@dataclass(frozen=True, slots=True)
class OwnMessage:
    """A message as its recipient sees it. copies: those of its addresses. may: what it may do."""

    entry: Entry
    copies: tuple[Delivery, ...]
    may: frozenset[OwnAction]

    @property
    def is_delivered(self) -> bool:
        """True if it has it already."""
        return any(copy.state is State.RELEASED for copy in self.copies)

    @property
    def asked(self) -> float:
        """Since when it asks for it (seconds since 1970), 0 for not."""
        return max((copy.asked for copy in self.copies), default=0.0)

    @property
    def refusal(self) -> str | None:
        """What an admin wrote who refused it; None where nobody did."""
        notes = [copy.request_note for copy in self.copies if copy.refused]
        return notes[0] if notes else None


class OwnMail:
    """What one person has. Methods raise StoreError."""

    def __init__(
        self,
        actions: ReviewActions,
        senders: SiteSenders,
        limits: UserLimits,
        person: Reviewer,
        source: Source = "web",
    ) -> None:
        self.person = person
        self._actions = actions
        self._users = actions.settings.users
        self._senders = senders
        self._limits = limits
        self._access = Access(actions, person, source)

    @property
    def who(self) -> str:
        """The person, as journal and log name it."""
        return self._access.who

    def held(self) -> list[HeldCopy]:
        """What is held, newest first, a message to several of the person's addresses once."""
        from filterd.quarantine.copies import held_copies  # noqa: PLC0415  (loads the database)

        found = held_copies(
            self._actions.store.index,
            self.person.recipients,
            self._is_own,
            SHOWN_LIMIT,
            self._users.reasons,
        )
        first: dict[str, HeldCopy] = {}
        for one in found:
            first.setdefault(one.row.id, one)
        return list(first.values())

    def message(self, id: str) -> OwnMessage:
        """One message, whether it is still held or not. Raises UnknownIdError for what is not the
        person's, or not for its eyes."""
        entry = self._access.entry(id)
        if entry.virus or entry.reason not in self._users.reasons:
            raise UnknownIdError(f"no message {id[:64]} for this person")
        state = self._actions.store.delivery_state(id)
        copies = tuple(one for one in state.deliveries if self._is_own(one.recipient))
        is_gone = bool(state.gone)
        may = frozenset() if is_gone or not copies else self._may(entry, copies)
        return OwnMessage(entry, copies, may)

    def data(self, id: str) -> bytes:
        """The bytes, to be shown. Raises as `message` does, GoneError."""
        self.message(id)
        return self._access.data(id)

    def viewed(self, id: str) -> None:
        """Put into the journal that the message was looked at."""
        self._actions.store.note("viewed", id, self._access.who)

    def do(self, action: OwnAction, id: str, note: str = "") -> OwnResult:
        """Do one of these with a message. Raises UnknownIdError as `message` does."""
        found = self.message(id)
        if action != "undelete" and action not in found.may:
            return OwnResult(id, "not_permitted", ok=False)
        try:
            if not self._limits.admit(self.person.name, "action"):
                return OwnResult(id, "too_many", ok=False)
            return self._done(action, found, note)
        except StateError as error:
            log.warning("%s by %s: %s", action, self._access.who, error)
            return OwnResult(id, "not_now", ok=False)
        except GoneError:
            return OwnResult(id, "gone", ok=False)

    def _done(self, action: OwnAction, found: OwnMessage, note: str) -> OwnResult:
        id = found.entry.id
        match action:
            case "deliver":
                return self._deliver(id)
            case "ham":
                return self._deliver_and_learn(id)
            case "delete":
                return self._delete(found)
            case "undelete":
                return self._undelete(found)
            case "request":
                return self._request(id, note)
            case "block":
                listed = self._list("block", found)
                if listed.ok:
                    self._delete(found)
                return listed
        return self._list("allow", found)

    def _may(self, entry: Entry, copies: tuple[Delivery, ...]) -> frozenset[OwnAction]:
        """What may be done with a message that is still there."""
        found: set[OwnAction] = set()
        is_held = any(one.state in (State.HELD, State.FAILED) for one in copies)
        if is_held:
            found.add("delete")
            if entry.reason in self._users.deliver and not for_admins_only(entry):
                found.add("deliver")
                if entry.reason == "spam" and self._users.learn_per_day:
                    found.add("ham")
            elif self._users.request and not any(one.asked for one in copies):
                found.add("request")
        if entry.sender and self._senders.is_used:
            if not without_effect(self._actions.settings, "block"):
                found.add("block")
            if self._may_allow(entry):
                found.add("allow")
        return frozenset(found)

    def _may_allow(self, entry: Entry) -> bool:
        """True if an entry would count for such mail, and not for one that somebody forges."""
        settings, known = self._actions.settings, entry.authentication
        return (
            entry.reason != "dmarc"
            and known is not None
            and known.passes_for(Mailbox.parse(entry.sender).domain)
            and not proof_missing(settings)
            and not without_effect(settings, "allow")
        )

    def _deliver(self, id: str) -> OwnResult:
        (done,) = self._access.perform("release", [id])
        if done.ok:
            return OwnResult(id, "delivered")
        # Who clicks twice asks again while the first question is carried out.
        states = {one["state"] for one in done.detail.get("recipients", ())}
        if State.RELEASING in states:
            return OwnResult(id, "under_way")
        log.warning("id=%s is not delivered to %s: %s", id, self._access.who, done.words)
        return OwnResult(id, "not_delivered", ok=False)

    def _deliver_and_learn(self, id: str) -> OwnResult:
        delivered = self._deliver(id)
        if not delivered.ok:
            return delivered
        if not self._limits.admit(self.person.name, "learn"):
            return OwnResult(id, "delivered_not_learned")
        own: tuple[str, ...] = ()
        if self._users.learn == "own":
            own = self.person.within(self._actions.store.get(id).held_for)
            if not own:
                # Without an owner it would be the site's model that learns.
                return OwnResult(id, "delivered_not_learned")
        (learned,) = self._access.perform("ham", [id], ActionRequest(own_models=own))
        if not learned.ok:
            log.warning("id=%s is not learned for %s: %s", id, self._access.who, learned.words)
        return OwnResult(id, "delivered_learned" if learned.ok else "delivered_not_learned")

    def _delete(self, found: OwnMessage) -> OwnResult:
        """Delete it; of a message that has other recipients only the person's copy."""
        id = found.entry.id
        if self.person.may_decide(recipients_of(found.entry)):
            (done,) = self._access.perform("delete", [id])
            undo = bool(done.detail.get("until"))
            return OwnResult(id, "deleted" if done.ok else "not_now", done.ok, undo)
        self._mark("dismissed", id)
        return OwnResult(id, "deleted", undo=True)

    def _undelete(self, found: OwnMessage) -> OwnResult:
        id = found.entry.id
        if self._mark("wanted", id):
            return OwnResult(id, "undeleted")
        deleted = [one for one in self._actions.store.journal.events(id) if one.what == "deleted"]
        if deleted and deleted[-1].who != self._access.who:
            return OwnResult(id, "not_permitted", ok=False)
        (done,) = self._access.perform("undelete", [id])
        return OwnResult(id, "undeleted" if done.ok else "gone", done.ok)

    def _request(self, id: str, note: str) -> OwnResult:
        if not self._limits.admit(self.person.name, "request"):
            return OwnResult(id, "too_many", ok=False)
        self._mark("requested", id, note)
        return OwnResult(id, "asked")

    def _mark(self, what: Wish, id: str, note: str = "") -> tuple[str, ...]:
        from filterd.quarantine.copies import mark  # noqa: PLC0415  (loads the database)

        store = self._actions.store
        own = self.person.within(store.get(id).held_for)
        return mark(store, what, id, own, self._access.who, note[:NOTE_LIMIT])

    def _list(self, kind: Kind, found: OwnMessage) -> OwnResult:
        id = found.entry.id
        if len(self.entries()) >= self._users.list_entries:
            return OwnResult(id, "too_many_entries", ok=False)
        own = self.person.within(found.entry.held_for)
        (done,) = self._access.perform(kind, [id], ActionRequest(recipients=own))
        if done.ok:
            return OwnResult(id, "blocked" if kind == "block" else "allowed")
        log.info("id=%s: %s not listed for %s: %s", id, kind, self._access.who, done.words)
        return OwnResult(id, "not_listed", ok=False)

    @property
    def has_list(self) -> bool:
        """True if there is a list of senders."""
        return self._senders.is_used

    @property
    def may_allow(self) -> bool:
        """True if senders can be allowed: where nothing proves who sends, forged mail would be."""
        settings = self._actions.settings
        return not proof_missing(settings) and not without_effect(settings, "allow")

    def entries(self) -> list[NotedEntry]:
        """The person's entries in the list of senders. Raises SendersError for a list that cannot
        be used."""
        return self._senders.all(self.person)

    def add(self, kind: Kind, sender: str) -> OwnResult:
        """Allow or block a sender for all of the person's addresses. Raises ListEntryError for what
        is not a sender."""
        if kind == "allow" and not self.may_allow:
            return OwnResult(sender, "not_proven", ok=False)

        def change() -> OwnResult:
            if len(self.entries()) >= self._users.list_entries:
                return OwnResult(sender, "too_many_entries", ok=False)
            for recipient in sorted(self.person.recipients):
                entry = SenderEntry(kind, sender, recipient, proven=kind == "allow")
                self._senders.add(self._access, entry)
            return OwnResult(sender, "added")

        return self.changed(sender, change)

    def remove(self, kind: Kind, sender: str, recipient: str) -> OwnResult:
        """Take an entry out of the list. Raises ListEntryError."""

        def change() -> OwnResult:
            entry = SenderEntry(kind, sender, recipient)
            done = self._senders.remove(self._access, entry)
            return OwnResult(sender, "removed" if done.changed else "not_there", done.changed)

        return self.changed(sender, change)

    def changed(self, what: str, change: Callable[[], OwnResult]) -> OwnResult:
        """Change one of the person's own settings, within the limits. what: that it is about, for
        the result of a change that is refused."""
        try:
            if not self._limits.admit(self.person.name, "action"):
                return OwnResult(what, "too_many", ok=False)
            return change()
        except StateError as error:
            log.warning("%s by %s: %s", what, self._access.who, error)
            return OwnResult(what, "not_now", ok=False)
        except (SendersError, ActionError) as error:
            log.info("%s not listed for %s: %s", what, self._access.who, error)
            return OwnResult(what, "not_listed", ok=False)

    def _is_own(self, recipient: str) -> bool:
        return bool(self.person.within([recipient]))
