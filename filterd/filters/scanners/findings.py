"""What scanners said about one message: viruses, suspicions, and what they did not scan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Literal

from filterd.chain.replies import SCANNER_LIMIT, SCANNER_SIZE
from filterd.chain.verdict import Action, Infection, Reply, Symbol, Verdict
from filterd.filters.scanners import symbols
from filterd.filters.scanners.options import Unscanned
from filterd.scanners.answer import Infected
from filterd.scanners.several import NOTHING_FOUND, Answers

_SYMBOLS = (
    ("Heuristics.Limits.Exceeded*", symbols.LIMIT),
    ("Heuristics.Encrypted.*", symbols.ENCRYPTED),
    ("Heuristics.OLE2.ContainsMacros*", symbols.MACRO),
    ("Heuristics.Phishing.*", symbols.PHISHING),
    ("PUA.*", symbols.PUA),
)
"""Suspicions with a symbol of their own: a limit of clamd's, a password, macros."""

_ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "continue": Action.ACCEPT,
        "quarantine": Action.QUARANTINE,
        "tempfail": Action.TEMPFAIL,
        "reject": Action.REJECT,
    }
)


class ScanFindings:
    """What was said about the pieces of one message so far."""

    def __init__(
        self,
        suspicions: Mapping[str, float | Literal["virus"]],
        prefix: str = "CLAM",
        outvoted: float = 0.0,
    ) -> None:
        """suspicions: points by pattern, for a name or for `scanner:name`; `virus` where it is one.
        prefix: of the symbols. outvoted: points for what a minority of scanners found."""
        self._suspicions = suspicions
        self._names = symbols.names(prefix)
        self._outvoted_points = outvoted
        self.virus = ""
        self.by = ""
        self.infected: tuple[Infection, ...] = ()
        self.suspected: dict[tuple[str, str], float] = {}
        self.outvoted: dict[tuple[str, str], None] = {}
        self.too_large: list[tuple[str, str]] = []
        self.given_up: list[str] = []

    def take(self, what: str, answers: Answers) -> bool:
        """Take note of what was said about a piece; True if no more can be asked about this
        message, for its time is used up. what: a word for the piece."""
        if answers is NOTHING_FOUND:
            return False
        for found in answers.infected:
            self.add(found)
        for found in answers.outvoted:
            self.outvoted[found.name, found.by] = None
        for one in answers.given_up:
            if one.kind == "size":
                self.too_large.append((what, one.why))
            else:
                self.given_up.append(one.why)
        return any(one.kind == "time" for one in answers.given_up)

    def add(self, found: Infected) -> None:
        """Take note of a name, which is a virus unless a pattern says otherwise."""
        for pattern, points in self._suspicions.items():
            if fnmatchcase(found.name, pattern) or (
                found.by and fnmatchcase(f"{found.by}:{found.name}", pattern)
            ):
                if points == "virus":
                    break
                self.suspected[found.name, found.by] = points
                return
        if not self.virus:
            self.virus, self.by = found.name, found.by

    def take_large_message(self) -> bool:
        """True if the message as a whole was too large. It is then scanned part by part, which is
        as good, so that alone is not a finding any more."""
        whole = [found for found in self.too_large if found[0] == "message"]
        for found in whole:
            self.too_large.remove(found)
        return bool(whole)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said but that all is clean."""
        return not (
            self.virus or self.suspected or self.outvoted or self.too_large or self.given_up
        )

    def verdict(self, scanner: str, too_large: Unscanned, over_limit: Unscanned) -> Verdict:
        """All of it. scanner: who looked. too_large, over_limit: what it means that nobody did."""
        if self.is_empty:
            return Verdict(scanner=scanner)
        found = [
            Symbol(self._symbol(name), points, _told(name, by))
            for (name, by), points in self.suspected.items()
        ]
        found += [
            Symbol(self._names[symbols.OUTVOTED], self._outvoted_points, _told(name, by))
            for name, by in self.outvoted
        ]
        if self.virus:
            told = _told(self.virus, self.by)
            return Verdict(
                symbols=(Symbol(self._names[symbols.VIRUS], 0.0, told), *found),
                virus=self.virus,
                scanner=scanner,
                infected=self.infected,
            )
        verdict = Verdict(symbols=tuple(found), scanner=scanner)
        if self.too_large:
            sizes = dict.fromkeys(why for _what, why in self.too_large)
            verdict |= self._unscanned(symbols.TOO_LARGE, sizes, too_large, SCANNER_SIZE)
        if self.given_up:
            reasons = dict.fromkeys(self.given_up)
            verdict |= self._unscanned(symbols.LIMIT, reasons, over_limit, SCANNER_LIMIT)
        return verdict

    def _unscanned(
        self, what: str, why: Iterable[str], setting: Unscanned, reply: Reply
    ) -> Verdict:
        told = Symbol(self._names[what], 0.0, "; ".join(why))
        return Verdict(
            _ACTIONS[setting],
            (told,),
            reply=reply if setting == "reject" else None,
            because=told.cause,
        )

    def _symbol(self, name: str) -> str:
        for pattern, symbol in _SYMBOLS:
            if fnmatchcase(name, pattern):
                return self._names[symbol]
        return self._names[symbols.SUSPICION]


def _told(name: str, by: str) -> str:
    return f"{name} ({by})" if by else name
