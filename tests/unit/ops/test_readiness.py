"""Ready or not, by what the settings ask for."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from filterd.config.load import Settings, load
from filterd.ops.readiness import Readiness, readiness
from filterd.quarantine import Store
from tests.helpers.scanner import Scanner, clean


def site(folder: Path, filters: str, more: str = "") -> Settings:
    config = folder / "filterd.toml"
    config.write_text(
        f'[daemon]\nsocket = "unix:{folder}/d.sock"\n'
        f"[chain]\nfilters = [{filters}]\n"
        f'[quarantine]\nfolder = "{folder}/q"\n{more}'
    )
    return load(config)


@contextmanager
def daemon(folder: Path, workers: object) -> Iterator[None]:
    """Somebody who takes connections, and says of itself that it has these workers."""
    with socket.socket(socket.AF_UNIX) as milter, socket.socket(socket.AF_UNIX) as control:
        for one, name in ((milter, "d.sock"), (control, "d.control")):
            one.bind(str(folder / name))
            one.listen()

        def answer() -> None:
            while True:
                try:
                    peer, _ = control.accept()
                except OSError:
                    return
                with peer:
                    peer.makefile("rb").readline()
                    peer.sendall(json.dumps({"workers": workers}).encode() + b"\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield
        control.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def found(settings: Settings) -> Readiness:
    store = Store(settings.quarantine)
    try:
        return readiness(settings, store)
    finally:
        store.close()


@pytest.mark.parametrize(
    ("workers", "has_workers"), [(2, True), (0, False), (None, False), ("2", False)]
)
def test_daemon_and_workers(tmp_path: Path, workers: object, has_workers: bool) -> None:
    with daemon(tmp_path, workers):
        told = found(site(tmp_path, '"gtube"'))
    assert told == Readiness(daemon=True, workers=has_workers, store=True, scanners=None)
    assert told.is_ready is has_workers


def test_no_daemon(tmp_path: Path) -> None:
    told = found(site(tmp_path, '"gtube"'))
    assert (told.daemon, told.workers, told.is_ready) == (False, False, False)


def test_a_store_that_cannot_be_read(tmp_path: Path) -> None:
    settings = site(tmp_path, '"gtube"')
    settings.quarantine.folder.mkdir()
    (settings.quarantine.folder / "index.sqlite").mkdir()
    with daemon(tmp_path, 2):
        told = found(settings)
    assert (told.daemon, told.store, told.is_ready) == (True, False, False)


@pytest.mark.parametrize(
    ("here", "is_scanned"),
    [([], False), (["a"], True), (["b"], True), (["a", "b"], True)],
    ids=["none", "the first", "the second", "both"],
)
def test_one_host_of_a_scanner_is_enough(tmp_path: Path, here: list[str], is_scanned: bool) -> None:
    servers = ", ".join(f'"unix:{tmp_path}/{one}"' for one in "ab")
    settings = site(tmp_path, '"clamav"', f"[filters.clamav]\nserver = [{servers}]\n")
    running = [Scanner(clean, tmp_path / name) for name in here]
    try:
        with daemon(tmp_path, 2):
            told = found(settings)
    finally:
        for one in running:
            one.close()
    assert (told.scanners, told.is_ready) == (is_scanned, is_scanned)


def test_each_scanner_has_to_answer(tmp_path: Path) -> None:
    """Two of one filter do not stand in for each other."""
    more = "".join(
        f'[[filters.scanners.clamd]]\nname = "{one}"\nserver = ["unix:{tmp_path}/{one}"]\n'
        for one in ("a", "b")
    )
    settings = site(tmp_path, '"scanners"', more)
    first = Scanner(clean, tmp_path / "a")
    try:
        assert found(settings).scanners is False
        second = Scanner(clean, tmp_path / "b")
        try:
            assert found(settings).scanners is True
        finally:
            second.close()
    finally:
        first.close()
