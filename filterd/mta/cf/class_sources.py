"""What F lines name: files, programs and maps, behind an interface. The reader of a configuration
does no I/O of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filterd.mta.cf.config import MapLine, SendmailCf

ReadFile = Callable[[Path], bytes]
"""Reads a file that the configuration names. Raises OSError."""


class UnaskedError(Exception):
    """Something that is not asked here; the text says why."""


@dataclass(frozen=True, slots=True)
class ClassValue:
    """What a map has for a class. value: None for nothing. told: what sendmail says of the map, as
    messages and (True) as errors. failed: `open` or `lookup`, where that went wrong."""

    value: str | None = None
    told: tuple[tuple[str, bool], ...] = ()
    failed: str = ""


class ClassSources:
    """Files only, as `read` reads them. cf: the configuration as far as it was read."""

    def __init__(self, read: ReadFile) -> None:
        self._read = read

    def file(self, path: Path, cf: SendmailCf) -> bytes:
        """The text of a file. Raises OSError, with sendmail's reason."""
        del cf
        return self._read(path)

    def program(self, words: Sequence[str], cf: SendmailCf) -> bytes:
        """What a program prints. words: its path and arguments. Raises OSError or UnaskedError."""
        del words, cf
        raise UnaskedError("programs are not run")

    def look_up(self, line: MapLine, key: str, cf: SendmailCf) -> ClassValue:
        """What a map has for a key. line: the map, named as the class. Raises UnaskedError."""
        del line, key, cf
        raise UnaskedError("maps are not asked")
