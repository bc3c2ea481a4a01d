"""`filterd history` as a person or a script uses it."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import islice
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.cli.app import _command
from filterd.cli.following import follow
from filterd.config.assembly import open_history
from filterd.config.load import load
from filterd.history import HistoryQuery
from tests.helpers.reports import record

NOW = 1_800_000_000.0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "filterd.toml"
    path.write_text(f'[quarantine]\nfolder = "{tmp_path}/q"\n')
    return path


def history(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(_command("history"), [*arguments, "--config", str(config)])


@pytest.mark.slow
def test_for_people_and_for_scripts(config: Path) -> None:
    open_history(load(config)).add(
        [
            record("m1", NOW, sender="a@b.test", recipients=("joe@mx.test",), action="accept"),
            record("m2", NOW + 1, subject="\x1b[31mPills[/]", action="reject", score=12.5),
        ]
    )
    told = history(config).stdout
    assert told.index("m2") < told.index("m1")
    assert "\x1b" not in told
    assert "[31mPills[/]" in told
    page = history(config, "--json", "--limit", "1").stdout
    rows = [json.loads(line) for line in page.splitlines()]
    assert [row.get("id") for row in rows] == ["m2", None]
    after = history(config, "--json", "--after", rows[1]["next"]).stdout
    assert json.loads(after)["recipients"] == ["joe@mx.test"]
    assert "no matching messages" in history(config, "--sender", "nobody").stdout


class _EndedError(Exception):
    """The test has seen enough."""


def test_what_comes_is_followed(config: Path) -> None:
    records = open_history(load(config))
    came = iter(
        [
            [],
            [record("m3", NOW + 2, sender="b@c.test"), record("x", NOW + 2, sender="other@d.test")],
            # One from another host, whose record was late.
            [record("m4", NOW + 1.5, sender="b@c.test"), record("m5", NOW + 9, sender="b@c.test")],
        ]
    )

    def wait(_seconds: float) -> None:
        try:
            records.add(next(came))
        except StopIteration:
            raise _EndedError from None

    records.add([record(f"m{n}", NOW + n / 10, sender="b@c.test") for n in range(3)])
    told = []
    with pytest.raises(_EndedError):
        for one in follow(records, HistoryQuery(sender="c.test", limit=2), wait):
            told.append(one.id)
    assert told == ["m1", "m2", "m3", "m4", "m5"]


def test_following_an_empty_history(config: Path) -> None:
    records = open_history(load(config))
    turns = 0

    def wait(_seconds: float) -> None:
        nonlocal turns
        turns += 1
        if turns == 3:
            raise _EndedError
        records.add([record(f"m{turns}", NOW + turns)])

    told = []
    with pytest.raises(_EndedError):
        for one in follow(records, HistoryQuery(limit=5), wait):
            told.append(one.id)
    assert told == ["m1", "m2"]


def test_what_came_before_a_time_is_not_followed(config: Path) -> None:
    records = open_history(load(config))
    records.add([record(f"m{n}", NOW + n) for n in range(3)])
    turns = iter(([record("late", NOW + 0.5)], [record("m3", NOW + 3)]))

    def wait(_seconds: float) -> None:
        try:
            records.add(next(turns))
        except StopIteration:
            raise _EndedError from None

    told = []
    with pytest.raises(_EndedError):
        for one in follow(records, HistoryQuery(since=NOW + 1), wait):
            told.append(one.id)
    assert told == ["m1", "m2", "m3"]


def test_followed_lines(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_history(load(config)).add(
        [record("m1", NOW, subject="\x1b[31mPills[/]", sender="a@b.test", recipients=("j@x.test",))]
    )
    # As if somebody ended it after the first line.
    monkeypatch.setattr("filterd.cli.history.follow", lambda *asked: islice(follow(*asked), 1))
    for arguments in ((), ("--json",)):
        told = history(config, "--follow", *arguments)
        assert told.exit_code == 0
        assert "m1" in told.stdout
        assert "\x1b" not in told.stdout
    assert json.loads(told.stdout)["sender"] == "a@b.test"
    refused = history(config, "--follow", "--until", "2026-01-01")
    assert (refused.exit_code, "neither --until" in refused.stderr) == (64, True)


def test_refusals_before_there_was_a_message(config: Path) -> None:
    open_history(load(config)).add(
        [
            record("m1", NOW, stage="recipient", action="reject"),
            record("m2", NOW + 1, stage="connect", repeated=1234, action="tempfail"),
        ]
    )
    told = history(config).stdout
    assert "(at RCPT)" in told
    assert "(at CONNECT, and 1,234 more)" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--limit", "0"], 64, "limit is 0"),
        (["--after", "x"], 64, "after is not"),
        (["--since", "yesterday"], 64, "is not a date"),
        (["--action", "acept"], 64, "acept"),
        (["--failed", "clamv"], 64, "clamv"),
    ],
)
def test_mistakes_are_one_line(config: Path, arguments: list[str], status: int, says: str) -> None:
    """Before there is a file as well as afterwards."""
    for _ in range(2):
        result = history(config, *arguments)
        assert result.exit_code == status
        assert says in result.stderr
        assert result.stderr.count("\n") == 1
        open_history(load(config)).add([record("m1", NOW)])


def test_no_file_yet(config: Path) -> None:
    result = history(config, "--action", "accept")
    assert (result.exit_code, result.stderr.count("\n")) == (66, 1)
    assert "no messages recorded yet" in result.stderr


def test_where_nothing_is_noted(config: Path) -> None:
    config.write_text("[history]\nenabled = false\n")
    result = history(config)
    assert (result.exit_code, result.stderr.count("\n")) == (69, 1)


@pytest.mark.slow
def test_one_message_and_its_timeline(config: Path, tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    time = datetime.fromtimestamp(NOW + 2).astimezone().isoformat()
    log.write_text(
        f"{time} mx sendmail[1]: 6AUBx1Mp017614: to=<joe@mx.test>, delay=00:00:02, "
        "mailer=local, pri=30089, dsn=2.0.0, stat=Sent\n"
    )
    with config.open("a") as file:
        file.write(f'[maillog]\nfiles = ["{log}", "{tmp_path}/none"]\n')
    one = record("m1", NOW, "6AUBx1Mp017614", recipients=("joe@mx.test",), subject="Tea \x1b[31m")
    open_history(load(config)).add([one])
    told = history(config, "show", "m1")
    assert "sent (sendmail) for joe@mx.test: dsn 2.0.0, after 2 s; Sent" in told.stdout
    assert "\x1b" not in told.stdout
    assert "none cannot be read: No such file" in told.stderr
    plain = json.loads(history(config, "show", "m1", "--json").stdout)
    assert [step["what"] for step in plain["timeline"]] == ["received", "passed", "sent"]
    assert plain["verdict"].startswith("Delivered")
    unknown = history(config, "show", "m9")
    assert (unknown.exit_code, "m9" in unknown.stderr) == (66, True)
