"""Bringing an archive back: all is unpacked and compared with its manifest before anything changes,
then it takes the place of what is there, which stays beside it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filterd.backup.manifest import NAME, SIZE_LIMIT, ArchivedFile, BackupError, Manifest
from filterd.backup.parts import SETTINGS, parts
from filterd.config.load import Settings
from filterd.system import privileges
from filterd.system.display import printable
from filterd.system.durable import sync_folder

FORMER, STAGED = ".before-restore", ".restoring"
"""Ends of names: of what was there, and of what is being unpacked."""

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """One part that was brought back. former: what was there, None for nothing."""

    key: str
    path: Path
    former: Path | None


def manifest_of(archive: Path) -> Manifest:
    """What an archive says that it holds. Raises BackupError, also for one that is cut off."""
    with _opened(archive) as tar:
        for member in _members(tar):
            if member.name == NAME and member.isreg():
                if member.size > SIZE_LIMIT:
                    raise BackupError(f"{archive}: its manifest is larger than {SIZE_LIMIT} bytes")
                file = tar.extractfile(member)
                if file is not None:
                    return Manifest.decode(file.read(SIZE_LIMIT))
    raise BackupError(f"{archive} has no manifest: cut off, or not made by filterd backup")


def restore(settings: Settings, archive: Path, *, with_settings: bool = False) -> list[Restored]:
    """Bring all parts back to where these settings have them; with_settings: the settings file,
    too. Raises BackupError; then nothing was changed."""
    manifest = manifest_of(archive)
    places = {one.key: one.path for one in parts(settings)}
    targets = {}
    for name, key in manifest.parts.items():
        if key == SETTINGS and not with_settings:
            continue
        if key not in places:
            raise BackupError(f"the archive has {key}, which these settings do not set")
        targets[name] = places[key]
    for path in targets.values():
        for beside in (_beside(path, FORMER), _beside(path, STAGED)):
            if os.path.lexists(beside):
                raise BackupError(f"{beside} is left from an earlier restore; move it away first")
    try:
        try:
            _unpack(archive, manifest, targets)
            return _exchange(manifest, targets)
        finally:
            for path in targets.values():
                _remove(_beside(path, STAGED))
    except OSError as error:
        raise BackupError(f"{error.filename or archive}: {error.strerror or error}") from None


def _beside(path: Path, end: str) -> Path:
    return path.with_name(f".{path.name}{end}" if end == STAGED else f"{path.name}{end}")


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with privileges.as_caller():
            file = archive.open("rb")
        with file, tarfile.open(fileobj=file, mode="r:gz") as tar:
            yield tar
    except OSError as error:
        raise BackupError(f"{archive}: {error.strerror or error}") from None
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise BackupError(f"{archive}: damaged, or cut off: {error}") from None


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """One after the other; `tar` itself would remember a million of them."""
    while (member := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]  # not in typeshed
        yield member
    # tarfile stops at the first empty block; what follows ends with gzip's own checksum.
    while tar.fileobj.read(BLOCK):
        pass


@dataclass(frozen=True, slots=True)
class _Access:
    """Whose a part is, and the mode of its folders: as of what it replaces, else of the owner of
    the store. Settings and keys stay root's, and the service's to read."""

    owner: tuple[int, int] | None
    mode: int

    @classmethod
    def of(cls, path: Path) -> _Access:
        try:
            told = path.stat()
        except OSError:
            return cls(None, 0o700)
        return cls((told.st_uid, told.st_gid), stat.S_IMODE(told.st_mode) & 0o777)

    def give(self, path: Path, user: privileges.User | None) -> None:
        """user: None where the file is somebody's already who may write there."""
        if user is not None:
            os.chown(path, *(self.owner or (user.uid, user.gid)), follow_symlinks=False)

    def make_folder(self, path: Path) -> None:
        """With those above it."""
        if path.is_dir():
            return
        self.make_folder(path.parent)
        with privileges.writing_in(path.parent) as user:
            path.mkdir(mode=0o700)
            self.give(path, user)
            path.chmod(self.mode)


def _unpack(archive: Path, manifest: Manifest, targets: dict[str, Path]) -> None:
    """Unpack beside the targets, every file checked."""
    wanted = {one.name: one for one in manifest.items if one.name.split("/")[0] in targets}
    accesses = {name: _Access.of(path) for name, path in targets.items()}
    for name, path in targets.items():
        with privileges.writing_in(path.parent):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if name in manifest.folders:
            accesses[name].make_folder(_beside(path, STAGED))
    folders = {_beside(targets[name], STAGED) for name in manifest.folders if name in targets}
    with _opened(archive) as tar:
        for member in _members(tar):
            item = wanted.pop(member.name, None)
            if item is None:
                continue
            first, *rest = item.name.split("/")
            path = _beside(targets[first], STAGED).joinpath(*rest)
            if rest:
                accesses[first].make_folder(path.parent)
                folders.add(path.parent)
            with privileges.writing_in(path.parent) as user:
                if item.link:
                    path.symlink_to(item.link)
                    continue
                file = tar.extractfile(member) if member.isreg() else None
                if file is None or member.size != item.size:
                    raise BackupError(f"{archive}: {_shown(item)} is not what the manifest says")
                _write(path, file, item, archive)  # type: ignore[arg-type]
                accesses[first].give(path, user)
    if wanted:
        raise BackupError(f"{archive}: {_shown(next(iter(wanted.values())))} is missing")
    for folder in folders:
        sync_folder(folder)


def _write(path: Path, file: BinaryIO, item: ArchivedFile, archive: Path) -> None:
    total = hashlib.sha256()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as target:
        while block := file.read(BLOCK):
            total.update(block)
            target.write(block)
        target.flush()
        os.fchmod(handle, item.mode)
        os.fsync(handle)
    if total.hexdigest() != item.sum:
        raise BackupError(f"{archive}: {_shown(item)} has another checksum than the manifest says")


def _exchange(manifest: Manifest, targets: dict[str, Path]) -> list[Restored]:
    done: list[Restored] = []
    try:
        for name, path in targets.items():
            with privileges.writing_in(path.parent):
                former = _beside(path, FORMER) if os.path.lexists(path) else None
                if former is not None:
                    path.rename(former)
                try:
                    _beside(path, STAGED).rename(path)
                except BaseException:
                    if former is not None:
                        former.rename(path)
                    raise
                done.append(Restored(manifest.parts[name], path, former))
                sync_folder(path.parent)
    except BaseException:  # Ctrl-C, too: half of an archive would be neither the old nor the new
        for one in reversed(done):
            with privileges.writing_in(one.path.parent):
                one.path.rename(_beside(one.path, STAGED))
                if one.former is not None:
                    one.former.rename(one.path)
        raise
    return done


def _shown(item: ArchivedFile) -> str:
    return printable(item.name)


def _remove(path: Path) -> None:
    if not os.path.lexists(path):
        return
    with privileges.writing_in(path.parent):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
