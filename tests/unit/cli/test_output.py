"""What commands print, in any locale and to any reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from filterd.config.assembly import open_history
from filterd.config.load import load
from filterd.quarantine import Store
from tests.helpers.commands import commands, forked
from tests.helpers.entries import new
from tests.helpers.reports import record

pytestmark = pytest.mark.slow


SUBJECT = "Preis 5 \N{EURO SIGN} \N{PILE OF POO} \N{BLACK STAR} geprüft"
ENCODINGS = ["ascii", "iso-8859-1", "koi8-r", "utf-8"]


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """A site that holds a message with a Subject that few encodings have."""
    path = tmp_path / "filterd.toml"
    path.write_text(
        f'[daemon]\nsocket = "unix:{tmp_path}/s"\nspool = "{tmp_path}/spool"\n'
        f'[quarantine]\nfolder = "{tmp_path}/q"\nrelease_port = 1\n'
        f'[chain]\nfilters = ["senders", "gtube", "bayes"]\n'
        f'[filters.bayes]\nmodels = "{tmp_path}/models"\n'
        f'[filters.senders]\nfile = "{tmp_path}/senders.list"\n'
        '[digest]\nsender = "postmaster@mx.example"\n[web]\nurl = "http://127.0.0.1"\n'
    )
    yield path


def held(config: Path) -> str:
    settings = load(config)
    store = Store(settings.quarantine)
    data = f"Subject: {SUBJECT}\r\n\r\nGuten Tag\r\n".encode("utf-8", "surrogateescape")
    entry = new(data=data)
    store.put(entry)
    store.close()
    return entry.id


def test_a_subject_of_any_characters_in_any_locale(config: Path, tmp_path: Path) -> None:
    id = held(config)
    for encoding in ENCODINGS:
        # No daemon runs, and there is neither a history nor a digest.
        for words, *expected in (
            (["quarantine", "list"], 0, 0),
            (["quarantine", "show", id], 0, 0),
            (["quarantine", "audit"], 0, 0),
            (["quarantine", "stats"], 0, 0),
            (["quarantine", "fsck"], 0, 0),
            (["check"], 0, 0),
            (["check", "--show"], 0, 0),
            (["doctor"], 69, 69),
            (["status"], 69, 69),
            (["history"], 66, 66),
            (["digest", "show", "joe@b.example"], 66, 64),
        ):
            for more, wanted in zip(([], ["--json"]), expected, strict=True):
                status, output = forked(
                    tmp_path / "output", *words, *more, f"--config={config}", encoding=encoding
                )
                assert "Traceback" not in output, (encoding, words, output)
                assert "codec can't" not in output, (encoding, words, output)
                assert status == wanted, (encoding, words, output)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_is_json_in_any_locale(encoding: str, config: Path, tmp_path: Path) -> None:
    held(config)
    output = tmp_path / "output"
    forked(output, "quarantine", "list", "--json", f"--config={config}", encoding=encoding)
    # RFC 8259: UTF-8, whatever the locale.
    (row,) = map(json.loads, output.read_text("utf-8").splitlines())
    assert row["subject"] == SUBJECT


def test_the_help_of_every_command_in_ascii(tmp_path: Path) -> None:
    for words, _ in commands():
        status, output = forked(tmp_path / "output", *words, "--help", encoding="ascii")
        assert status == 0, (words, output)
        assert "Usage" in output


def test_a_reader_that_has_seen_enough(config: Path) -> None:
    """`filterd ... | head -0`, for every command that prints before it does anything else."""
    held(config)
    for words in (["quarantine", "list"], ["check", "--show"], ["--help"], ["model", "--help"]):
        reading, writing = os.pipe()
        os.close(reading)
        more = [] if words[-1] == "--help" else [f"--config={config}"]
        status, _ = forked(writing, *words, *more)
        os.close(writing)
        assert status == 141, words


@pytest.mark.parametrize(
    ("redirection", "status", "error"),
    [
        ("| head -0", 0, ""),
        (">/dev/full", 74, "filterd: standard output: No space left on device\n"),
        (">&-", 0, ""),
        (">&- 2>&-", 0, ""),
        ("2>&1 >/dev/null | head -0", 0, ""),
    ],
)
def test_as_a_shell_starts_it(
    redirection: str, status: int, error: str, config: Path, tmp_path: Path
) -> None:
    held(config)
    command = f"{sys.executable} -m filterd quarantine list --config {config} {redirection}"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (status, error)


def test_a_real_locale_without_utf8(config: Path, tmp_path: Path) -> None:
    held(config)
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
    }
    for words in (["quarantine", "list"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "filterd", *words, "--config", str(config)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.isascii()


def test_the_history_in_ascii(config: Path, tmp_path: Path) -> None:
    history = open_history(load(config))
    now = datetime.now(UTC).timestamp()
    history.add([record("a1", now, subject=SUBJECT, action="accept")])
    history.close()
    status, output = forked(tmp_path / "output", "history", f"--config={config}", encoding="ascii")
    assert (status, "Preis 5" in output) == (0, True), output


def test_commands_that_read_mail_in_ascii(config: Path, tmp_path: Path) -> None:
    id = held(config)
    folder = tmp_path / "Büro \N{PILE OF POO}"
    for kind in ("spam", "ham"):
        (folder / kind).mkdir(parents=True)
        text = f"Subject: {SUBJECT} {kind}\r\n\r\n\N{PILE OF POO} {kind} geprüft\r\n"
        (folder / kind / "\N{BLACK STAR}.eml").write_text(text, "utf-8")
    mail = str(folder / "spam" / "\N{BLACK STAR}.eml")
    for words in (
        ["scan", mail],
        ["train", str(folder)],
        ["explain", mail],
        ["learn", "spam", mail],
        ["evaluate", str(folder)],
        ["model", "list"],
        ["model", "show"],
        ["replay", "--all", id],
        ["quarantine", "rescan", id],
        ["quarantine", "allow", id, "-m", "\N{BLACK STAR}"],
        ["quarantine", "learn", "ham", id],
        ["quarantine", "audit"],
        ["scan", f"{mail}x"],
    ):
        status, output = forked(tmp_path / "output", *words, f"--config={config}", encoding="ascii")
        assert "Traceback" not in output, (words, output)
        assert "codec can't" not in output, (words, output)
        assert status == (66 if words[1] == f"{mail}x" else 0), (words, output)
