"""`filterd doctor` looks at the MTA's log, where the settings name it."""

from __future__ import annotations

import grp
import os
from pathlib import Path

import pytest

from filterd.config.load import Settings, load
from filterd.doctor.diagnosis import diagnose
from filterd.doctor.findings import Finding, Level
from filterd.doctor.mail_log import mail_log

SENT = (
    "Nov 30 11:00:00 mx postfix/smtp[1]: 4F2A1B2C3D: to=<joe@mx.example>, relay=local, delay=1, "
    "dsn=2.0.0, status=sent (ok)\n"
)


def site(folder: Path, *files: Path, more: str = "") -> Settings:
    names = ", ".join(f'"{file}"' for file in files)
    settings = folder / "filterd.toml"
    settings.write_text(
        f'[quarantine]\nfolder = "{folder}/q"\n[maillog]\nfiles = [{names}]\n{more}\n'
    )
    return load(settings)


def test_who_names_none_needs_none(tmp_path: Path) -> None:
    assert list(mail_log(site(tmp_path))) == []


def test_a_log_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_text(SENT)
    settings = site(tmp_path, tmp_path / "mail.log")
    good = Finding(Level.OK, "maillog", f"{tmp_path}/mail.log can be read")
    assert list(mail_log(settings)) == [good]
    assert good in diagnose(settings)


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    (found,) = mail_log(site(tmp_path, tmp_path / "mail.log"))
    assert (found.level, found.about) == (Level.WARN, "maillog")
    assert found.found == (
        f"{tmp_path}/mail.log cannot be read: No such file or directory; timelines end at the MTA"
    )
    assert found.advice.startswith("correct maillog.files, or make ")


def test_a_log_of_another_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mail.log"
    path.write_text(SENT)

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("filterd.maillog.files.LogFile.new_lines", refused)
    (found,) = mail_log(site(tmp_path, path))
    group = grp.getgrgid(path.stat().st_gid).gr_name
    assert "Permission denied" in found.found
    assert found.advice.startswith(f"usermod -aG {group} ")


def test_a_log_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("Nov 30 11:00:00 mx sshd[1]: Accepted publickey\n")
    (found,) = mail_log(site(tmp_path, tmp_path / "x.log"))
    assert found.level is Level.WARN
    assert "contains no deliveries by sendmail or Postfix" in found.found


def test_a_journal_that_cannot_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin/journalctl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'No journal files were opened' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    (found,) = mail_log(site(tmp_path, more="journal = true"))
    assert found.found.startswith("journalctl: No journal files were opened;")
    assert found.advice.startswith("usermod -aG systemd-journal ")
