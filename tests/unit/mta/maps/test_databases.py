"""Berkeley DB and cdb files: what was written is read, and damaged files do no harm."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.mta.cf.lookup import MapAnswer
from filterd.mta.maps.bdb_pages import DamagedDatabaseError
from filterd.mta.maps.bdb_reader import BdbDatabase
from filterd.mta.maps.bdb_writer import btree_file, hash_file
from filterd.mta.maps.cdb import Cdb, cdb_file
from tests.helpers.maps import look, look_in, maps_of

pytestmark = pytest.mark.slow

Entries = dict[bytes, list[bytes]]


def _cdb(entries: Entries) -> bytes:
    return cdb_file((key, value) for key, values in entries.items() for value in values)


WRITERS: dict[str, Callable[[Entries], bytes]] = {
    "hash": lambda entries: hash_file(entries, duplicates=True),
    "btree": lambda entries: btree_file(entries, duplicates=True),
    "cdb": _cdb,
}
TYPES = tuple(WRITERS)


@contextmanager
def _open(type: str, data: bytes) -> Iterator[BdbDatabase | Cdb]:
    descriptor = os.memfd_create("database")
    try:
        os.write(descriptor, data)
        yield Cdb(descriptor) if type == "cdb" else BdbDatabase(descriptor, is_hash=type == "hash")
    finally:
        os.close(descriptor)


KEYS = st.binary(max_size=40) | st.binary(max_size=3).map(lambda key: key * 900)
VALUES = st.binary(max_size=40) | st.binary(min_size=1, max_size=2).map(lambda one: one * 3000)


@pytest.mark.parametrize("type", TYPES)
@settings(max_examples=60, deadline=None)
@given(entries=st.dictionaries(KEYS, st.lists(VALUES, min_size=1, max_size=4), max_size=60))
def test_what_was_written_is_read(type: str, entries: Entries) -> None:
    with _open(type, WRITERS[type](entries)) as database:
        found: Entries = {}
        for key, value in database.items():
            found.setdefault(key, []).append(value)
        assert found == entries
        for key, values in entries.items():
            assert database.get(key) == values[0]
        for key in (b"", b"absent", b"\xff" * 9):
            assert database.get(key) == (entries[key][0] if key in entries else None)


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("count", [0, 1, 200, 3000])
def test_many_entries_and_many_values_of_one_key(type: str, count: int) -> None:
    entries: Entries = {b"key%d" % one: [b"value %d" % one] for one in range(count)}
    entries[b"many"] = [b"%d" % one * 9 for one in range(count + 1)]
    with _open(type, WRITERS[type](entries)) as database:
        assert len(list(database.items())) == 2 * count + 1
        assert [value for key, value in database.items() if key == b"many"] == entries[b"many"]
        assert all(database.get(key) == values[0] for key, values in entries.items())


SAMPLE: Entries = {b"key%d" % one: [b"value" * (1 + one % 7)] for one in range(300)}
SAMPLE[b"long"] = [b"x" * 9000]
SAMPLE[b"many"] = [b"%d" % one for one in range(600)]
FILES = {type: write(SAMPLE) for type, write in WRITERS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("type", TYPES)
@settings(max_examples=300)
@given(data=st.data())
def test_a_damaged_file_is_an_error_and_nothing_else(type: str, data: st.DataObject) -> None:
    content = bytearray(FILES[type])
    for _ in range(data.draw(st.integers(1, 6))):
        # Most numbers that matter stand in the first octets of a page.
        page = data.draw(st.integers(0, len(content) // 4096 - 1)) * 4096
        at = page + data.draw(st.integers(0, 120) | st.integers(0, 4095))
        number = data.draw(
            st.sampled_from([0, 1, 2, 0xFF, 0xFFFF, 0xFFFFFFFF]) | st.integers(0, 9999)
        )
        content[at : at + 4] = struct.pack("<I", number)
    cut = data.draw(st.none() | st.integers(0, len(content)))
    try:
        with _open(type, bytes(content[:cut])) as database:
            for key in SAMPLE:
                database.get(key)
            # Duplicates that lie on one page are told once each: no more than there are octets.
            assert sum(1 for _ in database.items()) <= len(content)
    except DamagedDatabaseError:
        pass


@pytest.mark.parametrize("type", ["hash", "btree"])
def test_a_page_that_follows_itself_ends_the_search(type: str) -> None:
    content = bytearray(FILES[type])
    for start in range(4096, len(content), 4096):
        content[start + 16 : start + 20] = content[start + 8 : start + 12]
    with (
        _open(type, bytes(content)) as database,
        pytest.raises(DamagedDatabaseError, match=r"itself|cut"),
    ):
        list(database.items())


# As maps


def _write(path: Path, type: str, entries: Entries) -> Path:
    path.write_bytes(WRITERS[type](entries))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that sendmail trusts but for those above it."""
    tmp_path.chmod(0o755)
    return tmp_path


TRUST = "O DontBlameSendmail=MapInUnsafeDirPath"


def _look(line: str, key: str, *arguments: str) -> MapAnswer:
    return look_in((TRUST, line), key, *arguments)


FLAGS = [
    ("", "Key", "Upper"),
    ("", "key", "Upper"),
    ("-f", "Key", None),
    ("-f", "key", "Upper"),
    ("-m", "KEY", "KEY"),
    ("-a.x", "key", "Upper.x"),
    ("-m -a<M>", "key", "key<M>"),
    ("-N", "key", None),
    ("-O", "key", "Upper"),
    ("-q", '"q"', "quoted"),
    ("", "percent", "100% %a "),
    ("", "args", "args and "),
]


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize(("flags", "key", "value"), FLAGS)
def test_the_letters_of_a_database_map(
    folder: Path, type: str, flags: str, key: str, value: str | None
) -> None:
    entries = {
        b"key": [b"Upper"],
        b'"q"': [b"quoted"],
        b"percent": [b"100%% %a %9"],
        b"args": [b"%0 and %1"],
    }
    _write(folder / ("m.cdb" if type == "cdb" else "m.db"), type, entries)
    answer = _look(f"Kx {type} {flags} {folder}/m", key)
    assert (answer.value, answer.status, answer.complaint) == (value, 0, "")


@pytest.mark.parametrize("type", TYPES)
def test_keys_with_a_nul_at_their_end_are_found_unless_the_letter_o_forbids_it(
    folder: Path, type: str
) -> None:
    _write(folder / ("m.cdb" if type == "cdb" else "m.db"), type, {b"key\0": [b"value\0"]})
    found = {
        flags: _look(f"Kx {type} {flags} {folder}/m", "key").value for flags in ("", "-N", "-O")
    }
    assert found == {"": "value", "-N": "value", "-O": None}


def test_a_missing_file_is_a_temporary_failure_unless_the_map_is_optional(folder: Path) -> None:
    file = folder / "absent"
    answer = _look(f"Kx hash {file}", "key")
    assert (answer.value, answer.status, answer.trouble) == (None, 75, 71)
    assert (
        answer.complaint == f'hash map "x": missing map file {file}.db: No such file or directory'
    )
    map = maps_of(TRUST, f"Kx hash -o {file}").find("x")
    assert map is not None
    assert not map.is_open
    assert map.lookup("key").status == 0


def test_the_text_of_a_missing_file_is_read_and_that_is_said_once(folder: Path) -> None:
    (folder / "access").write_text("Key\tvalue\nkey\tanother\n lead\tx\nonly\n# comment\n")
    map = maps_of(TRUST, f"Kx hash {folder}/access").find("x")
    assert map is not None
    answer = map.lookup("KEY")
    assert answer.value == "value"
    assert answer.complaint == (
        f'hash map "x": missing map file {folder}/access.db: No such file or directory; '
        f"{folder}/access is read instead"
    )
    assert map.lookup("key").complaint == ""
    assert map.lookup("only").value is None


DAMAGED = [b"", b"x", b"x" * 9000, FILES["btree"], FILES["hash"][:100]]


@pytest.mark.parametrize("content", DAMAGED, ids=["empty", "short", "junk", "other-kind", "cut"])
def test_a_file_that_is_no_database_of_the_kind_is_a_temporary_failure(
    folder: Path, content: bytes
) -> None:
    (folder / "m.db").write_bytes(content)
    answer = _look(f"Kx hash {folder}/m", "key")
    assert (answer.value, answer.status) == (None, 75)
    assert answer.complaint == f"Cannot open hash database {folder}/m.db: Invalid argument"


def test_damage_that_shows_in_a_lookup_is_a_temporary_failure(folder: Path) -> None:
    content = FILES["hash"]
    (folder / "m.db").write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    answer = _look(f"Kx hash {folder}/m", "key1")
    assert (answer.value, answer.status) == (None, 75)
    assert answer.complaint.startswith("db_map_lookup: get (key1): page ")


@pytest.mark.parametrize("type", ["hash", "btree"])
@pytest.mark.parametrize("change", [-700, -4095, 4], ids=["cut", "nearly a page", "more"])
def test_a_file_that_is_no_whole_number_of_pages_is_not_opened(
    folder: Path, type: str, change: int
) -> None:
    content = FILES[type]
    (folder / "m.db").write_bytes(content[:change] if change < 0 else content + b"\0" * change)
    answer = _look(f"Kx {type} {folder}/m", "key1")
    assert (answer.value, answer.status) == (None, 75)
    assert answer.complaint == f"Cannot open {type} database {folder}/m.db: Invalid argument"
    optional = maps_of(TRUST, f"Kx {type} -o {folder}/m").find("x")
    assert optional is not None
    assert not optional.is_open


def test_a_tree_whose_root_is_cut_off_is_a_temporary_failure(folder: Path) -> None:
    (folder / "m.db").write_bytes(FILES["btree"][:4096])
    answer = _look(f"Kx btree {folder}/m", "key1")
    assert (answer.value, answer.status) == (None, 75)
    assert answer.complaint == "db_map_lookup: get (key1): page 1 is cut off"


@pytest.mark.parametrize("type", TYPES)
def test_a_file_that_is_replaced_or_rewritten_is_opened_anew(folder: Path, type: str) -> None:
    path = folder / ("m.cdb" if type == "cdb" else "m.db")
    _write(path, type, {b"key": [b"one"]})
    map = maps_of(TRUST, f"Kx {type} {folder}/m").find("x")
    assert map is not None
    assert map.lookup("key").value == "one"
    _write(folder / "new", type, {b"key": [b"two"]}).rename(path)
    assert map.lookup("key").value == "two"
    _write(path, type, {b"key": [b"three"], b"k2": [b"x" * 9000]})
    assert map.lookup("key").value == "three"
    path.unlink()
    answer = map.lookup("key")
    assert (answer.value, answer.status) == (None, 75)
    assert answer.complaint == f"Cannot reopen DB database {folder}/m"
    _write(path, type, {b"key": [b"four"]})
    assert map.lookup("key").value == "four"


def test_a_file_that_stays_locked_is_a_temporary_failure(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("filterd.mta.maps.database.LOCK_WAIT", 0.05)
    path = _write(folder / "m.db", "hash", {b"key": [b"one"]})
    map = maps_of(TRUST, f"Kx hash {folder}/m").find("x")
    assert map is not None
    assert map.lookup("key").value == "one"
    with path.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        answer = map.lookup("other")
        assert (answer.value, answer.status) == (None, 75)
        assert answer.complaint == "db_map_lookup: get (other): File is locked"
        assert map.lookup("key").value == "one", "the file has not changed since"
    assert map.lookup("other").status == 0


def test_a_map_that_could_not_be_opened_is_tried_again_when_asked(folder: Path) -> None:
    maps = maps_of(TRUST, f"Kx hash {folder}/m")
    map = maps.find("x")
    assert map is not None
    assert map.lookup("key").status == 75
    _write(folder / "m.db", "hash", {b"key": [b"one"]})
    assert map.lookup("key").status == 75
    maps.retry()
    assert map.lookup("key").value == "one"


# Files that are missing, in maps that need no database

UNREADABLE = [
    ("text FOLDER/absent", 'text map "x": unsafe map file FOLDER/absent', 70),
    (
        "text FOLDER/absent/x",
        'text map "x": unsafe map file FOLDER/absent/x: No such file or directory',
        71,
    ),
    ("stab FOLDER/absent", "", 0),
    ("stab FOLDER/absent/x", "", 0),
    ("nis hosts.byname", "NIS map hosts.byname specified, but NIS not running", 70),
    ("nis t@dom", "Cannot bind to map t in domain dom: Internal NIS error", 70),
    ("nisplus hosts.org_dir", "", 0),
]


@pytest.mark.parametrize(("line", "complaint", "trouble"), UNREADABLE)
def test_what_is_said_of_a_map_without_its_source(
    folder: Path, line: str, complaint: str, trouble: int
) -> None:
    type, file = line.split()
    answer = _look(f"Kx {type} {file.replace('FOLDER', str(folder))}", "key")
    assert (answer.value, answer.status, answer.trouble) == (None, 75, trouble)
    assert answer.complaint == complaint.replace("FOLDER", str(folder))


# Aliases


def test_aliases_are_found_in_their_database_or_else_in_the_text(folder: Path) -> None:
    (folder / "aliases").write_text("root: ann,\n bob\n# x\nPostmaster: root\n")
    lines = (TRUST, f"O AliasFile={folder}/aliases")
    maps = maps_of(*lines)
    aliases = maps.find("aliases")
    assert aliases is not None
    assert aliases.lookup("ROOT").value == "ann, bob"
    assert aliases.lookup("root").entry == f"{folder}/aliases:1"
    assert aliases.lookup("nobody").status == 68
    os.utime(folder / "aliases", (1, 1))
    _write(folder / "aliases.db", "hash", {b"root\0": [b"carl\0"], b"@\0": [b"@\0"]})
    aliases = maps_of(*lines).find("aliases")
    assert aliases is not None
    assert aliases.lookup("root").value == "carl"


def test_an_alias_database_that_is_older_than_its_text_is_told(folder: Path) -> None:
    _write(folder / "aliases.db", "hash", {b"root\0": [b"carl\0"]})
    os.utime(folder / "aliases.db", (1, 1))
    (folder / "aliases").write_text("root: ann\n")
    aliases = maps_of(TRUST, f"O AliasFile={folder}/aliases").find("aliases")
    assert aliases is not None
    answer = aliases.lookup("root")
    assert answer.value == "carl"
    assert answer.complaint == f"Warning: alias database {folder}/aliases.db out of date"
    assert answer.trouble == 0


def test_an_implicit_map_that_is_not_there_is_a_temporary_failure(folder: Path) -> None:
    assert look(f"Kx implicit {folder}/absent", "key").status == 75


@pytest.mark.parametrize(("letters", "logged"), [("", 1), ("-o", 0)])
def test_only_a_text_file_that_must_be_there_is_missed(
    folder: Path, caplog: pytest.LogCaptureFixture, letters: str, logged: int
) -> None:
    lines = "O DontBlameSendmail=TrustStickyBit", f"Kt text {letters} {folder}/none"
    assert look_in(lines, "key").value is None
    assert len(caplog.records) == logged
