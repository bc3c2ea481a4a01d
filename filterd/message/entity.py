"""Entities: a message or a part of one, by octet offsets.

An entity knows where its header, its body and its end are; everything decoded is computed when it
is asked for. Where readers differ, `Quirks` chooses the other way, so that a message can be read
both ways (see `filterd.message.readings`). Source: RFC 2045, RFC 2046.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from filterd.message.decoding import (
    KNOWN_ENCODINGS,
    UU_ENCODINGS,
    decode_charset,
    decode_transfer,
    header_text,
    is_plain,
    other_contents,
)
from filterd.message.fields import FIELD, Buffer, HeaderField, header_end, parse_header
from filterd.message.lazy import lazy
from filterd.message.parameters import Parameters, is_media_type, parse_value, parse_word

ENCODED = frozenset({"base64", "quoted-printable"}) | UU_ENCODINGS
"""Transfer encodings that change octets; `7bit`, `8bit` and `binary` do not (RFC 2045 §6.2)."""

BOUNDARY_LIMIT = 70
"""Octets of a boundary (RFC 2046 §5.1.1); some readers cut longer ones."""

MESSAGE_TYPES = frozenset(
    f"message/{subtype}"
    for subtype in "rfc822 global delivery-status disposition-notification feedback-report"
    " global-delivery-status global-headers partial external-body".split()
)
"""Those whose readers agree whether a message is in it."""

STRUCTURAL = ("content-type", "content-transfer-encoding", "content-disposition")
"""The header fields that decide what an entity is."""


_NAME_FIELDS = ("content-name", "x-sun-data-name")
"""Fields of no standard, each wholly a file name to Thunderbird, where no other has one."""

_FIELDS_SOUGHT = (b"\ncontent-", b"\nx-sun-data-")

# Only in a reader that goes on behind a line that is not a field.
_COLONLESS_FIELD = re.compile(
    rb"(?i)(content-(?:type|transfer-encoding|disposition))(?=\s)([^\n]*+(?:\n[ \t][^\n]*+)*+)"
)


@dataclass(frozen=True, slots=True)
class Quirks:
    """Ways in which readers differ; all off is the way of most.

    field: which of a repeated structural field counts, from 0, or the last if there are fewer.
    boundary: the same for a repeated boundary parameter. skip_bad_lines: see `parse_header`, and a
    structural field without its colon is one. loose_boundary: a line that only begins with the
    delimiter separates parts. any_boundary: what has a boundary parameter is a multipart, whatever
    its type; a multipart without one takes the first line that looks like one, and a last delimiter
    before the first is passed over.
    """

    field: int = 0
    boundary: int = 0
    skip_bad_lines: bool = False
    loose_boundary: bool = False
    any_boundary: bool = False


USUAL = Quirks()


class Entity:
    """One entity: the message itself, or a part of it.

    start: first octet of its header. body_start: first of its body. end: behind the last of its
    body, the line end before the next boundary not counted. All count from the message's beginning.
    depth: entities above it.
    content_type: in lower case, the default if there is none. transfer_encoding: in lower case,
    `7bit` if there is none, `""` if it is empty.
    header_is_cut: a line that is not a header field ended the header, not an empty line.
    has_near_boundaries: a line in the body begins with the boundary and goes on with something.
    lacks_subtype: a type is said that is not a media type, and the default counts.
    children: parts of a multipart, or the message inside a message/rfc822. gaps: of a multipart,
    the octets between its parts (start, end): preamble with the first boundary line, the boundary
    lines, the last one with the epilogue. Gaps and children tile the body.
    """

    def __init__(
        self, data: Buffer, start: int, end: int, parent: Entity | None, quirks: Quirks = USUAL
    ) -> None:
        self._data = data
        self.start = start
        self.end = end
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.quirks = quirks
        self.children: list[Entity] = []
        self.has_near_boundaries = False
        self.lacks_subtype = False
        if quirks.skip_bad_lines:
            self.body_start = parse_header(data, start, end, skip_bad_lines=True)[1]
            self.header_is_cut = False
        else:
            header_stop, self.body_start = header_end(data, start, end)
            self.header_is_cut = header_stop == self.body_start < end
        header = bytes(data[start : self.body_start])
        self._content_fields = _content_fields(header, colonless=quirks.skip_bad_lines)
        self.transfer_encoding = "7bit"
        self.content_type = ""
        if self._content_fields:
            if "content-transfer-encoding" in self._content_fields:
                self.transfer_encoding = parse_word(self._raw("content-transfer-encoding"))
            self.content_type = parse_word(self._raw("content-type"))
        if "/" not in self.content_type:
            self.lacks_subtype = bool(self.content_type)
            is_digest = parent is not None and parent.content_type == "multipart/digest"
            self.content_type = "message/rfc822" if is_digest else "text/plain"

    @lazy
    def header_fields(self) -> tuple[HeaderField, ...]:
        """The header fields in order, top first."""
        fields, _ = parse_header(
            self._data, self.start, self.body_start, skip_bad_lines=self.quirks.skip_bad_lines
        )
        return tuple(fields)

    def _raw(self, name: str) -> bytes:
        values = self._content_fields.get(name)
        if values is None:
            return b""
        return values[min(self.quirks.field, len(values) - 1)]

    @property
    def repeats(self) -> int:
        """How often that header field stands there that decides what the entity is and stands there
        most often."""
        fields = self._content_fields
        if not fields:
            return 0
        return max([len(fields.get(name, ())) for name in STRUCTURAL])

    @property
    def is_strict(self) -> bool:
        """True if header and boundaries are such that the standards leave readers no choice what
        parts there are. An odd file name does not count: all forms of it are known."""
        fields = self._content_fields
        encoding = self.transfer_encoding
        if self.header_is_cut or self.has_near_boundaries or encoding not in KNOWN_ENCODINGS:
            return False
        for values in fields.values():
            if len(values) > 1:
                return False
        if encoding != "7bit" and len(self._raw("content-transfer-encoding").strip()) != len(
            encoding
        ):
            return False
        if "content-type" not in fields:
            return True
        if not self.parameters.is_unmistakable and not is_media_type(self._raw("content-type")):
            return False
        boundaries = self.boundaries
        if self.content_type.startswith("multipart/"):
            return (
                len(boundaries) == 1
                and len(boundaries[0]) <= BOUNDARY_LIMIT
                and bool(self.children)
                and encoding not in ENCODED
            )
        if boundaries or self.lacks_subtype:
            return False
        return not self.content_type.startswith("message/") or self.content_type in MESSAGE_TYPES

    def walk(self) -> Iterator[Entity]:
        """This entity and all below it, in the order of the message."""
        return _walk(self) if self.children else iter((self,))

    @property
    def is_leaf(self) -> bool:
        """True if the entity has a body of its own and no parts."""
        return not self.children

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """What lies around the children: (start, end) of each stretch that is not empty or is the
        preamble or epilogue."""
        position, found = self.body_start, []
        for child in self.children:
            found.append((position, child.start))
            position = child.end
        return (*found, (position, self.end))

    @lazy
    def parameters(self) -> Parameters:
        """The parameters of Content-Type."""
        return parse_value(self._raw("content-type"))[1]

    @lazy
    def _disposition(self) -> tuple[str, Parameters]:
        return parse_value(self._raw("content-disposition"))

    @property
    def disposition(self) -> str:
        """`attachment`, `inline`, ... in lower case, `""` if the entity does not say."""
        return self._disposition[0]

    @property
    def is_encoded(self) -> bool:
        """True if the octets of the body are not those of the content."""
        return self.transfer_encoding in ENCODED

    @property
    def is_uuencoded(self) -> bool:
        """True if the transfer encoding is uuencode, which is of no standard."""
        return self.transfer_encoding in UU_ENCODINGS

    @lazy
    def is_plainly_encoded(self) -> bool:
        """True if the body breaks no rule of its transfer encoding: every reader decodes it as
        `content` has it."""
        return self.transfer_encoding in KNOWN_ENCODINGS and is_plain(
            self.body, self.transfer_encoding
        )

    @lazy
    def filenames(self) -> tuple[str, ...]:
        """All names that a reader might use, decoded: `filename`, `name`, Content-Location,
        Content-Name, X-Sun-Data-Name."""
        fields = self._content_fields
        names: list[str] = []
        if "content-disposition" in fields:
            names += self._disposition[1].texts("filename", "name")
        if "content-type" in fields:
            names += self.parameters.texts("name", "filename")
        if self.content_type == "message/external-body":
            # What is fetched from there is called so (RFC 2017 §3.1).
            names += [_last_segment(location) for location in self.parameters.texts("url")]
        if "content-location" in fields:
            names.append(_last_segment(self._raw("content-location").decode("latin-1")))
        names += [header_text(self._raw(field)) for field in _NAME_FIELDS if field in fields]
        return tuple(dict.fromkeys(filter(None, names))) if names else ()

    @property
    def is_only_located(self) -> bool:
        """True if the only name is the last segment of Content-Location, as a page's text has it
        that refers to its pictures (RFC 2557)."""
        named = self._disposition[1].texts("filename", "name")
        return not named and not self.parameters.texts("name", "filename")

    @property
    def octets(self) -> Buffer:
        """What the offsets count in."""
        return self._data

    @property
    def body(self) -> bytes:
        """The body as it stands in the message."""
        return bytes(self._data[self.body_start : self.end])

    @lazy
    def content(self) -> bytes:
        """The body decoded from its transfer encoding; of broken encodings as much as there is."""
        return decode_transfer(self.body, self.transfer_encoding) if self.is_encoded else self.body

    def head(self, size: int) -> bytes:
        """About the first `size` octets of the content, without decoding all of it."""
        if "content" in self.__dict__:
            return self.content[:size]
        # Base64 has 4 octets for 3, quoted-printable up to 3 for 1; line ends come on top.
        stop = min(self.end, self.body_start + 3 * size)
        return decode_transfer(bytes(self._data[self.body_start : stop]), self.transfer_encoding)[
            :size
        ]

    @lazy
    def other_contents(self) -> tuple[bytes, ...]:
        """What readers that treat a broken encoding otherwise would see; mostly nothing."""
        return other_contents(self.body, self.transfer_encoding, self.content)

    @lazy
    def text(self) -> str:
        """The content decoded from its charset; octets that it does not know become U+FFFD."""
        charsets = self.parameters.texts("charset")
        return decode_charset(self.content, charsets[0] if charsets else "")

    @property
    def boundaries(self) -> tuple[bytes, ...]:
        """The boundary parameters, in order; more than one is a trick."""
        if not self.parameters.pairs:
            return ()
        return tuple(dict.fromkeys([b.rstrip() for b in self.parameters.all_raw("boundary")]))


def _last_segment(location: str) -> str:
    """The file's name in a URI (RFC 3986 §3.3): neither host nor query; empty if there is none."""
    path = re.split(r"[?#]", "".join(location.split()).replace("\\", "/"), maxsplit=1)[0]
    scheme, colon, rest = path.partition(":")
    if colon and "/" not in scheme:
        path = rest
    if path.startswith("//"):
        path = path[2:].partition("/")[2]
    return path.rstrip("/").rpartition("/")[2]


def _walk(entity: Entity) -> Iterator[Entity]:
    yield entity
    for child in entity.children:
        yield from child.walk()


def _content_fields(header: bytes, *, colonless: bool) -> dict[str, list[bytes]]:
    """The values of the fields `Content-*` and `X-Sun-Data-*` by lower-case name.

    colonless: a line `Content-Type text/plain` is one as well.

    Only these decide the tree, and looking for them alone is several times as fast as splitting the
    whole header.
    """
    found: dict[str, list[bytes]] = {}
    # The line end put before it makes the first line one like the others.
    lowered = b"\n" + header.lower()
    for sought in _FIELDS_SOUGHT:
        position = lowered.find(sought)
        while position >= 0:
            match = FIELD.match(header, position)
            if match is None and colonless:
                match = _COLONLESS_FIELD.match(header, position)
            if match is not None:
                name, value = match.groups()
                key = name.decode("ascii").lower()
                if key in found:
                    found[key].append(value.rstrip(b"\r"))
                else:
                    found[key] = [value.rstrip(b"\r")]
                position = match.end(2)
            position = lowered.find(sought, position + 1)
    return found
