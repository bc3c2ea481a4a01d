"""The MIME tree as SpamAssassin reads it, line by line, with the faults of a message.

It is not the tree that `filterd.message` has: where mail is broken the two differ, and rules were
written and weighed for this one. Source: RFC 2045, RFC 2046; the results of SpamAssassin 4.0.1.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from filterd.message.lazy import lazy
from filterd.rules.view.body_lines import (
    BLANKS,
    broken,
    delimiters,
    is_delimiter,
    squeezed,
)
from filterd.rules.view.content_type import parse_content_type
from filterd.rules.view.decoding import decode_base64, decode_quoted_printable
from filterd.rules.view.header_words import decode_header

DEPTH_LIMIT = 20
"""Levels of parts that are taken apart."""

PART_LIMIT = 1000
"""Parts directly in one multipart."""

NAME_LIMIT, VALUE_LIMIT = 256, 8192
"""Octets of a header field's name and value."""

BAD_HEADER_LINES = 3
"""Lines without a field name that the header survives."""

_FIELD = re.compile(rb"[\x21-\x39\x3b-\x7e]+[ \t]*+:")
_WHOLE_FIELD = re.compile(rb"(?!--)[\x21-\x39\x3b-\x7e]++[ \t]*+:[^\n]*+\n(?:[ \t][^\n]*+\n)*+")
_STRICT_FIELD = re.compile(rb"[\x21-\x39\x3b-\x7e]+:")
_DISPOSITION_NAME = re.compile(rb'name=\s*+"?([^";]++)', re.IGNORECASE)
_EPILOGUE = re.compile(rb"[^\s.]")
_MBOX_LINE = re.compile(rb"From(?:\s\s|\s(?!:)|\n)")
_TEXTUAL = re.compile(r"(?:text|message)\b")
_HTML_NAME = re.compile(rb"\.s?html?$", re.IGNORECASE)


class PartView:
    """A message or a part of one.

    fields: (name, value) as they stand there, folded, LF line ends. type: lower case. boundary,
    charset, name: octets, None where there is none. raw: the body as it stands there; None for
    what has parts. children: None for a leaf, in the order of the message otherwise.
    """

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.type = "text/plain"
        self.boundary: bytes | None = None
        self.charset: bytes | None = None
        self.name: bytes | None = None
        self.raw: bytes | None = None
        self.children: list[PartView] | None = None

    @property
    def is_leaf(self) -> bool:
        """True if the part has no parts."""
        return self.children is None

    @lazy
    def _fields(self) -> dict[bytes, list[bytes]]:
        found: dict[bytes, list[bytes]] = {}
        for name, value in self.fields:
            found.setdefault(name.lower(), []).append(value)
        return found

    def all_raw(self, name: bytes) -> list[bytes]:
        """The values of all fields of that name (lower case) as they stand there, top first."""
        return self._fields.get(name, [])

    def all(self, name: bytes) -> list[bytes]:
        """The same, decoded."""
        return [decode_header(value, name) for value in self.all_raw(name)]

    def header(self, name: bytes) -> bytes:
        """The last field of that name (lower case), decoded; `b""` if there is none."""
        values = self.all_raw(name)
        return decode_header(values[-1], name) if values else b""

    @lazy
    def content(self) -> bytes:
        """The body, decoded from its transfer encoding; empty for what has parts."""
        if self.raw is None:
            return b""
        encoding = self.header(b"content-transfer-encoding").lower()
        if encoding == b"quoted-printable":
            return decode_quoted_printable(self.raw).replace(b"\r\n", b"\n")
        if encoding == b"base64":
            content = decode_base64(self.raw)
            if _TEXTUAL.match(self.type):
                content = content.replace(b"\r\n", b"\n")
            return content
        return self.raw

    @property
    def effective_type(self) -> str:
        """The type; `text/html` where the file's name says so."""
        return "text/html" if self.name and _HTML_NAME.search(self.name) else self.type

    def walk(self) -> Iterator[PartView]:
        """This part and all below it, in the order of the message."""
        pending: list[PartView] = [self]
        while pending:
            part = pending.pop()
            yield part
            pending.extend(reversed(part.children or ()))

    def leaves(self) -> Iterator[PartView]:
        """The parts without parts that have a type."""
        return (part for part in self.walk() if part.children is None and part.type)


class MessagePart(PartView):
    """A message, also one within another, and what is odd about it.

    header, body: as they came, LF line ends. lacks_separator: no empty line between them.
    lacks_part_header, lacks_part_separator: some part begins without a field, or has no empty line
    behind its header. has_epilogue: text behind the last boundary. is_truncated: a field was too
    long. has_too_many_parts: parts were left out.
    """

    def __init__(self, data: bytes, depth: int = DEPTH_LIMIT) -> None:
        super().__init__()
        self.lacks_separator = False
        self.lacks_part_header = False
        self.lacks_part_separator = False
        self.has_epilogue = False
        self.is_truncated = False
        self.has_too_many_parts = False
        self.open_boundaries: dict[bytes, int] = {}
        if data.endswith(b"\r\n") or data.partition(b"\n")[0].endswith(b"\r"):
            data = data.replace(b"\r\n", b"\n")
        data = data or b"\n"
        if _MBOX_LINE.match(data) is not None:
            data = data[data.find(b"\n") + 1 :] if b"\n" in data else b""
        end = self._read_header(data)
        self.header_octets, self.body_octets = data[:end], data[end:]
        content_type = parse_content_type(self.header(b"content-type"))
        self.type = content_type.type
        body = squeezed(self.body_octets)
        boundary = content_type.boundary
        if self.type.startswith("multipart/"):
            first, _, rest = body.partition(b"\n")
            if (
                rest
                and first.strip(BLANKS)
                and not (boundary is not None and body.startswith(b"--" + boundary))
            ):
                body = b"\n" + body
        self._queue: deque[tuple[PartView, bytes | None, bytes, int]] = deque(
            ((self, boundary, body, depth),)
        )

    def _read_header(self, data: bytes) -> int:
        """Take the header's fields; where the body begins."""
        end = self._read_plain_header(data)
        return end if end else self._read_any_header(data)

    def _read_plain_header(self, data: bytes) -> int:
        """The same for one without a fault; 0, and nothing taken, for any other."""
        position = 0
        fields: list[list[bytes]] = []
        match = _WHOLE_FIELD.match(data)
        while match is not None:
            fields.append([match[0]])
            position = match.end()
            match = _WHOLE_FIELD.match(data, position)
        if not position or data[position : position + 1] != b"\n":
            return 0
        for field in fields:
            self._add(field)
        return position + 1

    def _read_any_header(self, data: bytes) -> int:
        position, bad_lines = 0, 0
        field: list[bytes] | None = None
        while True:
            end = data.find(b"\n", position) + 1 or len(data)
            line = data[position:end]
            if not line:
                self.lacks_separator = True
                break
            if line[0] in b" \t":
                field = field if field is not None else []
                field.append(line)
            else:
                if line == b"\n":
                    break
                if line.startswith(b"--"):
                    self.lacks_separator = True
                    self._add(field)
                    return position
                if _FIELD.match(line) is None:
                    bad_lines += 1
                    if bad_lines > BAD_HEADER_LINES:
                        self.lacks_separator = True
                        self._add(field)
                        return position
                self._add(field)
                field = [line]
            position = end
        self._add(field)
        return end

    def _add(self, field: list[bytes] | None) -> None:
        if field is None:
            return
        name, colon, value = b"".join(field).partition(b":")
        if not colon:
            return
        name = name.rstrip(b" \t")
        if len(name) > NAME_LIMIT or len(value) > VALUE_LIMIT:
            self.is_truncated = True
            name, value = name[:NAME_LIMIT], value[:VALUE_LIMIT]
        self.fields.append((name, value))

    def _read_parts(self) -> None:
        """Take the message apart, level by level."""
        queue = self._queue
        while queue:
            part, boundary, body, depth = queue.popleft()
            if part.type.startswith("multipart/") and boundary is not None and depth > 0:
                self._read_multipart(part, boundary, body, depth - 1)
            else:
                _finish(part, boundary, body)
                is_message = part.type in ("message/rfc822", "message/global") and depth > 0
                if is_message and part.content:
                    inner = MessagePart(part.content, depth - 1)
                    part.children, part.raw = [inner], None
                    queue.extend(inner._queue)

    def _read_multipart(self, part: PartView, boundary: bytes, body: bytes, depth: int) -> None:
        part.children = []
        delimiter = b"--" + boundary
        size = len(body)
        start = 0
        for line_start, line_end in delimiters(body, delimiter, 0):
            if not body[line_start + len(delimiter) : line_end].strip(BLANKS):
                self.open_boundaries[boundary] = 1
                start = line_end
                self._note_header(body, start)
                break
        position = start
        found = delimiters(body, delimiter, start)
        while position < size:
            fields, text, nested = self._read_part_header(body, position, size, boundary, delimiter)
            end, next_part, is_last = size, size, False
            for line_start, line_end in found:
                if line_start < position:
                    continue
                ends = bool(body[line_start + len(delimiter) : line_end].strip(BLANKS))
                if nested and line_start >= text:
                    nested = not ends
                    continue
                end, next_part, is_last = line_start, line_end, ends
                break
            has_end = next_part > end or end < size
            raw = body[text:end] if text < end else b""
            self._add_part(part, fields, broken(raw), boundary, depth, has_end=has_end)
            position = next_part
            if is_last:
                self.open_boundaries[boundary] = self.open_boundaries.get(boundary, 0) - 1
                self.has_epilogue |= _EPILOGUE.search(body, position) is not None
                return
            if has_end:
                self._note_header(body, position)
            if len(part.children) >= PART_LIMIT:
                self.has_too_many_parts = True
                return

    def _note_header(self, body: bytes, position: int) -> None:
        if position < len(body) and _STRICT_FIELD.match(body, position) is None:
            self.lacks_part_header = True

    def _read_part_header(
        self, body: bytes, start: int, size: int, boundary: bytes, delimiter: bytes
    ) -> tuple[list[tuple[bytes, bytes]], int, bool]:
        """The fields of a part, where its text begins, and whether its own boundary is that of
        what it is in."""
        last_line = body.rfind(b"\n", start, size - 1) + 1
        last_line = max(last_line, start)
        fields: list[tuple[bytes, bytes]] = []
        field: list[bytes] = []
        position = start
        while position < last_line:
            end = body.find(b"\n", position) + 1 or size
            line = body[position:end]
            if line.startswith(delimiter) and is_delimiter(line, delimiter):
                return fields, position, False
            if _FIELD.match(line) is not None:
                _push(fields, field)
                field = [line]
            elif line[0] in b" \t" and field:
                field.append(line)
            else:
                nested = _push(fields, field) and _has_boundary(fields, boundary)
                if line in (b"\n", b"\r\n"):
                    position = end
                else:
                    self.lacks_part_separator = True
                return fields, position, nested
            position = end
        # The last line is text, whatever it is; what was being read then is lost.
        return fields, position, False

    def _add_part(
        self,
        parent: PartView,
        fields: list[tuple[bytes, bytes]],
        raw: bytes,
        boundary: bytes,
        depth: int,
        *,
        has_end: bool,
    ) -> None:
        part = PartView()
        part.fields = fields
        if has_end and raw.endswith(b"\n"):
            raw = raw[:-1]  # the line end belongs to the delimiter (RFC 2046 §5.1.1)
        content_type = parse_content_type(part.header(b"content-type"))
        part.type = content_type.type
        if content_type.is_missing and parent.type == "multipart/digest":
            part.type = "message/rfc822"
        self._queue.append((part, content_type.boundary or boundary, raw, depth))
        assert parent.children is not None
        parent.children.append(part)


def parts_of(data: bytes) -> MessagePart:
    """The tree of a message with LF line ends."""
    message = MessagePart(data)
    message._read_parts()
    return message


def _finish(part: PartView, boundary: bytes | None, body: bytes) -> None:
    """What a part without parts is."""
    content_type = parse_content_type(part.header(b"content-type"))
    if not content_type.is_missing:
        is_multipart = content_type.type.startswith("multipart/")
        part.type = "text/plain" if is_multipart and boundary is None else content_type.type
    part.charset = content_type.charset
    named = _DISPOSITION_NAME.search(part.header(b"content-disposition"))
    part.name = named[1] if named is not None else content_type.name or None
    part.boundary = boundary
    part.raw = body


def _push(fields: list[tuple[bytes, bytes]], field: list[bytes]) -> bool:
    """Add a part's field; True if it is its Content-Type."""
    if not field:
        return False
    name, _, value = b"".join(field).partition(b":")
    fields.append((name, value.lstrip(BLANKS)))
    return name.lower() == b"content-type"


def _has_boundary(fields: list[tuple[bytes, bytes]], boundary: bytes) -> bool:
    return parse_content_type(decode_header(fields[-1][1], b"content-type")).boundary == boundary
