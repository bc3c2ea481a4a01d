"""The text from which makemap makes a file: a key, blanks, a value on each line.

Source: sendmail 8.17 `makemap.c`; messages as observed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LINE_LIMIT = 1024
"""Octets of a line with its end, makemap's BUFSIZE."""

_BLANKS = b" \t\n\v\f\r"


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How lines are read: `-D`, `-t`, not `-f`, `-e`. separator: empty for blanks."""

    comment: bytes = b"#"
    separator: bytes = b""
    folds_case: bool = True
    allows_empty: bool = False


@dataclass(frozen=True, slots=True)
class SourceLine:
    """An entry, or what is wrong with the line."""

    number: int
    key: bytes = b""
    value: bytes = b""
    problem: str = ""


def source_lines(data: bytes, options: SourceOptions | None = None) -> Iterator[SourceLine]:
    """The entries of a text, and its mistakes."""
    options = options or SourceOptions()
    separators = options.separator or _BLANKS
    for number, line in enumerate(_pieces(data), 1):
        if line is None:
            yield SourceLine(number, problem=f"line too long ({LINE_LIMIT} bytes max)")
            continue
        if not line or line.startswith(options.comment):
            continue
        if not options.separator and line[:1] in _BLANKS:
            yield SourceLine(number, problem="syntax error (leading space)")
            continue
        end = next((at for at, one in enumerate(line) if one in separators), len(line))
        key, value = line[:end], line[end:].lstrip(separators)
        if options.folds_case:
            key = key.lower()
        if not value and not options.allows_empty:
            shown = key.decode("utf-8", "surrogateescape")
            yield SourceLine(number, key, problem=f"no RHS for LHS {shown}")
            continue
        yield SourceLine(number, key, value)


def _pieces(data: bytes) -> Iterator[bytes | None]:
    """Lines up to their first NUL; of a long one None for each full piece, then its rest."""
    lines = data.split(b"\n")
    last = lines.pop()
    for line in lines:
        while len(line) >= LINE_LIMIT - 1:
            yield None
            line = line[LINE_LIMIT - 1 :]  # noqa: PLW2901
        yield line.partition(b"\0")[0]
    while len(last) >= LINE_LIMIT - 1:
        yield None
        last = last[LINE_LIMIT - 1 :]
    if last:
        yield last.partition(b"\0")[0]


def read_source(data: bytes, *, folds_case: bool = True) -> dict[bytes, tuple[bytes, int]]:
    """What makemap would store, with the line of each; of several with one key the first counts."""
    table: dict[bytes, tuple[bytes, int]] = {}
    for line in source_lines(data, SourceOptions(folds_case=folds_case)):
        if not line.problem:
            table.setdefault(line.key, (line.value, line.number))
    return table
