"""Standard output and error as every command needs them, whatever the locale and the reader.

A character that the locale's encoding has not (an emoji where it is ISO-8859-1) is written as
`\\N` escape. A reader that has seen enough (`| head`) ends the command as it ends any: quietly,
with the status of SIGPIPE. A full disk is one line and a status. All of this happens below the
text layer, so that it holds for everything that writes: print, rich, click, bytes.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import TextIO

ENDED_BY_PIPE = 128 + signal.SIGPIPE
"""What a shell sees of a program that SIGPIPE ended."""

IO_ERROR = 74
"""sysexits.h, EX_IOERR."""


class _Raw(io.FileIO):
    """A descriptor. fatal: whether the command ends where nobody can be told anything more."""

    def __init__(self, descriptor: int, *, fatal: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._fatal = fatal

    def write(self, data: object, /) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BlockingIOError:
            raise
        except OSError as error:
            # What is still in the buffers goes nowhere, now and when the interpreter ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if not self._fatal:
                return len(memoryview(data).cast("B"))  # type: ignore[arg-type]
            if isinstance(error, BrokenPipeError):
                raise SystemExit(ENDED_BY_PIPE) from None
            sys.stderr.write(f"filterd: standard output: {error.strerror}\n")
            raise SystemExit(IO_ERROR) from None


def prepare() -> None:
    """Put such streams in the place of `sys.stdout` and `sys.stderr`, also of closed ones."""
    sys.stdout = _stream(sys.stdout, 1, fatal=True)
    sys.stderr = _stream(sys.stderr, 2, fatal=False)


def _stream(former: TextIO | None, descriptor: int, *, fatal: bool) -> TextIO:
    # A descriptor that was closed when the program started may be another file by now.
    if former is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123
    try:
        if former.fileno() != descriptor:
            return former
    except (OSError, ValueError):
        return former  # somebody else's, such as what `contextlib.redirect_stdout` puts there
    former.flush()
    raw = _Raw(descriptor, fatal=fatal)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=former.encoding,
        errors="backslashreplace",
        line_buffering=raw.isatty() or not fatal,
    )


def is_unicode() -> bool:
    """Whether standard output can have every character (is UTF-8)."""
    return (sys.stdout.encoding or "").lower().replace("-", "").replace("_", "") == "utf8"
