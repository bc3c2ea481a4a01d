"""What the self-test expects follows from the settings; and it runs where there are none."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from filterd.chain.verdict import Action
from filterd.config.load import load
from filterd.lab.expected import Expected, Promises
from filterd.mta.delivery.client import SendResult
from filterd.quarantine import Store
from filterd.quarantine.query import Query
from filterd.system.child import python_command

pytestmark = pytest.mark.slow


SETTINGS = """\
[quarantine]
folder = "quarantine"
[filters.bayes]
models = "models"
[filters.senders]
file = "senders.list"
[filters.parts]
verify_dkim = false
"""


def promised(folder: Path, name: str, toml: str) -> str:
    file = folder / "filterd.toml"
    text = SETTINGS
    for section in ("parts", "bayes", "senders"):
        head, own = f"[filters.{section}]\n", f"# {section}\n"
        if own in toml:
            before, _, rest = toml.partition(own)
            toml = before
            text = text.replace(head, head + rest)
    file.write_text(text + toml)
    return Promises(load(file)).of(name, "mx.example").words


PLAIN = "250, delivered without a spam flag"
HELD = "250, not delivered"


@pytest.mark.parametrize(
    ("name", "toml", "words"),
    [
        ("clean", "", PLAIN),
        ("gtube", "", "refused with 550"),
        ("gtube", "[filters.gtube]\ndry_run = true\n", PLAIN),
        ("gtube", "[policy]\nreject = inf\n", HELD),
        (
            "gtube",
            "[policy]\nreject = inf\nquarantine = inf\n",
            "250, delivered with a spam flag",
        ),
        (
            "gtube",
            "[policy]\nreject = inf\nquarantine = inf\nlabel = inf\n",
            PLAIN,
        ),
        ("gtube", "[filters.gtube]\nscore = 11.0\n", HELD),
        ("gtube", "[filters.gtube]\nscore = 7.5\n", "250, delivered with a spam flag"),
        ("gtube", '[policy]\nquarantine_in = "mta"\nreject = inf\n', HELD),
        (
            "gtube",
            '[[policy.rules]]\nrecipients = ["joe@mx.example"]\nat_most = "quarantine"\n',
            HELD,
        ),
        (
            "gtube",
            '[[policy.rules]]\nclients = ["local"]\nat_most = "accept"\n',
            "250, delivered with a spam flag",
        ),
        ("eicar", "", "refused with 554"),
        ("eicar", "[filters.clamav]\ndry_run = true\n", PLAIN),
        ("exe", "", "250, delivered without its attachment, without a spam flag"),
        ("exe", '# parts\naction = "quarantine"\n', HELD),
        ("exe", '# parts\naction = "reject"\n', "refused with 550"),
        ("exe", '# parts\naction = "score"\nscore = 5.0\n', "250, delivered with a spam flag"),
        ("exe", "# parts\ndry_run = true\n", PLAIN),
        ("exe", "# parts\nextensions = []\nkinds = []\n", PLAIN),
        ("exe", '[chain]\nfilters = ["gtube"]\n', PLAIN),
    ],
)
def test_what_is_promised(tmp_path: Path, name: str, toml: str, words: str) -> None:
    assert promised(tmp_path, name, toml) == words


def result(code: int) -> SendResult:
    return SendResult("x", code, f"{code} 2.0.0 x", "message", 100, 0.1)


MAIL = b"From: a\nX-Spam-Flag: YES\n\nhello\nTVqQAAMAAAAEAAAA//8AALgAAAA\n"


@pytest.mark.parametrize(
    ("expected", "code", "delivered", "holds"),
    [
        (Expected(Action.ACCEPT, flagged=True), 250, MAIL, True),
        (Expected(Action.ACCEPT), 250, MAIL, False),
        (Expected(Action.ACCEPT), 250, None, False),
        (Expected(Action.QUARANTINE), 250, None, True),
        (Expected(Action.QUARANTINE), 250, MAIL, False),
        (Expected(Action.REJECT, 554), 554, None, True),
        (Expected(Action.REJECT, 554), 550, None, False),
        (Expected(Action.REJECT, 554), 451, None, False),
        (
            Expected(Action.ACCEPT, flagged=True, removed=(b"TVqQAAMAAAAEAAAA//8AALgAAAA",)),
            250,
            MAIL,
            False,
        ),
    ],
)
def test_what_holds(expected: Expected, code: int, delivered: bytes | None, holds: bool) -> None:
    assert expected.holds(result(code), delivered) is holds


def test_without_any_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual socket and folders are not ours; everything is made below a folder of its own."""
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(
        python_command("filterd", "selftest", "--json"), capture_output=True, text=True, check=False
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["message"] for row in rows} >= {"clean", "gtube", "exe"}, done.stderr
    assert all(row["ok"] for row in rows), rows
    assert done.returncode == 0


def test_with_settings_that_change_everything(tmp_path: Path) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(
        f"""
[daemon]
socket = "unix:{tmp_path}/s"
spool = "{tmp_path}/spool"
[workers]
count = 1
[chain]
filters = ["parts", "gtube"]
[policy]
reject = inf
quarantine = inf
[quarantine]
folder = "{tmp_path}/quarantine"
[filters.parts]
action = "quarantine"
"""
    )
    done = subprocess.run(
        python_command("filterd", "selftest", "--json", "--config", str(file)),
        capture_output=True,
        text=True,
        check=False,
    )
    rows = {row["message"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert {name: row["expected"] for name, row in rows.items()} == {
        "clean": PLAIN,
        "gtube": "250, delivered with a spam flag",
        "exe": HELD,
    }
    assert all(row["ok"] for row in rows.values()), rows
    assert "clamav is not in [chain] filters and was not tested" in done.stderr
    # The attachment was held, and nothing is left of it but the note that it was deleted.
    kept = [path.name for path in (tmp_path / "quarantine").rglob("*") if path.is_file()]
    assert not [name for name in kept if name.endswith((".eml", ".json"))], kept
    store = Store(load(file).quarantine)
    assert store.index.search(Query()).rows == ()
    assert {event.who for event in store.journal.events() if event.what == "deleted"} == {
        "selftest"
    }
