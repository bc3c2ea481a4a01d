"""What GMime shows of each message in a folder; for the system's Python, which has its binding."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import gi  # type: ignore[import-not-found]

gi.require_version("GMime", "3.0")
from gi.repository import GMime  # type: ignore[import-not-found]  # noqa: E402

GMime.init()


def files(part: GMime.Object | None) -> Iterator[tuple[str, bytes]]:
    """Name and first octets of each leaf."""
    if isinstance(part, GMime.Multipart):
        for index in range(part.get_count()):
            yield from files(part.get_part(index))
    elif isinstance(part, GMime.MessagePart):
        message = part.get_message()
        yield from files(message.get_mime_part() if message else None)
    elif isinstance(part, GMime.Part):
        content = part.get_content()
        octets = b""
        if content is not None:
            stream = GMime.StreamMem.new()
            content.write_to_stream(stream)
            octets = bytes(stream.get_byte_array() or b"")[:64]
        yield part.get_filename() or "", octets


for path in sorted(Path(sys.argv[1]).iterdir()):
    stream = GMime.StreamMem.new_with_buffer(path.read_bytes())
    message = GMime.Parser.new_with_stream(stream).construct_message(None)
    for name, octets in files(message.get_mime_part() if message else None):
        print(path.stem, octets[:2].hex() or "-", name.encode().hex() or "-")
