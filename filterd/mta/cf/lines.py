"""The logical lines of a sendmail.cf: comments gone, continuation lines joined."""

from __future__ import annotations

from collections.abc import Iterator


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number (of its last physical line, as sendmail counts) and text of each logical line.

    A line that begins with a blank or a tab belongs to the one before, joined by a newline.
    """
    number, current = 0, ""
    for index, line in enumerate(text.split("\n"), 1):
        if line[:1] in (" ", "\t") and current:
            current += "\n" + line
            number = index
            continue
        if current:
            yield number, current
        number, current = index, "" if line.startswith("#") else line.rstrip("\r")
    if current:
        yield number, current
