"""The first account, made when the pages start."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.cli import web
from filterd.config.load import load
from filterd.review.accounts import FIRST, Accounts
from filterd.review.principals import accounts_path


@pytest.mark.slow
def test_another_process_that_makes_it_at_the_same_time_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(f'[quarantine]\nfolder = "{tmp_path}/q"\n')
    settings = load(file)
    (tmp_path / "q").mkdir(mode=0o700)

    def other_is_faster(_file: Path | None) -> tuple[str, bool]:
        Accounts(accounts_path(settings)).add(FIRST, "the password of the other", "admin")
        return "the password of this one", True

    monkeypatch.setattr(web, "_password", other_is_faster)
    web._first_account(settings, None)
    assert Accounts(accounts_path(settings)).verify(FIRST, "the password of the other")
    assert "the password of this one" not in capsys.readouterr().out
