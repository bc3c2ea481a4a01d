"""Queue ids, made as sendmail makes them: `6AM9o2ZU027215`.

Six characters of time to the second, two that count within the process, the process id in six
digits. Ids of one process do not repeat for 3600 messages a second, and not for sixty years.
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
            # More than 3600 in this second borrow the next one.
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
