"""What came in a stretch of time, summed up: how much of each kind, from whom, to whom, with which
symbols, and how filters did. For the dashboard and for reports to admins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from filterd.chain.verdict import Action, Failure

Kind = Literal["clean", "labelled", "stripped", "held", "refused", "virus", "deferred"]
"""What became of a message. Each message is of one kind."""

KINDS: tuple[Kind, ...] = get_args(Kind)

TOP = 10
"""Rows of a list that are kept."""

TALLY_LIMIT = 50_000
"""Different names that are counted at a time; the rare ones are forgotten then, so that a stretch
of random senders does not take the memory."""

NAME_LIMIT = 200
"""Characters of a name; strangers chose it."""


@dataclass(frozen=True, slots=True)
class NameCount:
    """A name, how many messages it had, and how many of those were not clean."""

    name: str
    messages: int
    unwanted: int


@dataclass(frozen=True, slots=True)
class FilterTotals:
    """One filter: messages that it saw, milliseconds of all together and of the longest, and
    messages of which it gave no opinion."""

    name: str
    messages: int = 0
    milliseconds: float = 0.0
    longest: float = 0.0
    failures: int = 0

    @property
    def mean(self) -> float:
        """Milliseconds of one message."""
        return self.milliseconds / self.messages if self.messages else 0.0


@dataclass(frozen=True, slots=True)
class HistorySummary:
    """since, until: seconds since 1970. messages: all that were counted, the newest ones. more:
    there are older ones in this time. octets: of all. kinds: messages by kind, each kind once. The
    lists have the names with the most unwanted mail first, then those with the most mail;
    recipients are those of the envelope, clients addresses."""

    since: float
    until: float
    messages: int = 0
    octets: int = 0
    more: bool = False
    kinds: Mapping[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    senders: tuple[NameCount, ...] = ()
    recipients: tuple[NameCount, ...] = ()
    clients: tuple[NameCount, ...] = ()
    viruses: tuple[NameCount, ...] = ()
    symbols: tuple[NameCount, ...] = ()
    filters: tuple[FilterTotals, ...] = ()


def kind_of(action: str, fields: Mapping[str, Any]) -> Kind:
    """What became of a message. fields: of its record, as plain values."""
    if action == Action.TEMPFAIL.value:
        return "deferred"
    if fields.get("virus"):
        return "virus"
    if action == Action.QUARANTINE.value:
        return "held"
    if action in (Action.REJECT.value, Action.DISCARD.value):
        return "refused"
    if fields.get("removed"):
        return "stripped"
    return "labelled" if fields.get("labelled") else "clean"


class Tally:
    """Messages by name, and the unwanted ones among them."""

    def __init__(self, limit: int = TALLY_LIMIT) -> None:
        self._limit = limit
        self._all: Counter[str] = Counter()
        self._unwanted: Counter[str] = Counter()

    def add(self, name: object, *, unwanted: bool) -> None:
        """One message more of that name; anything else is passed over."""
        if not isinstance(name, str) or not name:
            return
        name = name[:NAME_LIMIT]
        self._all[name] += 1
        if unwanted:
            self._unwanted[name] += 1
        if len(self._all) > self._limit:
            self._forget()

    def top(self, limit: int = TOP) -> tuple[NameCount, ...]:
        """The first ones: most unwanted, then most, then by name."""
        order = sorted(self._all.items(), key=lambda one: (-self._unwanted[one[0]], -one[1], one))
        return tuple(NameCount(name, n, self._unwanted[name]) for name, n in order[:limit])

    def _forget(self) -> None:
        """Keep half of them, those with the most."""
        self._all = Counter(dict(self._all.most_common(self._limit // 2)))
        self._unwanted = Counter({k: n for k, n in self._unwanted.items() if k in self._all})


def summarized(
    since: float, until: float, rows: Iterable[tuple[str, Mapping[str, Any]]], *, more: bool
) -> HistorySummary:
    """The summary of records: each its action, and its fields as plain values."""
    kinds: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    senders, recipients, clients, viruses, symbols = (Tally() for _ in range(5))
    filters: dict[str, FilterTotals] = {}
    messages = octets = 0
    for action, fields in rows:
        kind = kind_of(action, fields)
        unwanted = kind not in ("clean", "deferred")
        messages += 1
        kinds[kind] += 1
        octets += size if isinstance(size := fields.get("size"), int) else 0
        senders.add(fields.get("sender"), unwanted=unwanted)
        clients.add(fields.get("client_address"), unwanted=unwanted)
        viruses.add(fields.get("virus"), unwanted=True)
        for recipient in _list(fields.get("recipients")):
            recipients.add(recipient, unwanted=unwanted)
        for symbol in _list(fields.get("symbols")):
            symbols.add(_list(symbol)[0] if _list(symbol) else None, unwanted=unwanted)
        _count_filters(filters, fields)
    return HistorySummary(
        since,
        until,
        messages,
        octets,
        more,
        kinds,
        senders.top(),
        recipients.top(),
        clients.top(),
        viruses.top(),
        symbols.top(),
        tuple(sorted(filters.values(), key=lambda one: -one.milliseconds)),
    )


def _count_filters(filters: dict[str, FilterTotals], fields: Mapping[str, Any]) -> None:
    took = fields.get("milliseconds")
    for name, milliseconds in took.items() if isinstance(took, dict) else ():
        if isinstance(milliseconds, (int, float)):
            old = filters.get(name) or FilterTotals(name)
            filters[name] = FilterTotals(
                name,
                old.messages + 1,
                old.milliseconds + milliseconds,
                max(old.longest, milliseconds),
                old.failures,
            )
    for failure in _list(fields.get("failures")):
        # A row in its first form has them ready.
        name = failure.filter if isinstance(failure, Failure) else None
        if isinstance(failure, dict):
            name = failure.get("filter")
        if isinstance(name, str) and name:
            old = filters.get(name) or FilterTotals(name)
            filters[name] = FilterTotals(
                name, old.messages, old.milliseconds, old.longest, old.failures + 1
            )


def _list(value: object) -> list[Any] | tuple[Any, ...]:
    return value if isinstance(value, (list, tuple)) else []
