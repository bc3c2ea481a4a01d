"""`filterd rules`: files are checked, rules listed and shown, fresh ones fetched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.commands import filterd

RULES = """
body     SPAMMY  /buy <A>ow/i
describe SPAMMY  Says that you should buy
score    SPAMMY  1 2 3 4
tflags   SPAMMY  multiple maxhits=3
replace_tag A n
replace_rules SPAMMY
header   __FROM  From:addr =~ m{@a\\.example/}
meta     BOTH    SPAMMY && __FROM && NOT_THERE
body     ALL     /a||b/
full     RAZOR   eval:check_razor2()
uri_detail LINK  text =~ /a/ !host !~ /b/
report_safe 0
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command of `filterd rules` in a folder with `a.cf`."""
    monkeypatch.chdir(tmp_path)
    Path("a.cf").write_text(RULES)
    return lambda *arguments: filterd(monkeypatch, capsys, "rules", *arguments)


@pytest.mark.slow
def test_a_file_without_mistakes(run: Run) -> None:
    status, out, err = run("check", "a.cf")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "a.cf:10: ALL: its pattern matches every text: it contains '||' (it is used)",
        "5 rules of 1 file: 2 body, 1 header, 1 meta, 1 uri_detail",
        "1 rule is left out, asks Razor's servers with a program of its own; filterd has no client "
        "for them: RAZOR",
        "filterd has other settings for: report_safe",
        "meta rules name what no line defines (it counts 0): NOT_THERE",
        "every line can be used",
    ]


def test_mistakes_are_named(run: Run) -> None:
    Path("b.cf").write_text("body A spam\nscore B x\nbody C /(/\n")
    status, out, _ = run("check", ".")
    assert status == 65
    assert out.splitlines()[:3] == [
        "b.cf:1: no delimiters around the pattern, expected /.../: spam",
        "b.cf:2: a score is a number, as in 1.5 or (1.5): 'x'",
        "b.cf:3: C: '(' without ')': (",
    ]
    assert out.endswith("3 lines cannot be used\n")
    status, out, _ = run("check", "--json", "b.cf")
    assert status == 65
    assert json.loads(out)["problems"][1]["line"] == 2


def test_the_list(run: Run) -> None:
    _, out, _ = run("list", "a.cf")
    assert [line.split()[0] for line in out.splitlines()] == [
        *("name", "SPAMMY", "BOTH", "ALL", "LINK")
    ]
    assert "1 2 3 4  Says that you should buy" in out
    _, out, _ = run("list", "a.cf", "--all", "--kind=header")
    assert out.splitlines()[1].split() == ["__FROM", "header", "1"]
    _, out, _ = run("list", "a.cf", "--name=B*", "--json")
    assert json.loads(out)["needs"] == ["NOT_THERE", "SPAMMY", "__FROM"]
    _, out, _ = run("list", "a.cf", "--name=X*")
    assert out == "no matching rules\n"


def test_one_rule(run: Run) -> None:
    status, out, _ = run("show", "SPAMMY", "a.cf")
    assert status == 0
    assert out.splitlines() == [
        "SPAMMY: body /buy now/i",
        "description: Says that you should buy",
        "where: a.cf:2",
        "scores: 1 (neither), 2 (network), 3 (classifier), 4 (both)",
        "flags: multiple maxhits=3",
        "priority: 0",
        "used by: BOTH",
    ]
    shown = {name: run("show", name, "a.cf")[1].splitlines()[0] for name in ("__FROM", "LINK")}
    assert shown == {
        "__FROM": r"__FROM: header From:addr =~ m{@a\.example/}",
        "LINK": "LINK: uri_detail text =~ /a/  !host !~ /b/",
    }
    status, out, _ = run("show", "BOTH", "a.cf", "--json")
    assert json.loads(out)["needs"] == ["NOT_THERE", "SPAMMY", "__FROM"]


def test_a_rule_that_is_not_there(run: Run) -> None:
    assert run("show", "NOPE", "a.cf") == (66, "", "filterd: no rule is called NOPE\n")
    status, _, err = run("show", "RAZOR", "a.cf")
    assert status == 66
    assert err.startswith("filterd: RAZOR is left out: check_razor2(): asks Razor's servers")


def test_without_files_the_settings_say_which(run: Run, tmp_path: Path) -> None:
    Path("filterd.toml").write_text(
        f'[filters.rules]\nfiles = ["{tmp_path}/a.cf"]\nstock = false\nown = false\n'
        'exclude = ["ALL"]\nscores = { BOTH = 7.0 }\n'
    )
    status, out, err = run("list", "-c", "filterd.toml")
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["name", "SPAMMY", "BOTH", "LINK"]
    assert "scores: 7 (neither)" in run("show", "BOTH", "-c", "filterd.toml")[1]
    assert run("check", "-c", "filterd.toml")[1].endswith("every line can be used\n")


def test_files_that_are_not_there(run: Run) -> None:
    status, _, err = run("check", "nothing.cf")
    assert (status, err) == (66, "filterd: nothing.cf: No such file or directory\n")


@pytest.fixture
def sa_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A program of that name which ends with a status, and writes down how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def ends_with(status: int) -> None:
        program = folder / "sa-update"
        program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\nexit {status}\n')
        program.chmod(0o755)

    # The test's folder is the user's alone, and the program must be able to write there.
    monkeypatch.setattr("filterd.rules.files.UPDATES", str(tmp_path).lstrip("/"))
    return ends_with


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (0, (0, "fetched; a running daemon reads them\n", "")),
        (1, (0, "the rules are the newest\n", "")),
        (4, (69, "", "ended with exit status 4\n")),
    ],
)
def test_fetching(
    run: Run,
    sa_update: Callable[[int], None],
    tmp_path: Path,
    status: int,
    said: tuple[int, str, str],
) -> None:
    sa_update(status)
    code, out, err = run("fetch", "--channel=updates.example.org")
    assert (code, out) == said[:2]
    assert err.endswith(said[2])
    assert (tmp_path / "called").read_text() == "-v --channel=updates.example.org\n"


def test_asking_whether_there_are_newer_ones(
    run: Run, sa_update: Callable[[int], None], tmp_path: Path
) -> None:
    sa_update(0)
    assert run("fetch", "--check-only") == (0, "there are newer rules\n", "")
    assert (tmp_path / "called").read_text() == "-v --checkonly\n"


def test_without_sa_update(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("filterd.rules.update._FOLDERS", "/nowhere")
    status, _, err = run("fetch")
    assert status == 69
    assert "sa-update is not installed" in err


def test_a_message_whose_rules_take_too_long(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("filterd.toml").write_text(
        f'[filters.rules]\nstock = false\nown = false\nfiles = ["{tmp_path}/a.cf"]\n'
        f'cache = "{tmp_path}/cache"\n'
    )
    Path("m.eml").write_text("From: a@a.example\n\nbuy now\n")
    now = iter(range(0, 10_000, 15))
    monkeypatch.setattr("filterd.rules.checker.time.monotonic", lambda: float(next(now)))
    status, out, _ = run("test", "--config", "filterd.toml", "m.eml")
    assert (status, out.splitlines()[0]) == (0, "m.eml")
