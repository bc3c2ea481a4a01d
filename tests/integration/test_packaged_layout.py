"""The packaged layout on a machine: made, repaired, and used by root and by the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.machine import Machine
from tests.helpers.messages import GTUBE, message
from tests.helpers.process import folder, wait_for

WITHOUT_CLAMD = "rm -f /etc/clamav/clamd.conf"

LAYOUT = {
    "/etc/filterd": "root:filterd 750",
    "/etc/filterd/filterd.toml": "root:filterd 640",
    "/run/filterd": "filterd:filterd 750",
    "/var/lib/filterd": "filterd:filterd 700",
    "/var/lib/filterd/models": "filterd:filterd 700",
    "/var/spool/filterd": "filterd:filterd 700",
    "/var/spool/filterd/tmp": "filterd:filterd 700",
    "/var/spool/filterd/quarantine": "filterd:filterd 700",
}


@pytest.fixture
def machine() -> Iterator[Machine]:
    with folder("machine") as path:
        machine = Machine(path, more=WITHOUT_CLAMD)
        machine.start()
        (path / "spam.eml").write_bytes(message(b"buy " + GTUBE + b"\r\n"))
        yield machine


def owners(machine: Machine) -> dict[str, str]:
    return {path: machine.owner(path) for path in LAYOUT}


def announced(machine: Machine) -> None:
    """The daemon as the service's user listens."""
    program = machine.daemon()
    program.start(lambda: " listens on unix:/run/filterd/filterd.sock" in program.output)


def ended(machine: Machine) -> tuple[int, str]:
    """The status of a daemon that cannot start, and what it says."""
    return machine.filterd("run", user="filterd")


def test_it_is_made_and_works(machine: Machine) -> None:
    status, said = machine.filterd("init", "--system")
    assert status == 0, said
    assert owners(machine) == LAYOUT
    assert "clamd is not installed here" in said
    # All that it needs is below these folders.
    announced(machine)
    status, said = machine.filterd("selftest")
    assert status == 0, said
    assert machine.run("find /var/spool/filterd/quarantine -name '*.eml' -o -name '*.json'") == ""
    status, said = machine.filterd("doctor")
    assert "FAIL" not in said.replace("FAIL  release", ""), said


def test_once_more_it_keeps_the_settings_and_repairs_owners(machine: Machine) -> None:
    machine.filterd("init", "--system")
    machine.run("echo '# mine' >> /etc/filterd/filterd.toml")
    machine.run("mkdir /var/lib/filterd/models/x && touch /var/lib/filterd/models/x/y")
    machine.run("chown root: /var/spool/filterd/quarantine && chmod 755 /var/spool/filterd")
    # What is elsewhere is not touched through a link.
    machine.run("touch /etc/elsewhere && ln -s /etc/elsewhere /var/lib/filterd/link")
    machine.run("ln /etc/elsewhere /etc/second; ln -s /etc /var/lib/filterd/models/etc")
    status, said = machine.filterd("init", "--system")
    assert (status, "is kept as it is" in said) == (0, True)
    assert owners(machine) == LAYOUT
    assert machine.owner("/var/lib/filterd/models/x/y").startswith("filterd:filterd")
    assert machine.owner("/etc/elsewhere").startswith("root:root")
    assert machine.owner("/etc/passwd").startswith("root:root")
    assert "# mine" in machine.run("cat /etc/filterd/filterd.toml")


def test_a_link_in_place_of_a_folder_is_refused(machine: Machine) -> None:
    machine.filterd("init", "--system")
    machine.run("rmdir /var/spool/filterd/tmp && ln -s /etc /var/spool/filterd/tmp")
    status, said = machine.filterd("init", "--system")
    assert status == 73
    assert "/var/spool/filterd/tmp: expected a folder, not a link" in said
    assert machine.owner("/etc").startswith("root:root")


def test_only_root_makes_it(machine: Machine) -> None:
    status, said = machine.filterd("init", "--system", user="daemon")
    assert (status, "sudo filterd init --system" in said) == (77, True)


def test_root_teaches_and_the_service_goes_on(machine: Machine) -> None:
    machine.filterd("init", "--system")
    status, said = machine.filterd("learn", "spam", f"{machine.folder}/spam.eml")
    assert status == 0, said
    found = machine.run("find /var/lib/filterd /var/spool/filterd ! -user filterd")
    assert found == ""
    announced(machine)


def test_root_restores_and_the_settings_stay_roots(machine: Machine) -> None:
    machine.filterd("init", "--system")
    machine.run("mkdir /etc/filterd/texts && touch /etc/filterd/texts/a")
    machine.run("chown -R root:filterd /etc/filterd/texts && chmod 750 /etc/filterd/texts")
    machine.run(
        "sed -i '/^\\[digest\\]/a templates = \"/etc/filterd/texts\"' /etc/filterd/filterd.toml"
    )
    archive = "/var/filterd.tar.gz"
    status, said = machine.filterd("backup", archive)
    assert (status, "digest.templates" in said) == (0, True), said
    assert machine.owner(archive) == "root:root 600"
    status, said = machine.filterd("restore", "--with-settings", archive)
    assert status == 0, said
    assert owners(machine) == LAYOUT
    assert machine.owner("/etc/filterd/texts") == "root:filterd 750"
    assert machine.owner("/etc/filterd/texts/a").startswith("root:filterd")
    assert machine.run("find /var/lib/filterd /var/spool/filterd ! -user filterd") == ""
    announced(machine)


def test_root_is_refused_where_its_files_would_stop_the_service(machine: Machine) -> None:
    machine.filterd("init", "--system")
    machine.run("rm -r /var/lib/filterd")
    status, said = machine.filterd("learn", "spam", f"{machine.folder}/spam.eml")
    assert status == 78
    assert "/var/lib/filterd/models is missing" in said
    assert "run `filterd init --system` first" in said
    assert machine.owner("/var/lib/filterd") == ""
    assert machine.filterd("init", "--system")[0] == 0
    assert machine.filterd("learn", "spam", f"{machine.folder}/spam.eml")[0] == 0


@pytest.mark.parametrize(
    "harm",
    [
        "chown -R root: /var/lib/filterd/models",
        "touch /var/spool/filterd/quarantine/index.sqlite; "
        "chown root: /var/spool/filterd/quarantine/index.sqlite; "
        "chmod 600 /var/spool/filterd/quarantine/index.sqlite",
    ],
    ids=["folder", "file"],
)
def test_owners_are_checked_at_start_and_one_command_repairs(machine: Machine, harm: str) -> None:
    machine.filterd("init", "--system")
    machine.run(harm)
    status, said = ended(machine)
    assert (status, "run as root: filterd init --system" in said) == (78, True), said
    if "models" in harm:
        # Single files root's commands give back by themselves.
        status, told = machine.filterd("doctor")
        assert (status, "run: filterd init --system" in told) == (69, True), told
    machine.filterd("init", "--system")
    announced(machine)


def test_a_start_without_permission_is_not_repeated(machine: Machine) -> None:
    """systemd reads the exit status; the unit names this one."""
    machine.filterd("init", "--system")
    machine.run("chown root:filterd /run/filterd")
    status, said = ended(machine)
    assert (status, "daemon.socket" in said) == (77, True), said
    unit = (Path(__file__).parents[2] / "packaging/filterd.service").read_text()
    (line,) = [one for one in unit.splitlines() if one.startswith("RestartPreventExitStatus=")]
    assert {"73", "77", "78"} <= set(line.partition("=")[2].split())


def test_clamd_that_is_installed_and_not_asked_is_a_warning(machine: Machine) -> None:
    machine.run("mkdir -p /etc/clamav")
    machine.write("/etc/clamav/clamd.conf", "LocalSocket /run/clamd.test\nStreamMaxLength 25M\n")
    _status, said = machine.filterd("init", "--system")
    assert "clamd is installed and does not answer at /run/clamd.test" in said
    assert machine.run("grep -c '^size_limit = 26214400' /etc/filterd/filterd.toml").strip() == "1"
    announced(machine)
    for command in ("status", "doctor"):
        said = wait_for(command, lambda: machine.filterd(command)[1])  # noqa: B023
        assert "no filter of [chain] scans for viruses" in " ".join(said.split()), said
