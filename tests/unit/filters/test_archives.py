"""Archives: members and their names, nested; limits, passwords and damage, each a symbol."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import os
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from filterd.filters.parts.unpacking import archive, archive_child, archive_reader
from filterd.filters.parts.unpacking.files import File
from filterd.filters.parts.unpacking.limits import UnpackLimits
from filterd.filters.parts.unpacking.unpack import Unpacker
from tests.helpers.archives import PROGRAM, zipped

pytestmark = pytest.mark.slow

USUAL = UnpackLimits()


def tarred(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as writer:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        writer.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def unpacked(
    name: str, content: bytes, limits: UnpackLimits = USUAL
) -> tuple[list[str], dict[str, str]]:
    """The paths of all files, and what was noted: symbol → detail."""
    unpacker = Unpacker(limits)
    paths = [file.shown_path for file in unpacker.files((name,), content)]
    return paths, dict(reversed(unpacker.findings))


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.zip", lambda: zipped(**{"b/run.exe": PROGRAM})),
        ("a.tar", lambda: tarred("b/run.exe", PROGRAM)),
        ("a.tgz", lambda: gzip.compress(tarred("b/run.exe", PROGRAM))),
        ("run.exe.gz", lambda: gzip.compress(PROGRAM)),
        ("run.exe.bz2", lambda: bz2.compress(PROGRAM)),
        ("run.exe.xz", lambda: lzma.compress(PROGRAM)),
        ("a.zip", lambda: zipped(**{"b.zip": zipped(**{"c.zip": zipped(**{"run.exe": PROGRAM})})})),
        ("a.jpg", lambda: b"\xff\xd8\xff" + b"x" * 500 + zipped(**{"run.exe": PROGRAM})),
    ],
)
def test_the_program_inside_is_found(name: str, pack: Callable[[], bytes]) -> None:
    unpacker = Unpacker()
    files = list(unpacker.files((name,), pack()))
    assert files[-1].names[0].endswith("run.exe")
    assert files[-1].kind == "exe"
    assert files[-1].content == PROGRAM
    assert unpacker.findings == []


def test_a_name_that_only_a_local_header_has_is_found_too() -> None:
    packed = zipped(**{"notes.txt": b"nothing"})
    deceiving = packed.replace(b"notes.txt", b"start.exe", 1)
    paths, _ = unpacked("a.zip", deceiving)
    assert "a.zip/start.exe" in paths


def test_the_name_in_a_gzip_header_is_found_too() -> None:
    packed = io.BytesIO()
    with gzip.GzipFile("run.exe", "wb", fileobj=packed) as writer:
        writer.write(b"x")
    _, inner = Unpacker().files(("notes.gz",), packed.getvalue())
    assert inner.names == ("notes", "run.exe")


def test_a_bomb_is_over_the_limit_and_costs_little() -> None:
    zeros = bytes(30 << 20)
    for name, packed in (("a.zip", zipped(z=zeros)), ("a.gz", gzip.compress(zeros))):
        paths, notes = unpacked(name, packed)
        assert set(notes) == {"ARCHIVE_LIMIT"}
        assert paths == [name]


def test_too_many_members_and_too_many_levels() -> None:
    many = zipped(**{f"f{n}": b"" for n in range(30)})
    assert set(unpacked("a.zip", many, UnpackLimits(members=20))[1]) == {"ARCHIVE_LIMIT"}
    nested = PROGRAM
    for level in range(7):
        nested = zipped(**{f"{level}.zip": nested})
    _, notes = unpacked("a.zip", nested)
    assert "more than 5 levels" in notes["ARCHIVE_LIMIT"]


def test_the_limits_hold_for_all_archives_of_a_message_together() -> None:
    unpacker = Unpacker(UnpackLimits(total=1 << 20))
    noise = os.urandom(700 << 10)
    list(unpacker.files(("a.zip",), zipped(a=noise)))
    assert unpacker.findings == []
    list(unpacker.files(("b.zip",), zipped(b=noise)))
    assert [symbol for symbol, _ in unpacker.findings] == ["ARCHIVE_LIMIT"]


def encrypted_zip() -> bytes:
    """A stored member with the encryption flag; what is in it does not matter."""
    name, content = b"secret.txt", bytes(20)
    fields = (20, 1, 0, 0, 0, 0, len(content), 8)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", *fields, len(name), 0) + name + content
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, *fields, len(name), 0, 0, 0, 0, 0, 0) + name
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local), 0)
    return local + entry + end


def test_encrypted_damaged_and_climbing_are_told_apart() -> None:
    assert set(unpacked("a.zip", encrypted_zip())[1]) == {"ARCHIVE_ENCRYPTED"}
    whole = gzip.compress(os.urandom(5000))
    assert set(unpacked("a.gz", whole[:2000])[1]) == {"ARCHIVE_DAMAGED"}
    assert set(unpacked("a.zip", zipped(**{"../../x": b"x"}))[1]) == {"ARCHIVE_PATH"}


def test_a_wrong_checksum_is_damage() -> None:
    packed = bytearray(zipped(a=os.urandom(100)))
    packed[45] ^= 0xFF
    assert set(unpacked("a.zip", bytes(packed))[1]) == {"ARCHIVE_DAMAGED"}


def test_what_only_ends_like_a_zip_file_is_not_called_damaged() -> None:
    assert unpacked("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"PK\5\6" + bytes(60)) == (
        ["a.doc"],
        {},
    )


def test_a_reader_that_crashes_costs_only_its_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_reader, "tell", lambda *_: os.abort())
    with pytest.raises(archive.CrashedError):
        list(archive.entries(zipped(a=b"x"), "zip"))


def test_what_nobody_could_read_is_over_the_limit_not_just_damaged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its points alone would let it pass, unexamined."""
    monkeypatch.setattr(archive_reader, "tell", lambda *_: os.abort())
    _names, found = unpacked("a.zip", zipped(a=b"x"))
    assert found == {"ARCHIVE_LIMIT": "a.zip: its reader crashed"}


def test_a_reader_that_takes_too_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def spin(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(archive_reader, "tell", spin)
    with pytest.raises(archive.TooSlowError):
        list(archive.entries(zipped(a=b"x"), "zip", seconds=1))


def test_a_busy_machine_makes_no_archive_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is the CPU that reading takes, not how long the machine lets it wait."""
    clock = itertools.count(0.0, 60.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    inner = zipped(a=b"x")
    paths, found = unpacked("a.zip", zipped(**{"b.zip": inner, "c.zip": zipped(b=b"y")}))
    assert "a.zip/b.zip/a" in paths
    assert "a.zip/c.zip/b" in paths
    assert not found


def test_the_cpu_of_all_archives_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also that of those that are read still, since others are in them."""
    monkeypatch.setattr(archive_child, "_cpu_of", lambda _pid: 3.0)
    inner = zipped(**{"c.zip": zipped(a=b"x")})
    _names, found = unpacked("a.zip", zipped(**{"b.zip": inner}))
    assert found == {"ARCHIVE_LIMIT": "a.zip/b.zip/c.zip: takes more than 5 seconds of CPU to read"}


def test_what_an_archive_took_stays_counted() -> None:
    time = archive_child.ReadingTime()
    for _ in range(2):
        before = time.seconds
        with archive_child.reading(lambda _write: _spin(0.2), 5, time) as records:
            assert list(records) == [(archive_child.CRASHED, b"")]
        assert time.seconds >= before + 0.2


def test_what_runs_beside_does_not_count() -> None:
    """Between two archives a scanner may run a program for each file."""
    content = zipped(**{"b.zip": zipped(a=b"x"), "c.zip": zipped(b=b"y")})
    unpacker = Unpacker(UnpackLimits(seconds=1))
    paths = []
    for file in unpacker.files(("a.zip",), content):
        paths.append(file.shown_path)
        if len(paths) == 2:
            with archive_child.reading(lambda _write: _spin(1.2), 5) as records:
                list(records)
    assert not unpacker.findings
    assert "a.zip/c.zip/b" in paths


def _spin(seconds: float) -> None:
    """Use so much CPU."""
    while time.process_time() < seconds:
        pass


@pytest.mark.parametrize("limit", [64 << 20, archive_child.MEMORY_LIMIT])
def test_an_archive_that_takes_too_much_memory_is_over_the_limit(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_child, "MEMORY_LIMIT", limit)
    packed = bytearray(lzma.compress(PROGRAM, lzma.FORMAT_ALONE))
    packed[1:5] = struct.pack("<I", 512 << 20)  # what its dictionary is said to be
    assert set(unpacked("a.lzma", bytes(packed))[1]) == {"ARCHIVE_LIMIT"}


def test_an_mbox_is_read_to_its_end_or_over_the_limit() -> None:
    line = (
        b"From a@client.example Thu Jan  1 00:00:00 1970\nSubject: a\nMessage-ID: <a>\n\nhello\n\n"
    )
    last = line.replace(b"\n\n", b"\nContent-Disposition: attachment; filename=run.exe\n\n", 1)
    paths, notes = unpacked("a.mbox", line * 6000 + last)
    assert (paths[-1].rpartition("/")[2], notes) == ("run.exe", {})
    assert set(unpacked("a.mbox", line * 30_000 + last)[1]) == {"ARCHIVE_LIMIT"}


def children() -> set[int]:
    """Processes that this one has started and not yet waited for; other tests have servers."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= set(map(int, (task / "children").read_text().split()))
    return found


def test_no_child_is_left_behind() -> None:
    before = children()
    for _ in archive.entries(zipped(a=b"x" * 200_000, b=b"y"), "zip"):
        break
    assert children() <= before


def test_a_kept_file_knows_its_place() -> None:
    file = File(("c.txt",), "", b"", ("a.zip", "b.zip"))
    assert file.shown_path == "a.zip/b.zip/c.txt"


def with_wrong_checksum(name: str, content: bytes, method: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as writer:
        writer.writestr(name, content)
    return packed.getvalue().replace(struct.pack("<I", zlib.crc32(content)), b"\1\2\3\4")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("size", [0, 100, 70_000, 600_000])
def test_what_could_be_read_of_a_damaged_member_counts(method: int, size: int) -> None:
    """Unpackers warn of a wrong checksum and go on."""
    inner = zipped(**{"run.exe": PROGRAM + os.urandom(size)})
    paths, notes = unpacked("a.zip", with_wrong_checksum("b.zip", inner, method))
    assert "a.zip/b.zip/run.exe" in paths
    assert set(notes) == {"ARCHIVE_DAMAGED"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("size", [1, 100, 70_000, 600_000])
def test_a_damaged_member_has_every_octet_it_came_with(method: int, size: int) -> None:
    content = PROGRAM + os.urandom(size)
    unpacker = Unpacker()
    packed = with_wrong_checksum("photo.jpg", content, method)
    _whole, member = unpacker.files(("a.zip",), packed)
    assert member.content == content
    assert "exe" in member.kinds


def test_the_holes_of_a_sparse_member_are_zeros() -> None:
    """A sparse file as GNU tar 1.0 packs it: a map of what is there, padded, then that."""
    pieces = [(0, b"a" * 5000), (305_000, b"z" * 5000)]
    map_ = "".join(f"{number}\n" for at, piece in pieces for number in (at, len(piece)))
    member = tarfile.TarInfo("sparse")
    member.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "sparse",
        "GNU.sparse.realsize": "310000",
    }
    data = f"{len(pieces)}\n{map_}".encode().ljust(512, b"\0") + b"".join(d for _, d in pieces)
    member.size = len(data)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as writer:
        writer.addfile(member, io.BytesIO(data))
    contents = [b"".join(entry.blocks()) for entry in archive.entries(packed.getvalue(), "tar")]
    assert contents == [b"a" * 5000 + bytes(300_000) + b"z" * 5000]
