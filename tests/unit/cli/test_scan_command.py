"""`filterd scan`: the verdict of stored mail, wherever and whatever is missing around it."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from filterd.cli.app import main
from tests.helpers.scanner import Scanner, finds

MAIL = b"From: ann@s.example\r\nTo: joe@mx.example\r\nSubject: hello\r\n\r\nSee you on Tuesday.\r\n"


def scan(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[list[dict[str, Any]], str]:
    monkeypatch.setattr("sys.argv", ["filterd", "scan", "--json", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()], err


def test_without_a_scanner_the_others_judge_and_it_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # no settings here
    (tmp_path / "filterd.toml").write_text(
        '[filters.clamav]\nserver = ["unix:/nowhere/clamd.ctl", "unix:/nowhere/other.ctl"]\n'
    )
    for name in ("1.eml", "2.eml"):
        (tmp_path / name).write_bytes(MAIL)
    rows, err = scan(monkeypatch, capsys, "1.eml", "2.eml")
    assert [row["action"] for row in rows] == ["accept", "accept"]
    assert {symbol["name"] for symbol in rows[0]["symbols"]} & {"BAYES_50", "BAYES_40", "BAYES_20"}
    why = "unix:/nowhere/clamd.ctl: No such file or directory"
    assert err.count("clamav was not asked") == 1
    assert why in err
    assert rows[0]["not_asked"]["clamav"].startswith(why)
    assert "clamav" not in rows[0]["ms"]


def test_words_of_which_the_starter_knows_some_have_a_verdict_in_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their share of all words is a part of the points, and so of the decision."""
    strange = " ".join(f"qxzv{number}" for number in range(12))
    spam = b"From: a@b.example\r\nSubject: Cheap viagra pills, buy now\r\n\r\n"
    spam += f"free offer click here casino winner money {strange}\r\n".encode()
    (tmp_path / "filterd.toml").write_text('[chain]\nfilters = ["bayes"]\n')
    (tmp_path / "m.eml").write_bytes(spam)
    (row,), _err = scan(
        monkeypatch, capsys, tmp_path / "m.eml", "--config", tmp_path / "filterd.toml"
    )
    assert row["labelled"] is False
    assert 0.0 < row["score"] < 5.0


def test_what_cannot_be_read_is_left_out_and_the_others_are_scanned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "filterd.toml").write_text('[chain]\nfilters = ["gtube"]\n')
    (tmp_path / "1.eml").write_bytes(MAIL)
    (tmp_path / "broken.zip").write_bytes(b"not an archive")
    (tmp_path / "3.eml").write_bytes(MAIL)
    monkeypatch.chdir(tmp_path)
    arguments = ["filterd", "scan", "1.eml", "broken.zip", "missing", "3.eml"]
    for more in ([], ["--json"]):
        monkeypatch.setattr("sys.argv", arguments + more)
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 66
        out, err = capsys.readouterr()
        assert "1.eml" in out
        assert "3.eml" in out
        assert "filterd: broken.zip: cannot be unpacked (File is not a zip file); left out" in err
        assert "filterd: missing: no such file or folder; left out" in err


def test_a_scanner_that_refuses_connections_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and nobody listens
        server = f"tcp:127.0.0.1:{unused.getsockname()[1]}"
        (tmp_path / "filterd.toml").write_text(f'[filters.clamav]\nserver = "{server}"\n')
        (tmp_path / "m.eml").write_bytes(MAIL)
        (row,), err = scan(
            monkeypatch, capsys, tmp_path / "m.eml", "--config", tmp_path / "filterd.toml"
        )
    assert row["action"] == "accept"
    assert f"clamav was not asked: {server}: Connection refused" in err


def test_a_scanner_that_is_there_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Scanner(finds(b"Tuesday", "Test-Signature"), tmp_path / "s") as scanner:
        (tmp_path / "filterd.toml").write_text(f'[filters.clamav]\nserver = "{scanner.address}"\n')
        (tmp_path / "m.eml").write_bytes(MAIL)
        (row,), err = scan(
            monkeypatch, capsys, tmp_path / "m.eml", "--config", tmp_path / "filterd.toml"
        )
    assert (row["action"], row["not_asked"], err) == ("reject", {}, "")
