"""Lists of SHA-256 sums."""

from __future__ import annotations

import hashlib
import os
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.scanners import hashes
from filterd.scanners.hashes import HashList, HashListError


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def write(path: Path, lines: list[str]) -> None:
    new = path.with_suffix(".new")
    new.write_text("".join(f"{line}\n" for line in sorted(lines)))
    new.replace(path)


@given(numbers=st.sets(st.integers(0, 500), max_size=60), probe=st.integers(0, 500))
def test_what_is_there_is_found(
    tmp_path_factory: pytest.TempPathFactory, numbers: set[int], probe: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "list"
    write(path, [f"{digest(n)}  name {n}" if n % 3 else digest(n) for n in numbers])
    one = HashList(path)
    for number in (*numbers, probe):
        name = f"name {number}" if number % 3 else ""
        assert one.find(digest(number)) == (name if number in numbers else None)


def test_what_sha256sum_writes(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text(f"# bad files\n{digest(1)} *a.exe\n")
    assert HashList(path).find(digest(1)) == "a.exe"
    path.write_text(f"{digest(1)}")
    assert HashList(path).find(digest(1)) == ""
    path.write_text("")
    assert HashList(path).find(digest(1)) is None


def test_a_changed_list_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "list"
    write(path, [digest(1)])
    one = HashList(path)
    assert (one.find(digest(1)), one.find(digest(2))) == ("", None)
    write(path, [digest(2)])
    assert (one.find(digest(1)), one.find(digest(2))) == (None, "")
    path.unlink()
    with pytest.raises(HashListError, match="No such file"):
        one.find(digest(2))


@pytest.mark.parametrize(
    "content, says",
    [
        (f"{digest(1).upper()}\n", ":1: expected 64"),
        ("abc\n", ":1: expected 64"),
        (f"{digest(1)}x\n", ":1: expected 64"),
        ("\n".join(sorted([digest(1), digest(2)], reverse=True)), ":2: not in order; sort it"),
        (f"{digest(1)} {'x' * 2000}\n", ":1: longer than"),
        ("\0" * 100, ":1: expected 64"),
    ],
)
def test_what_is_no_list(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "list"
    path.write_text(content)
    with pytest.raises(HashListError, match="list:") as caught:
        HashList(path).check()
    assert says in str(caught.value)


def test_a_list_that_is_cut_short_under_us(tmp_path: Path) -> None:
    """Not a signal that ends the process, as with a mapping; and never a wrong answer."""
    path = tmp_path / "list"
    numbers = range(1000)
    write(path, [digest(n) for n in numbers])
    one = HashList(path)
    one.check()
    os.truncate(path, 300)
    with pytest.raises(HashListError):
        for number in numbers:
            one.find(digest(number))


@pytest.mark.slow
def test_work_and_memory_do_not_grow_with_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []

    def counted(descriptor: int, size: int, place: int, read=os.pread) -> bytes:  # type: ignore[no-untyped-def]
        reads.append(size)
        return read(descriptor, size, place)

    counts = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for lines in (50_000, 400_000):
        path = tmp_path / str(lines)
        with path.open("w") as file:
            step = (1 << 256) // lines
            for number in range(lines):
                file.write(f"{number * step:064x}\n")
        one = HashList(path)
        one.check()
        monkeypatch.setattr(hashes.os, "pread", counted)
        reads.clear()
        assert one.find(f"{(lines // 3) * step:064x}") == ""
        monkeypatch.undo()
        counts.append(len(reads))
    assert counts[1] <= counts[0] + 2 * 5
    # The longer list has 26 MB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 << 10


def test_a_pipe_is_no_list(tmp_path: Path) -> None:
    """And is not waited for."""
    os.mkfifo(tmp_path / "list")
    with pytest.raises(HashListError, match="not a regular file"):
        HashList(tmp_path / "list").check()
