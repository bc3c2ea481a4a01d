"""Debian's own sendmail.cf, as its package makes it: read by doctor and by the reference MTA."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from filterd.config.load import load
from filterd.doctor.sendmail import sendmail
from filterd.mta.sendmail.cf_files import read_cf
from tests.helpers.process import require, unpacked


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    """/etc/mail/sendmail.cf of a fresh installation, with its files in a folder of ours."""
    root = unpacked("sendmail") / "usr/share/sendmail/cf"
    require(unpacked("sendmail") / "usr/libexec/sendmail/sendmail", "sendmail-bin")
    mc = (root / "debian/sendmail.mc").read_text()
    # The package's files include each other by where they are installed.
    (tmp_path / "sendmail.mc").write_text(
        mc.replace("include(`/usr/share/sendmail/cf/m4/cf.m4')dnl", "")
    )
    made = subprocess.run(
        [require("m4", "m4"), f"-D_CF_DIR_={root}/", root / "m4/cf.m4", tmp_path / "sendmail.mc"],
        cwd=root / "cf",
        capture_output=True,
        check=False,
        text=True,
    ).stdout
    # m4 misses what the package would have probed of the system, and nothing else.
    assert "Mesmtp," in made
    mail = tmp_path / "mail"
    mail.mkdir()
    # What sendmailconfig makes beside it.
    for name in ("local-host-names", "trusted-users", "relay-domains", "access"):
        (mail / name).touch()
    path = tmp_path / "sendmail.cf"
    # sendmail trusts no file below a folder into which everybody may write, as that of tests is.
    trusting = "O DontBlameSendmail=TrustStickyBit\n"
    made = re.sub(r"^F", f"{trusting}F", made, count=1, flags=re.M)
    path.write_text(re.sub(r"/etc/mail/", f"{mail}/", made))
    assert re.search(r"^#.*\n[ \t]+\n", made, re.M), "no blank line continues a comment"
    return path


def test_it_is_read_without_complaint(stock: Path) -> None:
    cf = read_cf(stock)
    assert cf.level == 10
    assert {"local", "esmtp"} <= set(cf.mailers)
    assert cf.problems == []


def test_doctor_looks_into_it(stock: Path) -> None:
    settings = load()
    (told,) = sendmail(settings, stock)
    assert "no filter at" in told.found
    text = stock.read_text().replace(
        "# Input mail filters", f"Xfilterd, S={settings.daemon.socket}, F=T\n# Input mail filters"
    )
    stock.write_text(text + "O InputMailFilters=filterd\n")
    told = [one.found for one in sendmail(settings, stock)]
    assert not any("unknown configuration line" in one or "no filter at" in one for one in told)


def test_the_reference_mta_takes_it(stock: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "filterd", "mta", "test", "--cf", stock, "nobody@localhost"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "unknown configuration line" not in done.stderr
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nobody@localhost: mailer local, user nobody\n")
