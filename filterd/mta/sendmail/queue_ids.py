"""Queue ids as sendmail's: `6AM9o2ZU027215`.

Six characters of time to the second, two of a counter, six digits of the process id. Ids of one
process do not repeat up to 3600 messages a second, for sixty years.
Source: sendmail 8.17 `queue.c` (assign_queueid).
"""

from __future__ import annotations

import itertools
import os
import time

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"
"""Sixty of them: QueueIdChars."""


class SendmailQueueIds:
    """A source of ids; `next` gives a new one each time."""

    def __init__(self) -> None:
        self._counter = itertools.count()
        self._second = 0
        self._used = 0

    def next(self) -> str:
        now = int(time.time())
        if now <= self._second:
            # After 3600 in this second use the next one.
            self._used += 1
            if self._used >= len(DIGITS) ** 2:
                self._second, self._used = self._second + 1, 0
            now = self._second
        else:
            self._second, self._used = now, 0
        when = time.gmtime(now)
        high, low = divmod(next(self._counter) % len(DIGITS) ** 2, len(DIGITS))
        places = (
            (when.tm_year - 1900) % 60,
            when.tm_mon - 1,
            when.tm_mday,
            when.tm_hour,
            when.tm_min,
            when.tm_sec % 60,
            high,
            low,
        )
        return "".join(DIGITS[place] for place in places) + f"{os.getpid() % 1000000:06d}"
