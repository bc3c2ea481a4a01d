"""What a filter thinks of a message, as values.

A filter returns one `Verdict`: symbols with scores, wanted edits, and at most one forced action.
Verdicts add up with `|` (the chain folds them), and nothing here decides anything: the policy
turns the sum into a `Decision` (see `chain/policy.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from filterd.message.authentication import Authentication

SCORE_DECIMALS = 2
"""Digits after the point that a score keeps. Scores are rounded once, where they are made, so
that the figures an admin reads add up exactly to the total."""


SCORE_LIMIT = 1e100
"""Points of one symbol, above and below 0: the sum of any number of symbols is a number."""


class Action(StrEnum):
    """What happens to a message; of two opinions about one message the greater wins.

    The values are the words of log lines, JSON and settings. They compare by severity, in the
    order in which they stand here, not by the alphabet.
    """

    ACCEPT = "accept"
    QUARANTINE = "quarantine"
    DISCARD = "discard"
    TEMPFAIL = "tempfail"
    REJECT = "reject"

    @property
    def word(self) -> str:
        """The action as log lines, JSON and settings spell it: `accept`, `quarantine`, ..."""
        return self.value

    def __lt__(self, other: str) -> bool:
        return _SEVERITY[self] < _SEVERITY[other]

    def __le__(self, other: str) -> bool:
        return _SEVERITY[self] <= _SEVERITY[other]

    def __gt__(self, other: str) -> bool:
        return _SEVERITY[self] > _SEVERITY[other]

    def __ge__(self, other: str) -> bool:
        return _SEVERITY[self] >= _SEVERITY[other]


_SEVERITY: Final[Mapping[str, int]] = {action: rank for rank, action in enumerate(Action)}


class Reason(StrEnum):
    """Why a message is kept, or not delivered as it came."""

    SPAM = "spam"
    VIRUS = "virus"
    BANNED = "banned"
    POLICY = "policy"
    DMARC = "dmarc"
    """It claims a domain that it does not prove, and whose owner asks to keep such mail out."""
    DISCARDED = "discarded"
    STRIPPED = "stripped"
    FAILED = "failed"


class FailureKind(StrEnum):
    """How a filter failed to give an opinion. `crash`: its process ended. `unavailable`: a server
    or file that it needs was not there (an OSError), which says nothing about the message."""

    TIMEOUT = "timeout"
    MEMORY = "memory"
    ERROR = "error"
    CRASH = "crash"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Failure:
    """One filter without an opinion.

    filter: its name, `""` where a worker ended and no filter was running. again: the same content
    did this before, and the filter was not tried. starved: others took the time, so that it says
    nothing about the content: the filters before it, or whatever else the machine did while a
    signature was made.
    """

    filter: str
    kind: FailureKind
    detail: str
    again: bool = False
    starved: bool = False

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"

    @classmethod
    def parse(cls, filter: str, text: str) -> Failure:
        """The failure that `str` made this text of; an `error` where the text names no kind."""
        kind, _, detail = text.partition(": ")
        if kind in _FAILURE_KINDS:
            return cls(filter, FailureKind(kind), detail)
        return cls(filter, FailureKind.ERROR, text)


_FAILURE_KINDS = frozenset(FailureKind)


class Symbol:
    """One finding, in the sense of SpamAssassin and rspamd. A value: it never changes.

    name: upper-case word, e.g. `BAYES_SPAM`. score: points, rounded to `SCORE_DECIMALS`.
    detail: why, for the admin; never shown to an SMTP peer. A text, or a function that makes it,
    called at most once and only if somebody wants to know: most mail is delivered and nobody asks.

    Raises ValueError for a score that is not a number of at most SCORE_LIMIT.
    """

    __slots__ = ("_detail", "name", "score")

    def __init__(self, name: str, score: float = 0.0, detail: str | Callable[[], str] = "") -> None:
        # Not a number compares as false; one that is too large for a float may be an int.
        if not -SCORE_LIMIT <= score <= SCORE_LIMIT:
            raise ValueError(
                f"symbol {name}: its score is not a finite number of at most {SCORE_LIMIT:g}"
            )
        self.name: Final = name
        # A filter that calculates with numpy has numbers that JSON does not know.
        self.score: Final = float(round(score, SCORE_DECIMALS))
        self._detail = detail

    @property
    def detail(self) -> str:
        """Why."""
        if not isinstance(self._detail, str):
            self._detail = self._detail()
        return self._detail

    @property
    def cause(self) -> str:
        """The symbol as the cause of an action: its detail if that is a text by now, else its name.
        No function is called, which may fail."""
        return (self._detail if isinstance(self._detail, str) else "") or self.name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Symbol):
            return NotImplemented
        mine, its = (self.name, self.score, self.detail), (other.name, other.score, other.detail)
        return mine == its

    def __hash__(self) -> int:
        return hash((self.name, self.score))

    def __repr__(self) -> str:
        return f"Symbol({self.name!r}, {self.score!r}, {self.detail!r})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one recipient gets, and the rule of the policy (or of a filter) that said so. symbols:
    what was found about this recipient alone, where the message has others. limit: points from
    which the rule takes this action, where nothing but the points was the cause."""

    recipient: str
    action: Action
    rule: str
    symbols: tuple[Symbol, ...] = ()
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply: code, enhanced status code (RFC 3463) and one line of ASCII text.

    The text never carries an exception or a symbol name: it is read by strangers. kind: by which
    name settings may change it (`policy.replies`), `""` for one that they cannot.
    """

    code: int
    xcode: str
    text: str
    kind: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class AddField:
    """Add a header field on top of the message. Name and value are without colon and CRLF."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ChangeField:
    """Replace (or, with `value=None`, delete) the index-th header field of that name.

    index counts fields of the name from 1, case-insensitively, in the message as it arrived.
    """

    name: str
    index: int
    value: str | None


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace the body bytes `start:end` by `replacement`.

    Offsets are octets from the beginning of `Message.data`; both lie inside the body (at or after
    `Message.body_start`). Splices of one verdict do not overlap.
    """

    start: int
    end: int
    replacement: bytes


Edit = AddField | ChangeField | Splice


@dataclass(frozen=True, slots=True)
class RemovedPart:
    """A part that the message loses. start, end: octets in `Message.data`, the entity's whole span
    (its header and body). The original message is stored whole, so the part stays retrievable."""

    filename: str
    reason: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Infection:
    """A part with a virus, and the edits that take it out where the policy wants that."""

    part: RemovedPart
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class RecipientAction:
    """The least that must happen to one recipient's copy. recipient: the address as the envelope
    has it. rule: what the log names as the reason. reply: what the client is told where that is a
    refusal, and every recipient's."""

    recipient: str
    action: Action
    rule: str
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class RecipientSymbols:
    """What was found about the mail for one recipient alone. recipient: the address as the envelope
    has it."""

    recipient: str
    symbols: tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One filter's opinion of one message. Opinions add up with `|`.

    action: the least that must happen, whatever the score. apart: the same for some recipients
    only. points_apart: findings that count for some recipients only. reply: what the client is
    told if that is a refusal (the policy has defaults). virus:
    signature name; what that means the policy says. infected: the parts that have it, if without
    them the message is clean. scanner: what looked for viruses, as `X-Virus-Scanned` names it; a
    filter that sets none has not looked for any. banned: a part is there that may not be delivered,
    whether it was removed or not. failed: the action is what a filter's failure means. probability:
    that the message is spam, 0.0 to 1.0, where a filter estimates one. released: the id of the kept
    message that this is, if a person released it; then only a virus stops it. authentication: what
    is known of who sent it. outbound: our own people or hosts send it, and it may be signed in
    their name. reason: why the action is wanted, where that has a word of its own.
    labelled: whoever gets the message gets it labelled, whatever its score. because: what made the
    filter want the action, in words, where that is not its first symbol; the chain puts the
    filter's name before it.
    """

    action: Action = Action.ACCEPT
    symbols: tuple[Symbol, ...] = ()
    edits: tuple[Edit, ...] = ()
    removed: tuple[RemovedPart, ...] = ()
    virus: str | None = None
    scanner: str | None = None
    banned: bool = False
    failed: bool = False
    probability: float | None = None
    reply: Reply | None = None
    apart: tuple[RecipientAction, ...] = ()
    points_apart: tuple[RecipientSymbols, ...] = ()
    infected: tuple[Infection, ...] = ()
    released: str = ""
    authentication: Authentication | None = None
    outbound: bool = False
    reason: Reason | None = None
    labelled: bool = False
    because: str = field(default="", compare=False)

    def __or__(self, other: Verdict) -> Verdict:
        # Most opinions are none, and a message adds up dozens.
        if other is NO_OPINION:
            return self
        if self is NO_OPINION and (other.action is not Action.ACCEPT or not other.because):
            return other
        stronger = other if other.action > self.action else self
        weaker = self if stronger is other else other
        # Without the parts that one scanner found, another's virus is still somewhere.
        unlocated = any(one.virus and not one.infected for one in (self, other))
        return Verdict(
            action=stronger.action,
            symbols=self.symbols + other.symbols,
            edits=self.edits + other.edits,
            removed=self.removed + other.removed,
            virus=self.virus or other.virus,
            scanner=self.scanner or other.scanner,
            banned=self.banned or other.banned,
            failed=self.failed or other.failed,
            probability=self.probability if other.probability is None else other.probability,
            reply=stronger.reply
            if stronger.reply or stronger.action > weaker.action
            else weaker.reply,
            apart=self.apart + other.apart,
            points_apart=self.points_apart + other.points_apart,
            infected=() if unlocated else self.infected + other.infected,
            released=self.released or other.released,
            authentication=other.authentication or self.authentication,
            outbound=self.outbound or other.outbound,
            reason=stronger.reason
            if stronger.reason or stronger.action > weaker.action
            else weaker.reason,
            labelled=self.labelled or other.labelled,
            because=stronger.because,
        )

    @property
    def score(self) -> float:
        """The sum of the symbols' scores, in points, with `SCORE_DECIMALS` digits; without what
        counts for some recipients only."""
        return total(self.symbols)


def total(symbols: Iterable[Symbol]) -> float:
    """The sum of the symbols' scores, in points, with `SCORE_DECIMALS` digits."""
    return round(sum([symbol.score for symbol in symbols]), SCORE_DECIMALS)


NO_OPINION = Verdict()
