"""`filterd check` and `filterd init`, as an admin types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from filterd.config.mta_lines import postfix_socket

pytestmark = pytest.mark.slow


def filterd(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "filterd", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_init_writes_is_right_and_fits_the_lines_it_prints(tmp_path: Path) -> None:
    made = filterd("init", "etc", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    socket = f"unix:{tmp_path}/etc/run/filterd.sock"
    assert f"INPUT_MAIL_FILTER(`filterd', `S={socket}, F=T, T=" in made.stdout
    assert f"smtpd_milters = {socket}" in made.stdout
    checked = filterd("check", "--config", "etc/filterd.toml", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    again = filterd("init", "etc", cwd=tmp_path)
    assert again.returncode == 73
    assert "already there" in again.stderr


def test_a_mistake_is_one_line_and_status_78(tmp_path: Path) -> None:
    (tmp_path / "filterd.toml").write_text("[policy]\nlable = 3\n")
    checked = filterd("check", cwd=tmp_path)
    assert checked.returncode == 78
    assert checked.stderr.startswith("filterd: filterd.toml:2: policy.lable: unknown key")
    assert checked.stderr.count("\n") == 1


def test_show_marks_what_differs_and_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "filterd.toml").write_text('[policy]\nlabel = 3.0\n[chain]\nfilters = ["gtube"]\n')
    shown = filterd("check", "--show", cwd=tmp_path).stdout
    assert "label = 3.0  # default: 5.0" in shown
    assert "reject = 15.0\n" in shown
    (tmp_path / "shown.toml").write_text(shown)
    again = filterd("check", "--show", "--config", "shown.toml", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[1:] == shown.splitlines()[1:]


def test_check_reads_the_sites_lists(tmp_path: Path) -> None:
    (tmp_path / "filterd.toml").write_text(
        '[chain]\nfilters = ["locallists"]\n'
        '[[filters.locallists.lists]]\nfile = "x.list"\nabout = "client"\n'
    )
    (tmp_path / "x.list").write_text("192.0.2.0/24\n192.0.2.0/33\n")
    checked = filterd("check", cwd=tmp_path)
    assert checked.returncode == 78
    assert "x.list:2: '192.0.2.0/33' is not a network" in checked.stderr


def test_check_writes_each_notice_and_reads_the_secrets(tmp_path: Path) -> None:
    (tmp_path / "held.txt").write_text("Subject: {{ wrong }}\n")
    (tmp_path / "filterd.toml").write_text(
        '[notices]\nsender = "root@mx.test"\nheld = ["root@mx.test"]\ntemplates = "."\n'
        '[[notices.webhooks]]\nurl = "https://hooks.test/"\nsecret = "secret"\nca = "held.txt"\n'
    )
    checked = filterd("check", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (
        78,
        "filterd: held.txt: 'wrong' is undefined\n"
        f"filterd: notices.webhooks[1].secret: {tmp_path}/secret: cannot be read "
        "(No such file or directory)\n"
        f"filterd: notices.webhooks[1].ca: {tmp_path}/held.txt: has no certificate in PEM\n",
    )


def test_check_reads_the_key_of_known(tmp_path: Path) -> None:
    (tmp_path / "filterd.toml").write_text(
        '[chain]\nfilters = ["known"]\n[filters.known]\nkey_file = "x.key"\n'
    )
    checked = filterd("check", cwd=tmp_path)
    assert checked.returncode == 78
    assert checked.stderr == f"filterd: {tmp_path}/x.key: No such file or directory\n"
    (tmp_path / "x.key").write_bytes(b"k" * 16)
    (tmp_path / "x.key").chmod(0o600)
    assert filterd("check", cwd=tmp_path).returncode == 0


def test_check_as_json(tmp_path: Path) -> None:
    (tmp_path / "filterd.toml").write_text("[chain]\ntimeout = 400\n[policy]\nreject = inf\n")
    report = json.loads(filterd("check", "--json", cwd=tmp_path).stdout)
    assert report["ok"] is True
    assert report["settings"]["policy"]["reject"] is None
    assert any("T=E:" in warning for warning in report["warnings"])


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["skan"], 64, "did you mean 'scan'"),
        (["check", "--nosuch"], 64, "--nosuch"),
        ([], 64, ""),
        (["--help"], 0, ""),
        (["--version"], 0, ""),
    ],
)
def test_usage(arguments: list[str], status: int, words: str, tmp_path: Path) -> None:
    result = filterd(*arguments, cwd=tmp_path)
    assert result.returncode == status
    assert words in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("unix:/run/f.sock", "unix:/run/f.sock"),
        ("local:/run/f.sock", "unix:/run/f.sock"),
        ("inet:8899@127.0.0.1", "inet:127.0.0.1:8899"),
        ("inet:8899", "inet:127.0.0.1:8899"),
        ("inet6:8899@::1", "inet:[::1]:8899"),
    ],
)
def test_postfix_writes_sockets_another_way(ours: str, theirs: str) -> None:
    assert postfix_socket(ours) == theirs
