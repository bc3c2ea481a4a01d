"""The reports of others in one folder or file, for the pages; read again if something changed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from filterd.dmarc.feedback import AggregateReport
from filterd.dmarc.files import FoundReport, files_in, reports_in_file
from filterd.dmarc.summary import ReportSummary, summarize

FILES_LIMIT = 2000
"""Files that are read, the newest ones: 20 big receivers for three months."""

RECORDS_LIMIT = 200_000
"""Records that are read, from the newest file on; it takes some 10 s."""

SECONDS_LIMIT = 20.0
"""Seconds of reading; files of strangers may be made to take long."""

SLOW = 2.0
"""Seconds of reading from which on what was found stands for a while, whatever changes: else a
stranger who sends a slow report each minute would have all of them read again at each view."""

PAUSE = 10
"""Times as long as the reading took it stands."""

TROUBLES_LIMIT = 20
"""Files that cannot be read and are named."""

_Key = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Received:
    """What is there. troubles: files, or messages in them, that are not reports, and why; and an
    mbox that is too large to be read to its end. left_out: files that are not read, since there are
    too many."""

    summary: ReportSummary
    troubles: tuple[FoundReport, ...] = ()
    left_out: int = 0


class ReceivedReports:
    """The reports at one path. Safe for threads: one reads, the others wait and have the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._key: _Key | None = None
        self._found = Received(ReportSummary())
        self._stands_until = 0.0

    def get(self) -> Received:
        """What is there now, or was when it was read slowly a short time ago. Raises OSError."""
        with self._mutex:
            began = monotonic()
            if self._key is not None and began < self._stands_until:
                return self._found
            files = self._files()
            key = tuple((str(path), changed, size) for changed, size, path in files)
            if key != self._key:
                self._found = _read([path for *_, path in files])
                self._key = key
                ended = monotonic()
                took = ended - began
                self._stands_until = ended + PAUSE * took if took > SLOW else 0.0
            return self._found

    def _files(self) -> list[tuple[int, int, Path]]:
        """When changed, how large, and where; the newest first."""
        if not self._path.is_dir():
            told = self._path.stat()
            return [(told.st_mtime_ns, told.st_size, self._path)]
        found = []
        for path in files_in(self._path):
            # It may be moved meanwhile.
            with contextlib.suppress(FileNotFoundError):
                told = path.stat()
                found.append((told.st_mtime_ns, told.st_size, path))
        return sorted(found, reverse=True)


def _read(files: list[Path]) -> Received:
    troubles: list[FoundReport] = []
    left = [RECORDS_LIMIT]
    done = [0]
    end = monotonic() + SECONDS_LIMIT

    def is_enough() -> bool:
        return left[0] <= 0 or monotonic() > end

    def reports() -> Iterator[AggregateReport]:
        for path in files[:FILES_LIMIT]:
            if is_enough():
                return
            done[0] += 1
            try:
                for found in reports_in_file(path):
                    if is_enough():
                        # An mbox may have any number of messages.
                        troubles.insert(0, _cut(path))
                        return
                    if found.report is None:
                        if len(troubles) < TROUBLES_LIMIT:
                            troubles.append(found)
                        continue
                    left[0] -= len(found.report.records)
                    yield found.report
            except OSError as error:
                troubles.append(FoundReport(str(path), None, f"cannot be read ({error.strerror})"))

    summary = summarize(reports())
    return Received(summary, tuple(troubles[:TROUBLES_LIMIT]), len(files) - done[0])


def _cut(path: Path) -> FoundReport:
    why = f"not read to its end: more than {RECORDS_LIMIT:,} records, or {SECONDS_LIMIT:g} seconds"
    return FoundReport(str(path), None, why)
