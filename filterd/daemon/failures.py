"""Messages that did something to a filter (raised, hung, broke its process), kept for analysis.

The client was asked to come again, and does so for days. The same message is kept once.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

from filterd.message import Message

REMEMBERED = 1000
"""Messages of which is remembered that they are kept, some 100 octets each."""


class FailedMail:
    """store: puts a message and the reason on disk, raises OSError if it cannot."""

    def __init__(self, store: Callable[[Message, str], None]) -> None:
        self.store = store
        self._kept: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()

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
        self.store(message, reason)
        with self._lock:
            self._kept[digest] = message.id
            if len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        return message.id
