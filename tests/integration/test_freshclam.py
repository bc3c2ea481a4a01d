"""What doctor reads in the log of a real freshclam."""

from __future__ import annotations

import os
import pwd
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filterd.config.load import load
from filterd.doctor.scanners import freshclam
from filterd.scanners.databases import updater_state
from tests.helpers.process import free_port, require


def test_a_mirror_that_is_away(tmp_path: Path) -> None:
    program = require("freshclam", "clamav-freshclam")
    (tmp_path / "db").mkdir()
    log = tmp_path / "freshclam.log"
    settings = tmp_path / "freshclam.conf"
    settings.write_text(
        f"DatabaseDirectory {tmp_path}/db\n"
        f"UpdateLogFile {log}\n"
        "LogTime yes\n"
        f"DatabaseOwner {pwd.getpwuid(os.getuid()).pw_name}\n"
        f"PrivateMirror http://127.0.0.1:{free_port()}\n"
        "MaxAttempts 1\n"
        "ConnectTimeout 5\n"
    )
    ended = subprocess.run(
        [program, f"--config-file={settings}"], capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0, ended.stdout

    state = updater_state(log)
    assert state.started is not None
    assert datetime.now(UTC) - state.started < timedelta(hours=1)
    assert (state.current, state.days) == (None, None)
    assert state.trouble

    config = tmp_path / "filterd.toml"
    config.write_text(f'[chain]\nfilters = ["clamav"]\n[filters.clamav]\nfreshclam_log = "{log}"\n')
    (found,) = freshclam(load(config))
    assert (found.level, found.found) == ("WARN", f"{log}: {state.trouble}")
