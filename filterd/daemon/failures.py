"""Messages that did something to a filter (raised, hung, broke its process), kept for analysis.

The client was asked to come again, and does so for days. The same message is kept once.

Storing is done in threads of our own. libmilter calls us in threads of its pool, where pymilter has
made a Python thread state for each session; CPython remembers the first that a thread had, and one
that ended in another thread stays remembered. A C library that asks for it (PyGILState_Ensure, as
sqlite3 does when it closes a connection) then takes the whole process down.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from filterd.message import Message

REMEMBERED = 1000
"""Messages of which is remembered that they are kept, some 100 octets each."""

THREADS = 4
"""Messages that are stored at a time; each waits for the disk, and they are rare."""


class FailedMail:
    """store: puts a message and the reason on disk, raises OSError if it cannot."""

    def __init__(self, store: Callable[[Message, str], None]) -> None:
        self.store = store
        self._kept: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="failures")

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
        self._threads.submit(self.store, message, reason).result()
        with self._lock:
            self._kept[digest] = message.id
            if len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        return message.id
