"""SMTP sessions with real sendmail, played again with the reference MTA on the same sendmail.cf.

They lie beside the project with the script that recorded them, which builds the configuration with
sendmail's m4 files, plays the client and is the next hop, and the script that compares two
recordings: each reply, each local delivery, each message at the next hop.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.process import folder, free_port, require, unpacked
from tests.transcripts import FOLDER

SHARED = FOLDER.parent
SESSIONS = SHARED / "sendmail-cf"
CASES = sorted(path.stem for path in (SESSIONS / "smtp").glob("*.txt"))

EXPLAINED = {
    "230-greet-pause": "replies 14/15",  # a list of extensions: AUTH and DELIVERBY are not offered
}
"""Sessions that cannot agree wholly, and what of them does."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not CASES, reason=f"no recorded sessions in {SESSIONS} (set FILTERD_SHARED)"
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="the recorded server ran as root"),
]


def prepared(place: Path) -> Path:
    """A folder as the recording script wants it: sendmail unpacked, and a shim for syslog."""
    require(unpacked("sendmail") / "usr/libexec/sendmail/sendmail", "sendmail-bin")
    require("m4", "m4")
    compiler = require("gcc", "gcc")
    (place / "sendmail").symlink_to(unpacked("sendmail"))
    source = SHARED / "recipes/syslogshim.c"
    shim = place / "syslogshim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    return place


@pytest.mark.parametrize("case", CASES)
def test_a_session_is_answered_and_its_mail_delivered_as_by_sendmail(case: str) -> None:
    with folder("smtp") as place:
        environment = {
            **os.environ,
            "PFX": str(prepared(place)),
            "BASEPORT": str(free_port(2)),
            "LABRUN": str(place / "run"),
            "OUTDIR": str(place / "out"),
            "MTA": f"{sys.executable} -m filterd mta run --cf {{cf}} --spool {{dir}}/fspool",
        }
        name = case.partition("-")[2]
        record = [sys.executable, SESSIONS / "record_smtp.py", name]
        told = subprocess.run(
            record, cwd=SESSIONS, env=environment, check=False, capture_output=True, text=True
        )
        assert told.returncode == 0, told.stdout + told.stderr
        wanted = place / "list"
        wanted.write_text(f"smtp/{case}.txt\n")
        judge = [sys.executable, SESSIONS / "judge_smtp.py", "-v", "--list", wanted, place / "out"]
        found = subprocess.run(judge, check=True, capture_output=True, text=True).stdout
        assert EXPLAINED.get(case, "files wholly equal 1/1") in found, found
