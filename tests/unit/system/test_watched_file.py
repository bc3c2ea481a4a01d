"""A file is read again when it has changed, and only then."""

from __future__ import annotations

import os
from pathlib import Path

from filterd.system.watched_file import WatchedFile


def test_each_change_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "list"
    file = WatchedFile(path)
    assert [file.look(), file.look()] == ["gone", "same"]
    path.write_text("a\n")
    assert [file.look(), file.look()] == ["changed", "same"]
    path.unlink()
    assert [file.look(), file.look()] == ["gone", "same"]


def test_the_same_time_and_another_size_or_inode(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("a\n")
    file = WatchedFile(path)
    file.look()
    status = path.stat()
    path.write_text("ab\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.look() == "changed"
    other = tmp_path / "new"
    other.write_text("cd\n")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)
    assert file.look() == "changed"


def test_other_rights_are_a_change(tmp_path: Path) -> None:
    """Who could not read it can now."""
    path = tmp_path / "list"
    path.write_text("a\n")
    file = WatchedFile(path)
    file.look()
    path.chmod(0o600 if path.stat().st_mode & 0o077 else 0o640)
    assert file.look() == "changed"
