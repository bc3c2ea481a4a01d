"""Stored mail judged by two sides, message by message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Protocol

from filterd.config.assembly import open_history
from filterd.config.load import Settings
from filterd.mailfiles.mail_file import SkippedError
from filterd.message import Envelope
from filterd.quarantine import Store
from filterd.replay.cases import Case, cases
from filterd.replay.judged import Judged, Pair
from filterd.replay.offline import Offline
from filterd.replay.wire import DaemonClient

SETTINGS_DAEMON = "daemon"
"""Stands for the socket of the daemon that the settings describe."""


class UndecidedError(Exception):
    """A file was to be compared with what was decided when it came, and nothing was."""


class Side(Protocol):
    """What judges: settings, or a running daemon."""

    def judge(self, case: Case) -> Judged: ...

    def complete(self, judged: list[Judged]) -> list[Judged]: ...

    def close(self) -> None: ...


class Comparison:
    """Two sides, before and after.

    With `other` these are the settings (or the daemon at the socket `against`) and the other
    settings; without it the settings and that daemon; without both what was decided when a kept
    message came, and the settings.
    Raises WireError, OSError, ValueError for a side that cannot be asked.
    """

    def __init__(self, settings: Settings, other: Settings | None, against: str) -> None:
        self._quarantine = settings.quarantine
        self._asks_daemon = bool(against)
        self._before: Side | None = None
        self._after: Side
        if not against:
            self._after = Offline(other or settings)
            self._before = Offline(settings) if other is not None else None
            return
        daemon = _daemon(settings, against)
        if other is None:
            self._before, self._after = Offline(settings), daemon
        else:
            self._before, self._after = daemon, Offline(other)

    def pairs(
        self,
        names: Iterable[str],
        envelope: Envelope,
        skipped: Callable[[SkippedError], object] | None = None,
    ) -> Iterator[Pair]:
        """Every message of these paths and quarantine ids on both sides. envelope: for files.

        What is missing of a daemon's answers comes at the end, so with one all pairs come then.
        Raises UndecidedError, WireError, CaseError, CorpusError, OSError.
        """
        shown: list[str] = []
        before: list[Judged] = []
        after: list[Judged] = []
        with closing(Store(self._quarantine)) as store:
            for case in cases(names, envelope, store, skipped):
                earlier = case.decided if self._before is None else self._before.judge(case)
                if earlier is None:
                    raise UndecidedError(
                        f"{case.name}: not a kept message, so it is not known what was decided; "
                        "say with --compare or --against what to compare it with"
                    )
                later = self._after.judge(case)
                if not self._asks_daemon:
                    yield Pair(case.name, earlier, later)
                    continue
                shown.append(case.name)
                before.append(earlier)
                after.append(later)
        if self._before is not None:
            before = self._before.complete(before)
        yield from map(Pair, shown, before, self._after.complete(after))

    def close(self) -> None:
        """Let both sides go."""
        if self._before is not None:
            self._before.close()
        self._after.close()


def _daemon(settings: Settings, against: str) -> DaemonClient:
    # The history of another daemon than that of the settings cannot be known; then nothing in it
    # has our queue-ids, and looking does no harm.
    history = open_history(settings) if settings.history.enabled else None
    return DaemonClient(settings.daemon.socket if against == SETTINGS_DAEMON else against, history)
