"""Sessions: random tokens that only the server knows the meaning of.

They are kept in memory, by the hash of the token: a restart of `filterd web` logs everybody out,
and nothing that could be stolen lies on a disk.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from filterd.review.principals import Principal

SESSION_LIMIT = 3000
"""Sessions at a time, and OWN_LIMIT of one account; the oldest end first."""

OWN_LIMIT = 20

SEEN_LIMIT = 10_000
"""Messages that a session remembers to have shown."""


@dataclass(slots=True)
class WebSession:
    """One login.

    credentials: `Principal.credentials` of then; others end the session. csrf: the token that
    every form carries. viewed: ids of messages whose viewing is in the journal. notices: what the
    next page tells about actions, by the id in its address.
    offered: the secret of a second factor that waits for its first code. outside: who that is,
    where the file of accounts does not know it: somebody who came by a digest's link, or whose
    account is kept elsewhere. by_provider: logged in at an OpenID Provider, so that there is no
    password that filterd could ask for. is_fresh: the password was typed there just before the
    session began. Times by the clock of `WebSessions`.
    """

    name: str
    credentials: str
    started: float
    used: float
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    viewed: dict[str, None] = field(default_factory=dict)
    notices: dict[str, Any] = field(default_factory=dict)
    offered: str = ""
    outside: Principal | None = None
    by_provider: bool = False
    is_fresh: bool = False

    def may_post(self, token: str) -> bool:
        """True if the token is this session's, compared in constant time."""
        return hmac.compare_digest(token.encode(), self.csrf.encode())

    def saw(self, id: str) -> None:
        """Remember that the message was shown."""
        self.viewed[id] = None
        while len(self.viewed) > SEEN_LIMIT:
            del self.viewed[next(iter(self.viewed))]


class WebSessions:
    """All sessions of this process. idle, absolute: seconds until one ends."""

    def __init__(
        self, idle: float, absolute: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.idle = idle
        self.absolute = absolute
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[bytes, WebSession] = {}

    def start(
        self, name: str, credentials: str, outside: Principal | None = None
    ) -> tuple[str, WebSession]:
        """A new session and the token that stands for it."""
        token, now = secrets.token_urlsafe(32), self._clock()
        session = WebSession(name, credentials, now, now, outside=outside)
        with self._lock:
            self._prune(now)
            own = [key for key, one in self._known.items() if one.name == name]
            for key in own[: max(0, len(own) - OWN_LIMIT + 1)]:
                del self._known[key]
            while len(self._known) >= SESSION_LIMIT:
                del self._known[next(iter(self._known))]
            self._known[_key(token)] = session
        return token, session

    def get(self, token: str, *, used: bool = True) -> WebSession | None:
        """The session of a token, if it has not ended. used: this request counts as use of it."""
        now = self._clock()
        with self._lock:
            session = self._known.get(_key(token))
            if session is None:
                return None
            if self._is_over(session, now):
                del self._known[_key(token)]
                return None
            if used:
                session.used = now
            return session

    def age(self, session: WebSession) -> float:
        """Seconds since the session began."""
        return self._clock() - session.started

    def end(self, token: str) -> None:
        """Log out."""
        with self._lock:
            self._known.pop(_key(token), None)

    def _prune(self, now: float) -> None:
        self._known = {k: one for k, one in self._known.items() if not self._is_over(one, now)}

    def _is_over(self, session: WebSession, now: float) -> bool:
        return now - session.used > self.idle or now - session.started > self.absolute


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
