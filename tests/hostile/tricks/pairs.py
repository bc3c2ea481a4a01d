"""Tricks that are put together: each changes one thing of a message that carries `a.exe`.

The message is text and a multipart, in which the program is the second part. A trick changes how
the multipart's or the part's header is written, its type, its boundary, the lines between the
parts, the encoding, the name, or the octets of all of it. Two tricks of different slots make a
message of their own, which often shows the program to readers that neither alone shows it to.
"""

from __future__ import annotations

import base64
import binascii
import quopri
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.hostile.tricks.encodings import PROGRAM, binhex, in_lines, uuencoded, yenc
from tests.hostile.tricks.structure import base64_of

NAME = b"a.exe"


@dataclass
class Shape:
    """What a message is put together from; each trick changes some of it.

    lines: the multipart's header, line by line, less the type. type_fields: what follows them.
    value, boundary: of Content-Type. first, middle, last: the lines before the text, before the
    program and at the end. header, disposition, encoding, separator, payload: of the program.
    place: where the part stands. preamble, epilogue: octets there, besides.
    wrap: what is done to the whole multipart; octets: to all of its octets, at the end.
    """

    lines: list[bytes] = field(default_factory=lambda: [b"X-A: b"])
    version: bytes = b"MIME-Version: 1.0\r\n"
    type_name: bytes = b"Content-Type: "
    type_before: bytes = b""
    type_after: bytes = b""
    value: bytes = b"multipart/mixed; "
    boundary: bytes = b'boundary="BB"'
    body_separator: bytes = b"\r\n"
    place: str = "middle"
    preamble: bytes = b""
    epilogue: bytes = b""
    first: bytes = b"--BB\r\n"
    text: bytes = b"Content-Type: text/plain\r\n\r\nhello"
    before_middle: bytes = b"\r\n"
    middle: bytes = b"--BB\r\n"
    last: bytes = b"\r\n--BB--\r\n"
    header: bytes = b"Content-Type: application/octet-stream\r\n"
    disposition: bytes = b'Content-Disposition: attachment; filename="a.exe"\r\n'
    encoding: bytes = b"Content-Transfer-Encoding: base64\r\n"
    separator: bytes = b"\r\n"
    payload: bytes = base64_of(PROGRAM)
    multipart_encoding: bytes = b""
    encode: Callable[[bytes], bytes] = lambda octets: octets
    wrap: Callable[[bytes], bytes] = lambda octets: octets
    octets: Callable[[bytes], bytes] = lambda octets: octets

    def part(self) -> bytes:
        """The program."""
        return self.header + self.encoding + self.disposition + self.separator + self.payload

    def body(self) -> bytes:
        start = self.preamble + self.first + self.text
        if self.place == "preamble":
            return self.part() + b"\r\n" + start + self.last
        if self.place == "epilogue":
            return start + self.last + self.part() + b"\r\n"
        if self.place == "nowhere":
            return start + self.last + self.epilogue
        return start + self.before_middle + self.middle + self.part() + self.last

    def entity(self) -> bytes:
        """The multipart with its header."""
        head = b"".join(line + b"\r\n" for line in self.lines) + self.version + self.type_before
        head += self.type_name + self.value + self.boundary + b"\r\n" + self.type_after
        head += self.multipart_encoding
        return self.octets(self.wrap(head + self.body_separator + self.encode(self.body())))


TOP = (
    b"From: a@x.example\r\nTo: b@y.example\r\nSubject: t\r\n"
    b"Date: Sat, 28 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@x.example>\r\n"
)


def nested(shape: Shape) -> bytes:
    """The multipart as the second part of another one."""
    return (
        TOP
        + b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="OUTER"\r\n\r\n'
        + b"--OUTER\r\nContent-Type: text/plain\r\n\r\nouter text\r\n--OUTER\r\n"
        + shape.entity()
        + b"\r\n--OUTER--\r\n"
    )


def on_top(shape: Shape) -> bytes:
    """The multipart as the message itself."""
    return TOP + shape.entity()


Change = Callable[[Shape], None]

TRICKS: dict[str, tuple[str, Change]] = {}
"""Name → the slot it changes, and the change. Two of one slot cannot be put together."""


def line(octets: bytes, *, first: bool = False) -> Change:
    """A line in the multipart's header."""

    def change(shape: Shape) -> None:
        shape.lines.insert(0 if first else len(shape.lines), octets)

    return change


def to(**values: object) -> Change:
    """Other pieces in place of the usual ones."""

    def change(shape: Shape) -> None:
        for name, value in values.items():
            setattr(shape, name, value)

    return change


def replaced(name: str, old: bytes, new: bytes) -> Change:
    """Octets in one piece."""

    def change(shape: Shape) -> None:
        setattr(shape, name, getattr(shape, name).replace(old, new))

    return change


def add(slot: str, **tricks: Change) -> None:
    """Tricks that change one slot."""
    for name, change in tricks.items():
        TRICKS[name.replace("_", " ")] = (slot, change)


add(
    "line",
    junk_line=line(b"junk line"),
    blank_led_line=line(b" cont", first=True),
    colon_first=line(b": junk"),
    no_colon=line(b"X-Nothing"),
    line_of_blanks=line(b" "),
    line_of_tab=line(b"\t"),
    mbox_line=line(b"From a@b Thu Jan  1 00:00:00 1970"),
    quoted_mbox_line=line(b">From a@b Thu Jan  1 00:00:00 1970"),
    octets_above_127=line(b"\xff\xfeX: y"),
    blank_in_a_name=line(b"Bad Name: x"),
    line_of_hyphens=line(b"--"),
    empty_line_first=line(b"", first=True),
    BOM_first=line(b"\xef\xbb\xbfX-B: c", first=True),
    NUL_in_a_line=line(b"X-B: c\0d"),
    NUL_line=line(b"\0"),
    a_long_line=line(b"X-B: " + b"x" * 20_000),
    a_long_junk_line=line(b"x" * 5_000),
    CR_in_a_line=line(b"X-B: c\rd"),
    junk_behind_CR=line(b"X-B: c\rjunk line"),
    empty_line_of_CR=line(b"X-B: c\r"),
    vertical_tab=line(b"\x0bX-B: c"),
)
add(
    "version",
    bare_CR=to(version=b"MIME-Version: 1.0\r"),
    bare_LF=to(version=b"MIME-Version: 1.0\n"),
    CR_CR_LF=to(version=b"MIME-Version: 1.0\r\r\n"),
    LF_CR=to(version=b"MIME-Version: 1.0\n\r"),
    no_version=to(version=b""),
    version_2=to(version=b"MIME-Version: 2.0\r\n"),
    NUL_before_the_type=to(version=b"MIME-Version: 1.0\r\n\0"),
    blank_before_the_type=to(version=b"MIME-Version: 1.0\r\n "),
)
add(
    "type name",
    blank_before_the_colon=to(type_name=b"Content-Type : "),
    NUL_in_the_field_name=to(type_name=b"Content\0-Type: "),
    type_without_colon=to(type_name=b"Content-Type "),
    CR_behind_the_colon=to(type_name=b"Content-Type:\r "),
    folded_behind_the_colon=to(type_name=b"Content-Type:\r\n "),
    folded_by_blanks=to(type_name=b"Content-Type:\r\n \r\n\t"),
    no_blank_behind_the_colon=to(type_name=b"content-type:"),
    underscore_in_the_field_name=to(type_name=b"Content_Type: "),
)
add(
    "repeat",
    type_twice_first=to(type_after=b"Content-Type: text/plain\r\n"),
    type_twice_last=to(type_before=b"Content-Type: text/plain\r\n"),
    type_thrice_middle=to(
        type_before=b"Content-Type: text/plain\r\n", type_after=b"Content-Type: text/html\r\n"
    ),
    empty_type_first=to(type_before=b"Content-Type:\r\n"),
    empty_type_behind=to(type_after=b"Content-Type:\r\n"),
    broken_type_first=to(type_before=b"Content-Type: x\r\n"),
    another_multipart_first=to(
        type_before=b'Content-Type: multipart/alternative; boundary="AA"\r\n'
    ),
    another_multipart_behind=to(
        type_after=b'Content-Type: multipart/alternative; boundary="AA"\r\n'
    ),
)
add(
    "type",
    type_without_subtype=to(value=b"multipart; "),
    type_with_empty_subtype=to(value=b"multipart/; "),
    unknown_multipart=to(value=b"multipart/x-y; "),
    misspelt_type=to(value=b"mutlipart/mixed; "),
    text_with_boundary=to(value=b"text/plain; "),
    message_with_boundary=to(value=b"message/rfc822; x=y; "),
    octets_with_boundary=to(value=b"application/octet-stream; "),
    quoted_type=to(value=b'"multipart/mixed"; '),
    comment_before_the_type=to(value=b"(a) multipart/mixed; "),
    comment_in_the_type=to(value=b"multipart/(a)mixed; "),
    comment_behind_the_type=to(value=b"multipart/mixed (a); "),
    blanks_in_the_type=to(value=b"multipart / mixed ; "),
    semicolon_first=to(value=b"; multipart/mixed; "),
    comma_for_semicolon=to(value=b"multipart/mixed, "),
    no_semicolon=to(value=b"multipart/mixed "),
    two_semicolons=to(value=b"multipart/mixed;; "),
    no_type=to(value=b""),
    digest=to(value=b"multipart/digest; "),
    alternative=to(value=b"multipart/alternative; "),
    related=to(value=b"multipart/related; "),
    signed=to(value=b"multipart/signed; "),
    report=to(value=b"multipart/report; "),
    appledouble=to(value=b"multipart/appledouble; "),
    message_news=to(value=b"message/news; "),
    partial=to(value=b"message/partial; "),
    delivery_status=to(value=b"message/delivery-status; "),
    external_body=to(value=b"message/external-body; "),
)
add(
    "boundary",
    boundary_plain_and_extended=to(boundary=b"boundary=BB; boundary*=us-ascii''AA"),
    boundary_extended_and_plain=to(boundary=b"boundary*=us-ascii''AA; boundary=BB"),
    boundary_of_another_and_extended=to(boundary=b"boundary=AA; boundary*=us-ascii''BB"),
    boundary_extended=to(boundary=b"boundary*=us-ascii''B%42"),
    boundary_in_pieces=to(boundary=b"boundary*0=B; boundary*1=B"),
    boundary_twice_first=to(boundary=b"boundary=BB; boundary=AA"),
    boundary_twice_last=to(boundary=b"boundary=AA; boundary=BB"),
    boundary_with_blank_at_its_end=to(boundary=b'boundary="BB "'),
    blanks_around_the_equals_sign=to(boundary=b'boundary = "BB"'),
    boundary_in_single_quotes=to(boundary=b"boundary='BB'"),
    boundary_never_closed=to(boundary=b'boundary="BB'),
    boundary_with_escape=to(boundary=b'boundary="B\\B"'),
    boundary_with_comment=to(boundary=b"boundary=BB (a)"),
    boundary_as_encoded_word=to(boundary=b'boundary="=?us-ascii?q?BB?="'),
    boundary_not_said=to(boundary=b"charset=us-ascii"),
    another_boundary_said=to(boundary=b'boundary="AA"'),
    boundary_in_other_letters=to(boundary=b'boundary="bb"'),
    NUL_in_the_boundary=to(boundary=b'boundary="B\0B"'),
    CR_in_the_boundary=to(boundary=b'boundary="B\rB"'),
    boundary_folded_within=to(boundary=b'boundary="B\r\n B"'),
    boundary_with_more=to(boundary=b'boundary="BB"x'),
    another_parameter_first=to(boundary=b"xboundary=AA; boundary=BB"),
    boundary_behind_bad_quotes=to(boundary=b'x="a"b"; boundary=BB'),
)


def empty_boundary(shape: Shape) -> None:
    shape.boundary = b'boundary=""'
    for name in ("first", "middle", "last"):
        setattr(shape, name, getattr(shape, name).replace(b"BB", b""))


def long_boundary(shape: Shape) -> None:
    shape.boundary = b"boundary=" + b"B" * 90
    for name in ("first", "middle", "last"):
        setattr(shape, name, getattr(shape, name).replace(b"BB", b"B" * 70))


def boundary_of_outer(shape: Shape) -> None:
    shape.boundary = b'boundary="OUTER"'
    for name in ("first", "middle", "last"):
        setattr(shape, name, getattr(shape, name).replace(b"BB", b"OUTER"))


def boundary_begins_with_outer(shape: Shape) -> None:
    shape.boundary = b'boundary="OUTERx"'
    for name in ("first", "middle", "last"):
        setattr(shape, name, getattr(shape, name).replace(b"BB", b"OUTERx"))


add(
    "boundary",
    empty_boundary=empty_boundary,
    long_boundary=long_boundary,
    boundary_of_the_outer=boundary_of_outer,
    boundary_begins_with_the_outer=boundary_begins_with_outer,
)


add(
    "delimiter",
    loose_boundary=to(middle=b"--BBx\r\n"),
    text_behind_the_boundary=to(middle=b"--BB text\r\n"),
    blanks_behind_the_boundary=to(middle=b"--BB \t\r\n"),
    delimiter_behind_CR=to(before_middle=b"\r"),
    delimiter_and_CR=to(middle=b"--BB\r"),
    delimiter_behind_LF=to(before_middle=b"\n"),
    delimiter_led_by_a_blank=to(middle=b" --BB\r\n"),
    NUL_in_the_delimiter=to(middle=b"--BB\0\r\n"),
    NUL_before_the_delimiter=to(middle=b"\0--BB\r\n"),
    NUL_between_hyphens=to(middle=b"-\0-BB\r\n"),
    end_before_the_part=to(before_middle=b"\r\n--BB--\r\n"),
    end_as_delimiter=to(middle=b"--BB--\r\n"),
    end_with_one_hyphen=to(middle=b"--BB-\r\n"),
    end_with_text=to(middle=b"--BB-- end\r\n"),
    end_with_three_hyphens=to(middle=b"--BB---\r\n"),
    end_first=to(preamble=b"--BB--\r\n"),
    no_end=to(last=b"\r\n"),
    delimiter_twice=to(middle=b"--BB\r\n--BB\r\n"),
    part_in_the_preamble=to(place="preamble"),
    part_in_the_epilogue=to(place="epilogue"),
    three_hyphens=to(middle=b"---BB\r\n"),
    delimiter_in_other_letters=to(middle=b"--bb\r\n"),
    no_first_delimiter=to(first=b"", text=b"hello"),
    header_runs_into_the_delimiter=to(body_separator=b""),
    header_ends_in_blanks=to(body_separator=b" \r\n"),
    header_ends_in_CR=to(body_separator=b"\r"),
)
add(
    "part header",
    junk_in_the_part=to(header=b"junk line\r\nContent-Type: application/octet-stream\r\n"),
    blank_led_in_the_part=to(header=b" cont\r\nContent-Type: application/octet-stream\r\n"),
    empty_line_in_the_part=to(header=b"\r\nContent-Type: application/octet-stream\r\n"),
    CR_in_the_part=to(header=b"X-B: c\rContent-Type: application/octet-stream\r\n"),
    NUL_in_the_part=to(header=b"Content\0-Type: application/octet-stream\r\n"),
    no_type_in_the_part=to(header=b""),
    text_as_type_of_the_part=to(header=b"Content-Type: text/plain\r\n"),
    message_as_type_of_the_part=to(header=b"Content-Type: message/rfc822\r\n"),
    multipart_as_type_of_the_part=to(header=b"Content-Type: multipart/mixed\r\n"),
    no_empty_line_in_the_part=to(separator=b""),
    separator_of_blanks=to(separator=b" \r\n"),
    separator_of_CR=to(separator=b"\r"),
    separator_of_LF=to(separator=b"\n"),
)
add(
    "encoding",
    encoding_twice_first=to(
        encoding=b"Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: 7bit\r\n"
    ),
    encoding_twice_last=to(
        encoding=b"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n"
    ),
    encoding_misspelt=to(encoding=b"Content-Transfer-Encoding: base-64\r\n"),
    encoding_quoted=to(encoding=b'Content-Transfer-Encoding: "base64"\r\n'),
    encoding_with_comment=to(encoding=b"Content-Transfer-Encoding: (a) base64\r\n"),
    encoding_with_semicolon=to(encoding=b"Content-Transfer-Encoding: base64; x=y\r\n"),
    encoding_without_colon=to(encoding=b"Content-Transfer-Encoding base64\r\n"),
    encoding_with_NUL=to(encoding=b"Content-Transfer-Encoding: base64\0\r\n"),
    encoding_folded=to(encoding=b"Content-Transfer-Encoding:\r\n base64\r\n"),
    encoding_behind_another_word=to(encoding=b"Content-Transfer-Encoding: 7bit base64\r\n"),
)


def quoted_printable(shape: Shape) -> None:
    shape.encoding = b"Content-Transfer-Encoding: quoted-printable\r\n"
    shape.payload = quopri.encodestring(PROGRAM, quotetabs=True).replace(b"\n", b"\r\n")


def uuencode(shape: Shape) -> None:
    shape.encoding = b"Content-Transfer-Encoding: x-uuencode\r\n"
    shape.payload = uuencoded(PROGRAM, NAME)


def inline(make: Callable[[bytes, bytes], bytes]) -> Change:
    """The program within a text."""

    def change(shape: Shape) -> None:
        shape.header = b"Content-Type: text/plain\r\n"
        shape.encoding = shape.disposition = b""
        shape.payload = b"hello\r\n\r\n" + make(PROGRAM, NAME)

    return change


def behind(make: Callable[[bytes, bytes], bytes], name: str) -> Change:
    """The program, in a coding from before MIME, outside of all parts."""

    def change(shape: Shape) -> None:
        setattr(shape, name, make(PROGRAM, NAME))
        shape.place = "nowhere"

    return change


def without_header(content: bytes, _name: bytes) -> bytes:
    return base64_of(content) + b"\r\n"


CODED = base64.b64encode(PROGRAM)

add(
    "payload",
    quoted_printable=quoted_printable,
    uuencode=uuencode,
    uuencode_in_a_text=inline(uuencoded),
    yEnc_in_a_text=inline(yenc),
    BinHex_in_a_text=inline(binhex),
    uuencode_in_the_preamble=behind(uuencoded, "preamble"),
    uuencode_in_the_epilogue=behind(uuencoded, "epilogue"),
    yEnc_in_the_epilogue=behind(yenc, "epilogue"),
    BinHex_in_the_preamble=behind(binhex, "preamble"),
    base64_in_the_epilogue=behind(without_header, "epilogue"),
    each_line_padded=to(
        payload=b"\r\n".join(base64.b64encode(PROGRAM[at : at + 10]) for at in range(0, 168, 10))
    ),
    garbage_in_base64=to(payload=b"!".join(in_lines(CODED, 5).split(b"\r\n"))),
    padding_first=to(payload=b"====" + CODED),
    NUL_in_base64=to(payload=b"\0".join(in_lines(CODED, 20).split(b"\r\n"))),
    CR_in_base64=to(payload=in_lines(CODED, 40).replace(b"\r\n", b"\r")),
    one_line_of_base64=to(payload=CODED),
)
add(
    "name",
    name_extended=to(disposition=b"Content-Disposition: attachment; filename*=utf-8''a%2Eexe\r\n"),
    name_in_pieces=to(
        disposition=b'Content-Disposition: attachment; filename*0="a."; filename*1="exe"\r\n'
    ),
    name_as_encoded_word=to(
        disposition=b'Content-Disposition: attachment; filename="=?utf-8?q?a=2Eexe?="\r\n'
    ),
    name_in_the_type=to(
        header=b'Content-Type: application/octet-stream; name="a.exe"\r\n', disposition=b""
    ),
    disposition_twice=to(
        disposition=b"Content-Disposition: attachment; filename=a.txt\r\n"
        b"Content-Disposition: attachment; filename=a.exe\r\n"
    ),
    name_never_closed=to(disposition=b'Content-Disposition: attachment; filename="a.exe\r\n'),
    NUL_in_the_name=to(disposition=b'Content-Disposition: attachment; filename="a.ex\0e"\r\n'),
    CR_in_the_name=to(disposition=b'Content-Disposition: attachment; filename="a.e\rxe"\r\n'),
    name_without_semicolon=to(disposition=b"Content-Disposition: attachment filename=a.exe\r\n"),
    name_twice=to(
        disposition=b"Content-Disposition: attachment; filename=a.txt; filename=a.exe\r\n"
    ),
    name_folded=to(disposition=b'Content-Disposition: attachment;\r\n filename="a.\r\n exe"\r\n'),
    name_folded_by_blanks=to(
        disposition=b'Content-Disposition: attachment;\r\n \r\n filename="a.exe"\r\n'
    ),
    no_name=to(disposition=b"Content-Disposition: attachment\r\n"),
)


def encoded(label: bytes, encode: Callable[[bytes], bytes]) -> Change:
    """The whole multipart in a transfer encoding."""

    def change(shape: Shape) -> None:
        shape.multipart_encoding = b"Content-Transfer-Encoding: " + label + b"\r\n"
        shape.encode = encode

    return change


def in_message(head: bytes, encode: Callable[[bytes], bytes] = lambda octets: octets) -> Change:
    def change(shape: Shape) -> None:
        shape.wrap = lambda entity: head + b"\r\n" + encode(TOP + entity)

    return change


MESSAGE = b"Content-Type: message/rfc822\r\n"

add(
    "wrapping",
    multipart_in_base64=encoded(b"base64", base64_of),
    multipart_in_quoted_printable=encoded(
        b"quoted-printable", lambda octets: binascii.b2a_qp(octets).replace(b"--", b"=2D-")
    ),
    multipart_said_to_be_base64=encoded(b"base64", lambda octets: octets),
    multipart_in_no_known_encoding=encoded(b"x-unknown", lambda octets: octets),
    message_around_it=in_message(MESSAGE),
    message_in_base64_around_it=in_message(
        MESSAGE + b"Content-Transfer-Encoding: base64\r\n", base64_of
    ),
    message_global_around_it=in_message(b"Content-Type: message/global\r\n"),
)
add(
    "octets",
    all_bare_LF=to(octets=lambda octets: octets.replace(b"\r\n", b"\n")),
    all_bare_CR=to(octets=lambda octets: octets.replace(b"\r\n", b"\r")),
    all_CR_CR_LF=to(octets=lambda octets: octets.replace(b"\r\n", b"\r\r\n")),
    all_LF_CR=to(octets=lambda octets: octets.replace(b"\r\n", b"\n\r")),
    NUL_behind_each_line=to(octets=lambda octets: octets.replace(b"\r\n", b"\0\r\n")),
)


def made(*names: str) -> Shape:
    """The shape that the tricks make, in the order in which they stand here."""
    shape = Shape()
    for name in names:
        TRICKS[name][1](shape)
    return shape


class Pair(NamedTuple):
    """One message. names: of its tricks, one or two."""

    name: str
    names: tuple[str, ...]
    data: bytes


EVERY = 4
"""Of how many pairs one is made as the message itself, too: there readers differ less."""


def chosen() -> Iterator[tuple[str, ...]]:
    """Each trick alone, and with each later one of another slot."""
    names = list(TRICKS)
    for index, name in enumerate(names):
        yield (name,)
        for other in names[index + 1 :]:
            if TRICKS[name][0] != TRICKS[other][0]:
                yield name, other


def messages(make: Callable[..., Shape] = made) -> Iterator[Pair]:
    """All messages. make: makes a shape of the tricks' names."""
    count = 0
    for names in chosen():
        name = " + ".join(names)
        yield Pair(name, names, nested(make(*names)))
        count += len(names) > 1
        if len(names) == 1 or count % EVERY == 0:
            yield Pair(f"{name}, on top", names, on_top(make(*names)))
