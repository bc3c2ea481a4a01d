"""`filterd mta trace` and `filterd mta diff`."""

from __future__ import annotations

import io
import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from filterd.cli.mta import app
from filterd.mta.maps.makemap import makemap
from tests.helpers.process import require, unpacked

CF = """\
V10/Berkeley
Djmx.own.test
Cw own.test
O OperatorChars=.:%@!^/[]+
O DontBlameSendmail=MapInUnsafeDirPath
Ktable text -o -v1 TABLE
Scanonify=3
R$* % $*	$1 @ $2
R$+ @ $+	$: $>Domain $1 < @ $2 >
SDomain
R$+ < @ $+ >	$: $1 < @ $(table $2 $: $2 $) >
Sfinal=4
R$* < $* > $*	$: $1 $2 $3
Sparse=0
Rbad $*	$# error $@ 5.1.1 $: "550 no such user"
R$+ < @ $=w >	$# local $: $1
R$+ < @ $+ >	$# smtp $@ $2 $: $1 < @ $2 >
R$+	$# local $: $1
SFrom
R$- 	$: $1 @ own.test
Mlocal, P=/bin/cat, F=lsDFMA5, A=cat -d $u
Msmtp, P=[IPC], F=mDFMuX, S=From, A=TCP $h
"""


@pytest.fixture
def cf(tmp_path: Path) -> Path:
    table = tmp_path / "table"
    table.write_text("# domains\nold.test new.test\n")
    path = tmp_path / "x.cf"
    path.write_text(CF.replace("TABLE", str(table)))
    return path


def called(*arguments: str, given: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments, input=given)
    return done.exit_code, done.stdout


def traced(*arguments: str) -> dict[str, Any]:
    status, text = called("trace", *arguments, "--json")
    row = json.loads(text)
    assert isinstance(row, dict)
    assert (status == 67) == ("error" in row)
    return row


def test_every_rule_that_matched_is_there_with_its_line(cf: Path) -> None:
    row = traced("--cf", str(cf), "joe%old.test")
    assert (row["mailer"], row["host"], row["user"]) == ("smtp", "new.test", "joe@new.test")
    canonify = row["runs"][0]
    percent, domain = canonify["steps"]
    assert (percent["line"], percent["left"], percent["right"]) == (8, "$* % $*", "$1 @ $2")
    assert percent["taken"] == [
        {"reference": "$1", "wildcard": "$*", "text": "joe"},
        {"reference": "$2", "wildcard": "$*", "text": "old . test"},
    ]
    assert percent["result"] == "joe @ old . test"
    (inner,) = domain["calls"]
    assert (inner["ruleset"], inner["given"]) == ("Domain", "joe < @ old . test >")
    (lookup,) = inner["steps"][0]["lookups"]
    assert (lookup["map"], lookup["key"], lookup["value"]) == ("table", "old.test", "new.test")
    assert lookup["entry"].endswith("table:2")
    assert [run["ruleset"] for run in row["runs"]] == ["canonify", "parse", "2", "final"]


def test_an_entry_of_a_database_file_has_the_line_of_its_text(cf: Path) -> None:
    table = cf.parent / "table"
    cf.write_text(cf.read_text().replace("text -o -v1", "hash"))
    table.write_text("# domains\nother.test x.test\nOLD.test new.test\n")

    def entry() -> str:
        domain = traced("--cf", str(cf), "joe%old.test")["runs"][0]["steps"][1]
        (lookup,) = domain["calls"][0]["steps"][0]["lookups"]
        assert lookup["value"] == "new.test"
        return str(lookup["entry"])

    assert entry() == f"{table}:3", "there is no database file: the text is read"
    with table.open("rb") as source:
        assert makemap(["-C", "/dev/null", "hash", str(table)], source, BytesIO(), BytesIO()) == 0
    assert entry() == f"{table}:3"
    # Written since, the text says nothing of the database file.
    os.utime(table, ns=(0, table.with_suffix(".db").stat().st_mtime_ns + 1))
    assert entry() == f"{table}.db"


def test_as_text(cf: Path) -> None:
    status, text = called("trace", "--cf", str(cf), "joe%old.test")
    assert status == 0
    assert text.startswith(
        "joe%old.test\n"
        "  canonify: joe % old . test\n"
        "    x.cf:8: R$* % $*  $1 @ $2\n"
        "      $1 ($*) joe, $2 ($*) old . test\n"
        "      -> joe @ old . test\n"
        "    x.cf:9: R$+ @ $+  $: $>Domain $1 < @ $2 >\n"
        "      $1 ($+) joe, $2 ($+) old . test\n"
        "      Domain: joe < @ old . test >\n"
    )
    assert "table(old.test) = 'new.test'" in text
    assert text.endswith("  => mailer smtp, host new.test, user joe@new.test\n")
    assert "\033" not in text


def test_an_address_that_goes_nowhere(cf: Path) -> None:
    status, text = called("trace", "--cf", str(cf), "bad joe")
    assert status == 67
    assert text.endswith("  => refused: 550 5.1.1 no such user\n")
    assert "bad joe... no such user" in text


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (["--sender"], "joe@own.test"),
        (["--sender", "--as", "header"], "joe@own.test"),
        ([], "joe"),
    ],
)
def test_how_a_mailer_sees_an_address(cf: Path, arguments: list[str], result: str) -> None:
    row = traced("--cf", str(cf), "--mailer", "smtp", *arguments, "joe")
    assert row["rewritten"] == result


def test_what_is_wrong_with_the_command(cf: Path) -> None:
    assert called("trace", "joe")[0] == 64
    assert called("trace", "--cf", str(cf), "--mailer", "nope", "joe")[0] == 64
    assert called("trace", "--cf", str(cf.parent / "none.cf"), "joe")[0] == 66
    assert called("diff", str(cf), str(cf))[0] == 64


@pytest.mark.slow
def test_rules_that_loop_have_an_end(cf: Path) -> None:
    cf.write_text(CF + "S3\nR$*\t$>A $1\nSA\nR$*\t$>B $1\nSB\nR$*\t$>A $1\n")
    row = traced("--cf", str(cf), "joe")
    assert row["left_out"] > 0
    assert "rules tried" in str(row)


def test_what_rules_set_does_not_stay_for_the_next_address(cf: Path) -> None:
    cf.write_text(CF + "Kset macro\nS5\nR$*\t$: $&{Seen} $1 $(set {Seen} $@ yes $)\nS0\n")
    text = cf.read_text().replace("Sparse=0\n", "Sparse=0\nR$*\t$: $1 $>5\n")
    cf.write_text(text)
    first = called("trace", "--cf", str(cf), "joe")[1]
    both = called("trace", "--cf", str(cf), "joe", "joe")[1]
    assert both == first * 2


@pytest.mark.server
def test_a_trace_through_m4_names_the_mc_line(tmp_path: Path) -> None:
    require("m4", "m4")
    macros = require(unpacked("sendmail") / "usr/libexec/sendmail/sendmail", "sendmail-cf")
    macros = macros.parents[2] / "share/sendmail/cf"
    mc = tmp_path / "x.mc"
    mc.write_text(
        "OSTYPE(`linux')dnl\ndefine(`confDOMAIN_NAME', `mx.own.test')dnl\n"
        "FEATURE(`nocanonify')dnl\nMAILER(`local')dnl\nMAILER(`smtp')dnl\n"
        "LOCAL_RULE_0\nRrobot\t$# local $: postmaster\n"
    )
    row = traced("--mc", str(mc), "--macros", str(macros), "robot")
    steps = [step for run in row["runs"] for step in _all_steps(run)]
    (own,) = [step for step in steps if step["left"] == "robot"]
    assert (own["mc_line"], row["user"]) == (7, "postmaster")


def _all_steps(run: dict[str, Any]) -> list[dict[str, Any]]:
    steps = []
    for step in run["steps"]:
        steps.append(step)
        for call in step["calls"]:
            steps += _all_steps(call)
    return steps


def test_what_changes_between_two_files(cf: Path) -> None:
    new = cf.parent / "new.cf"
    new.write_text(
        cf.read_text().replace("S=From, ", "").replace("$# smtp $@ $2", "$# smtp $@ hub")
    )
    status, text = called("diff", str(cf), str(new), "joe", "a@far.test", "bad x")
    assert status == 1
    assert text == (
        "joe\n"
        "  envelope sender by smtp:\n    - joe@own.test\n    + joe\n"
        "  header sender by smtp:\n    - joe@own.test\n    + joe\n"
        "a@far.test\n"
        "  goes to:\n    - mailer smtp, host far.test, user a@far.test\n"
        "    + mailer smtp, host hub, user a@far.test\n"
        "2 of 3 addresses change\n"
    )


def test_a_diff_as_json_of_addresses_from_a_file(cf: Path) -> None:
    status, text = called("diff", str(cf), str(cf), "-", "--json", given="joe\n\nsue@x.test\n")
    rows = [json.loads(line) for line in io.StringIO(text)]
    assert rows == [{"address": "joe", "changes": {}}, {"address": "sue@x.test", "changes": {}}]
    assert status == 0
