"""The records of all messages, newest first, found by the words of `filterd quarantine list`.

A lost record is not lost mail, so nothing here is fsynced before an answer: the daemon writes in
batches, from a thread of its own. What becomes of a file that cannot be used is in
`filterd.history.recovery`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filterd.history.query import HistoryQuery
from filterd.history.record import Record
from filterd.history.results import BrokenHistoryError, FilterFailures, HistoryError, HistoryPage
from filterd.history.row import row
from filterd.history.settings import HistorySettings
from filterd.history.summary import HistorySummary

if TYPE_CHECKING:
    from filterd.database.search import Coarse
    from filterd.history.records import Records

__all__ = ["BrokenHistoryError", "FilterFailures", "History", "HistoryError", "HistoryPage"]


class History:
    """The records of one site. Safe for several threads and processes.

    file: where they are if `settings.database` names no other database.
    """

    def __init__(
        self, file: Path, settings: HistorySettings, clock: Callable[[], float] = time.time
    ) -> None:
        self.file = file
        self.settings = settings
        self._clock = clock
        self.known = 0
        """Records that were in the file after the last `write` or `expire`."""

    @property
    def is_file(self) -> bool:
        """False for a database that several hosts may share."""
        return not self.settings.database

    @property
    def where(self) -> str:
        """Where the records are, for people; a database's URL may contain a password."""
        return str(self.file) if self.is_file else "history.database"

    @cached_property
    def records(self) -> Records:
        """The table; its library is loaded when it is first needed."""
        from filterd.history.records import Records  # noqa: PLC0415  (loads the database)

        return Records(self.settings.database, self.file, self.where)

    def open(self) -> None:
        """Load the database's library and make the file ready, while no mail waits. A database
        elsewhere is asked when it is needed: it may let one wait. Raises HistoryError."""
        records = self.records
        if self.is_file:
            records.open()

    def add(self, records: Iterable[Record]) -> int:
        """Note messages; see `write`."""
        return self.write([row(record) for record in records])

    def write(self, rows: Sequence[dict[str, Any]]) -> int:
        """Note messages: rows that `filterd.history.row` made. Raises BrokenHistoryError,
        HistoryError.

        Returns how many records that were here after the last `write` or `expire` of this object
        are gone: somebody else removed the file, or its write-ahead log.
        """
        before, now = self.records.add(rows)
        vanished = max(self.known - before, 0)
        # Other hosts let records go from a database, too.
        self.known = now if self.is_file else 0
        return vanished

    def search(self, query: HistoryQuery) -> HistoryPage:
        """One page of what fits. Raises ValueError for a question that cannot be asked,
        HistoryError."""
        if self._exists():
            return self.records.search(query)
        self.records.refuse_wrong(query)
        return HistoryPage(())

    def candidates(self, coarse: Coarse, action: str = "") -> list[Record]:
        """Records that may fit the one search, newest first. action: a word, empty for any. Raises
        HistoryError."""
        return self.records.candidates(coarse, action) if self._exists() else []

    def between(self, since: float, until: float, text: str) -> Iterator[Record]:
        """The records of a time (seconds since 1970, `until` not included) in which that text in
        lower case stands, oldest first; read page by page, as many as there are. Raises
        HistoryError."""
        return self.records.between(since, until, text) if self._exists() else iter(())

    def newest_number(self) -> int:
        """The number of the record that came last, 0 if there is none. Raises HistoryError."""
        return self.records.newest_number() if self._exists() else 0

    def eventful(self, after: int, settled: float, limit: int) -> tuple[int, list[Record]]:
        """Records with a greater number than `after` of messages that were not simply accepted, or
        of which a filter failed, in the order in which they were noted, at most `limit`; and up to
        which number these are all.

        settled: seconds since 1970; what came later is for the next time: where hosts share the
        history, a lower number may still be on its way. Raises HistoryError.
        """
        return self.records.eventful(after, settled, limit) if self._exists() else (after, [])

    def oldest(self) -> float | None:
        """When the oldest message came that is known, seconds since 1970; None if there is none.
        Raises HistoryError."""
        return self.records.oldest() if self._exists() else None

    def flow(self, since: float, until: float, step: float) -> list[tuple[float, str, int]]:
        """Messages by time and action: (beginning of the bin, action, messages), in order of time.

        since, until: seconds since 1970; step: seconds of one bin. Raises HistoryError.
        """
        return self.records.flow(since, until, step) if self._exists() else []

    def top(self, since: float, limit: int) -> list[tuple[str, int]]:
        """The symbols that most messages had of those that were not simply accepted.

        Raises HistoryError.
        """
        return self.records.top(since, limit) if self._exists() else []

    def summary(self, since: float, until: float, most: int) -> HistorySummary:
        """What came since then and before then (seconds since 1970), of the newest `most`
        messages. Some 10 us of processor time for a message. Raises HistoryError."""
        if not self._exists():
            return HistorySummary(since, until)
        return self.records.summary(since, until, most)

    def failures(self, since: float) -> list[FilterFailures]:
        """What filters failed since then (seconds since 1970), the most first.

        Raises HistoryError.
        """
        return self.records.failures(since) if self._exists() else []

    def expire(self, *, by_age: bool = True) -> int:
        """Delete what is too old or too much; return how many records. by_age: False while the
        clock is in doubt. Raises HistoryError."""
        oldest = self._clock() - self.settings.keep_days * 86400 if by_age else 0.0
        gone, now = self.records.expire(oldest, self.settings.keep_messages)
        self.known = min(self.known, now)
        return gone

    def close(self) -> None:
        """Close this process's connections unless others use them; they open again."""
        if "records" in self.__dict__:
            self.records.close()

    def trouble(self) -> str:
        """Why file or database cannot be used, empty if it can or is not there yet. Raises
        HistoryError for what is not its content's fault: a lock, a permission."""
        if not self._exists():
            return ""
        try:
            self.records.check()
        except BrokenHistoryError as error:
            return str(error)
        return ""

    def _exists(self) -> bool:
        """False if there is nothing to read: reading makes no file, since the daemon could not
        write one that root made."""
        return not self.is_file or self.file.exists() or self.file.is_symlink()
