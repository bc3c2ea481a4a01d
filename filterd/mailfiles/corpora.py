"""Reading mail wherever it is kept: one message, a folder, mbox, Maildir, an index, an archive.

An *index* has one `<label> <path>` line a message, oldest first, paths counted from the index's own
folder (the format of the TREC spam track); labels are spam and ham, anything else is ignored. It
is known by its name (`index`, `NAME.index`) or by its first line. A folder that holds a file named
`index` is read through it. In other folders a message's label comes from the names of the folders
above it: `spam`, `spam_2`, `.Junk`, `easy_ham`, ...

Messages that a mail server compressed (Dovecot's zlib plugin) are decompressed. A mailbox may be in
use meanwhile: a Maildir message that is moved from `new` to `cur`, or whose flags change, is found
under its new name, and found once.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from filterd.mailfiles import archives
from filterd.mailfiles.items import Label, MailItem, in_file, in_stream
from filterd.mailfiles.mail_file import (
    CorpusError,
    SkippedError,
    in_maildir,
    reader,
    unique_path,
)
from filterd.system.bounded import plain_text

_LISTINGS = 5
"""Times that the folders of a Maildir are listed again; a message would have to be renamed during
each of them to be missed, and mail that goes on coming is left for the next run."""

_INDEX_LINE_LIMIT = 4096  # bytes of an index's first line; longer than any path

LABELS = {"spam": True, "ham": False}

_SPAM_WORDS = re.compile(r"(?:^|[^a-z])(?:spam|junk)(?:[^a-z]|$)", re.IGNORECASE)
_HAM_WORDS = re.compile(r"(?:^|[^a-z])(?:ham|nonspam|notspam)(?:[^a-z]|$)", re.IGNORECASE)


def read_messages(
    path: str | Path, skipped: Callable[[SkippedError], object] | None = None
) -> Iterator[tuple[str | None, str, bytes]]:
    """Yield (label, name, bytes) of every message at a path; `-` is standard input.

    label: "spam", "ham" or None. A `From ` line of an mbox is not part of the message and is left
    out. skipped: called with each message that had to be left out; without it that is an error.
    Raises CorpusError.
    """
    words = {True: "spam", False: "ham", None: None}
    with ExitStack() as stack:
        for item in find_messages(path, stack):
            try:
                data = item.read()
            except SkippedError as error:
                if skipped is None:
                    raise
                skipped(error)
                continue
            yield words[item.label], item.name, data


def find_messages(path: str | Path, stack: ExitStack) -> Iterator[MailItem]:
    """Yield the messages at a path without reading those that are files of their own.

    stack: archives, and mboxes that are not plain files, are unpacked into temporary files that
    live until it is closed. Raises CorpusError.
    """
    if str(path) == "-":
        yield from in_stream("-", sys.stdin.buffer, None, stack)
        return
    root = Path(path)
    try:
        mode = root.stat().st_mode
    except FileNotFoundError:
        raise CorpusError(f"{root}: no such file or folder") from None
    except (OSError, ValueError) as error:
        raise CorpusError(f"{root}: cannot be read ({_why(error)})") from None
    if stat.S_ISDIR(mode):
        yield from _folder(root, None, stack)
    elif not stat.S_ISREG(mode):
        # A pipe of the shell, `<(...)`, say: it can be read once.
        with _opened(root) as file:
            yield from in_stream(str(root), file, None, stack)
    elif is_index(root):
        yield from _index(root)
    elif archives.is_archive(root):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="filterd-corpus-")))
        try:
            archives.unpack(root, folder)
        except OSError as error:
            raise CorpusError(f"{root}: cannot be unpacked ({error})") from None
        yield from _folder(folder, None, stack, shown=root)
    else:
        yield from in_file(root, None, str(root), stack)


def is_index(path: Path) -> bool:
    """Return True for an index file, or a folder that holds one.

    A file of another name is an index if its first line has a label and the path of a file.
    """
    if path.is_dir():
        return (path / "index").is_file()
    if path.name == "index" or path.name.endswith(".index"):
        return True
    try:
        with path.open("rb") as file:
            line = plain_text(file.readline(_INDEX_LINE_LIMIT), "surrogateescape")
    except (OSError, ValueError):
        return False
    fields = line.split(None, 1)
    if len(fields) != 2 or fields[0].lower() not in LABELS:
        return False
    try:
        return (path.parent / fields[1].strip()).is_file()
    except OSError:  # a name that is too long, say
        return False


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _opened(path: Path, name: str = "") -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise CorpusError(f"{name or path}: cannot be read ({error.strerror})") from None


def _folder(
    folder: Path, label: Label | None, stack: ExitStack, shown: Path | None = None
) -> Iterator[MailItem]:
    index = folder / "index"
    if index.is_file():
        yield from _index(index, shown)
        return
    # An archive's one top folder stands for the archive.
    if shown is not None:
        inside = list(folder.iterdir())
        if len(inside) == 1 and inside[0].is_dir():
            yield from _folder(inside[0], label, stack, shown)
            return
    for path in sorted(_files(folder)):
        relative = path.relative_to(folder)
        if _is_housekeeping(relative):
            continue
        own = label if label is not None else label_of(f"{(shown or folder).name}/{relative}")
        name = str((shown or folder) / relative)
        # An archive in a folder of mail is a file like others; only one that was named is unpacked.
        try:
            yield from in_file(path, own, name, stack)
        except SkippedError as skipped:
            yield _skipped(own, skipped)


def _files(folder: Path) -> Iterable[Path]:
    """All regular files below a folder, which may change meanwhile. Raises CorpusError for a folder
    that may not be read.

    A message that is renamed while a folder of a Maildir is listed may be missing from the list, or
    be in it twice (readdir(3) leaves that open). So these are listed again until nothing new comes.
    """
    found: dict[Path, Path] = {}
    busy: list[Path] = []
    for top, _folders, names in os.walk(folder, onerror=_refuse):
        is_maildir = in_maildir(Path(top))
        if is_maildir:
            busy.append(Path(top))
        for name in names:
            path = Path(top, name)
            if path.is_file():
                found.setdefault(unique_path(path) if is_maildir else path, path)
    for _ in range(_LISTINGS):
        now = {unique_path(path): path for one in busy for path in _listed(one) if path.is_file()}
        if now.keys() <= found.keys():
            break
        found = now | found
    return found.values()


def _listed(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise CorpusError(f"{error.filename}: cannot be read ({error.strerror})")


def _skipped(label: Label | None, error: SkippedError) -> MailItem:
    """A message that cannot be read, so that the reader can count it."""

    def read() -> bytes:
        raise error

    return MailItem(label, error.name, read)


def label_of(name: str) -> Label | None:
    """The label that a path's words give, the last one that says anything; None if none does."""
    for part in reversed(PurePosixPath(name).parts[:-1]):
        if _HAM_WORDS.search(part):
            return False
        if _SPAM_WORDS.search(part):
            return True
    return None


def _is_housekeeping(relative: Path) -> bool:
    """Dovecot's, Courier's and Cyrus' own files, Maildir's unfinished deliveries, hidden files."""
    name = relative.name
    return (
        name.startswith((".", "dovecot", "courierimap", "maildir", "cyrus."))
        or name in ("cmds", "SOURCE.txt", "subscriptions")
        or "tmp" in relative.parts[:-1]
    )


def _index(index: Path, shown: Path | None = None) -> Iterator[MailItem]:
    folder = index.parent
    with _opened(index) as file:
        for number, raw in enumerate(file, 1):
            try:
                line = plain_text(raw, "surrogateescape")
            except ValueError as error:
                raise CorpusError(f"{index}:{number}: {error}") from None
            fields = line.strip().split(None, 1)
            if not fields:
                continue
            if len(fields) != 2:
                raise CorpusError(
                    f"{index}:{number}: expected `<label> <path>`, found {line.strip()!r}"
                )
            label, relative = LABELS.get(fields[0].lower()), fields[1]
            path = folder / relative
            name = f"{shown}/{relative}" if shown else str(path)
            yield MailItem(label, name, reader(path, f"{index}:{number}: {path}", listed=True))
