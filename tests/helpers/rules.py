"""Rules of a few lines, run over a text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.lookup import Map, MapAnswer, Opening
from filterd.mta.cf.observer import Observer, RuleMessage
from filterd.mta.cf.parser import parse
from filterd.mta.cf.rewriting import Rewriter
from filterd.mta.cf.rulesets import Ruleset
from filterd.mta.cf.tokens import scan

HEAD = "V10\nDjmx.own.test\nO OperatorChars=.:%@!^/[]+\nO BlankSub=.\n"


class FixedMap:
    """A map of a few values; the key `later` fails for now."""

    strips_quotes = True
    space = None
    is_open = True
    defers = True
    rests_when_deferred = False

    def __init__(self, values: dict[str, str], failure_suffix: str | None = None) -> None:
        self._values, self.failure_suffix = values, failure_suffix
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def version(self) -> None:
        return None

    def open(self) -> Opening:
        return Opening(True)

    def lookup(self, key: str, arguments: Sequence[str] = ()) -> MapAnswer:
        self.asked.append((key, tuple(arguments)))
        if key == "later":
            return MapAnswer(None, 75)
        return MapAnswer(self._values.get(key))


class FixedMaps:
    def __init__(self, **maps: Map) -> None:
        self._maps = maps

    def define(self, name: str, type: str, arguments: str) -> Sequence[str]:
        raise NotImplementedError

    def find(self, name: str) -> Map | None:
        return self._maps.get(name)


class Record(Observer):
    """Messages, and the rulesets called with their tokens."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.calls: list[str] = []

    def message(self, message: RuleMessage) -> None:
        self.messages.append(str(message))

    def enter(self, ruleset: Ruleset, tokens: Sequence[str]) -> None:
        self.calls.append(f"{ruleset.title}: {' '.join(tokens)}")


def no_file(path: Path) -> bytes:
    raise OSError(2, "No such file or directory", str(path))


def cf_of(text: str, head: str = HEAD) -> SendmailCf:
    return parse(head + text, "x.cf", no_file)


class Rules:
    """The rules of a text, with what they said."""

    def __init__(self, text: str, head: str = HEAD, **maps: Map) -> None:
        self.cf = cf_of(text, head)
        self.program = self.cf.program
        self.record = Record()
        self.rewriter = Rewriter(self.program, FixedMaps(**maps), self.record)
        self.status = 0

    def tokens(self, text: str) -> list[str]:
        scanned = scan(text, self.program.tables.rules, self.record.messages.append)
        return scanned.tokens or []

    def run(self, text: str, ruleset: str = "1") -> str:
        """The workspace after a ruleset, as test mode shows it."""
        tokens = self.tokens(text)
        number = self.program.rulesets.find(ruleset, self.record.messages.append)
        self.status = self.rewriter.run(tokens, number)
        return " ".join(map(self.program.names.show, tokens))
