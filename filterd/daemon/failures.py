"""Messages that did something to a filter (raised, hung, broke its process), kept for analysis.

The client was asked to retry, and does so for days. The same message is kept once.

Storing, and closing the store, is done in a thread of our own. libmilter calls us in threads of its
pool, where pymilter has made a Python thread state for each session; CPython remembers the first
that a thread had, and one that ended in another thread stays remembered. A C library that asks for
it (PyGILState_Ensure, as sqlite3 does when it closes a connection) then takes the whole process
down.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from filterd.message import Message

REMEMBERED = 1000
"""Messages of which is remembered that they are kept, some 100 octets each."""


class Keeper(Protocol):
    """Puts a message and the reason on disk."""

    def __call__(self, message: Message, reason: str, *, held: bool) -> None:
        """Store it; raises OSError if that cannot be done. held: for its recipients, who do not
        get it; else for analysis only."""

    def close(self) -> None:
        """Close what was opened."""


class FailedMail:
    """What is kept, by a keeper that a reload may exchange."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._kept: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()
        # One: what one keeper still has to do is done before it is closed.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="failures")

    def exchange(self, keeper: Keeper) -> None:
        """Use another keeper from the next message on, and close the former one."""
        former, self._keeper = self._keeper, keeper
        self._thread.submit(former.close)

    def keep(self, message: Message, reason: str) -> str:
        """Keep the message unless it is kept already; return the id under which it is.

        Raises OSError if it cannot be stored.
        """
        digest = hashlib.sha256(message.data).digest()
        with self._lock:
            known = self._kept.get(digest)
            if known is not None:
                self._kept.move_to_end(digest)
                return known
        self._thread.submit(self._keeper, message, reason, held=False).result()
        with self._lock:
            self._kept[digest] = message.id
            if len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        return message.id

    def hold(self, message: Message, reason: str) -> None:
        """Store the message for its recipients. Raises OSError if it cannot be stored."""
        self._thread.submit(self._keeper, message, reason, held=True).result()
