"""What clamd said about one message: viruses, suspicions, and what it did not scan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType

from filterd.chain.replies import SCANNER_LIMIT, SCANNER_SIZE
from filterd.chain.verdict import Action, Infection, Reply, Symbol, Verdict
from filterd.filters.clamav.settings import Unscanned

_SYMBOLS = (
    ("Heuristics.Limits.Exceeded*", "CLAM_LIMIT"),
    ("Heuristics.Encrypted.*", "CLAM_ENCRYPTED"),
    ("Heuristics.OLE2.ContainsMacros*", "CLAM_MACRO"),
    ("Heuristics.Phishing.*", "CLAM_PHISHING"),
    ("PUA.*", "CLAM_PUA"),
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


class Findings:
    """What clamd said about the pieces of one message so far."""

    def __init__(self, suspicions: Mapping[str, float]) -> None:
        self._suspicions = suspicions
        self.virus = ""
        self.infected: tuple[Infection, ...] = ()
        self.suspected: dict[str, float] = {}
        self.too_large: list[tuple[str, str]] = []
        self.given_up: list[str] = []

    def add(self, name: str) -> None:
        """Take note of a name, which is a virus unless a pattern says otherwise."""
        if not name:
            return
        for pattern, points in self._suspicions.items():
            if fnmatchcase(name, pattern):
                self.suspected[name] = points
                return
        self.virus = name

    def take_large_message(self) -> bool:
        """True if the message as a whole was too large. It is then scanned part by part, which is
        as good, so that alone is not a finding any more."""
        whole = [found for found in self.too_large if found[0] == "message"]
        for found in whole:
            self.too_large.remove(found)
        return bool(whole)

    def verdict(self, scanner: str, too_large: Unscanned, over_limit: Unscanned) -> Verdict:
        """All of it. scanner: who looked. too_large, over_limit: what it means that nobody did."""
        symbols = [Symbol(_symbol(name), points, name) for name, points in self.suspected.items()]
        if self.virus:
            return Verdict(
                symbols=(Symbol("CLAM_VIRUS", 0.0, self.virus), *symbols),
                virus=self.virus,
                scanner=scanner,
                infected=self.infected,
            )
        verdict = Verdict(symbols=tuple(symbols), scanner=scanner)
        if self.too_large:
            sizes = dict.fromkeys(why for _what, why in self.too_large)
            verdict |= _unscanned("CLAM_TOO_LARGE", sizes, too_large, SCANNER_SIZE)
        if self.given_up:
            reasons = dict.fromkeys(self.given_up)
            verdict |= _unscanned("CLAM_LIMIT", reasons, over_limit, SCANNER_LIMIT)
        return verdict


def _unscanned(symbol: str, why: Iterable[str], setting: Unscanned, reply: Reply) -> Verdict:
    return Verdict(
        _ACTIONS[setting],
        (Symbol(symbol, 0.0, "; ".join(why)),),
        reply=reply if setting == "reject" else None,
    )


def _symbol(name: str) -> str:
    for pattern, symbol in _SYMBOLS:
        if fnmatchcase(name, pattern):
            return symbol
    return "CLAM_SUSPICION"
