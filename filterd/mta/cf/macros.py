"""Expand `$x`, `${Long}`, `$&x`, `$$` and `$?x … $| … $.` in text. Source: `macro.c` (expand)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MARK = re.compile(r"\$(\$|\?\{\w+\}|\?.|\||\.|&?\{[^}$]*+\}|&?.)", re.DOTALL)


def expand(text: str, values: Mapping[str, str]) -> str:
    """The text with its macros in. values: by name, long ones without braces.

    An undefined macro is empty; a condition holds if its macro is defined and not empty.
    Conditions nest.
    """
    out: list[str] = []
    # For each open condition, whether its text is used.
    open_conditions: list[bool] = []
    position = 0
    for match in _MARK.finditer(text):
        if all(open_conditions):
            out.append(text[position : match.start()])
        position = match.end()
        mark = match[1]
        if mark.startswith("?"):
            open_conditions.append(bool(values.get(mark[1:].strip("{}"))))
        elif mark == "|" and open_conditions:
            open_conditions[-1] = not open_conditions[-1]
        elif mark == "." and open_conditions:
            open_conditions.pop()
        elif all(open_conditions):
            out.append("$" if mark == "$" else values.get(mark.lstrip("&").strip("{}"), ""))
    if all(open_conditions):
        out.append(text[position:])
    return "".join(out)
