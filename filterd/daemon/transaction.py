"""One mail transaction as it arrives: envelope, header fields, body, then a message in one piece.

Everything is kept as octets, exactly as the MTA sent it. A body over BODY_IN_MEMORY goes to a spool
file that has no name, so that nothing is left behind whatever happens.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO

from filterd.config.processes import (
    BODY_IN_MEMORY,
    ENVELOPE_SIZE_LIMIT,
    HEADER_FIELDS_LIMIT,
    HEADER_SIZE_LIMIT,
    RECIPIENTS_LIMIT,
)
from filterd.message import Recipient
from filterd.workers.framing import Buffer


class LimitError(Exception):
    """The envelope or the header section passes a limit; what was kept of it is given back."""


class HeaderLimitError(LimitError):
    """The header section is larger than HEADER_SIZE_LIMIT or has more than HEADER_FIELDS_LIMIT."""


class EnvelopeLimitError(LimitError):
    """There are more than RECIPIENTS_LIMIT recipients, or more than ENVELOPE_SIZE_LIMIT octets."""


def address(path: bytes) -> str:
    """A forward-path or reverse-path without its angle brackets."""
    return text(path).strip().removeprefix("<").removesuffix(">")


def text(octets: bytes) -> str:
    """What a client sent in a command, as text (RFC 6531); what is not UTF-8 survives."""
    return octets.decode("utf-8", "surrogateescape")


class Transaction:
    """What one MAIL command began. Not shared between threads.

    blank: what the MTA took away between colon and value, if it is one that does (no HDR_LEADSPC).
    """

    __slots__ = (
        "_blank",
        "_chunks",
        "_envelope_size",
        "_fields_size",
        "_file",
        "_header",
        "_size",
        "_spool",
        "fields",
        "paths",
        "recipients",
        "sender",
        "sender_parameters",
    )

    def __init__(
        self, spool: Path, blank: bytes = b"", sender: bytes = b"<>", *parameters: bytes
    ) -> None:
        self.sender = address(sender)
        self.sender_parameters = tuple(map(text, parameters))
        self.recipients: list[Recipient] = []
        self.paths: dict[str, str] = {}
        self.fields: list[tuple[str, bytes]] = []
        """Header fields: name, and all after the colon, folded with LF as milter has it."""
        self._blank = blank
        self._spool = spool
        self._header = b""
        self._fields_size = 0
        self._envelope_size = 0
        self._chunks: list[bytes] = []
        self._size = 0
        self._file: IO[bytes] | None = None

    def add_recipient(self, path: bytes, *parameters: bytes, resolved: str = "") -> None:
        """One RCPT that the MTA accepted so far. resolved: its macro `{rcpt_addr}`.

        Raises EnvelopeLimitError.
        """
        self._envelope_size += len(path) + sum(map(len, parameters)) + len(resolved)
        if self._envelope_size > ENVELOPE_SIZE_LIMIT or len(self.recipients) >= RECIPIENTS_LIMIT:
            self.recipients.clear()
            self.paths.clear()
            raise EnvelopeLimitError
        plain = address(path)
        # The milter that takes a recipient out must spell it as the client did.
        self.paths[plain] = text(path)
        self.recipients.append(Recipient(plain, tuple(map(text, parameters)), resolved))

    def add_field(self, name: str, value: bytes) -> None:
        """One header field; value: all after the colon. Raises HeaderLimitError."""
        self._fields_size += len(name) + len(value)
        if self._fields_size > HEADER_SIZE_LIMIT or len(self.fields) >= HEADER_FIELDS_LIMIT:
            self.fields.clear()
            raise HeaderLimitError
        self.fields.append((name, value))

    @property
    def header(self) -> bytes:
        """The header section with its empty line; complete once the first of the body came."""
        if not self._header:
            lines = []
            for name, value in self.fields:
                text = value
                if b"\n" in text:
                    text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                lines.append(b"%s:%s%s\r\n" % (name.encode(), self._blank, text))
            lines.append(b"\r\n")
            self._header = b"".join(lines)
        return self._header

    def add_body(self, chunk: bytes) -> None:
        """One chunk of the body. Raises OSError if the spool cannot take it."""
        self._size += len(chunk)
        if self._file is None:
            self._chunks.append(chunk)
            if self._size <= BODY_IN_MEMORY:
                return
            self._file = tempfile.TemporaryFile(dir=self._spool)  # noqa: SIM115  (close() closes it)
            self._file.writelines([self.header, *self._chunks])
            self._chunks.clear()
            return
        self._file.write(chunk)

    @property
    def header_size(self) -> int:
        """Octets before the body: the fields and the empty line."""
        return len(self.header)

    @property
    def body_size(self) -> int:
        """Octets of the body."""
        return self._size

    @property
    def size(self) -> int:
        """Octets of the whole message."""
        return self.header_size + self._size

    def message(self) -> tuple[list[Buffer], int | None]:
        """The message: octets in pieces, or the descriptor of the spool file that holds it."""
        if self._file is None:
            return [self.header, *self._chunks], None
        self._file.flush()
        return [], self._file.fileno()

    def data(self) -> bytes:
        """The whole message in one piece, copied."""
        pieces, descriptor = self.message()
        if descriptor is None:
            return b"".join(pieces)
        return os.pread(descriptor, self.size, 0)

    def close(self) -> None:
        """Give the spool file back; the transaction is over."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._chunks.clear()

    def octets(self, name: str) -> bytes:
        """The value of the first field of that name as it came; empty if there is none."""
        wanted = name.lower()
        for found, value in self.fields:
            if found.lower() == wanted:
                return value
        return b""

    def field(self, name: str) -> str:
        """The same as text in one line, for the log."""
        return " ".join(self.octets(name).decode("ascii", "surrogateescape").split())
