"""What one side made of one message, and how two of these differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from filterd.chain.headers import points
from filterd.chain.report import ScanReport

TAKEN = "taken"
"""The action of a daemon of which only the wire is known: the recipients do not get the message.
Whether it was quarantined or discarded, the milter protocol does not say."""

_IS_TAKEN = {TAKEN, "quarantine", "discard"}

SAME_SCORE = 0.005
"""Points below which two scores are shown alike."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement. action: as a word, or TAKEN. score: None where the side did not say.
    symbols: name and points, None where it did not say. note: what did not go smoothly."""

    action: str
    labelled: bool = False
    score: float | None = None
    symbols: tuple[tuple[str, float], ...] | None = None
    reply: str = ""
    note: str = ""

    @classmethod
    def of(cls, report: ScanReport, *, seen: bool = True) -> Judged:
        """What a report says. seen: False if no filter has seen the message, which then has no
        points."""
        reply = report.reply
        return cls(
            report.action.word,
            report.labelled,
            report.score if seen else None,
            tuple((one.name, one.score) for one in report.symbols) if seen else None,
            f"{reply.code} {reply.xcode}" if reply is not None else "",
            "; ".join(f"{one.filter}: {one.kind}" for one in report.failures),
        )

    @property
    def word(self) -> str:
        """The action as tables show it."""
        return "accept (labelled)" if self.action == "accept" and self.labelled else self.action

    def to_json(self) -> dict[str, Any]:
        """The judgement as a plain value."""
        return {
            "action": self.action,
            "labelled": self.labelled,
            "score": self.score,
            "symbols": None
            if self.symbols is None
            else [{"name": name, "score": score} for name, score in self.symbols],
            "reply": self.reply,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Pair:
    """One message on both sides."""

    message: str
    before: Judged
    after: Judged

    @property
    def action_differs(self) -> bool:
        """Whether the recipients or the client see another answer."""
        one, other = self.before, self.after
        if TAKEN in (one.action, other.action):
            return not (one.action in _IS_TAKEN and other.action in _IS_TAKEN)
        return one.word != other.word

    @property
    def score_differs(self) -> bool:
        """Whether the points differ, as far as both are known."""
        one, other = self.before.score, self.after.score
        return one is not None and other is not None and abs(one - other) >= SAME_SCORE

    @property
    def changes(self) -> list[str]:
        """The symbols that came (`+NAME 3.0`), went (`-NAME 3.0`) or count differently
        (`NAME 1.0→3.0`); empty if one side did not say which it found."""
        if self.before.symbols is None or self.after.symbols is None:
            return []
        one, other = _summed(self.before.symbols), _summed(self.after.symbols)
        found = []
        for name in dict.fromkeys([*one, *other]):
            if name not in other:
                found.append(f"-{name} {points(one[name])}")
            elif name not in one:
                found.append(f"+{name} {points(other[name])}")
            elif abs(one[name] - other[name]) >= SAME_SCORE:
                found.append(f"{name} {points(one[name])}→{points(other[name])}")
        return found

    @property
    def differs(self) -> bool:
        """Whether anything that is known of both does."""
        return self.action_differs or self.score_differs or bool(self.changes)

    def to_json(self) -> dict[str, Any]:
        """The pair as a plain value."""
        return {
            "message": self.message,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "action_differs": self.action_differs,
            "score_differs": self.score_differs,
            "changes": self.changes,
        }


def _summed(symbols: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Points by name: a symbol may be found several times."""
    found: defaultdict[str, float] = defaultdict(float)
    for name, score in symbols:
        found[name] += score
    return found


@dataclass(slots=True)
class JudgedSummary:
    """All pairs, counted. moves: messages by (action before, action after), where these differ."""

    messages: int = 0
    actions: int = 0
    scores: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, pair: Pair) -> None:
        """Count one more."""
        self.messages += 1
        if pair.action_differs:
            self.actions += 1
            self.moves[pair.before.word, pair.after.word] += 1
        elif pair.differs:
            self.scores += 1

    def to_json(self) -> dict[str, Any]:
        """The counts as a plain value."""
        return {
            "messages": self.messages,
            "actions_differ": self.actions,
            "only_scores_differ": self.scores,
            "moves": [
                {"before": one, "after": other, "messages": number}
                for (one, other), number in self.moves.most_common()
            ],
        }
