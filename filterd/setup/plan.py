"""What has to change on a machine: files, folders, commands; shown as a diff before it is done."""

from __future__ import annotations

import difflib
import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filterd.system.bounded import read_regular

SIZE_LIMIT = 8 << 20
"""Octets of a file that is changed; a sendmail.cf has 60,000."""


class SetupError(Exception):
    """It cannot be planned, done or taken back. The text says why, and what is as before."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """before: None for a new file. mode: of a new one; another keeps its owner and mode."""

    path: Path
    before: bytes | None
    after: bytes
    mode: int = 0o644

    @property
    def is_needed(self) -> bool:
        """Whether it changes anything."""
        return self.before != self.after

    def shown(self) -> Iterator[str]:
        """The lines of a unified diff."""
        old = self.before.decode("utf-8", "replace").splitlines() if self.before is not None else []
        new = self.after.decode("utf-8", "replace").splitlines()
        name = str(self.path)
        source = name if self.before is not None else "/dev/null"
        return difflib.unified_diff(old, new, source, name, lineterm="")


@dataclass(frozen=True, slots=True)
class FolderChange:
    """A folder that has to be there with that owner, group and mode."""

    path: Path
    owner: str
    group: str
    mode: int

    @property
    def is_needed(self) -> bool:
        """Whether it is missing, or somebody else's."""
        try:
            told = self.path.lstat()
        except OSError:
            return True
        wanted = (pwd.getpwnam(self.owner).pw_uid, grp.getgrnam(self.group).gr_gid, self.mode)
        is_folder = stat.S_ISDIR(told.st_mode)
        return not is_folder or (told.st_uid, told.st_gid, stat.S_IMODE(told.st_mode)) != wanted

    def shown(self) -> str:
        """The command that makes it."""
        return f"install -d -o {self.owner} -g {self.group} -m {self.mode:o} {self.path}"

    def make(self) -> bool:
        """Make it, or correct it; whether it is new. Raises OSError."""
        is_new = not os.path.lexists(self.path)
        if is_new:
            self.path.mkdir(mode=0o700)
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            uid, gid = pwd.getpwnam(self.owner).pw_uid, grp.getgrnam(self.group).gr_gid
            os.fchown(handle, uid, gid)
            os.fchmod(handle, self.mode)
        finally:
            os.close(handle)
        return is_new


@dataclass(frozen=True, slots=True)
class SetupCommand:
    """A program to run. silent_about: beginnings of lines that it prints, where any other line is
    a complaint; None: only the exit status counts. wanted: what it has to print, empty for
    anything."""

    words: tuple[str, ...]
    silent_about: tuple[str, ...] | None = None
    wanted: str = ""

    def shown(self) -> str:
        """As one types it."""
        return shlex.join(self.words)


@dataclass(frozen=True, slots=True)
class Hangup:
    """A daemon that reads its settings again when it gets SIGHUP, and then writes its pid again."""

    pid_file: Path

    def shown(self) -> str:
        """As one types it."""
        return f"kill -HUP $(head -1 {self.pid_file})"


@dataclass(frozen=True, slots=True)
class SetupPlan:
    """All that attaches one MTA. mta: its name. restart: commands after which the daemon listens at
    `socket`, none if it does already. running: says that the MTA runs. checks: the MTA's own, of
    the new files. reload: the MTA reads them. port: where it takes mail on 127.0.0.1. notes: what
    the administrator should know. obstacles: why it cannot be carried out as it is."""

    mta: str
    socket: str
    folders: tuple[FolderChange, ...]
    files: tuple[FileChange, ...]
    restart: tuple[SetupCommand, ...]
    running: tuple[SetupCommand, ...]
    checks: tuple[SetupCommand, ...]
    reload: tuple[SetupCommand | Hangup, ...]
    port: int
    notes: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()

    @property
    def is_needed(self) -> bool:
        """Whether anything has to change."""
        folders = any(one.is_needed for one in self.folders)
        return folders or any(one.is_needed for one in self.files)

    def shown(self) -> Iterator[str]:
        """All of it, in the order in which it is done: folders and commands as one types them,
        files as a diff."""
        for folder in self.folders:
            if folder.is_needed:
                yield f"$ {folder.shown()}"
        for file in self.files:
            yield from file.shown()
        for command in (*self.restart, *self.checks, *self.reload):
            yield f"$ {command.shown()}"
        for note in self.notes:
            yield f"# {note}"


def read(path: Path) -> bytes | None:
    """A file's content, None if there is none. Raises SetupError."""
    try:
        return read_regular(path, SIZE_LIMIT)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from None
