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

pytestmark = pytest.mark.slow


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


class Command:
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
def filterd(tmp_path: Path, mta: Mta) -> Command:
    return Command(tmp_path, mta.port)


def lines(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_list_for_people_and_for_scripts(filterd: Command) -> None:
    assert "no matching messages" in filterd("list").stdout
    for id in ("id1", "id2", "id3"):
        filterd.store.put(new(id))
    assert "id1" in filterd("list").stdout
    first = lines(filterd("list", "--json", "--limit", "2"))
    assert [row.get("id") for row in first] == ["id3", "id2", None]
    rest = lines(filterd("list", "--json", "--after", str(first[2]["next"])))
    assert [row["id"] for row in rest] == ["id1"]
    assert lines(filterd("list", "--json", "--reason", "virus")) == []
    oldest = lines(filterd("list", "--json", "--sort", "received"))
    assert [row["id"] for row in oldest] == ["id1", "id2", "id3"]
    newest = lines(filterd("list", "--json", "--sort", "-received"))
    assert newest == oldest[::-1]
    by_sender = filterd("list", "--sort", "sender", "--limit", "1").stdout
    assert r"there is more: --after 'a\udce9@x.test,id1'" in by_sender, "one word of a shell"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["show", "none"], 66, "no message none"),
        (["show", "../x"], 66, "not a quarantine id"),
        (["list", "--since", "yesterday"], 64, "is not a date"),
        (["list", "--limit", "0"], 64, "limit is 0"),
        (["list", "--sort", "points"], 64, "expected received, -received, score, -score"),
        (["learn", "eggs", "id1"], 64, "expected spam or ham"),
        (["release", "none"], 66, "no message none"),
    ],
)
def test_mistakes_are_one_line(
    filterd: Command, arguments: list[str], status: int, says: str
) -> None:
    result = filterd(*arguments)
    assert result.exit_code == status
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_show_raw_and_export(filterd: Command, tmp_path: Path) -> None:
    filterd.store.put(new())
    shown = filterd("show", "id1").stdout
    assert "BAYES_99" in shown
    assert "\x1b" not in shown
    (value,) = lines(filterd("show", "id1", "--json"))
    assert (value["state"], value["held_for"]) == ("held", ["joe@mx.test"])
    assert filterd("raw", "id1").stdout_bytes == HOSTILE
    assert filterd("raw", "id1", "--part", "1").stdout_bytes == HOSTILE[10:20]
    out = tmp_path / "out"
    out.mkdir()
    assert filterd("export", "id1", "--to", str(out)).exit_code == 0
    assert (out / "id1.eml").read_bytes() == HOSTILE
    whats = [event["what"] for event in lines(filterd("audit", "id1", "--json"))]
    assert whats == ["viewed", "viewed", "exported", "exported", "exported"]


def test_the_audit_trail_has_no_export_that_failed(filterd: Command, tmp_path: Path) -> None:
    filterd.store.put(new())
    out = tmp_path / "out"
    (out / "id1.json.part").mkdir(parents=True)  # so that the second file cannot be written
    for folder in (tmp_path / "nowhere", out):
        result = filterd("export", "id1", "--to", str(folder))
        assert result.exit_code == 73
        assert str(folder) in result.stderr
    assert list(out.iterdir()) == [out / "id1.json.part"]
    assert [event.what for event in filterd.store.journal.events("id1")] == []


def test_release_and_retry(filterd: Command, mta: Mta) -> None:
    filterd.store.put(new())
    mta.answers = {"DOT": "452 full"}
    result = filterd("release", "id1")
    assert result.exit_code == 75
    assert "failed (452 full); next try" in result.stdout
    assert filterd("retry").exit_code == 0
    mta.answers = {}
    result = filterd("release", "id1", "--reason", "fine")
    assert result.exit_code == 0, result.output
    assert "queued as Q1" in result.stdout
    assert "was released already" in filterd("release", "id1").stdout
    assert len(mta.taken) == 1


def test_a_virus_asks_for_more(filterd: Command, mta: Mta) -> None:
    filterd.store.put(revised(new(), virus="Eicar"))
    result = filterd("release", "id1")
    assert (result.exit_code, mta.taken) == (65, [])
    assert filterd("release", "id1", "--virus", "--reason", "sample").exit_code == 0


def test_pin_delete_expire_stats_fsck(filterd: Command) -> None:
    filterd.store.put(new())
    assert filterd("pin", "id1", "--reason", "police").exit_code == 0
    assert "0 messages expired" in filterd("expire").stdout
    assert filterd("pin", "id1", "--off").exit_code == 0
    assert "bytes deleted" in filterd("delete", "id1", "--reason", "spam").stdout
    assert "was already deleted" in filterd("delete", "id1").stdout
    assert filterd("raw", "id1").exit_code == 66
    (row,) = lines(filterd("stats", "--json"))
    assert (row["reason"], row["state"], row["messages"]) == ("spam", "deleted", 1)
    assert "1 messages; missing in the index: 0" in filterd("fsck").stdout
    told = [(e["what"], e.get("note")) for e in lines(filterd("audit", "--json"))]
    assert told == [("pinned", "police"), ("unpinned", None), ("deleted", "spam")]


def test_undelete(filterd: Command) -> None:
    filterd.store.put(new())
    deleted = filterd("delete", "id1").stdout
    assert "bytes deleted; for 24 hours that can be undone" in deleted
    raw = filterd("raw", "id1")
    assert (raw.exit_code, "can still be brought back" in raw.stderr) == (66, True)
    assert filterd("undelete", "id1", "-m", "oops").stdout == "id1: brought back, as it was\n"
    assert filterd("raw", "id1").exit_code == 0
    assert filterd("undelete", "id1").stdout == "id1: was not deleted\n"
    assert "deleted for good" in filterd("delete", "id1", "--now").stdout
    result = filterd("undelete", "id1")
    assert (result.exit_code, "removed for good" in result.stderr) == (66, True)
    told = [(e["what"], e.get("note")) for e in lines(filterd("audit", "--json"))]
    assert [what for what, _ in told if what != "exported"] == [
        "deleted",
        "undeleted",
        "deleted",
        "purged",
    ]
    assert ("undeleted", "oops") in told


def test_fsck_finishes_a_deletion(filterd: Command) -> None:
    filterd.store.put(new())
    filterd.store.note("deleted", "id1", "t")
    words = "deletions that were left half done: 1"
    assert words + " (not repaired)" in filterd("fsck", "--no-repair").stdout
    assert words in filterd("fsck").stdout
    assert words not in filterd("fsck").stdout
    assert lines(filterd("fsck", "--json"))[0]["finished"] == []


def test_learn_teaches_the_model(filterd: Command) -> None:
    filterd.store.put(new(data=b"Subject: cheap pills\r\n\r\nbuy cheap pills now\r\n"))
    assert "id1: learned as spam" in filterd("learn", "spam", "id1").stdout
    assert "id1: already learned as spam" in filterd("learn", "spam", "id1").stdout
    assert "id1: learned as ham, and no longer as spam" in filterd("learn", "ham", "id1").stdout
    assert [e["note"] for e in lines(filterd("audit", "--json"))] == ["spam", "spam", "ham"]


def test_a_release_is_learned_once_it_is_done(filterd: Command, mta: Mta) -> None:
    filterd.store.put(new(data=b"Subject: a good letter\r\n\r\nwords of a good letter\r\n"))
    mta.answers["DOT"] = "452 4.3.1 full"
    assert filterd("release", "id1", "--learn").exit_code == 75
    assert "learned" not in [event["what"] for event in lines(filterd("audit", "--json"))]
    mta.answers = {}
    done = filterd("release", "id1", "--learn", "--json")
    assert [value.get("learned") for value in lines(done)] == [None, "learned as ham"]


def test_a_release_that_cannot_be_learned_is_released_and_told(
    filterd: Command, mta: Mta, tmp_path: Path
) -> None:
    (tmp_path / "models").write_text("a file, not a folder")
    filterd.store.put(new())
    done = filterd("release", "id1", "--learn")
    assert done.exit_code == 73
    assert "released (250" in done.stdout
    assert "id1: not learned: the model cannot be taught now" in done.stderr
    assert len(mta.taken) == 1


@pytest.mark.parametrize(
    "without_effect",
    [
        '[chain]\nfilters = ["gtube"]\n',
        "[filters.senders]\nallow_score = 0.0\n",
        "[filters.senders]\ndry_run = true\n",
    ],
)
def test_nothing_is_allowed_where_that_has_no_effect(filterd: Command, without_effect: str) -> None:
    filterd.store.put(revised(new(), envelope=Envelope("ann@a.test", (Recipient("j@m"),))))
    filterd.config.write_text(filterd.config.read_text() + without_effect)
    result = filterd("allow", "id1")
    assert result.exit_code == 73
    assert "allowed" not in result.stdout
    assert "nothing was listed" in result.stderr


def test_allow_and_block(filterd: Command) -> None:
    filterd.store.put(revised(new(), envelope=Envelope("ann@a.test", (Recipient("j@m"),))))
    filterd.config.write_text(
        filterd.config.read_text() + f'[filters.senders]\nfile = "{filterd.config.parent}/list"\n'
    )
    result = filterd("allow", "id1", "--reason", "known")
    assert result.exit_code == 0, result.output
    assert "allow ann@a.test for joe@mx.test: allowed" in result.stdout
    assert filterd("block", "id1", "--for-all").exit_code == 0
    assert (filterd.config.parent / "list").read_text() == (
        "block ann@a.test for *\nallow ann@a.test for joe@mx.test\n"
    )
    assert filterd("allow", "id1", "--off").exit_code == 0
    assert (filterd.config.parent / "list").read_text() == "block ann@a.test for *\n"
    whats = [event["what"] for event in lines(filterd("audit", "--json"))]
    assert whats[-3:] == ["allowed", "blocked", "unlisted"]
