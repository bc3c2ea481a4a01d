"""What is installed with filterd fits together: unit file, folders, snippet, documents."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from filterd.chain.chain import ChainSettings
from filterd.config.load import Settings
from filterd.config.mta_lines import IN_QUEUE, postfix_lines, sendmail_line, sendmail_lines
from filterd.config.processes import DaemonSettings, WorkerSettings
from filterd.config.web import WebSettings
from filterd.mta.milters.settings import InputMailFilter
from filterd.system import layout, paths
from tests.helpers.process import require

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parents[3]
UNIT = ROOT / "packaging/filterd.service"
SNIPPET = ROOT / "sendmail.mc.snippet"


def unit_values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE)


SERVICES = (
    "filterd.service",
    "filterd-web.service",
    "filterd-release.service",
    "filterd-backup.service",
    "filterd-report.service",
)
SOCKETS = ("filterd-web.socket", "filterd-release.socket")
TIMERS = ("filterd-backup.timer", "filterd-report.timer")


@pytest.mark.parametrize("name", [*SERVICES, *SOCKETS, *TIMERS])
def test_systemd_takes_the_unit(tmp_path: Path, name: str) -> None:
    program = require("systemd-analyze", "systemd")
    # Verification looks for the program, Python stands in for it; and for the units it names.
    for unit in (*SERVICES, *SOCKETS, *TIMERS):
        text = (ROOT / "packaging" / unit).read_text("utf-8")
        (tmp_path / unit).write_text(text.replace("/usr/bin/filterd", sys.executable))

    done = subprocess.run(
        [program, "verify", "--man=no", tmp_path / name],
        check=False,
        capture_output=True,
        text=True,
    )

    ours = [line for line in done.stderr.splitlines() if "filterd" in line]
    assert ours == []
    assert done.returncode == 0


@pytest.mark.parametrize("name", SERVICES)
def test_the_unit_is_confined(tmp_path: Path, name: str) -> None:
    """systemd-analyze(1), "security": --threshold is ten times the exposure level."""
    program = require("systemd-analyze", "systemd")

    def done(unit: Path) -> int:
        options = ("--offline=yes", "--threshold=17", "--no-pager")
        return subprocess.run(
            [program, "security", *options, unit], check=False, capture_output=True
        ).returncode

    assert done(ROOT / "packaging" / name) == 0
    open_unit = tmp_path / name
    text = (ROOT / "packaging" / name).read_text("utf-8")
    open_unit.write_text(re.sub(r"^Restrict\w+=yes\n|^Private.*\n", "", text, flags=re.M))
    assert done(open_unit) != 0


def test_the_unit_starts_what_the_defaults_expect() -> None:
    assert unit_values("ExecStart") == [f"/usr/bin/filterd run --config {paths.SYSTEM_CONFIG}"]
    assert unit_values("Type") == ["notify"]
    assert DaemonSettings().socket == "unix:/run/filterd/filterd.sock"
    assert unit_values("RuntimeDirectory") == ["filterd"]
    (stop,) = unit_values("TimeoutStopSec")
    assert float(stop) > DaemonSettings().shutdown_grace


def test_users_and_folders_are_those_of_the_packaged_layout() -> None:
    """What differs is to be written with `layout.sysusers()` and `layout.tmpfiles()`."""
    assert (ROOT / "packaging/filterd.sysusers").read_text("utf-8") == layout.sysusers()
    assert (ROOT / "packaging/filterd.tmpfiles").read_text("utf-8") == layout.tmpfiles()
    table = (ROOT / "packaging/README.md").read_text("utf-8")
    for one in layout.FOLDERS:
        assert f"| `{one.path}` | {one.owner}, {one.mode:04o} | {one.about} |" in table


def test_the_unit_writes_only_in_the_packaged_folders() -> None:
    assert DaemonSettings().spool == layout.BODIES
    assert unit_values("ReadWritePaths") == [str(layout.MAIL)]
    assert unit_values("StateDirectory") == [layout.HOME.name]
    assert unit_values("User") == unit_values("Group") == [layout.USER]


def test_the_pages_may_only_read_the_models() -> None:
    """systemd.exec(5): of nested paths the innermost counts, here within StateDirectory."""
    pages = (ROOT / "packaging/filterd-web.service").read_text("utf-8")
    assert f"\nReadOnlyPaths=-{layout.MODELS}\n" in pages
    assert layout.MODELS.parent == layout.HOME
    assert "ReadOnlyPaths" not in UNIT.read_text("utf-8")


def test_the_sockets_are_those_of_the_settings() -> None:
    """systemd listens where `filterd init --system` has the pages ask, and where they are found."""

    def listens(name: str) -> list[str]:
        text = (ROOT / "packaging" / name).read_text("utf-8")
        return re.findall(r"^ListenStream=(.*)$", text, re.MULTILINE)

    assert listens(layout.RELEASE_UNIT) == [str(layout.RELEASE_SOCKET)]
    web = WebSettings()
    assert listens("filterd-web.socket") == [f"{web.listen}:{web.port}"]


def test_pages_without_a_network_are_confined_more(tmp_path: Path) -> None:
    program = require("systemd-analyze", "systemd")
    unit = tmp_path / "filterd-web.service"
    text = (ROOT / "packaging/filterd-web.service").read_text("utf-8")
    drop_in = (ROOT / "packaging/filterd-web.no-network.conf").read_text("utf-8")
    unit.write_text(f"{text}\n{drop_in}")
    options = ("--offline=yes", "--threshold=9", "--no-pager")
    done = subprocess.run(
        [program, "security", *options, unit], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def snippet_filter() -> InputMailFilter:
    found = re.search(r"^INPUT_MAIL_FILTER\(`(\w+)', `(.*)'\)dnl$", SNIPPET.read_text(), re.M)
    assert found is not None
    return InputMailFilter.parse(f"{found[1]}, {found[2]}")


def test_the_snippet_fits_the_defaults() -> None:
    line = snippet_filter()

    assert line.socket == DaemonSettings().socket
    assert line.on_failure == "T"
    assert line.time_limits.read >= 4 * DaemonSettings().progress_interval
    assert line.time_limits.eom > ChainSettings().timeout + WorkerSettings().grace


@pytest.mark.parametrize("page", ["README.md", "docs/sendmail.md", "sendmail.mc.snippet"])
def test_every_page_shows_the_line_for_sendmail(page: str) -> None:
    assert sendmail_line(Settings()) in (ROOT / page).read_text("utf-8").splitlines()


def test_the_snippet_has_the_macros_that_setup_adds() -> None:
    lines = SNIPPET.read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith("dnl")] == sendmail_lines(Settings())


@pytest.mark.parametrize("page", ["README.md", "docs/postfix.md"])
def test_every_page_shows_the_lines_for_postfix(page: str) -> None:
    wanted = postfix_lines(Settings(), IN_QUEUE)
    lines = [f"{name} = {value}" for name, value in wanted.items()]
    text = "\n".join(map(str.strip, (ROOT / page).read_text("utf-8").splitlines()))
    assert "\n".join(lines) in text


def test_comments_of_the_snippet_are_no_macros() -> None:
    """m4 reads to the end of a `dnl` line, and only those and calls may stand there."""
    for line in SNIPPET.read_text().splitlines():
        assert line.startswith(("dnl", "INPUT_MAIL_FILTER(", "define(`conf")), line
        assert line.startswith("dnl") or line.endswith(")dnl"), line
