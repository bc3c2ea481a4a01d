"""What every filter that asks virus scanners does with a message.

The whole message is scanned, its parts decoded one by one, or both, and whatever another reader
may make of an ambiguous message as well. A message that is more than the scanners take is scanned
part by part. A name is a virus, and the policy says what that means, unless its pattern says that
it is only a suspicion: those give points. If no scanner answers, that is raised, and the chain
does what `on_error` says.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from string import Template
from typing import ClassVar, Protocol

from filterd.chain.verdict import Infection, RemovedPart, Splice, Verdict
from filterd.filters.notice import NOTICE, is_signed, replacement
from filterd.filters.scanners.findings import ScanFindings
from filterd.filters.scanners.freshness import AgeLimits
from filterd.filters.scanners.options import ScanOptions
from filterd.message import Entity, Message
from filterd.message.fields import Buffer
from filterd.scanners.answer import Signatures
from filterd.scanners.several import Answers
from filterd.scanners.slots import Slots
from filterd.scanners.together import together

log = logging.getLogger(__name__)

_NOTICE = Template(NOTICE)

DEPTH_LIMIT = 8
"""Entities around a part from which on it is scanned by itself: clamd counts them among its
`MaxRecursion` levels, 17 as it comes, which it needs for archives, and is silent beyond."""

FILES_LIMIT = 200
"""Pieces of one message that are scanned one by one; each is a connection."""

VERSION_SECONDS = 600.0
"""How old the knowledge of a scanner's signatures may be; they change a few times a day."""

ASKING_SECONDS = 5.0
"""Seconds in which scanners may say what they scan with."""


class ScanError(OSError):
    """No scanner gave a verdict; the text says what each of them did."""


class ScannerGroup(Protocol):
    """The scanners of such a filter, as one."""

    def scan(self, content: Buffer, deadline: float) -> Answers:
        """What they say about the content."""
        ...

    def signatures(self, deadline: float) -> list[Signatures]:
        """What they scan with."""
        ...


class VirusFilter:
    """Has scanners look at every message; what a virus means, [policy] says."""

    examines_released: ClassVar[bool] = True
    prefix: ClassVar[str]
    unnamed: ClassVar[str]
    """What `X-Virus-Scanned` says of scanners that do not say what they are."""

    def __init__(
        self,
        scanners: ScannerGroup,
        options: ScanOptions,
        *,
        slots: Slots | None = None,
        patience: float = 0.0,
        outvoted: float = 0.0,
    ) -> None:
        """slots: one is held while a message is scanned, and waited for `patience` seconds.
        outvoted: points for what a minority of scanners found."""
        self.scanners = scanners
        self.locates = False
        self._options = options
        self._slots = slots
        self._patience = patience
        self._outvoted = outvoted
        self._told = ""
        self._told_until = -math.inf

    def examine(self, message: Message) -> Verdict:
        """Return what the scanners say. Raises ScanError if they cannot be asked."""
        if self._slots is None:
            return self._examined(message)
        with self._slots.one(self._patience):
            return self._examined(message)

    def _examined(self, message: Message) -> Verdict:
        findings = self._findings()
        failed = ""
        for what, answers in self._answers(message, findings):
            is_over = findings.take(what, answers)
            if findings.virus:
                if self.locates:
                    findings.infected = self._infected(message)
                break
            failed = failed or answers.failed
            if is_over or (answers.failed and not answers.partly):
                break  # the time that this message may take is used up, or nobody is there
        if failed and not findings.virus:
            raise ScanError(failed)
        options = self._options
        return findings.verdict(self._scanner(), options.too_large, options.over_limit)

    def _findings(self) -> ScanFindings:
        return ScanFindings(self._options.suspicions, self.prefix, self._outvoted)

    def _answers(self, message: Message, findings: ScanFindings) -> Iterator[tuple[str, Answers]]:
        """What is said about each piece, in order; what is asked goes by what was found before."""
        pieces = self._pieces(message, findings)
        if self._options.parts_at_once == 1:
            return ((what, self._ask(content)) for what, content in pieces)
        return self._several_at_once(pieces)

    def _several_at_once(
        self, pieces: Iterator[tuple[str, Buffer]]
    ) -> Iterator[tuple[str, Answers]]:
        waiting: list[tuple[str, Buffer]] = []
        for what, content in pieces:
            if what == "message":
                yield what, self._ask(content)
                continue
            waiting.append((what, content))
            if len(waiting) == self._options.parts_at_once:
                yield from self._side_by_side(waiting)
                waiting = []
        yield from self._side_by_side(waiting)

    def _side_by_side(self, pieces: list[tuple[str, Buffer]]) -> Iterator[tuple[str, Answers]]:
        if pieces:
            answers = together([lambda c=content: self._ask(c) for _what, content in pieces])  # type: ignore[misc]
            told = zip((what for what, _content in pieces), answers, strict=True)
            # What is found counts, also where somebody was not there for another part.
            yield from sorted(told, key=lambda one: not one[1].infected)

    def _pieces(self, message: Message, findings: ScanFindings) -> Iterator[tuple[str, Buffer]]:
        """What is to be scanned, in order, with a word for it; goes by what was found before."""
        if self._options.scan != "parts":
            yield "message", message.data
        count = 0
        for what, content in self._parts(message, findings):
            if content:
                count += 1
                if count > FILES_LIMIT:
                    findings.too_large.append(("parts", f"more than {FILES_LIMIT} parts to scan"))
                    return
                yield what, content

    def _parts(self, message: Message, findings: ScanFindings) -> Iterator[tuple[str, bytes]]:
        is_scanned = not findings.take_large_message() and not findings.given_up
        if self._options.scan == "message" and is_scanned:
            for leaf in message.leaves():
                # Scanners read mail in one way, not in that of every reader.
                if leaf.depth > DEPTH_LIMIT or not leaf.is_plainly_encoded:
                    yield "part", leaf.content
        else:
            for leaf in message.leaves():
                yield "part", leaf.content
                yield from (("file", content) for content in self._inside(leaf))
        for reading in message.readings:
            yield from (("part", e.content) for e in reading.root.walk() if e.is_leaf)

    def _inside(self, _leaf: Entity) -> Iterator[bytes]:
        """What a part holds that is to be scanned by itself; scanners unpack it themselves."""
        return iter(())

    def _infected(self, message: Message) -> tuple[Infection, ...]:
        """The parts that have a virus, if the message is clean without them; none if that cannot
        be said, as where readers differ about its parts or a signature covers them."""
        if message.readings:
            return ()
        found = []
        for count, leaf in enumerate(message.leaves(), 1):
            if count > FILES_LIMIT:
                return ()
            judged = self._judged_leaf(leaf)
            if judged is None:
                return ()
            if not judged.virus:
                continue
            if is_signed(leaf):
                return ()
            name = leaf.filenames[0] if leaf.filenames else "without a name"
            why = f"it contains the virus {judged.virus}"
            edits = tuple(replacement(message, leaf, _NOTICE, name, why))
            found.append(Infection(RemovedPart(name, why, leaf.start, leaf.end), edits))
        rest = self._judged(_without(message, found))
        return () if rest is None or rest.virus else tuple(found)

    def _judged_leaf(self, leaf: Entity) -> ScanFindings | None:
        """What is found in the part or in what it holds. Raises ScanError."""
        judged: ScanFindings | None = self._findings()
        for content in (leaf.content, *self._inside(leaf)):
            if content:
                judged = self._judged(content)
                if judged is None or judged.virus:
                    break
        return judged

    def _judged(self, content: Buffer) -> ScanFindings | None:
        """What is found in the content, None if somebody gave up on it. Raises ScanError."""
        answers = self._ask(content)
        if answers.given_up and not answers.infected:
            return None
        if answers.failed:
            raise ScanError(answers.failed)
        judged = self._findings()
        judged.take("part", answers)
        return judged

    def _limits(self, _by: str) -> AgeLimits:
        """How old the signatures of that scanner may be."""
        return self._options.limits

    def _ask(self, content: Buffer) -> Answers:
        """What the scanners say."""
        return self.scanners.scan(content, math.inf)

    def _scanner(self) -> str:
        """Engines, signatures and their age, for X-Virus-Scanned."""
        now = time.monotonic()
        if now >= self._told_until:
            self._told_until = now + VERSION_SECONDS
            found = self.scanners.signatures(now + ASKING_SECONDS)
            for one in found:
                if self._limits(one.by).freshness(one.days).is_bad:
                    log.warning(
                        "%s: the signatures of %s are %d days old", self.name, _who(one), one.days
                    )
            self._told = ", ".join(map(_shown, found)) or self.unnamed
        return self._told

    @property
    def name(self) -> str:
        """The filter's name."""
        raise NotImplementedError


def _who(one: Signatures) -> str:
    return f"{one.by}, {one}," if one.by else str(one)


def _shown(one: Signatures) -> str:
    if one.days is None:
        return str(one)
    return f"{one} (signatures {one.days} day{'s' if one.days != 1 else ''} old)"


def _without(message: Message, infections: list[Infection]) -> bytes:
    """The message as it would be delivered, but for changes of its header fields."""
    pieces, position = [], 0
    for edit in (edit for one in infections for edit in one.edits):
        if isinstance(edit, Splice):
            pieces += [message.data[position : edit.start], edit.replacement]
            position = edit.end
    return b"".join([*map(bytes, pieces), bytes(message.data[position:])])
