"""A delivered message, taken apart just enough to look at it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Delivered:
    """A message as it lies in a mailbox, with LF line ends.

    fields: (name, value) in order, octets, the value with folding and without its first blank.
    """

    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def values(self, name: str) -> list[bytes]:
        """The values of every field of that name."""
        return [value for key, value in self.fields if key.lower() == name.lower().encode()]

    def value(self, name: str) -> str:
        """The value of the only field of that name, as text."""
        (value,) = self.values(name)
        return value.decode("latin-1")

    @property
    def names(self) -> list[str]:
        return [name.decode("latin-1") for name, _ in self.fields]


def delivered(file: Path) -> Delivered:
    """Take a message out of a mailbox."""
    data = file.read_bytes()
    file.unlink()
    head, _, body = data.partition(b"\n\n")
    fields: list[tuple[bytes, bytes]] = []
    for line in head.split(b"\n"):
        if line.startswith((b" ", b"\t")) and fields:
            name, value = fields.pop()
            fields.append((name, value + b"\n" + line))
        else:
            name, _, value = line.partition(b":")
            fields.append((name, value.removeprefix(b" ")))
    return Delivered(tuple(fields), body)
