"""Local delivery to Maildir and mbox; a message is on disk before delivery counts as done.

A mailbox has the name of its recipient: the local part if the domain is the MTA's own, else the
whole address, in lower case, octets that a file name should not have as %XX. Line ends are LF, as
from sendmail's local mailers.
Sources: cr.yp.to/proto/maildir.html; RFC 4155 appendix A with mboxrd quoting.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import re
import stat
import time
from pathlib import Path

from filterd.system import durable
from filterd.system.durable import make_folder, write_new

_counter = itertools.count()
_FROM = re.compile(rb"^(>*From )", re.MULTILINE)
NAME_LIMIT = 200
"""Characters of a mailbox name; file systems stop at 255 octets."""


def folder_name(address: str) -> str:
    """The recipient as a file name: `ann@Example.org` → `ann@example.org`."""
    octets = address.lower().encode("ascii", "surrogateescape")
    name = "".join(
        chr(octet) if re.match(rb"[a-z0-9@+_.=-]", bytes([octet])) else f"%{octet:02x}"
        for octet in octets
    )
    # A name must not be hidden, nor lead out of the folder.
    name = "%2e" + name[1:] if name.startswith(".") else name
    return name[:NAME_LIMIT] or "%"


class Maildir:
    """A Maildir for each recipient in the folder `root`."""

    def __init__(self, root: Path, host: str) -> None:
        self._root = root
        self._host = host.replace("/", "\\057").replace(":", "\\072")
        self._known: set[str] = set()

    def deliver(self, name: str, sender: str, message: bytes) -> Path:
        """Store a message durably in the mailbox of that name. Raises OSError."""
        del sender
        folder = self._root / name
        if name not in self._known:
            for part in ("tmp", "new", "cur"):
                make_folder(folder / part)
            self._known.add(name)
        unique = f"{time.time():.6f}.P{os.getpid()}Q{next(_counter)}.{self._host}"
        temporary, final = folder / "tmp" / unique, folder / "new" / unique
        write_new((temporary, message))
        durable.rename((temporary, final))
        return final


class Mbox:
    """An mbox file for each recipient in the folder `root`, locked with fcntl for each append."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def deliver(self, name: str, sender: str, message: bytes) -> Path:
        """Append a message durably, see `append`. Raises OSError."""
        make_folder(self._root)
        path = self._root / name
        append(path, sender, message)
        return path


def append(path: Path, sender: str, message: bytes) -> None:
    """Append a message to an mbox file, locked and synced. After an OSError the file is as long
    as before."""
    stamp = time.asctime(time.gmtime())
    text = _FROM.sub(rb">\1", message)
    ending = b"\n" if text.endswith(b"\n") else b"\n\n"
    envelope = (sender or "MAILER-DAEMON").encode("ascii", "surrogateescape")
    data = b"From " + envelope + b" " + stamp.encode() + b"\n" + text + ending
    # A FIFO would hold up the queue until somebody reads it.
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, durable.PRIVATE_FILE)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        fcntl.lockf(descriptor, fcntl.LOCK_EX)
        durable.append(descriptor, data)
    finally:
        os.close(descriptor)
