"""What real readers open of the messages in `tricks/pairs.py`, as `python -m bench.readers` saw it.

The first line names the readers, the second is a digest of all messages. Then a line for each
trick: its name, and for each message whose first trick it is, in their order, three hexadecimal
digits whose bits are the readers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from tests.hostile.tricks.pairs import Pair, messages

RECORDS = Path(__file__).with_name("readers.txt")

READERS = (
    "Python",
    "Python, compat32",
    "GMime",
    "MIME::Parser",
    "Mail::Message",
    "mailparser",
    "postal-mime",
    "Dovecot",
    "Thunderbird",
)

DIGITS = 3


def write(path: Path, opened: Mapping[str, set[str]]) -> None:
    """Record which messages, by name, each reader opens."""
    made = list(messages())
    lines = ["; ".join(READERS), _digest(made)]
    for first, group in groupby(made, lambda pair: pair.names[0]):
        bits = (
            sum(1 << bit for bit, reader in enumerate(READERS) if pair.name in opened[reader])
            for pair in group
        )
        lines.append(f"{first}: " + "".join(f"{mask:0{DIGITS}x}" for mask in bits))
    path.write_text("\n".join(lines) + "\n")


def read(path: Path = RECORDS) -> Iterable[tuple[Pair, tuple[str, ...]]]:
    """Each message with the readers that open it. Raises ValueError if others were recorded."""
    readers, digest, *lines = path.read_text().splitlines()
    made = list(messages())
    if digest != _digest(made):
        raise ValueError(f"{path}: other messages were recorded; run python -m bench.readers")
    digits = "".join(line.rpartition(": ")[2] for line in lines)
    for index, pair in enumerate(made):
        mask = int(digits[DIGITS * index : DIGITS * (index + 1)], 16)
        yield (
            pair,
            tuple(reader for bit, reader in enumerate(readers.split("; ")) if mask >> bit & 1),
        )


def _digest(made: Iterable[Pair]) -> str:
    return hashlib.sha256(b"".join(pair.data for pair in made)).hexdigest()
