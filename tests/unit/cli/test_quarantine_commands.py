"""`filterd quarantine` as a person or a script uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.cli.quarantine import app
from filterd.message import Envelope, Recipient
from filterd.quarantine import QuarantineSettings, Store
from tests.helpers.entries import HOSTILE, new
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.reports import revised


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


class Desk:
    def __init__(self, folder: Path, port: int) -> None:
        self.config = folder / "filterd.toml"
        self.config.write_text(
            f'[quarantine]\nfolder = "{folder}/q"\nrelease_port = {port}\nrelease_timeout = 5.0\n'
            f'[filters.bayes]\nmodels = "{folder}/models"\n'
        )
        self.store = Store(QuarantineSettings(folder / "q", release_port=port))

    def __call__(self, command: str, *arguments: str) -> Result:
        return CliRunner().invoke(app, [command, *arguments, "--config", str(self.config)])


@pytest.fixture
def desk(tmp_path: Path, mta: Mta) -> Desk:
    return Desk(tmp_path, mta.port)


def lines(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_list_for_people_and_for_scripts(desk: Desk) -> None:
    assert "no matching messages" in desk("list").stdout
    for id in ("id1", "id2", "id3"):
        desk.store.put(new(id))
    assert "id1" in desk("list").stdout
    first = lines(desk("list", "--json", "--limit", "2"))
    assert [row.get("id") for row in first] == ["id3", "id2", None]
    rest = lines(desk("list", "--json", "--after", str(first[2]["next"])))
    assert [row["id"] for row in rest] == ["id1"]
    assert lines(desk("list", "--json", "--reason", "virus")) == []


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["show", "none"], 66, "no message none"),
        (["show", "../x"], 66, "not a quarantine id"),
        (["list", "--since", "yesterday"], 64, "is not a date"),
        (["list", "--limit", "0"], 64, "limit is 0"),
        (["learn", "eggs", "id1"], 64, "expected spam or ham"),
        (["release", "none"], 66, "no message none"),
    ],
)
def test_mistakes_are_one_line(desk: Desk, arguments: list[str], status: int, says: str) -> None:
    result = desk(*arguments)
    assert result.exit_code == status
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_show_raw_and_export(desk: Desk, tmp_path: Path) -> None:
    desk.store.put(new())
    shown = desk("show", "id1").stdout
    assert "BAYES_99" in shown
    assert "\x1b" not in shown
    (value,) = lines(desk("show", "id1", "--json"))
    assert (value["state"], value["held_for"]) == ("held", ["joe@mx.test"])
    assert desk("raw", "id1").stdout_bytes == HOSTILE
    assert desk("raw", "id1", "--part", "1").stdout_bytes == HOSTILE[10:20]
    out = tmp_path / "out"
    out.mkdir()
    assert desk("export", "id1", "--to", str(out)).exit_code == 0
    assert (out / "id1.eml").read_bytes() == HOSTILE
    whats = [event["what"] for event in lines(desk("audit", "id1", "--json"))]
    assert whats == ["viewed", "viewed", "exported", "exported", "exported"]


def test_the_audit_trail_has_no_export_that_failed(desk: Desk, tmp_path: Path) -> None:
    desk.store.put(new())
    out = tmp_path / "out"
    (out / "id1.json.part").mkdir(parents=True)  # so that the second file cannot be written
    for folder in (tmp_path / "nowhere", out):
        result = desk("export", "id1", "--to", str(folder))
        assert result.exit_code == 73
        assert str(folder) in result.stderr
    assert list(out.iterdir()) == [out / "id1.json.part"]
    assert [event.what for event in desk.store.journal.events("id1")] == []


def test_release_and_retry(desk: Desk, mta: Mta) -> None:
    desk.store.put(new())
    mta.answers = {"DOT": "452 full"}
    result = desk("release", "id1")
    assert result.exit_code == 75
    assert "failed (452 full); next try" in result.stdout
    assert desk("retry").exit_code == 0
    mta.answers = {}
    result = desk("release", "id1", "--reason", "fine")
    assert result.exit_code == 0, result.output
    assert "queued as Q1" in result.stdout
    assert "was released already" in desk("release", "id1").stdout
    assert len(mta.taken) == 1


def test_a_virus_asks_for_more(desk: Desk, mta: Mta) -> None:
    desk.store.put(revised(new(), virus="Eicar"))
    result = desk("release", "id1")
    assert (result.exit_code, mta.taken) == (65, [])
    assert desk("release", "id1", "--virus", "--reason", "sample").exit_code == 0


def test_pin_delete_expire_stats_fsck(desk: Desk) -> None:
    desk.store.put(new())
    assert desk("pin", "id1", "--reason", "police").exit_code == 0
    assert "0 messages expired" in desk("expire").stdout
    assert desk("pin", "id1", "--off").exit_code == 0
    assert "bytes deleted" in desk("delete", "id1", "--reason", "spam").stdout
    assert "was already deleted" in desk("delete", "id1").stdout
    assert desk("raw", "id1").exit_code == 66
    (row,) = lines(desk("stats", "--json"))
    assert (row["reason"], row["state"], row["messages"]) == ("spam", "deleted", 1)
    assert "1 messages; missing in the index: 0" in desk("fsck").stdout
    told = [(e["what"], e.get("note")) for e in lines(desk("audit", "--json"))]
    assert told == [("pinned", "police"), ("unpinned", None), ("deleted", "spam")]


def test_learn_teaches_the_model(desk: Desk) -> None:
    desk.store.put(new(data=b"Subject: cheap pills\r\n\r\nbuy cheap pills now\r\n"))
    assert "id1: learned as spam" in desk("learn", "spam", "id1").stdout
    assert "id1: known as spam" in desk("learn", "spam", "id1").stdout
    assert "id1: moved as ham" in desk("learn", "ham", "id1").stdout
    assert [e["note"] for e in lines(desk("audit", "--json"))] == ["spam", "spam", "ham"]


@pytest.mark.parametrize(
    "without_effect",
    [
        '[chain]\nfilters = ["gtube"]\n',
        "[filters.senders]\nallow_score = 0.0\n",
        "[filters.senders]\ndry_run = true\n",
    ],
)
def test_nothing_is_allowed_where_that_has_no_effect(desk: Desk, without_effect: str) -> None:
    desk.store.put(revised(new(), envelope=Envelope("ann@a.test", (Recipient("j@m"),))))
    desk.config.write_text(desk.config.read_text() + without_effect)
    result = desk("allow", "id1")
    assert result.exit_code == 73
    assert "allowed" not in result.stdout
    assert "nothing was listed" in result.stderr


def test_allow_and_block(desk: Desk) -> None:
    desk.store.put(revised(new(), envelope=Envelope("ann@a.test", (Recipient("j@m"),))))
    desk.config.write_text(
        desk.config.read_text() + f'[filters.senders]\nfile = "{desk.config.parent}/list"\n'
    )
    result = desk("allow", "id1", "--reason", "known")
    assert result.exit_code == 0, result.output
    assert "allow ann@a.test for joe@mx.test: allowed" in result.stdout
    assert desk("block", "id1", "--for-all").exit_code == 0
    assert (desk.config.parent / "list").read_text() == (
        "block ann@a.test for *\nallow ann@a.test for joe@mx.test\n"
    )
    assert desk("allow", "id1", "--off").exit_code == 0
    assert (desk.config.parent / "list").read_text() == "block ann@a.test for *\n"
    whats = [event["what"] for event in lines(desk("audit", "--json"))]
    assert whats[-3:] == ["allowed", "blocked", "unlisted"]
