"""What the kernel says about the host's clock: who deletes by date must not trust it blindly."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

_TIME_ERROR = 5
_TIMEX_SIZE = 512
"""Octets; `struct timex` has some 208."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def is_unsynchronized() -> bool:
    """True if the clock is not synchronized, by adjtimex(2); it changes nothing when `modes` is
    0. `timedatectl` shows the same as "System clock synchronized"."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_SIZE))
    except (OSError, AttributeError):
        return False
    return bool(state == _TIME_ERROR)


def since_boot() -> float:
    """Seconds since the host was started, whatever the clock was set to meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot() -> str:
    """Which start of the host that is; empty if the kernel does not say."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
