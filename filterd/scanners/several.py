"""Several scanners about one content: who is asked, and whose word counts.

any      all are asked; what one finds is found, and each must have answered
majority all are asked; what more of them find than do not is found (as many: found)
first    one after the other is asked until one answers, and that counts

A scanner that is away and whose answer was needed makes the whole unanswered: nothing passes
because somebody was not there. Where one finds something, nobody else is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from filterd.message.fields import Buffer
from filterd.scanners.answer import (
    CLEAN,
    Answer,
    Clean,
    GivenUp,
    Infected,
    Scanner,
    ScannerError,
    Signatures,
    Unavailable,
)
from filterd.scanners.together import together

Decide = Literal["any", "majority", "first"]
"""Whose word counts."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What all together say. infected: what was found, by whom. given_up: who works and has no
    answer. outvoted: what a minority found. failed: why there is no answer, empty if there is
    one; partly: some answered, and those who did not were needed."""

    infected: tuple[Infected, ...] = ()
    given_up: tuple[GivenUp, ...] = ()
    outvoted: tuple[Infected, ...] = ()
    failed: str = ""
    partly: bool = False


NOTHING_FOUND = Answers()
"""What all say of clean content."""


class Several:
    """The scanners, in order."""

    def __init__(
        self, scanners: Sequence[Scanner], decide: Decide = "any", *, named: bool = True
    ) -> None:
        """named: say who found something."""
        self.scanners = tuple(scanners)
        self._decide = decide
        self._is_named = named
        self._only = self.scanners[0] if len(self.scanners) == 1 else None

    def scan(self, content: Buffer, deadline: float) -> Answers:
        """What they say about the content."""
        if self._only is not None:
            answer = self._only.scan(content, deadline)
            if answer is CLEAN:
                return NOTHING_FOUND
            return _alone(_named(self._only, answer) if self._is_named else answer)
        if self._decide == "first":
            return self._first(content, deadline)
        answers = together(
            [lambda one=one: _asked(one, content, deadline) for one in self.scanners]  # type: ignore[misc]
        )
        return _any(answers) if self._decide == "any" else _majority(answers)

    def signatures(self, deadline: float) -> list[Signatures]:
        """Of each that says."""
        found = []
        for one in self.scanners:
            try:
                told = one.signatures(deadline)
            except ScannerError:
                continue
            found.append(replace(told, by=one.name) if self._is_named else told)
        return found

    def _first(self, content: Buffer, deadline: float) -> Answers:
        troubles, given_up = [], []
        for one in self.scanners:
            answer = _asked(one, content, deadline)
            if isinstance(answer, Infected):
                return Answers((answer,))
            if isinstance(answer, Clean):
                return NOTHING_FOUND
            if isinstance(answer, GivenUp):
                given_up.append(answer)
            else:
                troubles.append(answer.why)
        if given_up:
            return Answers(given_up=tuple(given_up))
        return Answers(failed="; ".join(troubles))


def _asked(one: Scanner, content: Buffer, deadline: float) -> Answer:
    return _named(one, one.scan(content, deadline))


def _named(one: Scanner, answer: Answer) -> Answer:
    if isinstance(answer, Infected):
        return replace(answer, by=one.name)
    if isinstance(answer, GivenUp):
        return replace(answer, why=f"{one.name}: {answer.why}")
    return answer


def _alone(answer: Answer) -> Answers:
    if isinstance(answer, Clean):
        return NOTHING_FOUND
    if isinstance(answer, Infected):
        return Answers((answer,))
    if isinstance(answer, GivenUp):
        return Answers(given_up=(answer,))
    return Answers(failed=answer.why)


def _any(answers: Sequence[Answer]) -> Answers:
    infected = tuple(one for one in answers if isinstance(one, Infected))
    given_up = tuple(one for one in answers if isinstance(one, GivenUp))
    away = [one.why for one in answers if isinstance(one, Unavailable)]
    if infected:
        return Answers(infected, given_up)
    partly = 0 < len(away) < len(answers)
    return Answers(given_up=given_up, failed="; ".join(away), partly=partly)


def _majority(answers: Sequence[Answer]) -> Answers:
    infected = tuple(one for one in answers if isinstance(one, Infected))
    given_up = tuple(one for one in answers if isinstance(one, GivenUp))
    clean = sum(isinstance(one, Clean) for one in answers)
    away = [one.why for one in answers if isinstance(one, Unavailable)]
    # Those who have not answered might say either.
    open_votes = len(away) + len(given_up)
    if len(infected) >= clean + open_votes and infected:
        return Answers(infected, given_up)
    if clean > len(infected) + open_votes:
        return Answers(outvoted=infected)
    if away:
        partly = len(away) < len(answers)
        return Answers(failed="no majority: " + "; ".join(away), partly=partly)
    if infected and len(infected) >= clean:
        return Answers(infected, given_up)
    return Answers(given_up=given_up, outvoted=infected)
