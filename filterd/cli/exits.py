"""The exit statuses of all commands, from sysexits.h."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses, from sysexits.h."""

    OK = 0
    USAGE = 64
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    SOFTWARE = 70
    CANNOT_CREATE = 73
    IO_ERROR = 74
    TEMPFAIL = 75
    NO_PERMISSION = 77
    CONFIG = 78
