"""Lists of SHA-256 sums: a sorted text file of any length, looked up where it lies.

A line is 64 hexadecimal digits in lower case and, after blanks, a name or what sha256sum(1)
writes there; lines that begin with `#` are comments. The lines have to be in the order of
`LC_ALL=C sort`: so a look-up reads some twenty short pieces of the file, and millions of lines
need no memory. A file that changed is checked once, line by line, and used from then on. Reading
goes by pread(2): a file that is cut short under a mapping would kill the process.
"""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

from filterd.system.bounded import open_regular

LINE_LIMIT = 1024
"""Octets of a line."""

_LINE = re.compile(rb"(?P<sum>[0-9a-f]{64})(?:[ \t]+(?P<name>[^\r\n]*))?\r?\n?")

_DIGITS = 64


class HashListError(OSError):
    """A list cannot be used; the text names file and line."""


class HashList:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state: tuple[int, ...] = ()
        self._descriptor = -1
        self._size = 0
        self._mutex = threading.Lock()

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            os.close(self._descriptor)

    def find(self, digest: str) -> str | None:
        """The name that the list gives the sum, `""` if it has no name, None if it is not there.

        digest: in lower case. Raises HashListError.
        """
        wanted = digest.encode("ascii")
        with self._mutex:
            self._refresh()
            low, high = 0, self._size
            # The line that has octet `low` or begins after it, and those before `high`.
            while low < high:
                middle = (low + high) // 2
                start = self._line_start(middle)
                line = os.pread(self._descriptor, LINE_LIMIT, start)
                line = line[: line.find(b"\n") + 1] or line
                if line[:_DIGITS] < wanted:
                    low = start + len(line)
                else:
                    high = start
                if not line:
                    raise HashListError(f"{self.path} was cut short while it was read")
            line = os.pread(self._descriptor, LINE_LIMIT, low)
        match = _LINE.match(line)
        if match is None or match["sum"] != wanted:
            return None
        return (match["name"] or b"").decode("utf-8", "replace").strip("* ")

    def check(self) -> None:
        """Read the list if it changed. Raises HashListError."""
        with self._mutex:
            self._refresh()

    def _line_start(self, place: int) -> int:
        """Where the line begins that has the octet."""
        start = max(place - LINE_LIMIT, 0)
        before = os.pread(self._descriptor, place - start, start)
        return start + before.rfind(b"\n") + 1

    def _refresh(self) -> None:
        try:
            facts = self.path.stat()
            state = (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
            if state == self._state:
                return
            with open_regular(self.path) as file:
                descriptor = os.dup(file.fileno())
        except OSError as error:
            raise HashListError(f"{self.path}: {error.strerror}") from error
        try:
            size = self._checked(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        old, self._descriptor = self._descriptor, descriptor
        self._size, self._state = size, state
        if old >= 0:
            os.close(old)

    def _checked(self, descriptor: int) -> int:
        """Octets of the file, whose every line is right and in order. Raises HashListError."""
        before = b""
        size = 0
        with os.fdopen(os.dup(descriptor), "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LINE_LIMIT + 1), b""), 1):
                if len(line) > LINE_LIMIT:
                    raise HashListError(f"{self.path}:{number}: longer than {LINE_LIMIT} octets")
                if not line.startswith(b"#") and _LINE.fullmatch(line) is None:
                    raise HashListError(
                        f"{self.path}:{number}: expected 64 hexadecimal digits in lower case and a "
                        "name after blanks"
                    )
                if line.rstrip(b"\n") < before:
                    raise HashListError(
                        f"{self.path}:{number}: not in order; sort it: "
                        "LC_ALL=C sort -u LIST >LIST.new && mv LIST.new LIST"
                    )
                before = line.rstrip(b"\n")
                size += len(line)
        return size
