"""Types of the compiled inner loops; what they do is told in `_kernel.c`."""

from array import array
from typing import Any

from numpy.typing import NDArray

Buffer = bytes | array[Any] | NDArray[Any]

def cut(
    joined: Buffer,
    limits: Buffer,
    seeds: Buffer,
    constants: Buffer,
    starts: Buffer,
    ends: Buffer,
    section: Buffer,
    hashes: Buffer,
    /,
) -> int: ...
def distinct(numbers: Buffer, base: int, kept: Buffer, at: Buffer, /) -> int: ...
def grams(octets: Buffer, multiplier: int, shift: int, numbers: Buffer, /) -> int: ...
def number(
    hashes: Buffer, multipliers: Buffer, shift: int, table: int, numbers: Buffer, /
) -> None: ...
def score(
    weights: Buffer,
    evidence: Buffer,
    grams: Buffer,
    words: Buffer,
    skips: Buffer,
    word_at: Buffer,
    skip_at: Buffer,
    total: int,
    header: int,
    header_grams: int,
    width: int,
    stride: int,
    scale: float,
    weight: float,
    /,
) -> tuple[float, float, tuple[int, int, float, float, float] | None]: ...
def strongest(
    weights: Buffer,
    evidence: Buffer,
    words: Buffer,
    word_at: Buffer,
    total: int,
    header: int,
    start: int,
    end: int,
    per_weight: float,
    per_evidence: float,
    shown: int,
    /,
) -> tuple[list[tuple[float, int]], list[tuple[float, int]]]: ...
