"""Releasing kept mail: the original bytes, the original sender, the recipients that a person chose.

One copy goes `held → releasing → released | failed`. The index decides who releases (a row that one
process only can set to `releasing`), and the journal must agree: it knows what was released also
where the index was lost. `released` is written only with the MTA's 250 in hand. What the MTA puts
off is tried again with growing pauses. If nobody knows whether the MTA took a message (no answer
after the final dot, or the process died), it is `failed` and not tried again by itself: a person
looks and says `again`. So nothing is lost, since the message is still kept, and nothing comes twice
by accident.
"""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import Literal

from filterd.chain import marks
from filterd.database.storable import storable
from filterd.message.address import Mailbox, readable
from filterd.quarantine.entry import Entry
from filterd.quarantine.files import StoreError
from filterd.quarantine.journal import UNKNOWN, Delivery, Event
from filterd.quarantine.settings import ADDRESS
from filterd.quarantine.store import GoneError, Store, UnknownIdError
from filterd.quarantine.submission import Server, SubmissionResult, submit
from filterd.quarantine.words import State

log = logging.getLogger(__name__)

Form = Literal["original", "attached"]

FIRST_PAUSE = 300.0
"""Seconds before the second try; each later pause is twice as long."""

LONGEST_PAUSE = 4 * 3600.0
"""Seconds; an MTA that is back should not wait half a day for its mail."""

CLAIM_LIMIT = 3600.0
"""Seconds after which a copy that is `releasing` has nobody left who releases it: connecting, a few
replies and the longest wait for the last one are over by then."""

LOST = "the release was interrupted; the MTA may or may not have accepted the message"


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """What somebody wants released.

    id: the message. who: as the journal names people. recipients: any addresses; empty for those
    whose copy is held, or all of the envelope where nobody's is. note: why. again: also to those
    who have it, or of whom that is not known. viruses: let a virus pass; needs a note.
    """

    id: str
    who: str
    recipients: tuple[str, ...] = ()
    note: str = ""
    form: Form = "original"
    again: bool = False
    viruses: bool = False


class ReleaseError(Exception):
    """A release that is not permitted, in words for the person who asked."""


@dataclass(frozen=True, slots=True)
class ReleaseOutcome:
    """What became of one recipient. state: `released`, `failed`, or the copy's state if nothing was
    done (`releasing`: another process does it)."""

    recipient: str
    state: str
    reply: str
    queue_id: str
    again_at: float
    done: bool


class Releaser:
    """Releases from one store to the MTA that its settings name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        settings = store.settings
        self._server = Server(
            settings.release_host, settings.release_port, settings.release_timeout
        )

    def release(self, request: ReleaseRequest) -> tuple[ReleaseOutcome, ...]:
        """Release a message; return what became of each recipient.

        Raises ReleaseError, and as `Store.read` does.
        """
        id = request.id
        entry = self._store.get(id)
        if entry.virus and not (request.viruses and request.note):
            raise ReleaseError(
                f"{id} contains {entry.virus}; to release it, confirm that and give a reason"
            )
        chosen = _as_it_came(entry, request.recipients) or tuple(
            dict.fromkeys(entry.held_for or entry.recipients)
        )
        if not chosen:
            raise ReleaseError(f"{id} has no recipient; expected one")
        data = self._store.read(id)
        states = ["held", "failed", ""] + (["released"] if request.again else [])
        if not request.again:
            self._refuse_unknown(id, chosen)
        won = self._claim(entry, chosen, states, request)
        results = self._send(entry, data, won, request) if won else {}
        by_name = self._copies(id)
        return tuple(
            _outcome(r, by_name.get(storable(r), Delivery(r, State.RELEASING)), r in results)
            for r in chosen
        )

    def retry(self) -> tuple[tuple[str, ReleaseOutcome], ...]:
        """Try again what is due, and give up what was interrupted. Raises StoreError."""
        now = self._store.clock()
        found: list[tuple[str, ReleaseOutcome]] = []
        for id, delivery in self._store.index.waiting(now, now - CLAIM_LIMIT):
            try:
                outcome = self._retry_one(id, delivery)
            except (UnknownIdError, StoreError) as error:
                # One message's trouble must not keep the others waiting.
                log.warning("id=%s cannot be released again: %s", id, error)
                continue
            if outcome is not None:
                found.append((id, outcome))
        return tuple(found)

    def _retry_one(self, id: str, delivery: Delivery) -> ReleaseOutcome | None:
        """Try one copy again; None if somebody else does."""
        entry = self._store.get(id)
        real = self._real_name(entry, delivery.recipient)
        request = ReleaseRequest(
            id,
            "filterd",
            form=_form(delivery.form),
            viruses=bool(entry.virus),  # a first release of it was allowed by a person
        )
        if delivery.state == "releasing":
            noted = {storable(d.recipient): d for d in self._store.delivery_state(id).deliveries}
            copy = noted.get(delivery.recipient)
            if copy is not None and copy.state != "releasing" and copy.changed >= delivery.changed:
                # It ended before the index heard of it.
                self._store.index.settle(id, copy)
                return _outcome(real, copy, True)
            lost = SubmissionResult("unknown", LOST)
            self._conclude(real, delivery, lost, request)
        else:
            try:
                data = self._store.read(id)
            except GoneError as error:
                refused = SubmissionResult("refused", str(error))
                self._conclude(real, delivery, refused, request)
            else:
                won = self._claim(entry, (real,), ["failed"], request)
                if not won:
                    return None
                self._send(entry, data, won, request)
        return _outcome(real, self._copies(id).get(storable(real), delivery), True)

    def _refuse_unknown(self, id: str, chosen: Sequence[str]) -> None:
        """Stop where a copy may have been delivered already."""
        names = set(map(storable, chosen))
        for delivery in self._store.index.deliveries(id):
            if delivery.recipient in names and delivery.is_unknown:
                raise ReleaseError(
                    f"{id} may have reached {delivery.recipient} already ({delivery.reply}); "
                    "look in the MTA's log before you release it again"
                )

    def _claim(
        self,
        entry: Entry,
        recipients: Sequence[str],
        states: Sequence[str],
        request: ReleaseRequest,
    ) -> tuple[str, ...]:
        """The recipients whose copies this process releases, by index and journal."""
        now = self._store.clock()
        form = request.form
        won = self._store.index.claim(entry.id, recipients, states, now, form)
        if not won:
            return ()
        event = Event(
            "releasing", entry.id, request.who, won, note=request.note, form=form, time=now
        )
        free = self._store.journal.claim(event, entry.held_for, states, again=request.again)
        if free != won:
            log.warning("id=%s: the index differed from the journal; it is corrected", entry.id)
            self._store.index.update(entry.id, self._store.delivery_state(entry.id))
        return free

    def _send(
        self, entry: Entry, data: bytes, recipients: Sequence[str], request: ReleaseRequest
    ) -> dict[str, SubmissionResult]:
        sender = entry.sender
        if request.form == "attached":
            # A message of ours: it goes out under our name, and so do notices that it failed.
            sender = self._store.settings.release_from or f"postmaster@{socket.getfqdn()}"
            data = attached(entry, data, recipients, sender, self._store.clock())
        key = marks.load_key(self._store.settings.folder)
        mark = partial(
            marks.envelope_id,
            key,
            entry.id,
            data,
            viruses=request.viruses,
            # Our own message, or one that would have been signed had it not been kept.
            outbound=entry.outbound or request.form == "attached",
        )
        before = len(self._kept_again(entry.id))
        # From the journal: the index may have been set aside since the claim.
        noted = {d.recipient: d for d in self._store.delivery_state(entry.id).deliveries}
        results = submit(self._server, sender, recipients, data, mark)
        results = _as_kept(results, self._kept_again(entry.id)[before:])
        for recipient, result in results.items():
            self._conclude(recipient, noted[recipient], result, request)
        return results

    def _kept_again(self, id: str) -> list[Event]:
        """What our own filters held of earlier releases."""
        return [event for event in self._store.journal.events(id) if event.what == "held_again"]

    def _conclude(
        self, recipient: str, before: Delivery, result: SubmissionResult, request: ReleaseRequest
    ) -> None:
        """Record, and then show, what became of one copy."""
        now = self._store.clock()
        again_at = 0.0
        if result.outcome == "later" and before.attempts < self._store.settings.release_attempts:
            again_at = now + min(FIRST_PAUSE * 2 ** (before.attempts - 1), LONGEST_PAUSE)
        state: Literal["released", "failed"] = "released" if result.outcome == "sent" else "failed"
        reply = f"{UNKNOWN} {result.reply}" if result.outcome == "unknown" else result.reply
        id, form = request.id, request.form
        self._store.journal.append(
            Event(
                state,
                id,
                request.who,
                (recipient,),
                request.note,
                reply,
                result.queue_id,
                again_at,
                form,
                now,
            )
        )
        copy = Delivery(
            recipient, State(state), now, reply, result.queue_id, before.attempts, again_at, form
        )
        try:
            self._store.index.settle(id, copy)
        except StoreError as error:
            # The journal knows; `retry` tells the index later.
            log.warning("id=%s is %s, and the index does not show it: %s", id, state, error)

    def _copies(self, id: str) -> dict[str, Delivery]:
        """The states of a message's copies, by recipients as the index has them."""
        noted = {storable(d.recipient): d for d in self._store.delivery_state(id).deliveries}
        try:
            return noted | {d.recipient: d for d in self._store.index.deliveries(id)}
        except StoreError as error:
            log.warning("id=%s: %s", id, error)
            return noted

    @staticmethod
    def _real_name(entry: Entry, stored: str) -> str:
        """The address as it came, of one as the index can hold it."""
        names = {storable(r): r for r in (*entry.recipients, *entry.held_for)}
        return names.get(stored, stored)


def _as_kept(
    results: dict[str, SubmissionResult], again: Sequence[Event]
) -> dict[str, SubmissionResult]:
    """The results, where our own filter took the message out of the mail flow again although the
    MTA said 250: a virus was found in it. again: what the journal says of that."""
    kept = {Mailbox.parse(r): event.note for event in again for r in event.recipients}
    found = {}
    for recipient, result in results.items():
        note = kept.get(Mailbox.parse(recipient), "")
        held = result.outcome == "sent" and note
        found[recipient] = SubmissionResult("refused", f"held again as {note}") if held else result
    return found


def _as_it_came(entry: Entry, recipients: Sequence[str]) -> tuple[str, ...]:
    """Each mailbox once, as the client spelled it where it was a recipient: a mailbox that has a
    copy must not get another one because somebody spells the address in another way."""
    came = (*entry.recipients, *entry.held_for)
    known = {readable(r): r for r in came}
    return tuple(dict.fromkeys(r if r in came else known.get(readable(r), r) for r in recipients))


def attached(
    entry: Entry, data: bytes, recipients: Sequence[str], sender: str, now: float
) -> bytes:
    """A new message that carries the original, every octet of it, as an attachment.

    sender: the address in From. now: seconds since 1970. To names a recipient only where it is the
    one: others may have been blind copies (RFC 5322, 3.6.3), and learn nothing of each other.
    """
    boundary = f"=_{secrets.token_hex(16)}"
    alone = len(recipients) == 1 and ADDRESS.fullmatch(recipients[0]) is not None
    domain = sender.rpartition("@")[2]
    lines = (
        f"From: Quarantine <{sender}>",
        f"To: {f'<{recipients[0]}>' if alone else 'undisclosed-recipients:;'}",
        f"Subject: Quarantined message {entry.id}",
        f"Date: {formatdate(now, localtime=True)}",
        f"Message-ID: <{entry.id}.{secrets.token_hex(8)}@{domain}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "The attached message was held in quarantine and is sent to you on request.",
        "",
        f"--{boundary}",
        "Content-Type: message/rfc822",
        f'Content-Disposition: attachment; filename="{entry.id}.eml"',
        *(() if data.isascii() else ("Content-Transfer-Encoding: 8bit",)),
        "",
        "",
    )
    head = "\r\n".join(lines).encode("ascii", "replace")
    return head + data + f"\r\n--{boundary}--\r\n".encode("ascii")


def _form(text: str) -> Form:
    return "attached" if text == "attached" else "original"


def _outcome(recipient: str, delivery: Delivery, done: bool) -> ReleaseOutcome:
    return ReleaseOutcome(
        recipient, delivery.state, delivery.reply, delivery.queue_id, delivery.again_at, done
    )
