"""What people do with kept mail, one way for command line, REST interface and pages.

Each action is done to one or several messages by somebody (`who`, such as `cli:root` or `web:ann`)
and leaves an event in the quarantine's journal. What became of each message is an `ActionResult`;
what cannot be done is an `ActionError`, in words for the person who asked. Who may do what is
decided above (`filterd.review.access`); here it is done.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from filterd.chain.verdict import Reason
from filterd.config.assembly import model_folder, open_recent_mail
from filterd.config.load import Settings
from filterd.config.proof import proof_missing
from filterd.filters.bayes.settings import BayesSettings
from filterd.filters.senders import list as senders
from filterd.filters.senders.rewritten import rewritten
from filterd.filters.senders.settings import SendersSettings
from filterd.history.recent_mail import NoCopyError
from filterd.message import Envelope, Message
from filterd.message.address import Mailbox
from filterd.message.ids import new_id
from filterd.message.line_ends import with_crlf
from filterd.message.outlook import OLE_MAGIC, OutlookError, message_of
from filterd.quarantine import GoneError, Store, StoreError, UnknownIdError, release
from filterd.quarantine.journal import What
from filterd.quarantine.release import Form, ReleaseError, Releaser, ReleaseRequest
from filterd.quarantine.store import removed_part
from filterd.review.release_service import ask_to_release
from filterd.review.taught_by_daemon import ask_to_learn, may_write
from filterd.system.display import hours, size, utc
from filterd.workers.sandbox import SandboxError, scan

if TYPE_CHECKING:
    from pathlib import Path

    from filterd.chain.report import ScanReport
    from filterd.quarantine.entry import Entry

log = logging.getLogger(__name__)


class ActionError(Exception):
    """An action that is not permitted, or could not be done, in words for the person who asked."""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of one message. ok: the action is done (or had been). words: for people. detail:
    plain values for scripts; of a release one for each recipient."""

    id: str
    ok: bool
    words: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """How an action is to be done.

    who: as the journal names people. source: where it came from (`quarantine`, `web`, `api`,
    `digest`), for the model's journal. note: why. recipients: of a release, or of an entry in the
    list of senders; empty for the message's own. form, again, viruses: as `ReleaseRequest` has
    them. everybody: list the sender for all recipients. unproven: allow it also for mail that does
    not prove to come from its domain. off: take the entry out of the list again. own_models: whose
    own models learn it, as `owner_of` has them; empty: the site's learns it.
    """

    who: str = "filterd"
    source: str = "quarantine"
    note: str = ""
    recipients: tuple[str, ...] = ()
    form: Form = "original"
    again: bool = False
    viruses: bool = False
    everybody: bool = False
    unproven: bool = False
    off: bool = False
    own_models: tuple[str, ...] = ()
    at_once: bool = False


class ReviewActions:
    """What can be done with the kept mail of one site, and with copies of its recent mail."""

    def __init__(self, settings: Settings, release_socket: Path | None = None) -> None:
        """release_socket: that of the service that is asked to release; None: it is done here."""
        self.settings = settings
        self._release_socket = release_socket
        self.store = Store(settings.quarantine)
        self._recent = open_recent_mail(settings)

    def entry(self, id: str) -> Entry:
        """What is known of a message that is kept, or of which there is a copy. Raises as
        `Store.get` does."""
        try:
            return self.store.get(id)
        except UnknownIdError as unknown:
            return self._copy(id, unknown)[0]

    def data(self, id: str) -> bytes:
        """The exact bytes of such a message. Raises as `Store.read` does."""
        try:
            return self.store.read(id)
        except UnknownIdError as unknown:
            return self._copy(id, unknown)[1]

    def _copy(self, id: str, unknown: UnknownIdError) -> tuple[Entry, bytes]:
        try:
            return self._recent.get(id)
        except NoCopyError as error:
            if error.__cause__ is not None:
                log.warning("%s", error)
            raise unknown from None

    def copy_until(self, entry: Entry) -> float:
        """When the copy of a message that is not kept goes at the latest, in seconds since 1970; 0
        for one that is kept."""
        is_kept = self.store.files.find(entry.id) is not None
        return 0.0 if is_kept else self._recent.until(entry)

    def release(self, ids: Sequence[str], request: ActionRequest) -> list[ActionResult]:
        """Hand messages to the MTA for their recipients, or for others.

        Raises UnknownIdError, StoreError.
        """
        if self._release_socket is not None:
            return ask_to_release(self._release_socket, ids, request)
        releaser = Releaser(self.store)
        results = []
        for id in ids:
            one = ReleaseRequest(
                id,
                request.who,
                request.recipients,
                request.note,
                request.form,
                request.again,
                request.viruses,
            )
            try:
                results.append(released(id, releaser.release(one)))
            except (ReleaseError, GoneError) as error:
                results.append(ActionResult(id, False, str(error)))
        return results

    def release_and_learn(self, ids: Sequence[str], request: ActionRequest) -> list[ActionResult]:
        """Release messages and teach the site's model that they are ham; what cannot be released is
        not learned either. detail: that of both, with the words of the second as `learned`."""
        results = {one.id: one for one in self.release(ids, request)}
        good = [id for id, one in results.items() if one.ok]
        try:
            learned = self.learn(good, request, spam=False)
        except (ActionError, StoreError) as error:
            # They are released, and the person who asked has to know that.
            why = error.strerror if isinstance(error, StoreError) else str(error)
            learned = [ActionResult(id, False, f"not learned: {why}") for id in good]
        for second in learned:
            first = results[second.id]
            results[second.id] = ActionResult(
                second.id,
                second.ok,
                f"{first.words}; {second.words}",
                {**first.detail, **second.detail, "learned": second.words},
            )
        return list(results.values())

    def learn(
        self, ids: Sequence[str], request: ActionRequest, *, spam: bool
    ) -> list[ActionResult]:
        """Teach the site's model, or those of some recipients, what these messages are, or have
        the daemon do it where this process may not write the models.

        Raises ActionError if the model cannot be taught now, UnknownIdError, StoreError.
        """
        results: dict[str, ActionResult] = {}
        messages: dict[str, Message] = {}
        for id in ids:
            try:
                messages[id] = Message(self.data(id))
            except GoneError as error:
                results[id] = ActionResult(id, False, str(error))
        if not messages:
            return list(results.values())
        if not may_write(self.settings.of_filter(BayesSettings).models):
            taught = ask_to_learn(self.settings, list(messages), request, spam=spam)
            results |= {one.id: one for one in taught}
            return [results[id] for id in dict.fromkeys(ids) if id in results]
        from filterd.review.teaching import teach, teach_own  # noqa: PLC0415  (loads numpy)

        kind = "spam" if spam else "ham"
        folder = model_folder(self.settings)
        starter = self.settings.of_filter(BayesSettings).starter
        try:
            if request.own_models:
                outcomes = teach_own(
                    folder, messages, request.own_models, spam=spam, starter=starter
                )
            else:
                outcomes = teach(folder, messages, request.who, request.source, spam=spam)
        except (ValueError, OSError) as error:
            raise ActionError(f"the model cannot be taught now: {error}") from error
        whose = f"for {', '.join(request.own_models)}" if request.own_models else ""
        for id, (outcome, words) in outcomes.items():
            told = " ".join(filter(None, (kind, whose, request.note)))
            self.store.note("learned", id, request.who, told)
            results[id] = ActionResult(id, True, words, {"class": kind, "outcome": outcome})
        return [results[id] for id in dict.fromkeys(ids)]

    def list_senders(
        self, kind: senders.Kind, ids: Sequence[str], request: ActionRequest
    ) -> list[ActionResult]:
        """Allow or block the senders of these messages, from the next message on.

        What would have no effect is not done. Raises ActionError if the list cannot be written.
        """
        why = "" if request.off else without_effect(self.settings, kind)
        if why:
            raise ActionError(f"nothing was listed, it would have no effect: {why}")
        return [self._list_sender(kind, id, request) for id in ids]

    def _list_sender(self, kind: senders.Kind, id: str, request: ActionRequest) -> ActionResult:
        found = self.entry(id)
        if not found.sender:
            return ActionResult(id, False, f"{id} has the null sender, which stands for many")
        host = found.macros.get("j", "")
        recipients = request.recipients or concerned(found)
        wanted = (
            [senders.EVERYBODY]
            if request.everybody
            else [senders.word_for(recipient, host) for recipient in recipients]
        )
        allows = kind == "allow" and not request.off
        if allows and found.reason == Reason.DMARC:
            return ActionResult(id, False, f"not listed: {id} {_HELD_BY_DMARC}")
        proven = allows and not request.unproven and not proof_missing(self.settings)
        if proven and (why := _unproven(found)):
            return ActionResult(id, False, f"not listed: {why}")
        word: What = "unlisted" if request.off else "allowed" if kind == "allow" else "blocked"
        words: list[str] = []
        entries: list[dict[str, Any]] = []
        for recipient in wanted:
            try:
                # An address that was made for this message would fit no other one.
                other = rewritten(found.sender)
                is_named = other is not None and other.is_same and "@" in other.pattern
                sender = other.pattern if other is not None and is_named else found.sender
                name = senders.word_for(sender, host)
                one = senders.SenderEntry(kind, name, recipient, proven)
                changed = senders.change(self.senders.file, one, remove=request.off)
            except senders.NoEffectError as error:
                return ActionResult(id, False, f"not listed: {error}", {"entries": entries})
            except senders.ListEntryError as error:
                raise ActionError(str(error)) from error
            except OSError as error:
                raise ActionError(f"{self.senders.file}: {error.strerror}") from error
            if changed:
                self.store.note(word, id, request.who, f"{one} {request.note}".rstrip())
            words.append(f"{one}: {word if changed else 'nothing to change'}")
            entries.append({"entry": str(one), "changed": changed})
        return ActionResult(id, True, "; ".join(words), {"entries": entries})

    def delete(self, ids: Sequence[str], request: ActionRequest) -> list[ActionResult]:
        """Delete messages; they can be brought back for some hours, unless the request or the
        settings say otherwise. Their description and history stay for a while.

        detail: `until`, when it can be brought back no longer, as a time in UTC; null if it cannot
        be. Raises UnknownIdError, StoreError.
        """
        freed = {
            id: self.store.delete(id, request.who, request.note, at_once=request.at_once)
            for id in ids
        }
        until = self.store.undelete_until(freed)
        kept = hours(self.settings.quarantine.undelete_hours)
        results = []
        for id, octets in freed.items():
            words = f"{size(octets)} deleted" if octets else "was already deleted"
            if octets:
                words += f"; for {kept} that can be undone" if id in until else " for good"
            at = utc(until[id]) if id in until else None
            results.append(ActionResult(id, True, words, {"octets": octets, "until": at}))
        return results

    def undelete(self, ids: Sequence[str], request: ActionRequest) -> list[ActionResult]:
        """Bring deleted messages back, as they were. Raises UnknownIdError, StoreError."""
        results = []
        for id in ids:
            try:
                was_deleted = self.store.undelete(id, request.who, request.note)
            except GoneError as error:
                results.append(ActionResult(id, False, str(error)))
                continue
            words = "brought back, as it was" if was_deleted else "was not deleted"
            results.append(ActionResult(id, True, words, {"undeleted": was_deleted}))
        return results

    def pin(
        self, ids: Sequence[str], request: ActionRequest, *, pinned: bool
    ) -> list[ActionResult]:
        """Keep messages from expiring, or allow it again. Raises UnknownIdError, StoreError."""
        for id in ids:
            self.store.pin(id, request.who, request.note, pinned=pinned)
        words = "pinned: does not expire" if pinned else "unpinned: expires as others do"
        return [ActionResult(id, True, words, {"pinned": pinned}) for id in ids]

    def download(self, id: str, request: ActionRequest, number: int = 0) -> bytes:
        """The exact bytes, or those of a removed part (from 1), to be taken away; the journal says
        so first. Raises as `Store.part` does."""
        data = self.data(id)
        if number:
            data = removed_part(self.entry(id), data, number)
        self.store.note("exported", id, request.who, f"part {number}" if number else "")
        return data

    def scan(self, data: bytes, envelope: Envelope | None = None) -> ScanReport:
        """Scan a message as if it came now, in a process of its own; LF alone counts as CRLF.

        Raises ActionError if that is not possible.
        """
        return self._scan(Message(uploaded(data), envelope or Envelope(""), new_id()))

    def rescan(self, id: str) -> ScanReport:
        """Scan a message again, with the envelope it came with.

        Raises UnknownIdError, GoneError, StoreError, ActionError.
        """
        return self._scan(Message(self.data(id), self.entry(id).envelope, id))

    def _scan(self, message: Message) -> ScanReport:
        try:
            return scan(self.settings, message)
        except SandboxError as error:
            raise ActionError(str(error)) from error

    @property
    def senders(self) -> SendersSettings:
        """The settings of the list of senders, the defaults where the settings have none."""
        return self.settings.of_filter(SendersSettings)


def uploaded(data: bytes) -> bytes:
    """A message that somebody has as a file, with CRLF line ends: its octets, or what an Outlook
    item (`.msg`) has of it. Raises ActionError."""
    if not data.startswith(OLE_MAGIC):
        return with_crlf(data)
    try:
        return message_of(data)
    except OutlookError as error:
        raise ActionError(str(error)) from None


def without_effect(settings: Settings, kind: senders.Kind) -> str:
    """Why no entry of that kind would change anything; empty if one does."""
    name = next(iter(settings.in_chain(SendersSettings)), None)
    if name is None:
        return '"senders" is not in [chain] filters'
    if settings.filters[name].link.dry_run:
        return f"[filters.{name}] has dry_run = true"
    own = settings.of_filter(SendersSettings)
    score = own.allow_score if kind == "allow" else own.block_score
    return "" if score else f"[filters.{name}] has {kind}_score = 0"


_HELD_BY_DMARC = (
    "is held since it fails DMARC, which points do not change; domains, mailing_lists or "
    "forwarders in [filters.auth] let such mail pass"
)


def _unproven(entry: Entry) -> str:
    """Why an entry that demands proof would not count for such mail; empty if it would, or if that
    was not checked."""
    known, domain = entry.authentication, Mailbox.parse(entry.sender).domain
    if known is None or known.passes_for(domain):
        return ""
    return (
        f"{entry.id} does not prove to be from {domain} ({known.line}), so the entry would not "
        "count for such mail; it can be allowed without proof, and then forged mail is allowed, too"
    )


def concerned(entry: Entry) -> tuple[str, ...]:
    """Whose copy of a message is kept, or all recipients where no copy is held."""
    return entry.held_for or entry.recipients


def released(id: str, outcomes: Iterable[release.ReleaseOutcome]) -> ActionResult:
    """What became of a release, over all its recipients."""
    words, plain, ok = [], [], True
    for outcome in outcomes:
        ok &= outcome.state == "released"
        state = outcome.state if outcome.done else f"was {outcome.state} already"
        words.append(f"{outcome.recipient}: {state} {outcome.reply}".rstrip())
        plain.append(
            {
                "recipient": outcome.recipient,
                "state": outcome.state,
                "reply": outcome.reply,
                "queue_id": outcome.queue_id,
                "done": outcome.done,
                "again_at": outcome.again_at,
            }
        )
    return ActionResult(id, ok, "; ".join(words), {"recipients": plain})
