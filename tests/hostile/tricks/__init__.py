"""Hostile messages of our own, by class of trick: each a name, the octets, and what must be found.

`VIRUS`: the EICAR test file stands in it, in the clear of some sane reader. Any other word is the
symbol that the parts filter must give.
"""

from __future__ import annotations

from typing import NamedTuple

VIRUS = "virus"


class Trick(NamedTuple):
    """One message. wanted: `VIRUS` or symbols, of which one is enough."""

    name: str
    data: bytes
    wanted: tuple[str, ...]
