"""What is counted for one question of the daemon, counted once however often it is put.

A stage process that ends in the middle of a question leaves open what it had counted, as does a
worker in the middle of a message; the question is then put again to another process. So each count
goes into the state together with its mark, in one step, and who is asked again looks for that
first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

ONCE_SECONDS = 86400.0
"""Seconds for which a mark is kept at least; a question is put again within some seconds."""

ONCE = "once"
"""Kind of the entries that have the marks of a place."""


@dataclass(frozen=True, slots=True)
class CountOnce:
    """place: where questions are put one after the other, so that the marks of one are enough.
    mark: of this count, a word. before: of what was counted for the same question by now; `note`
    adds this one's. repeated: the question was put before, so that the state knows more."""

    place: str
    mark: str
    before: list[str]
    repeated: bool = False

    @property
    def question(self) -> str:
        """With what all marks of the question begin."""
        return self.mark.partition("/")[0] + "/"

    def marks(self, value: str) -> list[str]:
        """The marks of the question among those that are kept, as `value` has them."""
        return [one for one in value.split() if one.startswith(self.question)]

    def note(self) -> None:
        """It is counted."""
        self.before.append(self.mark)


class Counting:
    """Makes the marks of one question. place: `""` where nobody would put it again. begun: seconds
    since 1970 when the question was put for the first time."""

    def __init__(
        self, place: str = "", number: int = 0, *, repeated: bool = False, begun: float = 0.0
    ) -> None:
        self._place, self._number, self._repeated = place, number, repeated
        self._begun = begun
        self._filter, self._ordinal = "", 0
        self._counted: list[str] = []

    def begin(self, filter: str) -> None:
        """It is this filter's turn."""
        self._filter, self._ordinal = "".join(filter.split()), 0

    @classmethod
    def of_scan(cls, attempt: tuple[str, int, bool, float], filter: str) -> Counting:
        """For a filter that has a whole message. attempt: the message's."""
        place, number, repeated, begun = attempt
        counting = cls(place, number, repeated=repeated, begun=begun)
        counting.begin(filter)
        return counting

    @property
    def repeated_since(self) -> float:
        """When the question was put first (seconds since 1970), where it is put again; else
        infinite. What was noted since then may have been noted for it."""
        return self._begun if self._repeated else math.inf

    def next(self) -> CountOnce | None:
        """For the filter's next count."""
        if not self._place:
            return None
        self._ordinal += 1
        mark = f"{self._number}/{self._filter}/{self._ordinal}"
        return CountOnce(self._place, mark, self._counted, self._repeated)
