"""What the containers are made of fits together; `scripts/container-test.sh` starts them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from filterd.config.load import load
from filterd.filters.bayes.settings import BayesSettings
from filterd.filters.clamav.settings import ClamAVSettings
from filterd.filters.senders.settings import SendersSettings
from filterd.system import layout

PACKAGING = Path(__file__).parents[3] / "packaging"
CONTAINER = PACKAGING / "container"
COMPOSE = yaml.safe_load((CONTAINER / "compose.yaml").read_text("utf-8"))
IMAGE = (PACKAGING / "Containerfile").read_text("utf-8")


def test_the_settings_are_those_of_the_services_beside_it() -> None:
    settings = load(CONTAINER / "filterd.toml")
    port = settings.daemon.socket.partition(":")[2].partition("@")[0]
    assert f"EXPOSE {port} {settings.web.port}\n" in IMAGE
    assert f"inet:${{MILTER:-filterd:{port}}}" in (CONTAINER / "postfix/start").read_text("utf-8")
    assert settings.quarantine.release_host in COMPOSE["services"]
    assert settings.of_filter(ClamAVSettings).server == "tcp:clamd:3310"
    (net,) = COMPOSE["networks"]["mail"]["ipam"]["config"]
    assert settings.quarantine.release_clients == (net["subnet"],)
    # Only the host's loopback reaches the pages, which have no TLS.
    assert COMPOSE["services"]["pages"]["ports"] == [f"127.0.0.1:{settings.web.port}:8025"]


def test_all_that_is_written_is_in_a_volume() -> None:
    settings = load(CONTAINER / "filterd.toml")
    volumes = re.search(r"^VOLUME (\[.*\])$", IMAGE, re.M)
    assert volumes is not None
    kept = [Path(one) for one in yaml.safe_load(volumes[1])]
    for path in (
        settings.daemon.spool,
        settings.quarantine.folder,
        settings.of_filter(BayesSettings).models,
        settings.of_filter(SendersSettings).file,
    ):
        assert any(path.is_relative_to(one) for one in kept), path


@pytest.mark.parametrize("name", ["filterd", "pages"])
def test_who_runs_there_may_write_little(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    mode = ":ro" if name == "pages" else ""
    assert f"models:{layout.MODELS}{mode}" in service["volumes"]
    assert "\nUSER filterd\n" in IMAGE


def test_nothing_is_installed_without_a_hash() -> None:
    lines = re.findall(r"pip install (.*?)(?:&&|$)", IMAGE.replace("\\\n", " "), re.M)
    assert len(lines) == 3
    for line in lines:
        assert ("--require-hashes" in line) != ("--no-index --no-deps" in line), line


def test_the_scripts_are_shell() -> None:
    subprocess.run(["sh", "-n", CONTAINER / "postfix/start"], check=True)
    script = PACKAGING.parent / "scripts/container-test.sh"
    subprocess.run(["bash", "-n", script], check=True)
    done = subprocess.run([script, "x"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (64, "usage: container-test.sh [--keep]\n")
