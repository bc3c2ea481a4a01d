"""Files that filters have loaded before the workers were forked, rules for example: once they
change, the daemon reloads, as `filterd reload` has it.

Workers that load for themselves would each have a copy of their own. So new workers are made, from
a process that has loaded the new files; where that fails, the old ones stay.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filterd.config.load import Settings

log = logging.getLogger(__name__)

LOOK_INTERVAL = 5.0
"""Seconds between two looks. What was changed is read when it is the same at two looks, so that
nobody reads a set of files of which half is written."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things are at one moment. signatures: of each filter's files. file: of the settings."""

    signatures: Mapping[str, Hashable] = field(default_factory=dict)
    file: Hashable = None


class FileWatch:
    """Looks at the files. settings: asked for each time, so that a reload counts. reload: reads all
    settings again; where that fails it logs why, and the old ones stay."""

    def __init__(self, settings: Callable[[], Settings], reload: Callable[[], object]) -> None:
        self._settings = settings
        self._reload = reload
        self._lock = threading.Lock()
        self._loaded = self._seen = Snapshot()

    def loaded(self, look: Snapshot) -> None:
        """Say what was loaded. look: from right before."""
        with self._lock:
            self._loaded = self._seen = look

    def once(self) -> None:
        """Look at the files, and reload where they have changed. Raises nothing."""
        now = look_at(self._settings())
        with self._lock:
            settled = now.signatures == self._seen.signatures
            self._seen = now
            loaded = self._loaded
            if now.signatures == loaded.signatures or not settled:
                return
            # Whatever comes of it: the same files are not tried twice.
            self._loaded = Snapshot(now.signatures, loaded.file)
        before = loaded.signatures
        names = ", ".join(name for name, own in now.signatures.items() if own != before.get(name))
        if now.file != loaded.file:
            log.warning(
                "files of %s have changed, and so have the settings; `filterd reload` reads both",
                names,
            )
            return
        log.info("files of %s have changed", names)
        self._reload()


def look_at(settings: Settings) -> Snapshot:
    """How things are now; a filter without `signature` has no files that are looked at."""
    owns = {name: settings.filters[name].own for name in settings.chain.filters}
    found = {name: own.signature() for name, own in owns.items() if hasattr(own, "signature")}
    return Snapshot(found, _state(settings.source))


def _state(path: Path | None) -> Hashable:
    """What is different once a file was written again; None without the file."""
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
