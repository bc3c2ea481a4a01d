"""The list of allowed and blocked senders: who stands in it, and changes by those whose mail it is.

It is the list of the filter senders, which `filterd quarantine allow` and people write as well. A
reviewer sees and changes entries for its own recipients and domains.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filterd.config.load import Settings
from filterd.config.proof import proof_missing
from filterd.filters.senders.list import (
    EVERYBODY,
    Kind,
    ListEntryError,
    NotedEntry,
    SenderEntry,
    change,
    keys_of,
    noted,
)
from filterd.filters.senders.rewritten import Rewritten, rewritten
from filterd.filters.senders.settings import SendersSettings
from filterd.message.address import readable_domain
from filterd.quarantine import Store, StoreError
from filterd.quarantine.journal import What
from filterd.review.actions import ActionError, without_effect
from filterd.system.display import when, without_folders

if TYPE_CHECKING:
    from filterd.review.access import Access
    from filterd.review.reviewer import Reviewer

log = logging.getLogger(__name__)

NOTE_LIMIT = 500
"""Characters of a reason."""

NOT_YOURS = "you may list senders for your own recipients and domains only"


class SendersError(Exception):
    """A change that is not made, in words for the person who asked."""


@dataclass(frozen=True, slots=True)
class SenderChange:
    """What was done. words: what happens from now on. changed: False if it was so already."""

    entry: SenderEntry
    words: str
    changed: bool


class SiteSenders:
    """The list of one site. Methods raise StoreError where the list cannot be read or written."""

    def __init__(
        self, settings: Settings, store: Store, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock

    @property
    def is_used(self) -> bool:
        """True if the filter is in the chain."""
        return bool(self._settings.in_chain(SendersSettings))

    def all(self, reviewer: Reviewer, text: str = "", after: int = 0) -> list[NotedEntry]:
        """The entries that the reviewer may see, in order: those that it may change, if it does not
        see everything. text: a part of entry or comment, in
        any case. after: the line of the last one that is known. Raises SendersError for a list that
        cannot be used."""
        wanted = text.casefold()
        try:
            found = noted(self._own.file)
        except ListEntryError as error:
            raise SendersError(without_folders(str(error))) from None
        except OSError as error:
            raise StoreError.about(self._own.file, error) from error
        return [
            one
            for one in found
            if one.line > after
            and (reviewer.sees_all or _may_change(reviewer, one.entry))
            and wanted in f"{one.entry} {one.note}".casefold()
        ]

    def add(self, access: Access, entry: SenderEntry, note: str = "") -> SenderChange:
        """Put an entry into the list; it takes the place of those about the same mailboxes. Raises
        ActionError for recipients of others, SendersError for what would have no effect."""
        if why := self.trouble(entry):
            raise SendersError(why)
        return self._change(access, entry, note)

    def remove(self, access: Access, entry: SenderEntry, note: str = "") -> SenderChange:
        """Take an entry out of the list. Raises ActionError for recipients of others."""
        return self._change(access, entry, note, remove=True)

    def trouble(self, entry: SenderEntry) -> str:
        """Why an entry would have no effect, and what was expected; empty if it has one."""
        other = rewritten(entry.sender) if entry.sender != EVERYBODY else None
        if other is not None and other.scheme != "SRS":
            return (
                f"{entry.sender} was made for one message ({other.scheme}); expected "
                f"{other.pattern}, for which it stands"
            )
        if other is not None and entry.kind == "block":
            return (
                f"{entry.sender} was made for one message ({other.scheme}); expected "
                f"{other.pattern}, for whom it was forwarded"
            )
        if why := without_effect(self._settings, entry.kind):
            return f"it would have no effect: {why}"
        if entry.proven and (why := proof_missing(self._settings)):
            return f"proof is never found: {why}; expected an entry without it"
        return ""

    def effect(self, entry: SenderEntry) -> str:
        """What happens to mail because of an entry, in a sentence."""
        own = self._own
        score, name = (
            (own.allow_score, "SENDER_ALLOWED")
            if entry.kind == "allow"
            else (own.block_score, "SENDER_BLOCKED")
        )
        sender = "any sender" if entry.sender == EVERYBODY else entry.sender
        recipient = "anybody" if entry.recipient == EVERYBODY else entry.recipient
        proof = " that proves to come from that domain (SPF or DKIM)" if entry.proven else ""
        several = (
            ""
            if entry.recipient == EVERYBODY
            else f"; a message to several recipients only if all of them {entry.kind} its sender"
        )
        return (
            f"Mail from {sender} (envelope) to {recipient}{proof} gets {score:+g} points ({name}), "
            f"unless an entry that stands before says otherwise{several}. Other findings still "
            "count."
        )

    def demands_proof(self, kind: Kind) -> bool:
        """True if a new entry should count only for mail that proves its sender: else forged mail
        is allowed, too. Where nothing is proven no entry can demand it."""
        return kind == "allow" and not proof_missing(self._settings)

    def stands_for(self, sender: str) -> Rewritten | None:
        """What an envelope sender stands for, if it was made for one message."""
        return rewritten(sender)

    @property
    def _own(self) -> SendersSettings:
        return self._settings.of_filter(SendersSettings)

    def _change(
        self, access: Access, entry: SenderEntry, note: str, *, remove: bool = False
    ) -> SenderChange:
        access.require("senders")
        if not _may_change(access.reviewer, entry):
            raise ActionError(NOT_YOURS)
        if not note.isprintable() or len(note) > NOTE_LIMIT:
            raise SendersError(f"note: expected one line of at most {NOTE_LIMIT} characters")
        told = f"{access.who}, {when(self._clock())}" + (f": {note}" if note else "")
        try:
            changed = change(self._own.file, entry, remove=remove, note="" if remove else told)
        except ListEntryError as error:
            raise SendersError(without_folders(str(error))) from None
        except OSError as error:
            raise StoreError.about(self._own.file, error) from error
        if changed:
            word: What = "unlisted" if remove else _word(entry.kind)
            log.info("senders changed by %s: %s %s", access.who, word, entry)
            self._store.note(word, "", access.who, f"{entry} {note}".rstrip())
        if remove:
            words = f"{entry}: removed" if changed else f"{entry}: was not in the list"
        else:
            words = (
                self.effect(entry) if changed else f"It was listed already. {self.effect(entry)}"
            )
        return SenderChange(entry, words, changed)


def _word(kind: Kind) -> What:
    return "allowed" if kind == "allow" else "blocked"


def _may_change(reviewer: Reviewer, entry: SenderEntry) -> bool:
    """True for an admin, and if all mail that the entry is about is the reviewer's own."""
    if reviewer.is_admin:
        return True
    key = keys_of(entry.recipient)[0]
    if key.startswith("@"):
        return readable_domain(key[1:]) in reviewer.domains
    # Neither everybody nor all domains below one are anybody's own.
    return not key.startswith((EVERYBODY, ".")) and bool(reviewer.within([entry.recipient]))
