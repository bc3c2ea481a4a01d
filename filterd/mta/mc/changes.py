"""What differs between two sendmail.cf files, by kind: options, classes, rules, mailers, maps.

Comments, blank lines and the order of lines of different kinds do not count; the order of the
rules in a ruleset does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from filterd.mta.cf.lines import logical_lines

KINDS = {
    "V": "version",
    "D": "macros",
    "C": "classes",
    "F": "classes",
    "K": "maps",
    "O": "options",
    "M": "mailers",
    "R": "rules",
    "H": "header fields",
    "X": "filters",
    "Q": "queue groups",
    "P": "priorities",
    "T": "trusted users",
    "E": "environment",
}
"""First letters of lines, and what they set."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not the same. name: of the option, class, mailer, map or ruleset. before,
    after: its lines that only one of the files has; empty where it is in the other file only."""

    kind: str
    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def text(self) -> str:
        """The lines, `-` before those that are gone and `+` before those that are new."""
        lines = [f"  - {line}" for line in self.before] + [f"  + {line}" for line in self.after]
        return "\n".join([f"{self.kind}: {self.name}", *lines])


def changes(old: str, new: str) -> Iterator[Change]:
    """Yield what differs, in the order of KINDS, names as they come in the files."""
    before, after = _entries(old), _entries(new)
    for kind in dict.fromkeys(KINDS.values()):
        for name in dict.fromkeys([*before.get(kind, {}), *after.get(kind, {})]):
            left = before.get(kind, {}).get(name, [])
            right = after.get(kind, {}).get(name, [])
            if left == right:
                continue
            if kind == "classes" and sorted(left) == sorted(right):
                continue  # a class has no order
            gone: list[str] = []
            made: list[str] = []
            for what, i, j, k, m in SequenceMatcher(None, left, right, False).get_opcodes():
                if what != "equal":
                    gone += left[i:j]
                    made += right[k:m]
            yield Change(kind, name, tuple(gone), tuple(made))


def _entries(text: str) -> dict[str, dict[str, list[str]]]:
    """By kind and name, the lines; rules without their comments."""
    found: dict[str, dict[str, list[str]]] = {}
    ruleset = ""
    for _number, line in logical_lines(text):
        letter, rest = line[:1], line[1:]
        if letter == "S":
            ruleset = rest.partition("=")[0].strip()
            continue
        kind = KINDS.get(letter, "other lines")
        if letter == "R":
            left, right = [*re.split(r"\t+", rest.replace("\n", "\t"), maxsplit=2), ""][:2]
            name, value = ruleset, f"R{left.strip()}\t{right.strip()}"
        else:
            name, value = _name(letter, rest), re.sub(r"\s+", " ", line).strip()
        found.setdefault(kind, {}).setdefault(name, []).append(value)
    return found


def _name(letter: str, rest: str) -> str:
    if letter == "O":
        return rest.partition("=")[0].strip() if rest.startswith(" ") else rest[:1]
    if letter in "DCF":
        match = re.match(r"\{\w+\}|.", rest)
        return match[0] if match else ""
    if letter in "MXQ":
        return re.split(r"[,\s]", rest, maxsplit=1)[0]
    if letter == "K":
        return [*rest.split(None, 1), ""][0]
    if letter == "H":
        return re.sub(r"^\?[^?]*\?", "", rest).partition(":")[0].strip()
    return rest.partition("=")[0].strip() if letter in "PE" else ""
