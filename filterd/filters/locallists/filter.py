"""The filter: which entries fit, and which of them decide for each recipient.

Of all entries that fit, in whichever list, those of the closest level decide: for the recipient,
else for its domain, else for all; at that level an allow entry outweighs those that block. What is
outweighed has no points, and the symbol's detail says by what.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import NO_OPINION, Action, RecipientAction, Symbol, Verdict
from filterd.filters.locallists.entries import EntryLevel, ListEntry, read
from filterd.filters.locallists.lookup import EntryLookup
from filterd.filters.locallists.settings import ENVELOPE, Fact, LocalList, LocalListsSettings
from filterd.filters.senders.list import EVERYBODY, ListEntryError, keys_of
from filterd.message import Envelope, Message, Recipient
from filterd.message.address import Mailbox
from filterd.message.authentication import Authentication
from filterd.message.decoding import header_text
from filterd.message.matching import recipient_keys
from filterd.system.watched_file import WatchedFile

DETAIL_MATCHES = 5
"""Entries that a symbol's detail has."""

FIELD_LIMIT = 4096
"""Octets of From and Subject that are compared."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Match:
    """An entry that fits. value: what it fits."""

    own: LocalList
    entry: ListEntry
    value: str

    @property
    def told(self) -> str:
        """As details have it."""
        where = f"{self.own.file.name}:{self.entry.line}"
        return f"{self.value[:80]} in {where}, {self.entry.level.word} level"


class _File:
    """A list as it stands in its file now."""

    def __init__(self, own: LocalList) -> None:
        self.own = own
        self._lookup = EntryLookup((), own.about)
        self._file = WatchedFile(own.file)

    def refresh(self) -> None:
        """Read the file again if it has changed. Raises ListEntryError, OSError."""
        match self._file.look():
            case "gone":
                self._lookup = EntryLookup((), self.own.about)
            case "changed":
                self._lookup = EntryLookup(read(self.own.file, self.own.about), self.own.about)

    def matches(self, values: Sequence[str]) -> list[Match]:
        """The entries that fit one of the values, each with the first."""
        found: dict[int, Match] = {}
        for value in values:
            for entry in self._lookup.find(value):
                found.setdefault(entry.line, Match(self.own, entry, value))
        return list(found.values())


class LocalLists:
    """Gives points, or an action, to what is in the site's lists."""

    name: ClassVar[str] = "locallists"

    def __init__(self, settings: LocalListsSettings) -> None:
        self.settings = settings
        self._files = [_File(own) for own in settings.lists]

    def prepare(self) -> None:
        """Read the lists. Raises ListEntryError, OSError."""
        for file in self._files:
            file.refresh()

    @property
    def stages(self) -> frozenset[Stage]:
        """RCPT, with `early` and a list that can be looked at then."""
        if self.settings.early and self.settings.of(ENVELOPE):
            return frozenset([Stage.RECIPIENT])
        return frozenset()

    def recipient(self, session: Session, recipient: Recipient) -> Verdict:
        """What the lists about the envelope mean for this recipient. Raises OSError."""
        self._refresh()
        matches = self._of_envelope(session.envelope)
        verdict = _Judged(matches, recipient, self._about(recipient), session.envelope)
        symbols = verdict.symbols()
        if not symbols:
            return NO_OPINION
        if verdict.action is Action.ACCEPT:
            return Verdict(symbols=symbols)
        because = next(one.cause for one in symbols if one.name == verdict.reason)
        return Verdict(verdict.action, symbols, because=because)

    def examine(self, message: Message) -> Verdict:
        """What the lists mean for the message: points where they are the same for all recipients,
        actions for each. Raises OSError."""
        self._refresh()
        matches = self._of_content(message)
        if not self.settings.early:
            matches = [*self._of_envelope(message.envelope, message.authentication), *matches]
        envelope = message.envelope
        judged = []
        for one in envelope.recipients or (Recipient(""),):
            of_recipient = [] if self.settings.early else self._about(one)
            judged.append(_Judged(matches, one, of_recipient, envelope))
        return _together(judged)

    def _refresh(self) -> None:
        for file in self._files:
            try:
                file.refresh()
            except ListEntryError as error:
                log.error("the list is not used, the last good one stays: %s", error)

    def _of_envelope(self, envelope: Envelope, known: Authentication | None = None) -> list[Match]:
        client = envelope.client
        name = "" if client.name.startswith("[") else client.name
        return self._matches(
            {
                "client": [client.address],
                "rdns": [name],
                "helo": [client.helo],
                "sender": [envelope.sender or "<>"],
            },
            known,
        )

    def _about(self, recipient: Recipient) -> list[Match]:
        """Matches of lists of recipients."""
        spellings = dict.fromkeys([recipient.address, recipient.resolved or recipient.address])
        return self._matches({"recipient": [one for one in spellings if one]})

    def _of_content(self, message: Message) -> list[Match]:
        wanted = {file.own.about for file in self._files}
        values: dict[Fact, Sequence[str]] = {}
        if "from" in wanted:
            values["from"] = [_mailbox(text) for text in _texts(message, "From")]
        if "subject" in wanted:
            values["subject"] = _texts(message, "Subject")
        if "url" in wanted:
            urls = message.urls.found
            values["url"] = list(
                dict.fromkeys(text for url in urls for text in (url.host, url.text))
            )
        return self._matches(values, message.authentication)

    def _matches(
        self, values: Mapping[Fact, Sequence[str]], known: Authentication | None = None
    ) -> list[Match]:
        return [
            match
            for file in self._files
            if file.own.about in values
            for match in file.matches([one for one in values[file.own.about] if one])
            if not file.own.proven or _is_proven(match, known)
        ]


class _Judged:
    """Which matches decide for one recipient. action: the strongest that they force."""

    def __init__(
        self,
        matches: Sequence[Match],
        recipient: Recipient,
        more: Sequence[Match],
        envelope: Envelope,
    ) -> None:
        self.recipient = recipient
        keys = {EVERYBODY, *recipient_keys(recipient, envelope)}
        fitting = [
            one for one in (*matches, *more) if not keys.isdisjoint(keys_of(one.entry.recipient))
        ]
        level = max((one.entry.level for one in fitting), default=EntryLevel.GLOBAL)
        of_level = [one for one in fitting if one.entry.level is level]
        allowing = [one for one in of_level if one.own.kind == "allow"]
        self.deciding = allowing or of_level
        self.outweighed = [
            one
            for one in fitting
            if one.entry.level is not level or (allowing and one.own.kind != "allow")
        ]
        self.action = max((one.own.forced for one in self.deciding), default=Action.ACCEPT)

    @property
    def reason(self) -> str:
        """The symbol of the first match that forces the action."""
        return next(one.own.name for one in self.deciding if one.own.forced is self.action)

    @property
    def points(self) -> dict[str, float]:
        """The points by symbol, each once; of several lists with that symbol, the most."""
        found: dict[str, float] = {}
        for one in self.deciding:
            found[one.own.name] = max(found.get(one.own.name, 0.0), one.own.score, key=abs)
        return found

    def symbols(self, *, counting: frozenset[str] | None = None) -> tuple[Symbol, ...]:
        """counting: the symbols whose points count, None for all."""
        found = []
        for name, points in self.points.items():
            mine = [one for one in self.deciding if one.own.name == name]
            told = "; ".join(one.told for one in mine[:DETAIL_MATCHES])
            if len(mine) > DETAIL_MATCHES:
                told += f"; and {len(mine) - DETAIL_MATCHES} more"
            if counting is None or name in counting:
                found.append(Symbol(name, points, told))
            else:
                told += f"; not for all recipients ({points:+g} points)"
                found.append(Symbol(name, 0.0, told))
        by = ", ".join(dict.fromkeys(one.own.name for one in self.deciding))
        for one in self.outweighed:
            if one.own.name not in self.points:
                detail = f"{one.told}; {by} outweighs it ({one.own.score:+g} points)"
                found.append(Symbol(one.own.name, 0.0, detail))
        return tuple(found)


def _together(judged: Sequence[_Judged]) -> Verdict:
    """One verdict for a message. A message has one score: points count where all recipients have
    them."""
    common = frozenset.intersection(*(frozenset(one.points) for one in judged))
    symbols: dict[str, Symbol] = {}
    for one in judged:
        for symbol in one.symbols(counting=common):
            symbols.setdefault(symbol.name, symbol)
    if not symbols:
        return NO_OPINION
    apart = tuple(
        RecipientAction(one.recipient.address, one.action, one.reason)
        for one in judged
        if one.action is not Action.ACCEPT
    )
    return Verdict(symbols=tuple(symbols.values()), apart=apart)


def _texts(message: Message, name: str) -> list[str]:
    """The fields of that name as people read them: a reader may show any of several."""
    return [header_text(field.raw_value[:FIELD_LIMIT]) for field in message.fields(name)][:10]


def _is_proven(match: Match, known: Authentication | None) -> bool:
    """Whether the domain of the address that fits is who sent the message."""
    domain = Mailbox.parse(match.value).domain
    if known is None or not domain:
        return False
    if match.own.about == "from":
        # The only author there is; of several, another one may be proven.
        return known.author == domain
    return known.passes_for(domain)


def _mailbox(text: str) -> str:
    """The address in a From field; of several the first."""
    begin = text.rfind("<")
    end = text.find(">", begin)
    return text[begin + 1 : end] if 0 <= begin < end else text.split(",", maxsplit=1)[0].strip()
