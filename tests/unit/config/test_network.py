"""Which filters and settings open network connections in a worker."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filterd.chain.filter import available
from filterd.chain.filter import load as load_filter
from filterd.config.load import load
from filterd.config.network import MORE_WORKERS, network_users, worker_processes

NEVER = "bayes greylist gtube known locallists rates recipients rules senders sign sklearn".split()


def users(folder: Path, filters: list[str], text: str = "") -> tuple[str, ...]:
    file = folder / "filterd.toml"
    file.write_text(f"[chain]\nfilters = {filters}\n{text}")
    return network_users(load(file))


def test_filters_that_never_do(tmp_path: Path) -> None:
    assert users(tmp_path, NEVER) == ()


def test_every_filter_says_it() -> None:
    """One that says nothing is taken to need the network, which is for packages of others."""
    assert not [name for name in available() if not hasattr(load_filter(name), "needs_network")]


@pytest.mark.parametrize(
    ("name", "text", "needs"),
    [
        ("auth", "", True),
        ("dnslists", "", True),
        ("parts", "", True),
        ("parts", "verify_dkim = false", False),
        ("rules", "use_network = true", True),
        ("clamav", "", False),
        ("clamav", 'server = "tcp:127.0.0.1:3310"', True),
        ("clamav", 'server = ["unix:/run/a", "tls:mx.example:3310"]', True),
        ("scanners", 'clamd = [{name = "a"}]', False),
        ("scanners", 'clamd = [{name = "a", server = "tcp:127.0.0.1:3310"}]', True),
        ("scanners", 'icap = [{name = "a", server = "icap://127.0.0.1/x"}]', True),
        ("scanners", 'command = [{name = "a", preset = "clamscan"}]', True),
        ("recipients", 'domains = ["a.example"]\nfiles = ["/x"]', False),
        ("recipients", 'domains = ["a.example"]\ncommand = ["/x"]', True),
    ],
)
def test_filters_that_may(tmp_path: Path, name: str, text: str, needs: bool) -> None:
    expected = (f"filter {name}",) if needs else ()
    assert users(tmp_path, [name], f"[filters.{name}]\n{text}\n") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[state]\nurl = "redis://127.0.0.1/0"', ("[state] url",)),
        ('[state]\nurl = "unix:///run/redis.sock?db=0"', ()),
        ('[quarantine]\ndatabase = "postgresql+psycopg://a@b/c"', ("[quarantine] database",)),
        ('[quarantine]\ndatabase = "sqlite:////srv/index.sqlite3"', ()),
    ],
)
def test_what_all_of_them_share(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    assert users(tmp_path, ["gtube"], text) == expected


@pytest.mark.parametrize(
    ("name", "text", "waits"),
    [
        ("bayes", "", False),
        ("parts", "", False),
        ("recipients", 'domains = ["a.example"]\ncommand = ["/x"]', False),
        ("auth", "", True),
        ("dnslists", "", True),
        ("rules", "use_network = false", False),
        ("rules", "use_network = true", True),
        ("clamav", "", False),
        ("clamav", 'server = "tcp:192.0.2.1:3310"', True),
        ("scanners", 'icap = [{name = "a", server = "icap://192.0.2.1/x"}]', True),
    ],
)
def test_more_workers_where_a_filter_waits_for_other_hosts(
    tmp_path: Path, name: str, text: str, waits: bool
) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(f'[chain]\nfilters = ["gtube", "{name}"]\n[filters.{name}]\n{text}\n')
    expected = (os.cpu_count() or 1) + waits * MORE_WORKERS
    assert worker_processes(load(file)) == expected
    file.write_text(f"{file.read_text()}[workers]\ncount = 3\n")
    assert worker_processes(load(file)) == 3
