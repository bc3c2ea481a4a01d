"""Reading mail wherever it is kept: one message, a folder, mbox, Maildir, an index, an archive.

An *index* has one `<label> <path>` line a message, oldest first, paths counted from the index's own
folder (the format of the TREC spam track); labels are spam and ham, anything else is no label.
A folder that holds a file named `index` is read through it. In other folders a message's label
comes from the names of the folders above it: `spam`, `spam_2`, `.Junk`, `easy_ham`, ...
"""

from __future__ import annotations

import re
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from filterd.bayes import archives

MESSAGE_LIMIT = 256 << 20
"""Octets of one message; what is larger is cut there."""

_PIECE = 1 << 20  # octets read from standard input at a time

Label = bool
"""True for spam, False for ham."""

_SPAM_WORDS = re.compile(r"(?:^|[^a-z])(?:spam|junk)(?:[^a-z]|$)", re.IGNORECASE)
_HAM_WORDS = re.compile(r"(?:^|[^a-z])(?:ham|nonspam|notspam)(?:[^a-z]|$)", re.IGNORECASE)
_FROM_LINE = re.compile(rb"From [^\n]*\d{2}:\d{2}[^\n]*\n|From \S+ +[^\n]*\n")
_MBOX_START = re.compile(rb"^From [^\n]*\d{1,2}:\d{2}(?::\d{2})?[^\n]*\n", re.MULTILINE)


class CorpusError(Exception):
    """Mail that cannot be read. The text names the path, and what would be right."""


@dataclass(frozen=True, slots=True)
class Item:
    """One message that has been found and not yet read. name: for people, unique in its source."""

    label: Label | None
    name: str
    read: Callable[[], bytes]


def read_messages(path: str | Path) -> Iterator[tuple[str | None, str, bytes]]:
    """Yield (label, name, octets) of every message at a path; `-` is standard input.

    label: "spam", "ham" or None. A `From ` line of an mbox is not part of the message and is left
    out. Raises CorpusError.
    """
    words = {True: "spam", False: "ham", None: None}
    with ExitStack() as stack:
        for item in find_messages(path, stack):
            yield words[item.label], item.name, item.read()


def find_messages(path: str | Path, stack: ExitStack) -> Iterator[Item]:
    """Yield the messages at a path without reading those that are files of their own.

    stack: archives are unpacked into a temporary folder that lives until it is closed.
    Raises CorpusError.
    """
    if str(path) == "-":
        yield from _of_octets("-", _read_all(sys.stdin.buffer), None)
        return
    root = Path(path)
    if not root.exists():
        raise CorpusError(f"{root}: no such file or folder")
    yield from _find(root, None, stack)


def _read_all(file: BinaryIO) -> bytes:
    """What comes up to MESSAGE_LIMIT, in pieces: reading with a limit takes that much memory at
    once, which a mail server's hook may not have."""
    pieces = []
    room = MESSAGE_LIMIT
    while room and (piece := file.read(min(room, _PIECE))):
        pieces.append(piece)
        room -= len(piece)
    return b"".join(pieces)


def _find(path: Path, label: Label | None, stack: ExitStack) -> Iterator[Item]:
    if path.is_dir():
        yield from _folder(path, label, stack)
    elif path.name == "index" or path.name.endswith(".index"):
        yield from _index(path)
    elif archives.is_archive(path):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="filterd-corpus-")))
        try:
            archives.unpack(path, folder)
        except (
            OSError, tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError,
            RuntimeError,  # what zipfile raises for encrypted members and unknown methods
        ) as error:  # fmt: skip
            raise CorpusError(f"{path}: cannot be unpacked ({error})") from None
        yield from _folder(folder, label, stack, shown=path)
    else:
        yield from _file(path, label, str(path))


def _folder(
    folder: Path, label: Label | None, stack: ExitStack, shown: Path | None = None
) -> Iterator[Item]:
    index = folder / "index"
    if index.is_file():
        yield from _index(index, shown)
        return
    # An archive's one top folder stands for the archive.
    inside = sorted(folder.iterdir())
    if shown is not None and len(inside) == 1 and inside[0].is_dir():
        yield from _folder(inside[0], label, stack, shown)
        return
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or _is_housekeeping(path.relative_to(folder)):
            continue
        relative = path.relative_to(folder)
        own = label if label is not None else label_of(f"{(shown or folder).name}/{relative}")
        name = str((shown or folder) / relative)
        # An archive in a folder of mail is a file like others; only one that was named is unpacked.
        yield from _file(path, own, name)


def label_of(name: str) -> Label | None:
    """The label that a path's words give, the last one that says anything; None if none does."""
    for part in reversed(PurePosixPath(name).parts[:-1]):
        if _HAM_WORDS.search(part):
            return False
        if _SPAM_WORDS.search(part):
            return True
    return None


def _is_housekeeping(relative: Path) -> bool:
    """Dovecot's and Courier's own files, Maildir's unfinished deliveries, hidden files."""
    name = relative.name
    return (
        name.startswith((".", "dovecot", "courierimap", "maildir"))
        or name in ("cmds", "SOURCE.txt", "subscriptions")
        or "tmp" in relative.parts[:-1]
    )


def _index(index: Path, shown: Path | None = None) -> Iterator[Item]:
    folder = index.parent
    labels = {"spam": True, "ham": False}
    with index.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            fields = line.strip().split(None, 1)
            if not fields:
                continue
            if len(fields) != 2:
                raise CorpusError(f"{index}:{number}: {line.strip()!r} is no `<label> <path>` line")
            label, relative = labels.get(fields[0].lower()), fields[1]
            path = folder / relative
            name = f"{shown}/{relative}" if shown else str(path)
            yield Item(label, name, _reader(path, f"{index}:{number}: "))


def _file(path: Path, label: Label | None, name: str) -> Iterator[Item]:
    """One file: a message, or an mbox, which is read whole."""
    with path.open("rb") as file:
        head = file.read(5)
    if head == b"From " and len(spans := mbox_spans(path.read_bytes())) > 1:
        for number, (start, end) in enumerate(spans, 1):
            yield Item(label, f"{name}#{number}", _span_reader(path, start, end))
        return
    yield Item(label, name, _reader(path))


def _reader(path: Path, where: str = "") -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with path.open("rb") as file:
                return without_from_line(_read_all(file))
        except OSError as error:
            raise CorpusError(f"{where}{path}: cannot be read ({error.strerror})") from None

    return read


def _span_reader(path: Path, start: int, end: int) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with path.open("rb") as file:
                file.seek(start)
                return unquoted(file.read(min(end - start, MESSAGE_LIMIT)))
        except OSError as error:
            raise CorpusError(f"{path}: cannot be read ({error.strerror})") from None

    return read


def _of_octets(name: str, data: bytes, label: Label | None) -> Iterator[Item]:
    spans = mbox_spans(data) if data.startswith(b"From ") else []
    if len(spans) > 1:
        for number, (start, end) in enumerate(spans, 1):
            yield Item(label, f"{name}#{number}", lambda s=start, e=end: unquoted(data[s:e]))  # type: ignore[misc]
        return
    yield Item(label, name, lambda: without_from_line(data))


def mbox_spans(data: bytes) -> list[tuple[int, int]]:
    """Where the messages of an mbox begin and end, without their `From ` lines.

    A `From ` line counts at the beginning and after an empty line, if it carries a time of day.
    """
    starts = [
        match
        for match in _MBOX_START.finditer(data)
        if match.start() == 0
        or data[match.start() - 2 : match.start()] == b"\n\n"
        or data[match.start() - 4 : match.start()] == b"\r\n\r\n"
    ]
    if not starts or starts[0].start():
        return []
    ends = [match.start() for match in starts[1:]] + [len(data)]
    spans = []
    for match, end in zip(starts, ends, strict=True):
        # The empty line before the next `From ` line is the mbox's, not the message's.
        if end < len(data) and data[end - 2 : end] == b"\r\n":
            end -= 2  # noqa: PLW2901
        elif end < len(data):
            end -= 1  # noqa: PLW2901
        spans.append((match.end(), end))
    return spans


_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)


def unquoted(data: bytes) -> bytes:
    """A message of an mbox with its `>From ` lines as they were sent (mboxrd)."""
    return _QUOTED_FROM.sub(rb"\1", data) if b"\n>" in data else data


def without_from_line(data: bytes) -> bytes:
    """The message without an mbox's `From ` line before its first header field."""
    match = _FROM_LINE.match(data)
    return data[match.end() :] if match else data
