"""`filterd doctor`: each trouble is found, named, and comes with what to do."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.store import Card, StoredModel, save
from filterd.bayes.site.learner import Learner
from filterd.cli.app import _command
from filterd.config.assembly import model_folder, open_history
from filterd.config.load import Settings, load
from filterd.doctor import files, host
from filterd.doctor.diagnosis import diagnose
from filterd.doctor.findings import Finding, Level
from filterd.ops import folders
from filterd.quarantine import Store
from tests.helpers.entries import new
from tests.helpers.postgresql import emptied
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.reports import record
from tests.helpers.scanner import Scanner, clean
from tests.helpers.training_mail import message

AGES = [
    ("Sat Nov 21 09:26:11 2020", Level.FAIL, "days old"),
    (None, Level.WARN, "without a daily database"),
]


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


def site(folder: Path, port: int = 1) -> Settings:
    config = folder / "filterd.toml"
    config.write_text(
        f'[daemon]\nsocket = "unix:{folder}/d.sock"\nspool = "{folder}/spool"\n'
        '[chain]\nfilters = ["clamav", "bayes"]\n'
        f'[quarantine]\nfolder = "{folder}/q"\nrelease_port = {port}\n'
        f'[filters.clamav]\nserver = "unix:{folder}/clamd.sock"\n'
        f'[filters.bayes]\nmodels = "{folder}/models"\n'
    )
    return load(config)


def about(settings: Settings, name: str) -> Finding:
    return next(one for one in diagnose(settings) if one.about.startswith(name))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_training_journal(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    settings = site(tmp_path)
    if database == "postgresql":
        url = emptied(request.getfixturevalue(database))
        with (tmp_path / "filterd.toml").open("a") as file:
            file.write(f'database = "{url}"\n')
        settings = load(tmp_path / "filterd.toml")
    folder = model_folder(settings)
    assert "journal" not in {one.about for one in diagnose(settings)}
    for _ in range(2):
        with Learner(folder, "cli:ann") as learner:
            learner.learn(message(1, spam=True), spam=True)
        assert "journal" not in {one.about for one in diagnose(settings)}
    folder.link.unlink()
    folder.link.symlink_to(folder.version_path(7).name)
    found = about(settings, "journal")
    assert found.level == Level.FAIL
    assert "does not know version 7, which is in force" in found.found


@pytest.mark.parametrize(
    ("days", "level", "says"),
    [
        (0, Level.OK, "learned 50 spam and 50 ham, last lesson today"),
        (1, Level.OK, "learned 50 spam and 50 ham, last lesson 1 day ago"),
        (90, Level.OK, "last lesson 90 days ago"),
        (91, Level.WARN, "last lesson 91 days ago; spam changes"),
    ],
)
def test_a_model_that_nobody_teaches_any_more(
    tmp_path: Path, days: int, level: Level, says: str
) -> None:
    settings = site(tmp_path)
    folder = model_folder(settings)
    folder.make()
    made = datetime.now(UTC) - timedelta(days=days, minutes=1)
    card = Card(b"salt" * 4, generation=1, created=made.isoformat(timespec="seconds"))
    save(folder.version_path(1), StoredModel(card, replace(OnlineModel.empty(), spam=50, ham=50)))
    folder.activate(1)
    found = about(settings, "model")
    assert found.level == level
    assert says in found.found
    assert ("filterd learn" in found.advice) == (level == Level.WARN)


@pytest.mark.parametrize("compiled", [True, False])
def test_what_is_lost_without_a_compiler(
    tmp_path: Path, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.bayes.model.tokens.COMPILED", compiled)
    found = [one for one in diagnose(site(tmp_path)) if one.about == "classifier"]
    if compiled:
        assert found == []
    else:
        (one,) = found
        assert one.level == Level.WARN
        assert "the same scores" in one.found
        assert "wheel" in one.advice


def test_a_fresh_site_without_servers(tmp_path: Path) -> None:
    settings = site(tmp_path)
    levels = {one.about: one.level for one in diagnose(settings)}
    assert levels["settings"] == levels["quarantine.folder"] == levels["daemon.spool"] == "OK"
    assert levels["daemon"] == levels["clamd"] == "FAIL"
    assert levels["release"] == levels["model"] == "WARN"
    assert not (tmp_path / "q").exists()
    for one in diagnose(settings):
        assert bool(one.advice) == (one.level != Level.OK), one


def test_the_release_mta_greets(tmp_path: Path, mta: Mta) -> None:
    found = about(site(tmp_path, mta.port), "release")
    assert (found.level, f":{mta.port}" in found.found) == ("OK", True)


def test_who_greets_is_no_mta(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = site(tmp_path, other.getsockname()[1])
        other.listen()

        def hang_up() -> None:
            other.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        assert about(settings, "release").level == "WARN"


@pytest.mark.parametrize(("date", "level", "says"), AGES)
def test_old_signatures(tmp_path: Path, date: str | None, level: str, says: str) -> None:
    version = b"ClamAV 1.4.3" + (f"/27450/{date}".encode() if date else b"") + b"\n"
    with Scanner(clean, tmp_path / "clamd.sock", version=version):
        found = about(site(tmp_path), "clamd")
    assert (found.level, says in found.found) == (level, True)


def test_folders_that_everybody_can_read(tmp_path: Path) -> None:
    settings = site(tmp_path)
    for name, level in (("q", "FAIL"), ("models", "WARN")):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755)
        found = [one for one in diagnose(settings) if str(tmp_path / name) in one.advice]
        assert [(one.level, one.advice) for one in found] == [
            (level, f"chmod o-rwx {tmp_path / name}")
        ]
    (tmp_path / "models").chmod(0o777)
    assert about(settings, "filters.bayes").level == "FAIL"


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("")
    assert "is not a folder" in about(site(tmp_path), "daemon.spool").found


def test_settings_that_everybody_can_write(tmp_path: Path) -> None:
    settings = site(tmp_path)
    assert settings.source is not None
    settings.source.chmod(0o666)
    assert about(settings, "settings").advice == f"chmod o-w {settings.source}"


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("free", "level"), [(500 << 30, "OK"), (1 << 30, "WARN"), (100 << 20, "FAIL")]
)
def test_a_disk_that_fills_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    usage = Usage(1 << 40, (1 << 40) - free, free)
    monkeypatch.setattr(files, "disk_usage", lambda _path: usage)
    assert about(site(tmp_path), "disk").level == level


def test_a_daemon_that_says_nothing_of_itself(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / "d.sock"))
        daemon.listen()
        found = about(site(tmp_path), "daemon")
        levels = [one.level for one in diagnose(site(tmp_path)) if one.about == "daemon"]
    assert found.about == "daemon.spool"
    assert levels == ["WARN"]


def test_the_command(tmp_path: Path) -> None:
    config = str(site(tmp_path).source)
    result = CliRunner().invoke(_command("doctor"), ["--config", config])
    assert result.exit_code == 69
    assert "FAIL  daemon: " in result.stdout
    rows = CliRunner().invoke(_command("doctor"), ["--config", config, "--json"]).stdout
    assert {json.loads(row)["level"] for row in rows.splitlines()} == {"OK", "WARN", "FAIL"}
    assert [path.name for path in tmp_path.iterdir()] == ["filterd.toml"]


def test_files_that_somebody_else_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = tmp_path / "q" / "2026-11-23"
    day.mkdir(parents=True, mode=0o700)
    (tmp_path / "q").chmod(0o700)
    (day / "id1.eml").touch()
    (tmp_path / "q" / "index.sqlite-wal").touch()
    settings = site(tmp_path)
    assert not list(files.owners(settings))
    own = folders._owner
    monkeypatch.setattr(
        folders,
        "_owner",
        lambda path: -1 if path.name in ("id1.eml", "index.sqlite-wal") else own(path),
    )
    (told,) = files.owners(settings)
    assert (told.level, told.about) == ("FAIL", "quarantine.folder")
    assert told.found.startswith("2 files do not belong to their folder's owner")
    # What goes away meanwhile is nobody's.
    monkeypatch.setattr(folders, "_owner", lambda _path: None)
    assert not list(files.owners(settings))


def test_clamd_that_takes_less_than_it_is_sent(tmp_path: Path) -> None:
    with Scanner(clean, tmp_path / "clamd.sock", limit=1 << 20):
        told = [one for one in diagnose(site(tmp_path)) if one.about == "clamd"]
    assert ("WARN", True) in [
        (one.level, "less than size_limit, 100 MB" in one.found) for one in told
    ]


def test_mail_that_is_too_large_for_clamd(tmp_path: Path) -> None:
    with Scanner(clean, tmp_path / "clamd.sock"):
        told = [one for one in diagnose(site(tmp_path)) if one.about == "clamd"]
    assert told[-1].found == "mail of 100 MB to 256 MB is not scanned: too_large says what happens"


def test_files_that_the_index_does_not_know(tmp_path: Path) -> None:
    settings = site(tmp_path)
    store = Store(settings.quarantine)
    store.put(new("id1"))
    store.close()
    assert about(settings, "quarantine").level == "OK"
    (tmp_path / "q").chmod(0o700)
    found = [one for one in diagnose(settings) if one.about == "quarantine"]
    assert [one.found for one in found] == ["1 messages"]
    (next((tmp_path / "q").glob("*/id1.json"))).with_name("id2.json").write_text("{}")
    found = [one for one in diagnose(settings) if one.about == "quarantine"]
    assert [one.found for one in found] == [f"2 messages in {tmp_path}/q, 1 in the index"]


def test_a_clock_that_went_back(tmp_path: Path) -> None:
    settings = site(tmp_path)
    history = open_history(settings)
    history.add([record("id1", time.time() - 5)])
    assert "ahead" not in about(settings, "clock").found
    history.add([record("id2", time.time() + 7200)])
    told = about(settings, "clock")
    assert (told.level, "s ahead of it" in told.found) == ("FAIL", True)


@pytest.mark.parametrize(("unsynchronized", "level"), [(True, "WARN"), (False, "OK")])
def test_a_clock_that_nobody_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unsynchronized: bool, level: str
) -> None:
    monkeypatch.setattr("filterd.system.clock.is_unsynchronized", lambda: unsynchronized)
    assert about(site(tmp_path), "clock").level == level


def test_a_name_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = site(tmp_path)

    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def silent(*_: object) -> None:
        time.sleep(5)

    monkeypatch.setattr(host, "RESOLVER_SECONDS", 0.1)
    for resolver, level, says in (
        (unknown, "WARN", "not known"),
        (silent, "WARN", "no answer about"),
        (lambda *_: [], "OK", "is known"),
    ):
        monkeypatch.setattr(host, "getaddrinfo", resolver)
        (told,) = host.names(settings)
        assert (told.level, says in told.found) == (level, True)


def test_times_that_do_not_fit_together(tmp_path: Path) -> None:
    settings = site(tmp_path)
    assert settings.source is not None
    settings.source.write_text(settings.source.read_text() + "[workers]\ngrace = 300.0\n")
    told = [one.found for one in diagnose(load(settings.source)) if one.about == "settings"]
    assert any("a verdict may take 360 s" in found for found in told)


def test_a_clamd_that_refuses_commands_is_not_down(tmp_path: Path) -> None:
    with Scanner(clean, tmp_path / "clamd.sock", refuses_version=True, says={b"PING": b"PONG\n"}):
        told = [one for one in diagnose(site(tmp_path)) if one.about == "clamd"]
    assert [one.level for one in told][:2] == ["WARN", "OK"]
    assert "does not say how old" in told[0].found
    assert "does not take VERSION and STATS" in told[1].found


@pytest.mark.parametrize(
    ("lines", "level", "says"),
    [
        (["{now} -> ClamAV update process started at {now}"], "OK", "looked for signatures"),
        (
            ["{now} -> ClamAV update process started at {now}", "{now} -> !Update failed for x"],
            "WARN",
            "Update failed for x",
        ),
        (["{old} -> ClamAV update process started at {old}"], "FAIL", "last looked"),
        ([], "WARN", "no update is noted"),
    ],
)
def test_what_freshclam_says(tmp_path: Path, lines: list[str], level: str, says: str) -> None:
    form = "%a %b %d %H:%M:%S %Y"
    now, old = datetime.now(), datetime.now() - timedelta(days=30)
    log = tmp_path / "freshclam.log"
    text = "\n".join(lines).format(now=now.strftime(form), old=old.strftime(form))
    log.write_text(text + "\n")
    config = tmp_path / "filterd.toml"
    site(tmp_path)
    config.write_text(
        config.read_text().replace(
            "[filters.clamav]", f'[filters.clamav]\nfreshclam_log = "{log}"', 1
        )
    )
    found = about(load(config), "freshclam")
    assert (found.level, says in found.found) == (level, True)
