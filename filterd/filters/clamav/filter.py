"""ClamAV: the whole message is streamed to clamd, which unpacks and scans it.

A name that clamd finds is a virus, and the policy says what that means, unless its pattern says
that it is only a suspicion (heuristics, unwanted programs): those give points. What another reader
may make of an ambiguous message is scanned as well, and where the message is more than clamd takes,
its parts are scanned one by one. Several servers are tried in order, again and again for a while,
so that a restart of clamd is waited for. If none answers, that is raised, and the chain does what
`on_error` says. Source: clamd(8), clamd.conf(5).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from string import Template
from typing import ClassVar

from filterd.chain.verdict import Infection, RemovedPart, Splice, Verdict
from filterd.filters.clamav.clamd import (
    ClamdError,
    ClamdServer,
    GivenUpError,
    Signatures,
    SilentError,
    StreamTooLargeError,
)
from filterd.filters.clamav.findings import Findings
from filterd.filters.clamav.session import ClamdSessions
from filterd.filters.clamav.settings import ClamAVSettings
from filterd.filters.clamav.slots import Slots
from filterd.filters.notice import NOTICE, is_signed, replacement
from filterd.message import Message
from filterd.message.fields import Buffer

log = logging.getLogger(__name__)

_NOTICE = Template(NOTICE)

AVOID_SECONDS = 30.0
"""How long a clamd that failed is asked last, and is not waited for."""

PAUSE = 0.25
"""Seconds between two rounds over servers that all failed."""

DEPTH_LIMIT = 8
"""Entities around a part from which on it is scanned by itself: clamd counts them among its
`MaxRecursion` levels, 17 as it comes, which it needs for archives, and is silent beyond."""

FILES_LIMIT = 200
"""Pieces of one message that are scanned one by one; each is a connection."""

CONNECT_SECONDS = 2.0
"""Seconds for one clamd to accept a connection when somebody only wants to know whether it does."""

VERSION_SECONDS = 600.0
"""How old the knowledge of clamd's signatures may be; they change a few times a day."""

STALE_DAYS = 7
"""Age of the signatures that is worth a warning; ClamAV publishes new ones daily."""


class ScanError(OSError):
    """No clamd gave a verdict; the text says what each of them did."""


class ClamAV:
    """Has clamd scan every message; what a virus means, [policy] says."""

    name: ClassVar[str] = "clamav"
    examines_released: ClassVar[bool] = True

    def __init__(self, settings: ClamAVSettings) -> None:
        self.settings = settings
        self.locates = False
        self._servers = tuple(map(ClamdServer.parse, settings.addresses))
        self._slots = Slots(settings.scans_at_once) if settings.scans_at_once else None
        self._sessions = ClamdSessions()
        self._avoided: dict[ClamdServer, float] = {}
        self._signatures: Signatures | None = None
        self._signatures_until = -math.inf

    def prepare(self) -> None:
        """Compare `size_limit` with what each clamd takes; that is a warning, as a clamd that is
        away when filterd starts is none of its failures."""
        for server in self._servers:
            try:
                if not server.takes(self.settings.size_limit, self.settings.silence):
                    log.warning(
                        "clamav: %s takes less than size_limit = %d octets; raise clamd's "
                        "StreamMaxLength or lower size_limit",
                        server,
                        self.settings.size_limit,
                    )
            except ClamdError as error:
                log.warning("clamav: %s; it will be asked again for each message", error)

    def unreachable(self) -> str:
        """Why no clamd can be connected to now, `""` if one can: for those who look at stored mail
        and need not wait for a scanner."""
        troubles = []
        for server in self._servers:
            try:
                server.connects(min(self.settings.silence, CONNECT_SECONDS))
            except ClamdError as error:
                troubles.append(str(error))
            else:
                return ""
        return "; ".join(troubles)

    def ask(self, message: Message) -> None:
        """Hand the message to the first clamd, if that needs no waiting."""
        if self.settings.scan == "parts" or self._slots is not None:
            return
        now = time.monotonic()
        server = next((s for s in self._servers if self._avoided.get(s, now) <= now), None)
        if server is not None:
            self._sessions.ask(server, message.data)

    def examine(self, message: Message) -> Verdict:
        """Return what clamd says. Raises ScanError if none of the servers can be asked."""
        slot: AbstractContextManager[None] = nullcontext()
        if self._slots is not None:
            slot = self._slots.one(self.settings.silence)
        findings = Findings(self.settings.suspicions)
        with slot:
            for what, content in self._pieces(message, findings):
                try:
                    findings.add(self._ask(content))
                except StreamTooLargeError as error:
                    findings.too_large.append((what, str(error)))
                except GivenUpError as error:
                    findings.given_up.append(str(error))
                    if isinstance(error.__cause__, SilentError):
                        break  # the time that this message may take is used up
                if findings.virus:
                    if self.locates:
                        findings.infected = self._infected(message)
                    break
            scanner = self._scanner()
        return findings.verdict(scanner, self.settings.too_large, self.settings.over_limit)

    def _pieces(self, message: Message, findings: Findings) -> Iterator[tuple[str, Buffer]]:
        """What is to be scanned, in order, with a word for it; goes by what was found before."""
        if self.settings.scan != "parts":
            yield "message", message.data
        count = 0
        for what, content in self._parts(message, findings):
            if content:
                count += 1
                if count > FILES_LIMIT:
                    findings.too_large.append(("parts", f"more than {FILES_LIMIT} parts to scan"))
                    return
                yield what, content

    def _parts(self, message: Message, findings: Findings) -> Iterator[tuple[str, bytes]]:
        whole = self.settings.scan == "message" and not findings.given_up
        if not whole or findings.take_large_message():
            yield from (("part", leaf.content) for leaf in message.leaves())
        else:
            for leaf in message.leaves():
                # clamd reads mail in one way, not in that of every reader.
                if leaf.depth > DEPTH_LIMIT or not leaf.is_plainly_encoded:
                    yield "part", leaf.content
        for reading in message.readings:
            yield from (("part", e.content) for e in reading.root.walk() if e.is_leaf)

    def _infected(self, message: Message) -> tuple[Infection, ...]:
        """The parts that have a virus, if the message is clean without them; none if that cannot
        be said, as where readers differ about its parts or a signature covers them."""
        if message.readings:
            return ()
        found = []
        try:
            for count, leaf in enumerate(message.leaves(), 1):
                if count > FILES_LIMIT:
                    return ()
                judged = Findings(self.settings.suspicions)
                judged.add(self._ask(leaf.content) if leaf.content else "")
                if not judged.virus:
                    continue
                if is_signed(leaf):
                    return ()
                name = leaf.filenames[0] if leaf.filenames else "without a name"
                why = f"it contains the virus {judged.virus}"
                edits = tuple(replacement(message, leaf, _NOTICE, name, why))
                found.append(Infection(RemovedPart(name, why, leaf.start, leaf.end), edits))
            rest = Findings(self.settings.suspicions)
            rest.add(self._ask(_without(message, found)))
        except (StreamTooLargeError, GivenUpError):
            return ()
        return () if rest.virus else tuple(found)

    def _ask(self, content: Buffer) -> str:
        """The name that the first clamd that answers gives the content.

        Raises ScanError, or TooLargeError if one that answers does not take so much, or
        GivenUpError if one that works does not get done with it: the others would fare as badly.
        """
        now = time.monotonic()
        usual = [s for s in self._servers if self._avoided.get(s, now) <= now]
        # While all are known to be away, one message after the other need not wait for them.
        deadline = now + self.settings.patience if usual else now
        order = usual + [server for server in self._servers if server not in usual]
        while True:
            troubles: list[str] = []
            for server in order:
                try:
                    found = self._sessions.scan(server, content, self.settings.silence)
                except (StreamTooLargeError, GivenUpError):
                    raise
                except SilentError as error:
                    if server.is_idle(self.settings.silence):
                        text = f"{error} over this message, and answers others"
                        raise GivenUpError(text) from error
                    self._avoid(server, error, troubles)
                except ClamdError as error:
                    self._avoid(server, error, troubles)
                else:
                    self._avoided.pop(server, None)
                    return found
            if time.monotonic() + PAUSE > deadline:
                raise ScanError("no clamd answered: " + "; ".join(troubles))
            time.sleep(PAUSE)

    def _avoid(self, server: ClamdServer, error: ClamdError, troubles: list[str]) -> None:
        log.debug("clamav: %s", error)
        troubles.append(str(error))
        self._avoided[server] = time.monotonic() + AVOID_SECONDS

    def _scanner(self) -> str:
        """Engine, signatures and their age, for X-Virus-Scanned."""
        now = time.monotonic()
        if now >= self._signatures_until:
            self._signatures_until = now + VERSION_SECONDS
            self._signatures = self._asked_signatures()
        text = str(self._signatures) if self._signatures is not None else "ClamAV"
        days = _age_in_days(self._signatures)
        if days is None:
            return text
        return f"{text} (signatures {days} day{'s' if days != 1 else ''} old)"

    def _asked_signatures(self) -> Signatures | None:
        now = time.monotonic()
        for server in sorted(self._servers, key=lambda s: self._avoided.get(s, now)):
            try:
                signatures = server.version(self.settings.silence)
            except ClamdError as error:
                log.debug("clamav: %s", error)
                continue
            days = _age_in_days(signatures)
            if days is not None and days > STALE_DAYS:
                log.warning("clamav: the signatures of %s are %d days old", server, days)
            return signatures
        return None


def _without(message: Message, infections: list[Infection]) -> bytes:
    """The message as it would be delivered, but for changes of its header fields."""
    pieces, position = [], 0
    for edit in (edit for one in infections for edit in one.edits):
        if isinstance(edit, Splice):
            pieces += [message.data[position : edit.start], edit.replacement]
            position = edit.end
    return b"".join([*map(bytes, pieces), bytes(message.data[position:])])


def _age_in_days(signatures: Signatures | None) -> int | None:
    if signatures is None or signatures.built is None:
        return None
    return max((datetime.now(UTC) - signatures.built).days, 0)
