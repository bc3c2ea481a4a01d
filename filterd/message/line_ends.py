"""The line ends of a stored message.

Files have LF mostly, the wire has CRLF (RFC 5321 §2.3.8). A CR alone is not a line end: some MTAs
pass it on, and what mail readers make of it is for the filters to find out.
"""

from __future__ import annotations

import re

_LINE_END = re.compile(rb"\r?\n")


def with_crlf(data: bytes) -> bytes:
    """The message as an MTA hands it to a filter: every line ends with CRLF, a lone CR stays."""
    return _LINE_END.sub(b"\r\n", data)
