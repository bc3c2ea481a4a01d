"""The reviewer's desk: what a person does with kept mail, one way for command line, REST and web.

Each deed is done to one or several messages by somebody (`who`, such as `cli:root` or `web:ann`)
and leaves an event in the quarantine's journal. What becomes of each message is told as `Done`; a
deed that must not be is a `DeskError`, in words for who asked. Who may do what is decided above
(`filterd.review.access`); the desk does what it is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from filterd.config.load import Settings
from filterd.filters import senders
from filterd.message import Envelope, Message
from filterd.message.ids import new_id
from filterd.quarantine import GoneError, Store
from filterd.quarantine.journal import What
from filterd.quarantine.release import Form, Outcome, ReleaseError, Releaser
from filterd.workers.sandbox import Examined, ExaminerError, examine

if TYPE_CHECKING:
    from filterd.filters.bayes import Bayes
    from filterd.quarantine.entry import Entry

_LINE_END = re.compile(rb"\r\n|\r|\n")


class DeskError(Exception):
    """A deed that must not be, or could not be done, in words for who asked for it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one message. ok: the deed is done (or had been). words: for people. detail:
    plain values for scripts; of a release one for each recipient."""

    id: str
    ok: bool
    words: str
    detail: dict[str, Any] = field(default_factory=dict)


class Desk:
    """One process's desk."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings.quarantine)

    def release(
        self,
        ids: Sequence[str],
        to: Sequence[str] = (),
        *,
        who: str,
        note: str = "",
        attached: bool = False,
        again: bool = False,
        virus: bool = False,
    ) -> list[Done]:
        """Hand messages to the MTA for their recipients, or for others.

        to, again, virus: as `Releaser.release` takes them. attached: as an attachment of a new
        message. Raises UnknownIdError, StoreError.
        """
        releaser = Releaser(self.store)
        form: Form = "attached" if attached else "original"
        done = []
        for id in ids:
            try:
                outcomes = releaser.release(
                    id, to, who=who, note=note, form=form, again=again, virus=virus
                )
            except (ReleaseError, GoneError) as error:
                done.append(Done(id, False, str(error)))
            else:
                done.append(released(id, outcomes))
        return done

    def release_and_learn(
        self, ids: Sequence[str], *, who: str, source: str, note: str = ""
    ) -> list[Done]:
        """Release messages and teach the site's model that they are ham; what cannot be released is
        not learned either."""
        done = {one.id: one for one in self.release(ids, who=who, note=note)}
        good = [id for id, one in done.items() if one.ok]
        for one in self.learn(good, spam=False, who=who, source=source, note=note):
            before = done[one.id]
            done[one.id] = Done(
                one.id, one.ok, f"{before.words}; {one.words}", {**before.detail, **one.detail}
            )
        return list(done.values())

    def learn(
        self, ids: Sequence[str], *, spam: bool, who: str, source: str, note: str = ""
    ) -> list[Done]:
        """Teach the site's model what these messages are.

        source: the door it came by (`quarantine`, `web`, `api`, `digest`), for the journal. Raises
        DeskError if the model cannot be taught now, UnknownIdError, StoreError.
        """
        # numpy and the model: only for who teaches.
        from filterd.bayes.model.store import ModelFileError  # noqa: PLC0415
        from filterd.bayes.site.folder import ModelFolder  # noqa: PLC0415
        from filterd.bayes.site.journal import JournalError  # noqa: PLC0415
        from filterd.bayes.site.learner import Learner  # noqa: PLC0415

        done: dict[str, Done] = {}
        messages: dict[str, Message] = {}
        for id in ids:
            try:
                messages[id] = Message(self.store.read(id))
            except GoneError as error:
                done[id] = Done(id, False, str(error))
        if not messages:
            return list(done.values())
        kind = "spam" if spam else "ham"
        try:
            with Learner(ModelFolder(self.bayes.models), who, source) as learner:
                outcomes = {id: learner.learn(m, spam=spam) for id, m in messages.items()}
        except (JournalError, ModelFileError, OSError) as error:
            raise DeskError(f"the model cannot be taught now: {error}") from error
        for id, outcome in outcomes.items():
            self.store.note("learned", id, who, f"{kind} {note}".rstrip())
            done[id] = Done(
                id, True, f"{outcome.value} as {kind}", {"class": kind, "outcome": outcome.value}
            )
        return [done[id] for id in dict.fromkeys(ids)]

    def list_senders(
        self,
        kind: senders.Kind,
        ids: Sequence[str],
        *,
        everybody: bool = False,
        off: bool = False,
        who: str,
        note: str = "",
        recipients: Sequence[str] = (),
    ) -> list[Done]:
        """Allow or block the senders of these messages, from the next message on.

        everybody: for all recipients; else for `recipients`, or the message's own where that is
        empty. off: take the entries out again. What would have no effect is not done. Raises
        DeskError if the list cannot be written.
        """
        why = "" if off else _without_effect(self, kind)
        if why:
            raise DeskError(f"nothing was listed, for it would have no effect: {why}")
        return [self._list_sender(kind, id, everybody, off, who, note, recipients) for id in ids]

    def _list_sender(
        self,
        kind: senders.Kind,
        id: str,
        everybody: bool,
        off: bool,
        who: str,
        note: str,
        recipients: Sequence[str],
    ) -> Done:
        found = self.store.get(id)
        if not found.sender:
            return Done(id, False, f"{id} has the null sender, which stands for many")
        host = found.macros.get("j", "")
        wanted = (
            [senders.EVERYBODY]
            if everybody
            else [senders.word_for(recipient, host) for recipient in recipients or concerned(found)]
        )
        word: What = "unlisted" if off else "allowed" if kind == "allow" else "blocked"
        told: list[str] = []
        entries: list[dict[str, Any]] = []
        for recipient in wanted:
            try:
                one = senders.Entry(kind, senders.word_for(found.sender, host), recipient)
                changed = senders.change(self.senders.file, one, remove=off)
            except senders.NoEffectError as error:
                return Done(id, False, f"not listed: {error}", {"entries": entries})
            except senders.ListError as error:
                raise DeskError(str(error)) from error
            except OSError as error:
                raise DeskError(f"{self.senders.file}: {error.strerror}") from error
            if changed:
                self.store.note(word, id, who, f"{one} {note}".rstrip())
            told.append(f"{one}: {word if changed else 'nothing to change'}")
            entries.append({"entry": str(one), "changed": changed})
        return Done(id, True, "; ".join(told), {"entries": entries})

    def delete(self, ids: Sequence[str], *, who: str, note: str = "") -> list[Done]:
        """Delete messages' bytes; their description and history stay for a while.

        Raises UnknownIdError, StoreError.
        """
        done = []
        for id in ids:
            freed = self.store.delete(id, who, note)
            words = f"{freed} octets deleted" if freed else "was gone"
            done.append(Done(id, True, words, {"octets": freed}))
        return done

    def pin(
        self, ids: Sequence[str], *, who: str, note: str = "", pinned: bool = True
    ) -> list[Done]:
        """Keep messages from expiring, or let them again. Raises UnknownIdError, StoreError."""
        for id in ids:
            self.store.pin(id, who, note, pinned=pinned)
        words = "stays" if pinned else "may expire"
        return [Done(id, True, words, {"pinned": pinned}) for id in ids]

    def scan(self, data: bytes, envelope: Envelope | None = None) -> Examined:
        """Examine a message as if it came now, in a process of its own; lone line ends count as
        CRLF, as on the wire. Raises DeskError if that is not possible."""
        wire = _LINE_END.sub(b"\r\n", data)
        return self._examine(Message(wire, envelope or Envelope(""), new_id()))

    def rescan(self, id: str) -> Examined:
        """Examine a kept message again, with the envelope it came with.

        Raises UnknownIdError, GoneError, StoreError, DeskError.
        """
        return self._examine(Message(self.store.read(id), self.store.get(id).envelope, id))

    def _examine(self, message: Message) -> Examined:
        try:
            return examine(self.settings, message)
        except ExaminerError as error:
            raise DeskError(str(error)) from error

    @property
    def bayes(self) -> Bayes:
        """The classifier's settings, the defaults where the settings have none."""
        from filterd.filters.bayes import Bayes  # noqa: PLC0415

        entry = self.settings.filters.get("bayes")
        return entry.own if entry is not None else Bayes()

    @property
    def senders(self) -> senders.Senders:
        """The settings of the list of senders, the defaults where the settings have none."""
        entry = self.settings.filters.get("senders")
        return entry.own if entry is not None else senders.Senders()


def _without_effect(desk: Desk, kind: senders.Kind) -> str:
    """Why no entry of that kind would change anything; empty if one does."""
    if "senders" not in desk.settings.chain.filters:
        return '"senders" is not in [chain] filters'
    if desk.settings.filters["senders"].link.dry_run:
        return "[filters.senders] has dry_run = true"
    score = desk.senders.allow_score if kind == "allow" else desk.senders.block_score
    return "" if score else f"[filters.senders] has {kind}_score = 0"


def concerned(entry: Entry) -> tuple[str, ...]:
    """Whose copy of a message is kept, or all recipients where it is nobody's in particular."""
    return entry.held_for or entry.recipients


def released(id: str, outcomes: Iterable[Outcome]) -> Done:
    """What became of a release, over all its recipients."""
    told, plain, ok = [], [], True
    for outcome in outcomes:
        ok &= outcome.state == "released"
        state = outcome.state if outcome.done else f"was {outcome.state} already"
        told.append(f"{outcome.recipient}: {state} {outcome.reply}".rstrip())
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
    return Done(id, ok, "; ".join(told), {"recipients": plain})
