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


def scanner(form: str) -> re.Pattern[str]:
    """A pattern for the first field of a scanf format; a format without one matches nothing."""
    out: list[str] = []
    at = 0
    while at < len(form):
        one = form[at]
        field = re.compile(r"%(\d*)(s|\[\^?\]?[^\]]*\])").match(form, at)
        if field is not None:
            width = f"{{1,{int(field[1]) or 1}}}" if field[1] else "+"
            if field[2] == "s":
                out.append(rf"\s*(\S{width})")
            else:
                out.append(f"({_set(field[2])}{width})")
            break
        at += 1
        if one.isspace():
            out.append(r"\s*")
        elif form.startswith("%%", at - 1):
            out.append(r"\s*%")
            at += 1
        else:
            out.append(re.escape(one))
    else:
        return re.compile(r"(?!)")
    return re.compile("".join(out))


def _set(text: str) -> str:
    """`[^#]` of scanf as a set of a pattern; ranges are the same in both."""
    inverted = text.startswith("[^")
    inner = text[2 if inverted else 1 : -1]
    escaped = re.sub(r"[\[\]\\^&~|]", lambda one: "\\" + one[0], inner)
    return f"[{'^' if inverted else ''}{escaped}]"
