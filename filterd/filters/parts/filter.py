"""Dangerous attachments, by name and by content, inside archives too, and structures that deceive.

A banned part is taken out and a notice takes its place; only the part's own octets change, every
other octet of the message, line ends included, stays. The original is kept in the quarantine under
the message's id, which the notice names. What cannot be cut out cleanly (a part that only some
readers see, a limit of the whole message) holds the message instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from string import Template
from typing import ClassVar

from filterd.chain.replies import BANNED as BANNED_REPLY
from filterd.chain.services import Services
from filterd.chain.verdict import NO_OPINION, AddField, Edit, RemovedPart, Symbol, Verdict
from filterd.filters.notice import is_signed, replacement
from filterd.filters.parts import signatures
from filterd.filters.parts.lists import SOURCE_CODE
from filterd.filters.parts.rules import EffectiveRule, PartRules, declared, lowered
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.parts.sources import Sources
from filterd.filters.parts.symbols import BANNED_PART, GROUPS, HIDDEN_PART
from filterd.filters.parts.unpacking import documents
from filterd.filters.parts.unpacking.files import File
from filterd.filters.parts.unpacking.kinds import ARCHIVE_KINDS, HEAD_SIZE, kinds_of
from filterd.filters.parts.unpacking.names import shown
from filterd.filters.parts.unpacking.unpack import Unpacker
from filterd.filters.parts.verdict import DETAIL_LIMIT, PartFinding, PartOutcome, details, outcome
from filterd.message import Entity, Message, Reading
from filterd.message.matching import networks
from filterd.resolver.lookups import DnsLookups

PASSWORD_LIMIT = 40
"""Words of a message's text that are tried as passwords; each costs a derivation of a key."""

TEXT_LIMIT = 20_000
"""Characters of text in which passwords are looked for."""

_TEXT_KINDS = frozenset({"html", "url"})

_PASSWORD = re.compile(r"[^\s<>\"'“”„«»]{3,40}")


class Parts:
    """Finds dangerous attachments, also inside archives, and takes them out."""

    name: ClassVar[str] = "parts"

    def __init__(self, settings: PartsSettings, services: Services | None = None) -> None:
        self.settings = settings
        self._services = services if services is not None else Services()
        self._template = Template(settings.notice)
        banned = lowered(settings.extensions)
        default = EffectiveRule(
            "default",
            banned,
            frozenset(settings.kinds),
            declared(settings.media_types, banned),
            {group: getattr(settings, group) for group in set(GROUPS.values())},
        )
        self._rules = PartRules(
            default, settings.rules, networks(settings.own_clients), settings.media_types
        )

    def examine(self, message: Message) -> Verdict:
        """Look at the structure and at all parts, in every reading of the message."""
        found = [PartFinding(symbol, detail) for symbol, detail in message.anomalies]
        recipients = self._rules.of(message.envelope)
        found += self._in_parts(message, tuple(recipients))
        if not found:
            return NO_OPINION
        return self._verdict(message, found, outcome(found, recipients, self._may_strip))

    def _in_parts(
        self, message: Message, rules: tuple[EffectiveRule, ...]
    ) -> Iterator[PartFinding]:
        passwords = self._passwords(message) if self.settings.try_passwords else ()
        unpacker = Unpacker(self.settings.limits, passwords)
        for entity in message.leaves():
            yield from self._in_part(entity, entity, unpacker, rules)
        for reading in message.readings:
            for entity in reading.root.walk():
                if entity.is_leaf:
                    # Not in the usual reading: its octets cannot be told from the others'.
                    for finding in self._in_part(entity, None, unpacker, rules):
                        yield _hidden(finding, reading)
            yield from _cut_off(reading)

    def _in_part(
        self,
        entity: Entity,
        removable: Entity | None,
        unpacker: Unpacker,
        rules: tuple[EffectiveRule, ...],
    ) -> Iterator[PartFinding]:
        names, media_type = entity.filenames, entity.content_type
        shown_name = names[0] if names else "without a name"
        head = entity.head(HEAD_SIZE if names else 4096)
        begun = File.begun(names, head, media_type=media_type)
        kind = begun.kind
        # The message's own text; what scripts in it do is for its reader's program.
        is_own_text = (
            kind in _TEXT_KINDS
            and entity.disposition != "attachment"
            and (not names or entity.is_only_located)
        )
        if is_own_text:
            begun = replace(begun, kind="", others=())
        first = _banned(begun, rules)
        if first[0]:
            yield PartFinding(BANNED_PART, shown(shown_name), removable, shown_name, *first)
        if is_own_text or (kind in ("", "mail") and not _may_hold_files(entity)):
            return
        seen = len(unpacker.findings)
        sources = Sources(self.settings.source_files)
        for file in unpacker.files(names, entity.content, media_type):
            banned, concerned = _banned(file, rules)
            sources.count(file)
            if banned and (file.path or (banned, concerned) != first):
                reason = f"it contains {shown(file.names[0] if file.names else '?')}: {banned}"
                detail = shown(file.shown_path)
                found = PartFinding(BANNED_PART, detail, removable, shown_name, reason, concerned)
                if not file.path or _banned(file, rules, SOURCE_CODE)[0]:
                    yield found
                else:
                    sources.add(file, found)
            for symbol, detail in documents.findings(file) if file.complete else ():
                yield PartFinding(symbol, detail, removable, shown_name, detail)
        yield from sources.banned()
        for symbol, detail in unpacker.findings[seen:]:
            yield PartFinding(symbol, detail, removable, shown_name, detail)

    def _passwords(self, message: Message) -> tuple[str, ...]:
        """Words of the text, those after a word like `password` first."""
        words: list[str] = []
        for entity in message.leaves():
            if entity.content_type.startswith("text/") and not entity.filenames:
                words += _PASSWORD.findall(entity.text[:TEXT_LIMIT])
        trimmed = [word.rstrip(".,;!?)") for word in words]
        near = [
            later
            for index, word in enumerate(trimmed)
            if re.match(r"(?i)pass|pw|code|kennwort|contrase", word)
            for later in trimmed[index + 1 : index + 5]
        ]
        odd = [word for word in trimmed if re.search(r"\d", word)]
        return tuple(dict.fromkeys([*near, *odd, *trimmed]))[:PASSWORD_LIMIT]

    def _may_strip(self, entity: Entity) -> bool:
        return self.settings.signed == "strip" or not is_signed(entity)

    def _verdict(self, message: Message, found: list[PartFinding], wanted: PartOutcome) -> Verdict:
        edits: list[Edit] = []
        removed = []
        for finding in wanted.taken:
            entity = finding.entity
            assert entity is not None
            edits += replacement(message, entity, self._template, finding.name, finding.reason)
            removed.append(RemovedPart(finding.name, finding.reason, entity.start, entity.end))
        if removed:
            edits += self._verified(message)
        return Verdict(
            wanted.action,
            symbols=tuple(
                Symbol(name, self._points(name), text) for name, text in details(found).items()
            ),
            edits=tuple(edits),
            removed=tuple(removed),
            banned=any(finding.symbol == BANNED_PART for finding in found),
            reply=BANNED_REPLY if wanted.is_refused else None,
            apart=wanted.apart,
            because=shown(wanted.cause, DETAIL_LIMIT) if wanted.cause else "",
        )

    def _verified(self, message: Message) -> Iterator[AddField]:
        """What is to be said of signatures that are about to break."""
        signed = any(message.fields("DKIM-Signature"))
        if signed and self.settings.verify_dkim and message.authentication is None:
            host = self._services.labels.host(message.envelope)
            noted = signatures.results(message, host, DnsLookups(self._services.resolver))
            if noted is not None:
                yield noted

    def _points(self, symbol: str) -> float:
        group = GROUPS[symbol]
        setting = "score" if group == "action" else f"{group}_score"
        points: float = getattr(self.settings, setting)
        return points


def _banned(
    file: File, rules: tuple[EffectiveRule, ...], but: frozenset[str] = frozenset()
) -> tuple[str, frozenset[EffectiveRule]]:
    """Why a file is banned, empty if it is not, and for whom. but: extensions that do not count."""
    reasons = {rule: reason for rule in rules if (reason := rule.reason(file, but))}
    return next(iter(reasons.values()), ""), frozenset(reasons)


def _hidden(finding: PartFinding, reading: Reading) -> PartFinding:
    """What was found in a reading; what is banned in a file that no tree has is said as such."""
    if reading.hidden_at is None or finding.symbol != BANNED_PART:
        return finding
    detail = f"{shown(finding.name)} near octet {reading.hidden_at}: {finding.reason}"
    return replace(finding, symbol=HIDDEN_PART, detail=detail)


def _cut_off(reading: Reading) -> Iterator[PartFinding]:
    """An archive whose end is a guess: readers may find in it what is not found here."""
    if reading.is_end_guessed:
        for kind in kinds_of(reading.root.head(HEAD_SIZE)):
            if kind in ARCHIVE_KINDS:
                detail = f"an archive ({kind}) near octet {reading.hidden_at} that may go on"
                yield PartFinding(HIDDEN_PART, detail)


def _may_hold_files(entity: Entity) -> bool:
    """True if the part is worth unpacking although its head says nothing."""
    is_shown = entity.content_type.startswith(("text/", "image/", "audio/", "video/"))
    return bool(entity.filenames) or entity.disposition == "attachment" or not is_shown
