"""`filterd backup` and `restore`: all comes back, nothing that was changed in between."""

from __future__ import annotations

import dataclasses
import gzip
import io
import itertools
import json
import multiprocessing
import os
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from filterd.backup import restoring, saving
from filterd.backup.manifest import BackupError
from filterd.backup.saving import save
from filterd.bayes.site.learner import Learner
from filterd.config.assembly import model_folder, open_history, open_recent_mail
from filterd.config.load import Settings, load
from filterd.history import HistoryQuery
from filterd.message import Envelope, Message
from filterd.quarantine import Store
from filterd.quarantine.query import Query
from filterd.quarantine.release import ReleaseOutcome, Releaser, ReleaseRequest
from tests.helpers.commands import filterd
from tests.helpers.entries import new
from tests.helpers.receiving_mta import running
from tests.helpers.reports import record, report
from tests.helpers.training_mail import message

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path) -> Settings:
    """A site with mail, a model, history, a list, and a link."""
    folder = tmp_path / "site"
    folder.mkdir()
    file = folder / "filterd.toml"
    file.write_text(
        f'[daemon]\nsocket = "unix:{folder}/s"\nspool = "{folder}/spool"\n'
        '[chain]\nfilters = ["senders", "bayes"]\n'
        f'[quarantine]\nfolder = "{folder}/q"\n'
        f'[filters.bayes]\nmodels = "{folder}/models"\n'
        f'[filters.senders]\nfile = "{folder}/senders.list"\n'
    )
    settings = load(file)
    store = Store(settings.quarantine)
    for number in range(3):
        store.put(new(f"id{number}"))
    store.pin("id1", "ann")
    store.close()
    history = open_history(settings)
    history.open()
    history.add([record("h1", time.time())])
    history.close()
    with Learner(model_folder(settings), "cli:ann") as learner:
        learner.learn(message(1, spam=True), spam=True)
    (folder / "senders.list").write_text("allow ann@a.example\n")
    return settings


def shown(settings: Settings) -> dict[str, Any]:
    """What the site has."""
    store = Store(settings.quarantine)
    rows = store.index.search(Query()).rows
    found = {
        "kept": {row.id: store.read(row.id) for row in rows},
        "pinned": [row.id for row in rows if row.pinned],
        "history": [row.id for row in open_history(settings).search(HistoryQuery()).rows],
        "model": model_folder(settings).current(),
        "senders": settings.filters["senders"].own.file.read_text(),  # type: ignore[union-attr]
    }
    store.close()
    return found


def test_all_comes_back(
    site: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    archive = tmp_path / "a.tar.gz"
    before = shown(site)
    assert before["pinned"] == ["id1"]
    status, out, err = filterd(monkeypatch, capsys, "backup", archive, "--config", site.source)
    assert (status, err) == (0, ""), out
    assert archive.stat().st_mode & 0o777 == 0o600
    # What happens afterwards is not in it.
    store = Store(site.quarantine)
    store.delete("id0", "ann")
    store.put(new("later"))
    store.close()
    (site.quarantine.folder.parent / "senders.list").write_text("block all@x.example\n")
    status, out, _ = filterd(monkeypatch, capsys, "restore", archive, "--config", site.source)
    assert status == 0, out
    assert shown(site) == before
    former = site.quarantine.folder.with_name("q.before-restore")
    assert list(former.glob("*/later.eml"))
    # A second one would replace what the first one set aside.
    status, _, err = filterd(monkeypatch, capsys, "restore", archive, "--config", site.source)
    assert (status, "left from an earlier restore" in err) == (65, True)
    assert shown(site) == before


def _arrive(config: Path, stop: Any, began: Any) -> None:
    """Keep messages, as a daemon does, until told to stop."""
    store = Store(load(config).quarantine)
    for number in itertools.count():
        if stop.is_set():
            break
        store.put(new(f"during{number}"))
        began.set()
    store.close()


def test_while_mail_arrives(
    site: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was kept before is there, and what came meanwhile is there whole or not at all."""
    # A process of its own, as the daemon is: SQLite's locks are those of a process. Not forked: a
    # lock that another thread of this one holds would be held there for ever.
    processes = multiprocessing.get_context("spawn")
    stop, began = processes.Event(), processes.Event()
    daemon = processes.Process(target=_arrive, args=(site.source, stop, began))
    daemon.start()
    try:
        assert began.wait(300)
        archive = tmp_path / "a.tar.gz"
        status, out, _ = filterd(monkeypatch, capsys, "backup", archive, "--config", site.source)
    finally:
        stop.set()
        daemon.join()
    assert (status, daemon.exitcode) == (0, 0), out
    status, out, _ = filterd(monkeypatch, capsys, "restore", archive, "--config", site.source)
    assert status == 0, out
    store = Store(site.quarantine)
    assert {"id0", "id1", "id2"} <= {row.id for row in store.index.search(Query(limit=500)).rows}
    for row in store.index.search(Query(limit=500)).rows:
        assert len(store.read(row.id)) == row.size
    report = store.fsck()
    assert (report.added, report.stale, report.damaged) == ((), (), ())
    store.close()


def test_what_is_deleted_or_brought_back_meanwhile_is_in_it(
    site: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(site.quarantine)
    data = store.read("id2")
    store.delete("id2", "ann")
    real = saving._file

    def meanwhile(archive: Any, path: Path, *rest: Any, **more: Any) -> Any:
        if path.name == "id0.eml" and store.path("id1").exists():
            # Now that it is known which files there are.
            store.delete("id1", "ann")
            store.undelete("id2", "ann")
        return real(archive, path, *rest, **more)

    monkeypatch.setattr(saving, "_file", meanwhile)
    save(site, tmp_path / "archive")
    for path in site.quarantine.folder.glob("*/id*.*"):
        path.unlink()
    restoring.restore(site, tmp_path / "archive")
    assert store.read("id2") == data
    assert store.undelete("id1", "ann")
    assert store.read("id1") == data
    store.close()


def test_what_was_released_since_is_not_sent_again(
    site: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither by a person nor by a try that was due when the archive was made; what was deleted
    since comes back."""
    archive = tmp_path / "a.tar.gz"
    with running() as mta:
        settings = dataclasses.replace(site.quarantine, release_port=mta.port)
        store = Store(settings)
        mta.answers = {"DOT": "452 4.3.1 disk full"}
        assert [one.state for one in released(store, "id0")] == ["failed"]
        filterd(monkeypatch, capsys, "backup", archive, "--config", site.source)
        mta.answers = {}
        assert [one.state for one in released(store, "id0")] == ["released"]
        assert [one.state for one in released(store, "id1")] == ["released"]
        store.delete("id2", "ann")
        store.close()
        status, _, err = filterd(monkeypatch, capsys, "restore", archive, "--config", site.source)
        assert (status, "2 messages released since" in err) == (0, True), err
        store = Store(settings, lambda: time.time() + 86400)
        assert Releaser(store).retry() == ()
        assert [one.done for one in released(store, "id1")] == [False]
        assert len(mta.taken) == 2
        assert {row.id: row.state for row in store.index.search(Query()).rows} == {
            "id0": "released",
            "id1": "released",
            "id2": "held",
        }
        assert store.fsck().restated == ()
        store.close()


def released(store: Store, id: str) -> tuple[ReleaseOutcome, ...]:
    return Releaser(store).release(ReleaseRequest(id, "cli:ann"))


def test_on_another_machine_with_other_paths(
    site: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    archive = tmp_path / "a.tar.gz"
    filterd(monkeypatch, capsys, "backup", archive, "--config", site.source)
    assert site.source is not None
    other = tmp_path / "other"
    other.mkdir()
    text = site.source.read_text().replace(str(site.source.parent), str(other))
    (other / "filterd.toml").write_text(text)
    status, _, err = filterd(
        monkeypatch, capsys, "restore", archive, "--config", other / "filterd.toml"
    )
    assert status == 0, err
    assert shown(load(other / "filterd.toml")) == shown(site)
    assert (other / "filterd.toml").read_text() == text


def rewritten(archive: Path, change: str) -> None:
    """The archive with one thing wrong."""
    members = []
    with tarfile.open(archive) as tar:
        for one in tar:
            file = tar.extractfile(one) if one.isreg() else None
            members.append((one, file.read() if file else b""))
    manifest = json.loads(members[-1][1])
    if change == "content":
        at = next(n for n, (one, _) in enumerate(members) if one.name.endswith(".eml"))
        members[at] = (members[at][0], b"x" * members[at][0].size)
    elif change == "member":
        members = [(one, data) for one, data in members if not one.name.endswith("id1.eml")]
    elif change == "manifest":
        members.pop()
    elif change == "format":
        manifest["format"] = 99
    elif change.startswith("{"):
        manifest |= json.loads(change)
    elif change == "twice":
        manifest["items"].append(manifest["items"][0])
    elif change == "below":
        other = manifest["items"][1]["name"]
        manifest["items"][0] |= {"name": other + "/x"}
    else:
        manifest["items"][0]["name"] = change
    if change not in ("content", "member", "manifest"):
        data = json.dumps(manifest).encode()
        members[-1][0].size = len(data)
        members[-1] = (members[-1][0], data)
    with tarfile.open(archive, "w:gz") as tar:
        for one, data in members:
            tar.addfile(one, io.BytesIO(data) if one.isreg() else None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("content", "another checksum"),
        ("member", "id1.eml is missing"),
        ("manifest", "no manifest"),
        ("format", "another version"),
        ("1/../../../etc/x", "not in a part"),
        ("/etc/x", "not in a part"),
        ("99/x", "not in a part"),
        ("2/a\0b", "without NUL"),
        ("2/a\ud800", "surrogates not allowed"),
        ("twice", "in it twice"),
        ("below", "which is not a folder"),
        ('{"made": "x"}', "damaged"),
        ('{"made": 1e300}', "seconds since 1970"),
        ('{"made": NaN}', "seconds since 1970"),
        ('{"parts": {"1": 5}}', "expected texts"),
        ('{"parts": []}', "damaged"),
        ('{"version": []}', "expected texts"),
        ('{"items": 5}', "damaged"),
    ],
)
def test_a_damaged_archive_changes_nothing(
    site: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: str,
    says: str,
) -> None:
    archive = tmp_path / "a.tar.gz"
    filterd(monkeypatch, capsys, "backup", archive, "--config", site.source)
    rewritten(archive, change)
    before = shown(site)
    names = sorted(path.name for path in site.quarantine.folder.parent.iterdir())
    status, _, err = filterd(monkeypatch, capsys, "restore", archive, "--config", site.source)
    assert (status, says in err) == (65, True), err
    assert shown(site) == before
    assert sorted(path.name for path in site.quarantine.folder.parent.iterdir()) == names


@pytest.mark.parametrize("cut", [10, 1000, -40, -20, -9, -4, -1])
def test_one_that_was_cut_off(
    site: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    cut: int,
) -> None:
    archive = tmp_path / "a.tar.gz"
    filterd(monkeypatch, capsys, "backup", archive, "--config", site.source)
    archive.write_bytes(archive.read_bytes()[:cut])
    status, _, err = filterd(monkeypatch, capsys, "restore", archive, "--config", site.source)
    assert status == 65, err
    assert "cut off" in err


def test_what_is_not_an_archive(
    site: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(b"hello"))
    for words in (("restore", archive), ("restore", "--check", archive)):
        status, _, err = filterd(monkeypatch, capsys, *words, "--config", site.source)
        assert (status, err.count("\n")) == (65, 1)
    # An archive is never overwritten.
    status, _, err = filterd(monkeypatch, capsys, "backup", archive, "--config", site.source)
    assert (status, archive.read_bytes()[:2]) == (73, b"\x1f\x8b")


def test_what_is_not_content_and_what_lies_elsewhere(
    site: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A database that SQLite cannot use was set aside: it is saved as it is. A list is a link to
    another folder: its content is. Another one is a device."""
    assert site.source is not None
    broken = site.quarantine.folder / "index.sqlite3.broken"
    broken.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    senders = site.source.with_name("senders.list")
    elsewhere = tmp_path / "elsewhere.list"
    senders.rename(elsewhere)
    senders.symlink_to(elsewhere)
    text = site.source.read_text() + '[state]\nfile = "/dev/null"\n'
    site.source.write_text(text)
    archive = tmp_path / "a.tar.gz"
    status, _, err = filterd(monkeypatch, capsys, "backup", archive, "--config", site.source)
    assert (status, err) == (0, "")
    broken.write_bytes(b"")
    elsewhere.write_text("block all@x.example\n")
    status, _, err = filterd(monkeypatch, capsys, "restore", archive, "--config", site.source)
    assert (status, err) == (0, "")
    assert broken.read_bytes()[:20] == b"SQLite format 3\0xxxx"
    assert (senders.is_symlink(), senders.read_text()) == (True, "allow ann@a.example\n")


@pytest.mark.parametrize("end", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("at", range(1, 8))
def test_interrupted_while_all_is_exchanged(
    site: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: type[Exception], at: int
) -> None:
    """All is as before, whichever part it was."""
    save(site, tmp_path / "a.tar.gz")
    (site.quarantine.folder.parent / "senders.list").write_text("block all@x.example\n")
    before = shown(site)
    names = sorted(path.name for path in site.quarantine.folder.parent.iterdir())
    calls = itertools.count(1)

    def sync(folder: Path) -> None:
        if next(calls) == at:
            raise end

    monkeypatch.setattr(restoring, "sync_folder", sync)
    with pytest.raises((KeyboardInterrupt, BackupError)):
        restoring.restore(site, tmp_path / "a.tar.gz")
    assert next(calls) > at
    assert shown(site) == before
    assert sorted(path.name for path in site.quarantine.folder.parent.iterdir()) == names


def test_the_disk_is_full_while_saving(
    site: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the file, and no archive is left."""

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("filterd.backup.saving.os.fsync", full)
    with pytest.raises(BackupError, match=r"a\.tar\.gz: No space left on device$"):
        save(site, tmp_path / "a.tar.gz")
    assert not (tmp_path / "a.tar.gz").exists()


def test_in_a_folder_the_newest_stay(
    site: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "archives"
    folder.mkdir()
    (folder / "filterd-by-hand.tar.gz").write_text("of somebody")
    clock = [1_796_000_000.0]
    monkeypatch.setattr("filterd.cli.backup.time.time", lambda: clock[0])
    for _ in range(4):
        status, _, err = filterd(
            monkeypatch, capsys, "backup", folder, "--keep", 2, "--config", site.source
        )
        assert (status, err) == (0, "")
        clock[0] += 86400
    assert sorted(path.name for path in folder.iterdir()) == [
        "filterd-20261202T005320Z.tar.gz",
        "filterd-20261203T005320Z.tar.gz",
        "filterd-by-hand.tar.gz",
    ]
    # At the same second there is one already: nothing is deleted.
    clock[0] -= 86400
    arguments = ("backup", folder, "--keep", 1, "--config", site.source)
    status, _, err = filterd(monkeypatch, capsys, *arguments)
    assert (status, "File exists" in err) == (73, True)
    assert len(list(folder.iterdir())) == 3


def test_the_one_that_was_made_stays_whatever_the_clock_said_before(
    site: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "archives"
    folder.mkdir()
    for year in (2030, 2031):
        (folder / f"filterd-{year}0101T000000Z.tar.gz").write_text("of a clock that was ahead")
    monkeypatch.setattr("filterd.cli.backup.time.time", lambda: 1_796_000_000.0)
    arguments = ("backup", folder, "--keep", 2, "--config", site.source)
    assert filterd(monkeypatch, capsys, *arguments)[0] == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "filterd-20261130T005320Z.tar.gz",
        "filterd-20310101T000000Z.tar.gz",
    ]


def test_a_file_is_no_folder_of_archives(
    site: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ("backup", tmp_path / "a.tar.gz", "--keep", 2, "--config", site.source)
    status, _, err = filterd(monkeypatch, capsys, *arguments)
    assert (status, "--keep needs a folder" in err) == (64, True)
    assert not (tmp_path / "a.tar.gz").exists()


def test_recent_mail_and_its_key_are_in_no_archive(site: Settings, tmp_path: Path) -> None:
    assert site.source is not None
    key = site.source.parent / "recent.key"
    with site.source.open("a") as file:
        file.write(f'[history]\nmail_hours = 1\nmail_key = "{key}"\n')
    settings = load(site.source)
    passed = Message(b"Subject: hi\r\n\r\nprivate\r\n", Envelope("ann@a.example"), "id9")
    assert open_recent_mail(settings).keep(passed, report("id9"))
    assert key.exists()
    target = tmp_path / "a.tar.gz"
    manifest = save(settings, target)
    names = [item.name for item in manifest.items]
    assert len(names) > 5
    assert not [name for name in names if "recent" in name or name.endswith(".copy")]
    assert not [name for name in manifest.parts.values() if name == "history.mail_key"]
