"""The lines of a configuration file: comments, languages, the word that a line begins with.

Source: Mail::SpamAssassin::Conf(3), "DESCRIPTION" and `lang`. All text is octets.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from filterd.rules.conf.rule import Origin, RuleProblem

LINE_OCTETS = 256 * 1024
"""Longest line that is read. The longest of SpamAssassin's own rules has about 10,000."""

FILE_OCTETS = 16 * 1024 * 1024
"""Largest file that is read."""

SHOWN_OCTETS = 80
"""As much of a line as a message about it quotes."""

_WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}

_COMMENT = re.compile(rb"(?<!\\)#")

_LANGUAGE = re.compile(rb"lang\s++(\S++)\s++")


class LineError(ValueError):
    """A line that cannot be used: its text says why."""


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One line that says something.

    key: its first word, lower case, with underscores for hyphens. value: the rest. Comments and
    surrounding white space are gone, and `\\#` is `#`.
    """

    origin: Origin
    key: str
    value: bytes


def text_of(octets: bytes) -> str:
    """Octets as `rule.py` holds them: Latin-1, so that each character is an octet."""
    return octets.decode("latin-1")


def words_of(octets: bytes) -> str:
    """Text for people: UTF-8, or Latin-1 where it is something else."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def quoted(octets: bytes | str) -> str:
    """A part of a line for a message: printable, and not too long."""
    text = words_of(octets) if isinstance(octets, bytes) else octets
    short = text if len(text) <= SHOWN_OCTETS else text[:SHOWN_OCTETS] + "..."
    return "".join(one if one.isprintable() else "?" for one in short)


def lines_of(name: str, data: bytes, language: str) -> Iterator[RuleLine | RuleProblem]:
    """The lines of a file, and what is wrong with those that cannot be read.

    language: as in `de_AT`; a line `lang xx ...` is for those that begin so.
    """
    if len(data) > FILE_OCTETS:
        yield RuleProblem(Origin(name), f"larger than {FILE_OCTETS} octets: the file is left out")
        return
    wide = next((kind for mark, kind in _WIDE_MARKS.items() if data.startswith(mark)), "")
    if wide:
        yield RuleProblem(Origin(name), f"the file is {wide}, expected UTF-8: it is left out")
        return
    ours = language.lower().encode("ascii", "replace")
    # A byte order mark that some editors write is not a part of the first line.
    for number, raw in enumerate(io.BytesIO(data.removeprefix(codecs.BOM_UTF8)), 1):
        if raw.startswith((b"#", b"\n")):
            continue
        if len(raw) > LINE_OCTETS:
            text = f"a line of {len(raw)} octets, expected up to {LINE_OCTETS}"
            yield RuleProblem(Origin(name, number), text)
            continue
        line = _without_comment(raw).strip()
        if line.startswith(b"lang"):
            chosen = _LANGUAGE.match(line)
            if chosen:
                if not ours.startswith(chosen[1].lower()):
                    continue
                line = line[chosen.end() :]
        if not line or line == b"0":
            continue
        if b"\0" in line:
            yield RuleProblem(Origin(name, number), f"contains NUL: {quoted(line)}")
            continue
        key, value = (*line.split(None, 1), b"")[:2]
        yield RuleLine(Origin(name, number), text_of(key.lower().replace(b"-", b"_")), value)


def _without_comment(raw: bytes) -> bytes:
    if b"#" not in raw:
        return raw
    comment = _COMMENT.search(raw)
    line = raw[: comment.start()] if comment else raw
    return line.replace(b"\\#", b"#")
