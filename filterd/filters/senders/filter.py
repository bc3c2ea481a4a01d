"""Senders that somebody allowed or blocked, for one recipient or for all: a list, and points.

The list is a text file that people can read and edit: `allow ann@a.example for joe@mx.example if
proven`, one entry a line, `#` for comments. An allowed sender gets negative points and a blocked
one positive ones, so that other findings still count: an envelope sender is easily forged, and a
virus stays a virus. An entry that demands proof counts where the filter `auth`, which runs before,
has found that the sender's domain sent the message. For each recipient the first entry that fits
counts. One message has one score, so it is given where all its recipients are of one opinion.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar

from filterd.chain.verdict import NO_OPINION, Symbol, Verdict
from filterd.filters.senders.list import EVERYBODY, ListEntryError, SenderEntry, keys_of, read
from filterd.filters.senders.rewritten import rewritten
from filterd.filters.senders.settings import SendersSettings
from filterd.filters.senders.symbols import ALLOWED, BLOCKED, UNPROVEN
from filterd.message import Envelope, Message, Recipient
from filterd.message.address import Mailbox
from filterd.message.matching import recipient_keys
from filterd.system.watched_file import WatchedFile

log = logging.getLogger(__name__)


class _Lookup:
    """Entries by what they speak of: each message costs a few looks, however long the list is."""

    def __init__(self, entries: Sequence[SenderEntry]) -> None:
        self._entries = entries
        self._by_sender: dict[str, list[int]] = defaultdict(list)
        for number, entry in enumerate(entries):
            for key in keys_of(entry.sender):
                self._by_sender[key].append(number)

    def find(self, envelope: Envelope, *, proven: bool = True) -> SenderEntry | None:
        """What counts for the message: for each recipient the first entry that fits, if all of
        these are of one kind. The entry is that of the first recipient. proven: the message proves
        to come from the sender's domain."""
        if not self._entries:
            return None
        covering: dict[str, int] = {}
        for key, only_blocks in _sender_keys(envelope.sender).items():
            for number in self._by_sender.get(key, ()):
                entry = self._entries[number]
                if (entry.proven and not proven) or (only_blocks and entry.kind == "allow"):
                    continue
                for recipient in keys_of(entry.recipient):
                    covering[recipient] = min(number, covering.get(recipient, number))
        if not covering:
            return None
        first: SenderEntry | None = None
        for one in envelope.recipients or (Recipient(""),):
            keys = {EVERYBODY, *recipient_keys(one, envelope)}
            numbers = [covering[key] for key in keys if key in covering]
            if not numbers:
                return None
            entry = self._entries[min(numbers)]
            first = first or entry
            if entry.kind != first.kind:
                return None
        return first


class Senders:
    """Gives points to senders that somebody allowed or blocked."""

    name: ClassVar[str] = "senders"

    def __init__(self, settings: SendersSettings) -> None:
        self.settings = settings
        self._lookup = _Lookup(())
        self._file = WatchedFile(settings.file)

    def prepare(self) -> None:
        """Read the list. Raises ListEntryError, OSError."""
        self._refresh()

    def examine(self, message: Message) -> Verdict:
        """Find what counts for this sender and all recipients.

        A list that was changed into one that cannot be read leaves the former in force, and the log
        says so. Raises OSError if the file itself cannot be read.
        """
        try:
            self._refresh()
        except ListEntryError as error:
            log.error("the list is not used, the last good one stays: %s", error)
        proven = _is_proven(message)
        entry = self._lookup.find(message.envelope, proven=proven)
        if entry is None:
            return NO_OPINION if proven else self._unproven(message)
        allowed = entry.kind == "allow"
        score = self.settings.allow_score if allowed else self.settings.block_score
        return Verdict(symbols=(Symbol(ALLOWED if allowed else BLOCKED, score, str(entry)),))

    def _unproven(self, message: Message) -> Verdict:
        """That an entry does not count, so that an admin can see why."""
        entry = self._lookup.find(message.envelope)
        if entry is None or not entry.proven:
            return NO_OPINION
        known = message.authentication
        why = known.line if known is not None else "who sent it was not checked"
        return Verdict(symbols=(Symbol(UNPROVEN, 0.0, f"{entry}: {why}"),))

    def _refresh(self) -> None:
        """Read the list again if it has changed since."""
        match self._file.look():
            case "gone":
                self._lookup = _Lookup(())
            case "changed":
                self._lookup = _Lookup(read(self.settings.file))


def _sender_keys(sender: str) -> dict[str, bool]:
    """The keys of entries about a sender, and about what it stands for; true for those that only
    count if they block: whom a forwarder names, nobody has proven."""
    found: dict[str, bool] = {}
    if (other := rewritten(sender)) is not None and "@" in other.pattern:
        found = dict.fromkeys(Mailbox.parse(other.pattern).covered_by(), not other.is_same)
    return {
        **found,
        EVERYBODY: False,
        **dict.fromkeys(Mailbox.parse(sender).covered_by(), False),
    }


def _is_proven(message: Message) -> bool:
    """Whether the sender's domain, or one above it, signed the message or lets its client send."""
    known = message.authentication
    domain = Mailbox.parse(message.envelope.sender).domain
    return known is not None and bool(domain) and known.passes_for(domain)
