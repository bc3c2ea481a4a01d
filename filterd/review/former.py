"""What a file was before the last change that filterd made: kept beside it, as `.NAME.former`.

It is the former content behind one line that says who changed what, and of what content the file
was after it:

    # filterd {"format": 1, "time": 1796000000.0, "who": "web:ann", "change": "…", "after": "3c0f…"}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from filterd.filters.senders.list import SIZE_LIMIT
from filterd.system.bounded import json_value, read_regular
from filterd.system.durable import write_atomically

FORMAT = 1

_BEGIN = b"# filterd "

_HEAD_LIMIT = 1 << 16
"""Octets of the first line."""


@dataclass(frozen=True, slots=True)
class Former:
    """data: the content. after: SHA-256 of what replaced it, in hex. time: seconds since 1970.
    change: what was done, in words."""

    data: bytes
    after: str
    time: float
    who: str
    change: str

    @classmethod
    def read(cls, path: Path) -> Former | None:
        """What is kept for a file; None for nothing, or for what this version does not read. Raises
        OSError."""
        try:
            data = read_regular(_beside(path), SIZE_LIMIT + _HEAD_LIMIT)
        except FileNotFoundError:
            return None
        head, _, rest = data.partition(b"\n")
        try:
            value = json_value(head.removeprefix(_BEGIN))
        except ValueError:
            return None
        match value:
            case {
                "format": 1,
                "time": int() | float() as time,
                "who": str(who),
                "change": str(change),
                "after": str(after),
            }:
                return cls(rest, after, float(time), who, change)
        return None

    def write(self, path: Path, mode: int, owner: tuple[int, int] | None = None) -> None:
        """Keep it for a file. owner: as `write_atomically` has it. Raises OSError."""
        head = {
            "format": FORMAT,
            "time": self.time,
            "who": self.who,
            "change": self.change,
            "after": self.after,
        }
        line = _BEGIN + json.dumps(head, ensure_ascii=True).encode("ascii") + b"\n"
        write_atomically(_beside(path), [line, self.data], mode, owner=owner)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.former")
