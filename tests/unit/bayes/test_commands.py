"""`filterd train`, `learn`, `model`, `evaluate`, `explain` as an admin meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.commands import filterd
from tests.helpers.postgresql import emptied
from tests.helpers.training_mail import mail

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "filterd.toml").write_text('[filters.bayes]\nmodels = "models"\n')
    lines = []
    for n in range(120):
        spam = n % 2 == 0
        (tmp_path / f"{n}.eml").write_bytes(mail(n, spam=spam))
        lines.append(f"{'spam' if spam else 'ham'} {n}.eml\n")
    (tmp_path / "index").write_text("".join(lines))
    return tmp_path


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_train_learn_undo_and_roll_back(
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    database: str,
    request: pytest.FixtureRequest,
) -> None:
    if database == "postgresql":
        url = emptied(request.getfixturevalue(database))
        with (site / "filterd.toml").open("a") as file:
            file.write(f'database = "{url}"\n')

    def run(*arguments: object) -> Any:
        status, out, err = filterd(
            monkeypatch, capsys, *arguments, "--config", site / "filterd.toml", "--json"
        )
        assert status == 0, err
        lines = [json.loads(line) for line in out.splitlines()]
        return lines[0] if len(lines) == 1 else lines

    def quiet(*arguments: object) -> None:
        status, _out, err = filterd(
            monkeypatch, capsys, *arguments, "--config", site / "filterd.toml"
        )
        assert status == 0, err

    trained = run("train", site)
    assert (trained["spam"], trained["ham"], trained["unlabelled"]) == (60, 60, 0)
    (site / "new.eml").write_bytes(mail(999, spam=True))
    assert run("learn", "spam", site / "new.eml")["learned"] == 1
    assert run("learn", "spam", site / "new.eml")["known"] == 1
    assert run("learn", "ham", site / "new.eml")["moved"] == 1
    assert run("model", "show")["ham"] == 61
    assert run("learn", "forget", site / "new.eml")["forgotten"] == 1
    batches = run("model", "list")
    assert [batch["state"] for batch in batches] == ["in force"] * 4
    quiet("model", "undo", batches[0]["id"])
    assert run("model", "show")["ham"] == 61
    quiet("model", "rollback", 1)
    assert (run("model", "show")["spam"], run("model", "show")["generation"]) == (60, 1)
    found = run("explain", site / "new.eml")
    parts = [c["weight"] for c in found["spam"] + found["ham"]] + [found["rest"]]
    assert sum(parts) == pytest.approx(found["log_odds"])
    assert found["probability"] > 0.9


def test_evaluate_prints_measures_and_scores(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = filterd(
        monkeypatch,
        capsys,
        "evaluate",
        site,
        "--json",
        "--suggest",
        "--shuffle",
        1,
        "--scores",
        site / "scores",
        "--baseline",
        "nb",
    )
    assert status == 0, err
    ours, nb = map(json.loads, out.splitlines())
    assert (ours["classifier"], nb["classifier"]) == ("filterd", "nb")
    assert ours["messages"] == ours["learned"] == 120
    assert ours["roca"]["value"] < 5.0
    assert {s["action"] for s in ours["suggest"]} == {"label", "quarantine"}
    lines = (site / "scores").read_text().splitlines()
    assert len(lines) == 120
    rows = [line.rsplit(" ", 2) for line in lines]
    assert {(Path(name), label) for name, label, _score in rows} == {
        (site / f"{n}.eml", "ham" if n % 2 else "spam") for n in range(120)
    }
    assert float(rows[0][2]) == 0.0


def test_models_are_compared_and_merged(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ("train", site, "-o", site / "a.fdm"),
        ("train", site, "-o", site / "b.fdm", "--salt-of", site / "a.fdm"),
        ("train", site, "-o", site / "c.fdm"),
        ("model", "merge", site / "a.fdm", site / "b.fdm", "-o", site / "m.fdm"),
    ):
        status, _out, err = filterd(monkeypatch, capsys, *arguments)
        assert status == 0, err
    status, out, err = filterd(
        monkeypatch, capsys, "model", "compare", site / "a.fdm", site / "m.fdm", site, "--json"
    )
    assert status == 0, err
    assert [json.loads(line)["classifier"] for line in out.splitlines()] == ["A", "B"]
    status, _out, err = filterd(
        monkeypatch, capsys, "model", "merge", site / "a.fdm", site / "c.fdm", "-o", site / "n.fdm"
    )
    assert (status, "different salts" in err) == (65, True)


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("train", "/nowhere"), 66, "no such file"),
        (("train",), 64, "name an index"),
        (("learn", "spam", "/nowhere"), 66, "no such file"),
        (("evaluate", "/nowhere"), 66, "no such file"),
        (("evaluate", "/nowhere", "--protocol", "later"), 64, "immediate"),
        (("evaluate", "/nowhere", "--protocol", "fixed"), 64, "needs --model"),
        (("evaluate", "/nowhere", "--baseline", "xyz"), 64, "there are nb"),
        (("model", "show", "/etc/passwd"), 65, "not a filterd model"),
        (("model", "list"), 66, "nothing was learned"),
        (("model", "undo", "7"), 69, "no batch 7"),
    ],
)
def test_mistakes_are_one_clear_line(
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    status: int,
    text: str,
) -> None:
    found, _out, err = filterd(monkeypatch, capsys, *arguments, "--config", site / "filterd.toml")
    assert found == status
    assert text in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_candidates_score_along_and_are_put_in_force(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: object, status: int = 0) -> str:
        got, out, err = filterd(monkeypatch, capsys, *arguments, "--config", site / "filterd.toml")
        assert got == status, err
        return " ".join((out + err).split())

    def generation() -> int:
        return int(json.loads(run("model", "show", "--json"))["generation"])

    run("train", site)
    run("learn", "spam", site / "1.eml")
    assert run("model", "shadow") == "no candidate"
    assert "version 1 of" in run("model", "shadow", 1)
    assert "60 spam and 60 ham learned" in run("model", "shadow")
    assert run("model", "shadow", "off") == "candidate removed"
    assert run("model", "shadow", "off") == "no candidate was set"
    assert run("model", "activate", 1) == "version 1 is in force"
    assert generation() == 1
    # What was rolled back is put in force again as a version of its own.
    assert "version 3 is in force; the journal does not know" in run("model", "activate", 2)
    run("train", site, "-o", site / "other.fdm", "--about", "made elsewhere")
    assert "made elsewhere" in run("model", "shadow", site / "other.fdm")
    assert "version 4 is in force" in run("model", "activate", site / "other.fdm")
    assert generation() == 4
    assert run("model", "rollback") == "version 3 is in force"
    run("model", "activate", 99, status=69)
    run("model", "activate", site / "1.eml", status=69)
    run("model", "shadow", site / "1.eml", status=69)
    assert generation() == 3


def test_a_recipients_own_model(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(site)
    assert filterd(monkeypatch, capsys, "model", "recipients") == (
        0,
        "no recipient has a model\n",
        "",
    )
    spam = [f"{n}.eml" for n in range(0, 40, 2)]
    code, out, _err = filterd(
        monkeypatch, capsys, "learn", "ham", "--for", "Joe@MX.example", *spam, "--json"
    )
    assert code == 0
    told = json.loads(out)
    assert (told["for"], told["learned"]) == ("joe@mx.example", 20)
    code, out, _err = filterd(monkeypatch, capsys, "model", "recipients", "--json")
    row = json.loads(out)
    assert (row["for"], row["spam"], row["ham"]) == ("joe@mx.example", 0, 20)
    recipients = ["--to", "joe@mx.example", "--to", "sue@mx.example"]
    code, out, _err = filterd(monkeypatch, capsys, "scan", "--json", *recipients, "42.eml")
    joe, sue = json.loads(out)["outcomes"]
    assert joe["symbols"][0]["name"] == "BAYES_RECIPIENT"
    assert joe["symbols"][0]["score"] < 0
    assert "symbols" not in sue
    # The site's own model has not learned any of it.
    code, out, _err = filterd(monkeypatch, capsys, "model", "list")
    assert code != 0
    code, out, _err = filterd(
        monkeypatch, capsys, "model", "recipients", "--delete", "joe@mx.example"
    )
    assert (code, out) == (0, "deleted: the model of joe@mx.example\n")
    code, _out, err = filterd(
        monkeypatch, capsys, "model", "recipients", "--delete", "joe@mx.example"
    )
    assert code != 0
    assert "joe@mx.example has no model" in err


@pytest.mark.parametrize(
    "command",
    [("learn", "spam", "--for", "joe", "0.eml"), ("model", "recipients", "--delete", "@")],
)
def test_whose_model_must_be_an_address(
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
) -> None:
    monkeypatch.chdir(site)
    code, _out, err = filterd(monkeypatch, capsys, *command)
    assert code == 64
    assert "expected an address, or a domain as @mx.example" in err
