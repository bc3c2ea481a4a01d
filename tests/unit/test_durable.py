"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.system.durable import create_file, locked, write_atomically


def test_the_new_file_is_there_and_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, [b"one ", b"two"])
    assert path.read_bytes() == b"one two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_trouble_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def chunks() -> Iterator[bytes]:
        yield b"new, and then "
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, chunks())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, steps = tmp_path / "file", []

    def fsync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        steps.append(("folder" if name == tmp_path.name else "file", path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(path, [b"x"])
    assert steps == [("file", False), ("folder", True)]


def test_only_one_changes_it_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "count"

    def add() -> None:
        for _ in range(25):
            with locked(path):
                before = int(path.read_text()) if path.exists() else 0
                write_atomically(path, [str(before + 1).encode()])

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() == "100"


def test_a_file_is_made_once_and_private_and_nobody_opens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", None)
    path = tmp_path / "database"
    create_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("content")
    create_file(path)
    assert path.read_text() == "content"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_makes_belongs_to_the_folders_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 23456)
    create_file(tmp_path / "database")
    found = (tmp_path / "database").stat()
    assert (found.st_uid, found.st_gid) == (12345, 23456)
