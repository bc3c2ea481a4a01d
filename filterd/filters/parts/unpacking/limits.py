"""How much of one message's archives is unpacked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UnpackLimits:
    """Of one message. total: octets unpacked. ratio: octets unpacked for one octet of archive.
    seconds: that reading all archives may take, so that the filter itself is never out of time."""

    depth: int = 5
    members: int = 20_000
    total: int = 256 << 20
    ratio: int = 200
    seconds: int = 5
