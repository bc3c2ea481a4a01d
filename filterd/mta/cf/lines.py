"""The logical lines of a sendmail.cf: without comments, continuation lines joined.

Source: sendmail 8.17 `util.c` (fgetfolded), `readcf.c`; observed.
"""

from __future__ import annotations

from collections.abc import Iterator


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number (of its last physical line, as sendmail counts) and text of each logical line.

    A line that begins with a blank or a tab belongs to the one before, joined by a newline, even if
    it is otherwise empty or the one before is a comment or empty. Only the joined line is checked
    for being a comment or empty.
    """
    number, current = 0, ""
    for index, physical in enumerate(text.split("\n"), 1):
        line = physical.removesuffix("\r")
        if line[:1] in (" ", "\t") and number:
            current += "\n" + line
        else:
            if _is_significant(current):
                yield number, current
            current = line
        number = index
    if _is_significant(current):
        yield number, current


def _is_significant(line: str) -> bool:
    return bool(line) and not line.startswith("#")
