"""One clamd as a scanner."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path

from filterd.message.fields import Buffer
from filterd.scanners.answer import (
    CLEAN,
    Answer,
    GivenUp,
    Infected,
    ScannerError,
    Signatures,
    Unavailable,
)
from filterd.scanners.clamd.server import (
    CHUNK_LIMIT,
    ClamdError,
    ClamdServer,
    CommandRefusedError,
    GivenUpError,
    SilentError,
    StreamTooLargeError,
)
from filterd.scanners.clamd.session import ClamdSessions
from filterd.scanners.databases import SETTLE_SECONDS, Databases, dated


class ClamdScanner:
    """Small content goes through a session, what is larger over a connection of its own."""

    size_limit = CHUNK_LIMIT

    def __init__(
        self,
        server: ClamdServer,
        silence: float,
        *,
        databases: Path | None = None,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        """silence: seconds that clamd may do nothing. databases: the folder of its signatures, if
        that is on this host. settle: seconds after which a change there is certainly in use."""
        self.server = server
        self._silence = silence
        self._databases = None if databases is None else Databases(databases, settle)
        self._sessions = ClamdSessions()

    @property
    def name(self) -> str:
        """Its address."""
        return str(self.server)

    def ask(self, content: Buffer) -> None:
        """Put the question of the next `scan` already, if that needs no waiting."""
        self._sessions.ask(self.server, content)

    def scan(self, content: Buffer, deadline: float) -> Answer:
        """The answer. A clamd that is silent about this content and answers others gave up on
        it."""
        patience = self._silence
        if deadline != math.inf:
            patience = min(patience, deadline - time.monotonic())
        if patience <= 0:
            return Unavailable(f"no time was left for {self.server}")
        try:
            # A session is one conversation: whatever scans beside the main thread has none.
            if threading.get_ident() == threading.main_thread().ident:
                name = self._sessions.scan(self.server, content, patience)
            else:
                name = self.server.scan(content, patience)
        except StreamTooLargeError as error:
            return GivenUp(str(error), "size")
        except GivenUpError as error:
            return GivenUp(str(error))
        except SilentError as error:
            if self.server.is_idle(self._silence):
                return GivenUp(f"{error} over this message, and answers others", "time")
            return Unavailable(str(error))
        except ClamdError as error:
            return Unavailable(str(error))
        return Infected.named(name) if name else CLEAN

    def signatures(self, deadline: float) -> Signatures:
        """What clamd says to VERSION; where it does not say, what the files of its signatures do.
        Raises ScannerError."""
        patience = max(min(self._silence, deadline - time.monotonic()), 0.01)
        try:
            told = self.server.version(patience)
        except CommandRefusedError as error:
            if self._databases is None:
                raise ScannerError(str(error)) from error
            told = Signatures("ClamAV")
        except ClamdError as error:
            raise ScannerError(str(error)) from error
        if self._databases is None:
            return told
        return dated(told, self._databases)
