"""The folder of a site's model versions.

`site-000001.fdm`, `site-000002.fdm`, ... are immutable versions; the symbolic link `current` names
the one in force and is replaced by a rename, so that a reader sees the old version or the new one.
The starter model is not in here: it comes with the program.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import sys
from pathlib import Path

from filterd.bayes.model.store import ModelFileError, StoredModel, load
from filterd.system import paths
from filterd.system.bounded import read_regular
from filterd.system.durable import make_folder, rename, write_once

CURRENT = "current"
KEPT_VERSIONS = 8
"""Versions that stay for `rollback`, 12 MiB each."""

NUMBER = "folder.id"
"""The file with the folder's number."""

NUMBER_LENGTH = 15
"""Its hexadecimal digits: a database's integers have 63 bits for it."""

_NUMBER = re.compile(rf"[0-9a-f]{{{NUMBER_LENGTH}}}")

_VERSION = re.compile(r"site-(\d{6,})\.fdm")


def starter_path() -> Path | None:
    """The starter model that came with the program: in the checkout, or installed beside it."""
    places = [Path(sys.prefix) / "share/filterd/models", Path("/usr/share/filterd/models")]
    if paths.CHECKOUT is not None:
        places.insert(0, paths.CHECKOUT / "models")
    return next((p for place in places if (p := place / "starter.fdm").is_file()), None)


class ModelFolder:
    """A site's versions. Reading never creates anything; writing makes the folder, mode 0700.

    database: URL of the training journal; empty: an SQLite file in the folder.
    """

    def __init__(self, path: Path, database: str = "") -> None:
        self.path = path
        self.database = database

    @property
    def journal(self) -> Path:
        """The file that is the training journal if `database` names no other."""
        return self.path / "journal.sqlite3"

    @property
    def link(self) -> Path:
        """The link that names the version in force."""
        return self.path / CURRENT

    def version_path(self, generation: int) -> Path:
        """The file of a version."""
        return self.path / f"site-{generation:06d}.fdm"

    def current(self) -> int | None:
        """The generation in force; None while the site has no model of its own.

        Raises ModelFileError if the link names no version.
        """
        try:
            target = self.link.readlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ModelFileError(
                self.link,
                f"cannot be read as a link ({error.strerror})",
                "`filterd model activate` creates it again",
            ) from None
        match = _VERSION.fullmatch(target.name)
        if match is None:
            raise ModelFileError(
                self.link, f"names {target}", "expected the name of a version, site-N.fdm"
            )
        return int(match[1])

    def generations(self) -> list[int]:
        """The generations whose files are here, ascending."""
        if not self.path.is_dir():
            return []
        matches = (_VERSION.fullmatch(name.name) for name in self.path.iterdir())
        return sorted(int(match[1]) for match in matches if match)

    def load_current(self) -> StoredModel | None:
        """The model in force, None if there is none. Raises ModelFileError."""
        generation = self.current()
        return None if generation is None else load(self.version_path(generation))

    def activate(self, generation: int) -> None:
        """Put a version in force. Raises ModelFileError if its file is not good."""
        path = self.version_path(generation)
        load(path)
        temporary = self.path / f".{CURRENT}.{os.getpid()}"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(path.name)
        rename((temporary, self.link))

    def make(self) -> None:
        """Create the folder if it is missing."""
        make_folder(self.path)

    def number(self) -> int | None:
        """What tells this folder from others, a number of 60 bits; None where it has none yet. A
        copy of the folder has the same. Raises ModelFileError, OSError."""
        path = self.path / NUMBER
        try:
            text = read_regular(path, 2 * NUMBER_LENGTH).decode("latin-1").strip()
        except FileNotFoundError:
            return None
        if not _NUMBER.fullmatch(text):
            expected = f"expected {NUMBER_LENGTH} hexadecimal digits"
            raise ModelFileError(path, f"is {text[:NUMBER_LENGTH]!r}", expected)
        return int(text, 16)

    def make_number(self) -> int:
        """The same; the folder gets one if it has none. Raises ModelFileError, OSError."""
        if self.number() is None:
            write_once(
                self.path / NUMBER,
                f"{secrets.randbits(4 * NUMBER_LENGTH):0{NUMBER_LENGTH}x}\n".encode(),
            )
        found = self.number()
        assert found is not None
        return found

    def lock(self) -> int:
        """The lock of the folder's one writer; waits for it. Closing the descriptor gives it back.

        Raises OSError.
        """
        path = self.path / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    def prune(self, keep: int = KEPT_VERSIONS) -> None:
        """Delete all but the newest versions, and never the one in force."""
        current = self.current()
        for generation in self.generations()[:-keep]:
            if generation != current:
                self.version_path(generation).unlink(missing_ok=True)
