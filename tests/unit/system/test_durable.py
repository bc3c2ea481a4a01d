"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from filterd.system.durable import (
    append,
    create_file,
    locked,
    make_folder,
    rename,
    write_atomically,
    write_new,
    write_once,
)

pytestmark = pytest.mark.slow

PACKAGE = Path(__file__).resolve().parents[3] / "filterd"


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


def test_a_check_right_before_the_old_file_goes(tmp_path: Path) -> None:
    path, seen = tmp_path / "file", []
    path.write_bytes(b"old")

    def refuse() -> None:
        seen.append((path.read_bytes(), [one.read_bytes() for one in tmp_path.glob(".file.*")]))
        raise ValueError("changed meanwhile")

    with pytest.raises(ValueError, match="meanwhile"):
        write_atomically(path, [b"new"], check=refuse)
    assert seen == [(b"old", [b"new"])]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    write_atomically(path, [b"new"], check=path.read_bytes)
    assert path.read_bytes() == b"new"


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


def test_new_files_must_be_new(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write_new((one, b"1"), (two, b"22"))
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"22")
    assert one.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_new((one, b"other"))
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_new((tmp_path / "link", b"x"))
    assert not (tmp_path / "elsewhere").exists()


def test_of_those_that_write_once_the_first_wins(tmp_path: Path) -> None:
    path = tmp_path / "key"
    barrier = threading.Barrier(8)

    def write(number: int) -> bytes:
        barrier.wait()
        write_once(path, bytes([number]) * 32)
        return path.read_bytes()

    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(write, range(8)))
    assert seen == {path.read_bytes()}
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_appended_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\n")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with path.open("ab") as file:
        append(file.fileno(), b"two\n")
        assert path.read_bytes() == b"one\ntwo\n"
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            append(file.fileno(), b"three\n")
    assert path.read_bytes() == b"one\ntwo\n"


def synced_names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is synced from now on."""
    names = list[str]()
    monkeypatch.setattr(
        os, "fsync", lambda handle: names.append(Path(f"/proc/self/fd/{handle}").readlink().name)
    )
    return names


def test_names_are_synced_once_for_each_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tmp", "queue"):
        (tmp_path / name).mkdir()
    pairs = [(tmp_path / "tmp" / name, tmp_path / "queue" / name) for name in ("a.msg", "a.json")]
    write_new(*((old, b"x") for old, _ in pairs))
    names = synced_names(monkeypatch)
    rename(*pairs)
    assert [new.read_bytes() for _, new in pairs] == [b"x", b"x"]
    assert names == ["queue"]


def test_folders_are_private_and_their_names_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = synced_names(monkeypatch)
    make_folder(tmp_path / "a" / "b")
    assert names == [tmp_path.name, "a"]
    assert [p.stat().st_mode & 0o777 for p in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700] * 2
    make_folder(tmp_path / "a" / "b")
    assert len(names) == 2
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file" / "c")


# Calls by which a file or its name gets on disk, or is put in another's place. All but those of
# `durable` stand here, with the reason why they do not go through it.
BY_HAND = {
    "backup/saving.py": "an archive that is read back while it is written; its folder is synced",
    "backup/restoring.py": "whole folders that are exchanged, and taken back together",
    "database/sqlite.py": "puts a broken database aside: its rest is kept, nothing new is promised",
    "history/recovery.py": "a database that SQLite wrote, put where the broken one was",
    "cli/quarantine/look.py": "a copy for the person who asked for it: the message is kept anyway",
    "mta/maps/writing.py": "a map, with the owner and the mode that makemap gives it",
    "mta/mc/values.py": "a directive of an mc file",
    "mta/sendmail/filter.py": "a body in memory",
}


def test_only_durable_syncs_and_renames() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and is_durable_work(node)
    }
    assert found - {"system/durable.py"} == set(BY_HAND)


def is_durable_work(call: ast.Call) -> bool:
    """fsync, a renaming by `os` or `Path`, a temporary file that is to stay."""
    name = ast.unparse(call.func).rpartition(".")[2]
    if name in {"fsync", "fdatasync", "syncfs", "rename", "renames", "mkstemp"}:
        # A function of `durable` by that name is meant if it is called as such.
        return ast.unparse(call.func) not in {"rename", "durable.rename"}
    if name == "NamedTemporaryFile":
        return any(keyword.arg in {"delete", "delete_on_close"} for keyword in call.keywords)
    if ast.unparse(call.func) in {"replace", "dataclasses.replace"}:
        return False
    # str.replace has two arguments, datetime.replace has keywords.
    is_of_path = len(call.args) == 1 and not call.keywords
    return name == "replace" and (is_of_path or ast.unparse(call.func) == "os.replace")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("os.fsync(f)", True),
        ("os.replace(a, b)", True),
        ("os.rename(a, b)", True),
        ("path.replace(other)", True),
        ("path.rename(other)", True),
        ("tempfile.mkstemp()", True),
        ("tempfile.NamedTemporaryFile(delete=False)", True),
        ("tempfile.TemporaryFile()", False),
        ("text.replace('a', 'b')", False),
        ("replace(entry, held=None)", False),
        ("when.replace(tzinfo=UTC)", False),
        ("durable.rename((a, b))", False),
    ],
)
def test_what_counts_as_durable_work(code: str, expected: bool) -> None:
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert is_durable_work(call) is expected
