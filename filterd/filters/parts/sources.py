"""Source code in archives: a project's own files in a large archive, a lure in a small one.

Outlook bans the scripts of Python, Perl and shells as attachments. In an archive of sources they
are what it was sent for.
"""

from __future__ import annotations

from collections.abc import Iterator

from filterd.filters.parts.unpacking.files import File
from filterd.filters.parts.verdict import PartFinding


class Sources:
    """The source code of one part, banned where the archive that it is in has few files."""

    def __init__(self, enough: int) -> None:
        """enough: files that make an archive one of sources; 0: none is."""
        self._enough = enough
        self._files: dict[tuple[str, ...], int] = {}
        self._found: dict[tuple[str, ...], list[PartFinding]] = {}

    def count(self, file: File) -> None:
        """Count one more file of its archive."""
        self._files[file.path] = self._files.get(file.path, 0) + 1

    def add(self, file: File, finding: PartFinding) -> None:
        """Take a finding that counts unless its archive turns out to have many files."""
        if not self._is_many(file.path):
            self._found.setdefault(file.path, []).append(finding)

    def banned(self) -> Iterator[PartFinding]:
        """What is banned, now that all files were counted."""
        for path, found in self._found.items():
            if not self._is_many(path):
                yield from found

    def _is_many(self, path: tuple[str, ...]) -> bool:
        return 0 < self._enough <= self._files[path]
