"""Where it is marked what filters count for one question, so that it counts once (`state.once`)."""

from __future__ import annotations

import itertools
import time
from collections import deque

from filterd.message.ids import new_id
from filterd.workers.stage_codec import QuestionCounts


class CountingPlaces:
    """Places at which no question is under way; so there are no more than questions at a time. All
    methods may be called from any thread."""

    def __init__(self) -> None:
        self._free: deque[str] = deque()
        self._numbers = itertools.count(1)

    def take(self) -> QuestionCounts:
        """A place, and a number for the next question there."""
        try:
            place = self._free.pop()
        except IndexError:
            place = new_id()
        return QuestionCounts(place, next(self._numbers), begun=time.time())

    def give_back(self, counts: QuestionCounts) -> None:
        """The question is answered, and nobody goes on to count for it."""
        self._free.append(counts.place)
