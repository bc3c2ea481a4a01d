"""The pages without a network: a service of its own hands what they release to the MTA.

systemd is stood in for: a small program makes the pages' socket, and starts them with it in a
network namespace where there is nothing, not even the loopback.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from filterd.client import FilterdClient
from filterd.config.load import load
from filterd.digest.links import ReleaseLink, Signer
from filterd.ops.json_socket import AskError, RequestRefusedError, ask_at
from filterd.quarantine import Store
from tests.helpers import receiving_mta
from tests.helpers.entries import HOSTILE, new
from tests.helpers.process import Program, answers, folder, free_port, listens, wait_for
from tests.helpers.reports import revised
from tests.helpers.servers.filterd import COMMAND

AS_SYSTEMD = """\
import os, socket, sys
made = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(made.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execvp(sys.argv[2], sys.argv[2:])
"""

NO_NETWORK = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "-r", "--net"]


def wish(id: str) -> dict[str, object]:
    """What the pages ask for when somebody releases a message to its recipients."""
    return {
        "ids": [id],
        "who": "web:ann",
        "source": "web",
        "note": "",
        "recipients": [],
        "form": "original",
        "again": False,
        "viruses": False,
    }


@dataclass
class ReleasingSite:
    """An MTA that takes what is released, the service, and pages that reach neither but by it."""

    mta: receiving_mta.Mta
    path: Path
    port: int
    service: Program

    @property
    def config(self) -> Path:
        return self.path / "filterd.toml"

    @property
    def socket(self) -> Path:
        return self.path / "release.sock"

    @property
    def store(self) -> Store:
        return Store(load(self.config).quarantine)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of filterd with these settings."""
        return subprocess.run(
            [COMMAND, *words, "--config", self.config],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def start_service(self) -> None:
        self.service.start(lambda: listens(self.socket))

    @contextlib.contextmanager
    def pages(self) -> Iterator[FilterdClient]:
        """The REST interface of pages without a network, for an admin."""
        made = self.command("web", "token", "add", "tests", "--admin")
        token = made.stdout.split()[-1]
        here = self.path / "web"
        here.mkdir()
        password = here / "password"
        password.write_text("a long password of nobody\n")
        words = [COMMAND, "web", "--config", self.config, "--first-password-file", password]
        start = [sys.executable, "-P", "-c", AS_SYSTEMD, str(self.port), *NO_NETWORK, *words]
        # unshare(1) executes the program in place, so the process that systemd named stays.
        pages = Program(start, here)
        pages.start(lambda: "filterd web: " in pages.output and answers(self.port))
        with FilterdClient(f"http://127.0.0.1:{self.port}", token, timeout=120) as client:
            yield client
        pages.stop()


@pytest.fixture
def site() -> Iterator[ReleasingSite]:
    with folder("release-service") as path, receiving_mta.running() as mta:
        port = free_port()
        (path / "filterd.toml").write_text(
            f'[daemon]\nsocket = "unix:{path}/s"\nspool = "{path}/spool"\n'
            f'[quarantine]\nfolder = "{path}/quarantine"\nrelease_port = {mta.port}\n'
            f'[web]\nport = {port}\nrelease_socket = "{path}/release.sock"\n'
        )
        (path / "service").mkdir()
        words = [COMMAND, "quarantine", "release-service", "--config", path / "filterd.toml"]
        yield ReleasingSite(mta, path, port, Program(words, path / "service"))


def test_what_the_pages_release_the_service_sends(site: ReleasingSite) -> None:
    site.store.put(new("id1"))
    site.store.put(new("id2"))
    site.start_service()
    with site.pages() as client:
        (done,) = client.release(["id1"], note="she asked")
        assert (done["ok"], done["words"]) == (
            True,
            "joe@mx.test: released 250 2.0.0 Ok: queued as Q1",
        )
        (taken,) = site.mta.taken
        assert taken.rcpt == ["joe@mx.test"]
        assert taken.data.startswith(HOSTILE)

        # Once more: it had it. And to somebody else, attached.
        (done,) = client.release(["id1"])
        assert "was released already" in done["words"]
        (done,) = client.release(["id2"], to=["ann@mx.test"], attached=True)
        assert done["ok"]
        assert b"Quarantined message id2" in site.mta.taken[1].data

        # What the MTA says comes back to whom it was refused.
        site.mta.answers["RCPT:eve@mx.test"] = "550 5.1.1 no such user"
        (done,) = client.release(["id2"], to=["eve@mx.test"])
        assert (done["ok"], "550 5.1.1 no such user" in done["words"]) == (False, True)

        site.service.stop()
        (done,) = client.release(["id2"], to=["joe@mx.test"])
        assert not done["ok"]
        assert done["words"] == (
            "not released: the service that releases cannot be reached; the log says why"
        )
    assert len(site.mta.taken) == 2
    events = [(one.what, one.who) for one in site.store.journal.events("id1")]
    assert ("released", "api:tests") in events


def test_the_service_ends_in_the_middle(site: ReleasingSite) -> None:
    """Nobody knows then whether the MTA took it: it is not sent again by itself."""
    site.store.put(new("id1"))
    site.start_service()
    site.mta.at_dot = lambda: os.kill(site.service.pid, signal.SIGKILL)
    with site.pages() as client:
        (done,) = client.release(["id1"])
        assert not done["ok"]
        assert "did not say what it did" in done["words"]
        site.mta.at_dot = lambda: None
        site.start_service()
        (done,) = client.release(["id1"])
    assert "was releasing already" in done["words"]
    assert len(site.mta.taken) <= 1


def test_many_recipients_with_long_names(site: ReleasingSite) -> None:
    site.store.put(new("id1"))
    site.start_service()
    label = "a" * 60
    wanted = [f"{label}{n}@{label}.{label}.{label}.test" for n in range(600)]
    asked = wish("id1") | {"recipients": wanted}
    answer = ask_at(site.socket, {"ask": "release", "wish": asked}, 300)
    assert answer["results"][0]["ok"], answer
    assert sorted(site.mta.taken[0].rcpt) == sorted(wanted)


def test_a_digests_link_when_the_service_is_away(site: ReleasingSite) -> None:
    """The message is not gone, it could not be delivered now."""
    site.store.put(revised(new("id1"), removed=()))
    link = ReleaseLink("id1", "joe@mx.test", int(time.time()) + 600)
    path = f"/held/{Signer(load(site.config).quarantine.folder).token(link)}"
    with site.pages():
        page = httpx.post(f"http://127.0.0.1:{site.port}{path}")
        assert (page.status_code, "could not be delivered now" in page.text) == (503, True), (
            page.text
        )
        site.start_service()
        page = httpx.post(f"http://127.0.0.1:{site.port}{path}")
    assert (page.status_code, len(site.mta.taken)) == (200, 1)


def test_the_pages_themselves_could_not(site: ReleasingSite) -> None:
    """So it is the service that sends: without it the same pages have no way to the MTA."""
    text = site.config.read_text()
    site.config.write_text(text.replace("release_socket", "# release_socket"))
    site.store.put(new("id1"))
    with site.pages() as client:
        (done,) = client.release(["id1"])
    assert (done["ok"], site.mta.taken) == (False, [])
    assert "Network is unreachable" in done["words"]


def test_a_release_in_progress_is_finished_before_it_stops(site: ReleasingSite) -> None:
    site.store.put(new("id1"))
    site.start_service()
    site.mta.at_dot = lambda: (os.kill(site.service.pid, 15), time.sleep(0.5))[0]
    answer = ask_at(site.socket, {"ask": "release", "wish": wish("id1")}, 60)
    assert answer["results"][0]["ok"], answer
    wait_for("the end", lambda: not site.service.running)
    assert not site.socket.exists()


def test_who_may_ask_and_what(site: ReleasingSite) -> None:
    site.start_service()
    assert site.socket.stat().st_mode & 0o777 == 0o600
    asked = wish("id9")

    def says(wanted: object) -> dict[str, object]:
        return ask_at(site.socket, {"ask": "release", "wish": wanted}, 60)

    assert "no message id9 in the quarantine" in str(says(asked)["unknown"])
    for wanted, words in (
        (None, "expected an object with ids, who"),
        (asked | {"ids": [1]}, "ids: expected an array of strings"),
        (asked | {"form": "folded"}, "form: expected original or attached"),
        (asked | {"more": 1}, "expected an object with"),
        (asked | {"ids": ["../../etc/passwd"]}, "is not a quarantine id"),
    ):
        with pytest.raises(RequestRefusedError, match=words):
            says(wanted)
    with pytest.raises(RequestRefusedError, match="expected one of release"):
        ask_at(site.socket, {"ask": "learn"}, 60)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(site.socket))
        peer.sendall(b"[" * 100_000 + b"\n")
        assert json.loads(peer.makefile().read()) == {"error": "the request is not a line of JSON"}
    assert site.service.running
    assert "Traceback" not in site.service.output
    with pytest.raises(AskError, match="No such file"):
        ask_at(site.path / "other", {"ask": "release"}, 1)


def test_without_the_setting_it_says_what_is_missing(site: ReleasingSite) -> None:
    text = site.config.read_text()
    site.config.write_text(text.replace("release_socket", "# release_socket"))
    done = site.command("quarantine", "release-service")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        "filterd: release_socket of [web] is not set; expected the path of the socket at which the "
        "pages ask for releases\n"
    )


def test_doctor_knows_whether_it_is_there(site: ReleasingSite) -> None:
    def said() -> str:
        return site.command("doctor").stdout

    assert f"{site.socket}: No such file or directory" in said()
    site.start_service()
    assert f"{site.socket} listens" in said()
