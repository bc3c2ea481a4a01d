"""`filterd doctor` looks at notices, the report and its timer, and the OpenID Provider."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.load import Settings, load
from filterd.doctor import told, web
from filterd.doctor.findings import Finding, Level
from filterd.system import layout

NOTICES = """
[notices]
sender = "postmaster@mx.example"
admins = ["ann@mx.example"]
held = ["admin", "joe@mx.example"]
virus = ["admin"]
"""
REPORT = """
[report]
sender = "postmaster@mx.example"
to = ["ann@mx.example"]
plots = false
"""


def site(folder: Path, more: str = "") -> Settings:
    settings = folder / "filterd.toml"
    settings.write_text(f'[quarantine]\nfolder = "{folder}/q"\n{more}\n')
    return load(settings)


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the installed timer, which is not enabled."""
    monkeypatch.setattr(layout, "UNITS", (tmp_path,))
    monkeypatch.setattr(told, "WANTED", tmp_path / "wants" / told.TIMER)
    (tmp_path / told.TIMER).touch()
    (tmp_path / "wants").mkdir()
    return tmp_path


def test_who_is_told_nothing_hears_nothing(tmp_path: Path, units: Path) -> None:
    settings = site(tmp_path)
    assert [*told.notices(settings), *told.report(settings), *web.provider(settings)] == []


def test_notices_that_work(tmp_path: Path) -> None:
    (found,) = told.notices(site(tmp_path, NOTICES))
    assert found == Finding(
        Level.OK, "notices", "to 2 addresses and 0 webhooks; all templates can be used"
    )


def test_a_template_and_a_secret_that_cannot_be_used(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "held.txt").write_text("{{ nothing.like.that }}")
    secret = tmp_path / "secret"
    secret.touch(0o644)
    hook = f"""
[[notices.webhooks]]
url = "https://hooks.example/filterd"
secret = "{secret}"
"""
    settings = site(tmp_path, f'{NOTICES}templates = "{folder}"\n{hook}')
    found = list(told.notices(settings))
    assert [one.level for one in found] == [Level.FAIL] * 2
    assert "held.txt" in found[0].found
    assert "notices.webhooks[1].secret" in found[1].found
    assert "0600" in found[1].found


def test_a_report_that_nothing_sends(tmp_path: Path, units: Path) -> None:
    settings = site(tmp_path, REPORT)
    (found,) = told.report(settings)
    assert found.level == Level.WARN
    assert found.advice == "systemctl enable --now filterd-report.timer"
    told.WANTED.touch()
    assert list(told.report(settings)) == [Finding(Level.OK, "report", "to ann@mx.example")]
    told.WANTED.unlink()
    (units / told.TIMER).unlink()
    (found,) = told.report(settings)
    assert found.level == Level.OK, "without a timer, a cron job may send it"


def test_a_timer_for_nobody(tmp_path: Path, units: Path) -> None:
    told.WANTED.touch()
    (found,) = told.report(site(tmp_path))
    assert found.level == Level.WARN
    assert "names nobody" in found.found


def test_a_report_of_a_history_that_is_off(tmp_path: Path, units: Path) -> None:
    (found,) = told.report(site(tmp_path, f"{REPORT}\n[history]\nenabled = false\n"))
    assert found.level == Level.FAIL


def test_an_openid_provider_that_is_away(tmp_path: Path) -> None:
    more = """
[oidc]
issuer = "http://127.0.0.1:1"
client_id = "filterd"
others = "user"
"""
    (found,) = web.provider(site(tmp_path, more))
    assert found.level == Level.WARN
    assert "http://127.0.0.1:1" in found.found
