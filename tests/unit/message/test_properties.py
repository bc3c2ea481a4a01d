"""What holds for any octets: reading never raises, offsets tile, a mapped file reads alike."""

from __future__ import annotations

import base64
import mmap
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.message import Message
from tests.helpers.growth import is_linear
from tests.helpers.mime import EOLS, Part, noise, trees
from tests.helpers.readings import everything, tiles

pytestmark = pytest.mark.slow


@given(st.one_of(noise, st.binary(max_size=200)))
@settings(max_examples=400)
def test_reading_never_raises(data: bytes) -> None:
    everything(Message(data))


@given(noise)
@settings(max_examples=300)
def test_offsets_tile_the_message(data: bytes) -> None:
    message = Message(data)
    assert tiles(message.root, data) == data
    for entity in message.walk():
        assert 0 <= entity.start <= entity.body_start <= entity.end <= len(data)


@given(noise)
@settings(max_examples=300)
def test_header_fields_are_where_they_say(data: bytes) -> None:
    for entity in Message(data).walk():
        position = entity.start
        for field in entity.header_fields:
            assert position <= field.start < field.end <= entity.body_start
            octets = data[field.start : field.end]
            assert octets.startswith(field.name.encode())
            assert octets.rstrip(b"\r\n").endswith(field.raw_value.rstrip(b"\r\n"))
            position = field.end


@given(noise)
@settings(max_examples=100)
def test_a_mapped_file_reads_like_octets_in_memory(data: bytes) -> None:
    if not data:
        return
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert everything(Message(mapped)) == everything(Message(data))


@given(EOLS.flatmap(trees))
@settings(max_examples=200)
def test_a_sound_message_has_the_parts_it_was_made_of(part: Part) -> None:
    message = Message(part.octets)
    assert tuple((e.content_type, e.body) for e in message.leaves()) == part.leaves
    assert message.anomalies == ()


def nested_base64(size: int) -> bytes:
    octets = b"Content-Disposition: attachment; filename=a\n\n" + b"a" * (size // 4)
    while len(octets) < 4 * size:
        octets = b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(octets)
    return octets


BUILDERS: dict[str, Callable[[int], bytes]] = {
    "delimiters": lambda n: b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n" * n,
    "near delimiters": lambda n: b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--xy\n" * n,
    "inner delimiters": lambda n: b"Content-Type: multipart/mixed; boundary=x\n\n" + b" --x" * n,
    "fields": lambda n: b"A: b\n" * n + b"\nx",
    "types": lambda n: b"Content-Type: a/b\n" * n + b"\nx",
    "lines that are no fields": lambda n: b"A: b\nnonsense\n" * n + b"\nx",
    "folds": lambda n: b"Content-Type: text/plain;\n" + b" a=b;\n" * n + b"\nx",
    "comments": lambda n: b"Content-Type: text/plain " + b"(" * n + b"\n\nx",
    "quotes": lambda n: b"Content-Type: text/plain; name=" + b'"\\' * n + b"\n\nx",
    "blanks before a colon": lambda n: b"a" + b" " * n + b"\n\nx",
    "encoded words": lambda n: b'Content-Type: a/b; name="' + b"=?utf-8?q?a?= " * n + b'"\n\nx',
    "bare CR": lambda n: b"A: b\r" * n + b"\n\nx",
    "NUL": lambda n: b"A: b\0\n" * n + b"\n\nx\0",
    "padding": lambda n: b"Content-Transfer-Encoding: base64\n\n" + b"YQ==\n" * n,
    "messages": lambda n: b"Content-Type: message/rfc822\n\n" * n,
    "uuencoded files": lambda n: b"\n" + b"begin 644 a.exe\n#86)C\n" * n,
    "hidden headers": lambda n: b"no field\n" + b"Content-Type: a/b; name=a\n\nx\n" * n,
    "hidden fields": lambda n: b"no field\n" + b"Content-Type: a/b; name=a\n" * n,
    "hidden names": lambda n: b"no field\nContent-Type: a/b\n" + b" name=a;\n" * n,
    "hidden names without a header": lambda n: b"no field\n" + b"name=a\n" * n,
    "almost hidden fields": lambda n: b"no field\n" + b"        content-\n" * n,
    "blanks before a name": lambda n: b"no field\n" + b" ;" * n + b"\nname",
    "empty lines of CR": lambda n: b"no field\nContent-Type: a/b\n" + b"\r" * n + b"\r\r\n" * n,
    "lines of base64": lambda n: b"no field\n" + b"QUJDREVGR0hJSktMTU5PUA==\n" * n,
    "one line of base64": lambda n: b"no field\n" + b"QUJD" * n,
    "words behind base64": lambda n: b"no field\n" + b"QUJDREVGR0hJSktMTU5PUA\n" + b" a b" * n,
    "delimiters behind a hidden header": lambda n: b"no field\nContent-Type: a/b\n\n" + b"--\n" * n,
    "codings in each other": lambda n: b"no field\n" + nested_base64(n),
    "types in the preamble": lambda n: (
        b"Content-Type: multipart/mixed; boundary=x\n\n" + b"Content-Type: a/b\n" * n + b"\n--x\n"
    ),
}


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_cost_is_linear(build: Callable[[int], bytes]) -> None:
    # What a small message costs is mostly fixed.
    assert is_linear(lambda data: everything(Message(data)), build, 4_000, at_least=0.01)
