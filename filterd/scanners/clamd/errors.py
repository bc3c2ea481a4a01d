"""What can go wrong with clamd: the package's exceptions, which are failures of a server here."""

from __future__ import annotations

from filterd.scanners.clamd.package import clamd


class ClamdError(clamd.ClamdError, OSError):  # type: ignore[misc]  # the package has no types
    """This clamd gave no verdict; the text says what it did instead."""


class StreamTooLargeError(ClamdError, clamd.BufferTooLongError):  # type: ignore[misc]
    """clamd refuses content of this size (its `StreamMaxLength`)."""


class SilentError(ClamdError, clamd.ConnectionError):  # type: ignore[misc]
    """clamd did nothing for as long as anybody waits."""


class GivenUpError(ClamdError):
    """clamd works, and gave up on this content: it takes too long, or more than its limits."""


class CommandRefusedError(ClamdError, clamd.ResponseError):  # type: ignore[misc]
    """clamd works and does not take this command: clamd.conf of 1.5 can switch off VERSION, STATS
    and RELOAD one by one."""
