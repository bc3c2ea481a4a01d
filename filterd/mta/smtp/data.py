"""The data after DATA: find its end, undo dot-stuffing, check its size. No I/O.

A bare CR or LF is an error, as in Debian's sendmail since CVE-2023-51765: servers that accept them
can be made to see another end of data than their peers. Postfix 3.7 repairs them instead. The end
of data is `CRLF . CRLF` in any case.
"""

from __future__ import annotations

import re

END = b"\r\n.\r\n"

_BARE = re.compile(rb"\r(?=[^\n])|(?<!\r)\n")


class BareError(Exception):
    """A CR or LF that is not part of a CRLF. The text is sendmail's."""

    def __init__(self, octet: bytes) -> None:
        name = "carriage return (CR)" if octet == b"\r" else "linefeed (LF)"
        super().__init__(f"Bare {name} not allowed")


class DataReader:
    """Reads one message. limit: octets; a larger message is read and dropped, `oversize` is set."""

    def __init__(self, limit: int, *, repairs_bare: bool) -> None:
        self._limit = limit
        self._repairs_bare = repairs_bare
        self._scanned = 0
        self.oversize = False

    def read(self, buffer: bytearray) -> bytes | None:
        """Return the message with LF line ends once its end is in the buffer, else None: call again
        with more data. Removes the message from the buffer. Raises BareError."""
        if not self.oversize and buffer.startswith(END[2:]):
            del buffer[:3]
            return b""
        end = buffer.find(END, max(self._scanned - len(END) + 1, 0))
        self._refuse_bare(buffer, len(buffer) if end < 0 else end + 2)
        if end < 0:
            self._scanned = len(buffer)
            if len(buffer) > self._limit:
                self.oversize = True
                del buffer[: -len(END)]
                self._scanned = len(buffer)
            return None
        self.oversize |= end + 2 > self._limit
        data = b"" if self.oversize else bytes(buffer[: end + 2])
        del buffer[: end + len(END)]
        return self._plain(data)

    def _refuse_bare(self, buffer: bytearray, stop: int) -> None:
        if self._repairs_bare:
            return
        # A CR may be the last octet of what was checked before.
        start = max(self._scanned - 1, 0)
        pairs = buffer.count(b"\r\n", start, stop)
        if pairs == buffer.count(b"\r", start, stop) == buffer.count(b"\n", start, stop):
            return
        bare = _BARE.search(buffer, start, stop)
        if bare is not None:
            raise BareError(bare[0])

    def _plain(self, data: bytes) -> bytes:
        """Dots unstuffed (RFC 5321 §4.5.2), line ends LF."""
        plain = (b"\r\n" + data).replace(b"\r\n.", b"\r\n")[2:].replace(b"\r\n", b"\n")
        return plain.replace(b"\r", b" ") if self._repairs_bare else plain
