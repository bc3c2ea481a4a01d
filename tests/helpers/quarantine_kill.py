"""kill -9 of worker, fork server, web and daemon in the midst of mail; then books are compared.

The client's own record is the truth: what it was told (DISCARD: the filter has taken the message)
must be in the store and in the index, once, with the very octets. A message whose answer was lost
may be there or not; its client sends it anew, and each try has a mark of its own here. What a web
process released while it was killed is compared with what the MTA says it took.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from filterd.config.load import load
from filterd.lab import samples
from filterd.milter.commands import Bare
from filterd.milter.constants import Command
from filterd.quarantine import Store
from filterd.quarantine.files import ASIDE
from filterd.review.principals import tokens_path
from filterd.review.tokens import TokenFile
from tests.helpers.milter import Gone, MilterClient
from tests.helpers.process import Program, answers, folder, free_port, listens
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.servers.filterd import COMMAND

CLIENTS = 4

EACH = 8
"""Messages through one connection."""

TOKEN = re.compile(rb"^Subject: (k[0-9a-f]{16})\r$", re.MULTILINE)

SETTINGS = """
[daemon]
socket = "unix:{folder}/filterd.sock"
spool = "{folder}/spool"
[workers]
count = 2
[chain]
filters = ["gtube"]
[filters.gtube]
score = 9.0
[quarantine]
folder = "{folder}/quarantine"
database = "{database}"
release_port = {mta}
release_timeout = 10.0
[web]
port = {web}
"""


@dataclass
class Books:
    """What happened. told: token → SHA-256 of the message; lost: tokens without an answer that
    counts; released: ids of which the web process said that they are; kills: by victim. allowed:
    messages that the clients may get taken by now, so that none is killed when all is over."""

    told: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    released: set[str] = field(default_factory=set)
    kills: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    allowed: int = 0
    stored_untold: int = 0
    added_by_fsck: int = 0
    restated_by_fsck: int = 0
    half_written: int = 0


class Site:
    """Daemon, web process and an MTA that takes releases, in one folder."""

    def __init__(self, path: Path, mta: Mta, database: str = "", more: str = "") -> None:
        self.mta = mta
        self.socket = path / "filterd.sock"
        self.web_port = free_port()
        self.config = path / "filterd.toml"
        self.config.write_text(
            SETTINGS.format(folder=path, mta=mta.port, web=self.web_port, database=database) + more
        )
        self.settings = load(self.config)
        self.secret = TokenFile(tokens_path(self.settings)).add("robot", "admin")
        password = path / "password"
        password.write_text("correct horse battery\n")
        password.chmod(0o600)
        (path / "web").mkdir()
        self.daemon = Program([COMMAND, "run", "--config", self.config], path)
        self.web = Program(
            [COMMAND, "web", "--config", self.config, "--first-password-file", password],
            path / "web",
        )

    @property
    def store(self) -> Store:
        return Store(self.settings.quarantine)

    def start_daemon(self) -> None:
        before = self.daemon.output.count(" listens on unix:")
        self.daemon.start(
            lambda: self.daemon.output.count(" listens on unix:") > before and listens(self.socket)
        )

    def start_web(self) -> None:
        self.web.start(lambda: answers(self.web_port))

    def kill(self, victim: str, dice: random.Random) -> None:
        """SIGKILL to one process; what does not come back by itself is started again."""
        if victim in ("worker", "fork server"):
            found = _children(self.daemon.pid)
            if victim == "worker":
                found = [pid for server in found for pid in _children(server)]
            if found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(dice.choice(found), signal.SIGKILL)
            return
        program, start = {
            "web": (self.web, self.start_web),
            "daemon": (self.daemon, self.start_daemon),
        }[victim]
        program.signal(signal.SIGKILL)
        program.wait()
        start()


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = stat.read_text().rpartition(")")[2].split()
            if int(words[1]) == parent:
                found.append(int(stat.parent.name))
    return found


@contextlib.contextmanager
def site(database: str = "") -> Iterator[Site]:
    """Everything, started. database: URL of the index; empty for SQLite."""
    with running() as mta, folder("killed") as path:
        made = Site(path, mta, database)
        made.start_daemon()
        made.start_web()
        yield made
        made.web.stop()
        made.daemon.stop()


def play(site: Site, decisions: int, kills: int, seed: int = 1) -> Books:
    """Quarantine so many messages while processes are killed, then compare. Raises AssertionError
    for whatever does not agree."""
    books, ended, lock = Books(), threading.Event(), threading.Lock()
    threads = [
        threading.Thread(target=_send, args=(site, books, lock, decisions)) for _ in range(CLIENTS)
    ]
    clicker = threading.Thread(target=_click, args=(site, books, ended))
    for thread in (*threads, clicker):
        thread.start()
    dice = random.Random(seed)
    victims = ("worker", "web", "daemon", "fork server")
    for number in range(kills):
        due = decisions * (number + 1) // (kills + 1)
        books.allowed = decisions * (number + 2) // (kills + 1)
        while len(books.told) < due and any(map(threading.Thread.is_alive, threads)):
            if not site.daemon.running:
                books.allowed = decisions = 0
                raise AssertionError(f"the daemon ended by itself: {site.daemon.output[-2000:]}")
            time.sleep(0.005)
        victim = victims[number % len(victims)]
        site.kill(victim, dice)
        books.kills[victim] += 1
    for thread in threads:
        thread.join()
    ended.set()
    clicker.join()
    # In the midst of what they do: only a kill, no orderly end.
    for program in (site.web, site.daemon):
        program.kill()
    compare(site, books)
    return books


def _send(site: Site, books: Books, lock: threading.Lock, decisions: int) -> None:
    """A client of the MTA's kind: one message after the other until enough were taken."""
    body = f"Hello,\r\n\r\n{samples.GTUBE}\r\n".encode()
    while len(books.told) < decisions:
        try:
            with MilterClient(site.socket) as client:
                client.hello()
                for _ in range(EACH):
                    while len(books.told) >= books.allowed < decisions:
                        time.sleep(0.002)
                    token = f"k{secrets.token_hex(8)}"
                    fields = (
                        (b"From", b" ann@client.example"),
                        (b"Subject", b" " + token.encode()),
                    )
                    with lock:
                        books.lost.add(token)
                    outcome = client.message(fields=fields, body=body)
                    with lock:
                        books.answers[
                            outcome.word[:3] if outcome.word[0] == "4" else outcome.word
                        ] += 1
                        if outcome.word == "discard":
                            books.told[token] = message_of(fields, body)
                            books.lost.discard(token)
                client.write(Bare(Command.QUIT).encode().encode())
        except (OSError, Gone):
            books.answers["connection lost"] += 1
            time.sleep(0.02)


def message_of(fields: Sequence[tuple[bytes, bytes]], body: bytes) -> str:
    """The SHA-256 of a message's octets."""
    whole = b"".join(name + b":" + value + b"\r\n" for name, value in fields) + b"\r\n" + body
    return hashlib.sha256(whole).hexdigest()


def _click(site: Site, books: Books, ended: threading.Event) -> None:
    """A person, or two: release what is held, twice at times; pin and delete a little, and change
    their minds about half of that."""
    dice = random.Random(7)
    headers = {"Authorization": f"Bearer {site.secret}"}
    base = f"http://127.0.0.1:{site.web_port}/api"
    while not ended.is_set():
        try:
            with httpx.Client(base_url=base, headers=headers, timeout=30) as browser:
                while not ended.is_set():
                    found = browser.get("/messages", params={"state": "held", "limit": 20}).json()
                    ids = [one["id"] for one in found["messages"]]
                    if not ids:
                        ended.wait(0.05)
                        continue
                    chosen = dice.sample(ids, min(3, len(ids)))
                    deed = dice.choice(("release", "release", "release", "pin", "delete"))
                    answer = browser.post(f"/messages/{deed}", json={"ids": chosen})
                    if deed == "release" and answer.status_code == 200:
                        books.released |= {r["id"] for r in answer.json()["results"] if r["ok"]}
                    books.answers[f"web {answer.status_code}"] += 1
                    if deed == "delete" and dice.random() < 0.5:
                        browser.post("/messages/undelete", json={"ids": chosen})
        except (httpx.HTTPError, ValueError):
            books.answers["web lost"] += 1
            ended.wait(0.05)


def compare(site: Site, books: Books) -> None:
    """Compare what everybody says. Raises AssertionError for whatever does not agree."""
    store = site.store
    report = store.fsck()
    books.added_by_fsck, books.restated_by_fsck = len(report.added), len(report.restated)
    again = store.fsck()
    assert (again.added, again.stale, again.restated, again.finished) == ((), (), (), ())

    ids: dict[str, list[str]] = {}
    folder = site.settings.quarantine.folder
    for description in folder.glob("*/*.json"):
        entry = store.get(description.stem)
        ids.setdefault(entry.subject, []).append(entry.id)
        if store.delivery_state(entry.id).gone:
            # Put aside, all of it.
            assert hashlib.sha256(description.with_suffix(ASIDE).read_bytes()).hexdigest() == (
                entry.digest
            )
        else:
            token = TOKEN.search(store.read(entry.id))
            assert token is not None and token[1].decode() == entry.subject, entry.id
        if entry.subject in books.told:
            assert entry.digest == books.told[entry.subject], entry.id
    missing = books.told.keys() - ids.keys()
    assert not missing, f"{len(missing)} messages that were taken are not kept: {missing}"
    twice = {token: found for token, found in ids.items() if len(found) > 1}
    assert not twice, f"kept twice: {twice}"
    assert ids.keys() <= books.told.keys() | books.lost
    rows = store.index.states()
    assert rows.keys() == {id for (id,) in ids.values()}
    books.stored_untold = len(ids.keys() & books.lost)

    # A message file without its description is one whose client was never told.
    for id, why in report.damaged:
        assert "no description" in why, (id, why)
    halves = [m for m in folder.glob("*/*.eml") if not m.with_suffix(".json").exists()]
    books.half_written = len(halves)
    for half in halves:
        token = TOKEN.search(half.read_bytes())
        assert token is not None and token[1].decode() in books.lost, half

    taken = Counter(TOKEN.search(one.data)[1].decode() for one in site.mta.taken)  # type: ignore[index]
    assert not [token for token, times in taken.items() if times > 1], "released twice"
    by_id = {id: token for token, (id,) in ids.items()}
    for id in books.released:
        assert taken[by_id[id]] == 1, f"{id} was said to be released and was not"
    for id, token in by_id.items():
        states = {delivery.state for delivery in store.index.deliveries(id)}
        if "released" in states:
            assert taken[token] == 1, f"{id} stands as released and was not"
        elif taken[token]:
            # Killed between the MTA's 250 and our note of it: never tried again by itself.
            assert states & {"releasing", "deleted"}, (id, states)
    store.close()
