"""Words for a class from the lines of a file (F lines), by a format of scanf.

Source: sendmail 8.17 `readcf.c` (fileclass).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_LINE = 2047
"""Octets of a line, MAXLINE less the end."""


def fields(text: str, form: str) -> Iterator[str]:
    """The words of all lines that are not comments. form: `%s`, `%[^#]`, `user %s` …"""
    pattern = scanner(form)
    for line in text.split("\n"):
        if line.startswith("#"):
            continue
        found = pattern.match(line[:MAX_LINE] + "\n")
        if found is not None and found.re.groups and found[1]:
            yield from found[1].split()


_FIELD = re.compile(r"%(\*?)(\d*)(s|c|\[\^?\]?[^\]]*\]?)")


def scanner(form: str) -> re.Pattern[str]:
    """A pattern for the first field of a scanf format that counts; a format without one matches
    nothing. Fields with a `*` are passed over."""
    out: list[str] = []
    at = 0
    while at < len(form):
        field = _FIELD.match(form, at)
        if field is not None:
            at = field.end()
            blanks, inside = _field(field[3], field[2])
            if not field[1]:
                return re.compile(f"{''.join(out)}{blanks}({inside})", re.DOTALL)
            out.append(blanks + inside)
            continue
        one = form[at]
        at += 1
        if one.isspace():
            out.append(r"\s*+")
        elif form.startswith("%%", at - 1):
            out.append(r"\s*+%")
            at += 1
        elif one == "%":
            # A number is not a word.
            break
        else:
            out.append(re.escape(one))
    return re.compile(r"(?!)")


def _field(kind: str, digits: str) -> tuple[str, str]:
    """The blanks that a field passes over, and what it takes, at most so many characters."""
    width = min(int(digits[:6] or "0"), MAX_LINE)
    some = f"{{1,{width}}}+" if width else "++"
    if kind == "s":
        return r"\s*+", rf"\S{some}"
    if kind == "c":
        return "", f".{{{width or 1}}}"
    return "", _set(kind) + some


def _set(text: str) -> str:
    """`[^#]` of scanf as a set of a pattern; ranges are the same in both."""
    inverted = text.startswith("[^")
    # Without its end it goes to the end of the format.
    inner = text[2 if inverted else 1 : -1 if text.endswith("]") else None]
    if not inner:
        return r"[\s\S]" if inverted else "(?!)"
    escaped = re.sub(r"[\[\]\\^&~|]", lambda one: "\\" + one[0], inner)
    return f"[{'^' if inverted else ''}{escaped}]"
