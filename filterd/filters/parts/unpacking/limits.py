"""How much of one message's archives is unpacked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UnpackLimits:
    """Of one message. total: octets unpacked. ratio: octets unpacked for one octet of archive.
    seconds: of CPU that reading all archives may take, well below the time limit of the filter."""

    depth: int = 5
    members: int = 20_000
    total: int = 256 << 20
    ratio: int = 200
    seconds: int = 5
