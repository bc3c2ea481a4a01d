"""Everything at once on one store: mail, two web processes, upkeep, metrics and commands, while
settings are reloaded, the index is made anew and processes are killed; then books are compared.

`killing` compares files, journal, index and what the MTA was handed. Here the history is compared
as well, each process's locks on the databases are looked at in the kernel's list, and what a client
was told is asked for on both web processes while all goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from filterd.config.assembly import open_history
from filterd.history import HistoryError, HistoryQuery
from filterd.lab import samples
from filterd.ops.control import ask
from filterd.ops.json_socket import AskError
from tests.helpers.locks import locks_on
from tests.helpers.milter import Gone, MilterClient
from tests.helpers.process import Program, answers, folder, free_port
from tests.helpers.quarantine_kill import Books, Site, compare, message_of
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.servers.filterd import COMMAND

CLIENTS = 3

PACE = 0.02
"""Seconds between two messages of one client: commands and pages shall have their turn."""

LAST_RECORDS = 8.0
"""Seconds of mail whose records may be missing when the daemon is killed: it writes about once a
second, on a machine that others use as well."""

SEEN_LIMIT = 150.0
"""Seconds after which a kept message must be found on a page: what the index did not take, because
it was busy for too long, the upkeep adds when it is older than `STORING_LIMIT`. The time in which
the index is made anew does not count."""

UPKEEP = """
import sys, time
from pathlib import Path
from filterd.config.load import load
from filterd.quarantine.upkeep import Upkeep

settings = load(Path(sys.argv[1]))
while True:
    Upkeep(lambda: settings.quarantine).once()
    print("done", flush=True)
    time.sleep(0.5)
"""

COMMANDS = (
    ["quarantine", "list", "--json"],
    ["history", "--json", "--limit", "5"],
    ["status", "--json"],
    ["quarantine", "stats", "--json"],
    ["quarantine", "expire", "--dry-run"],
    ["quarantine", "fsck", "--json"],
    ["quarantine", "retry"],
    ["quarantine", "audit", "--json"],
)

EVENTS = (
    "reload",
    "worker",
    "web",
    "reload",
    "second web",
    "fsck --rebuild",
    "daemon",
    "reload",
    "fork server",
    "upkeep",
)
"""What happens in turn, each after some more messages."""


@dataclass
class Record:
    """What happened. operations: how often what was done; answered: token → when the client had its
    answer (time.monotonic); not_indexed: messages whose row came later; disagreements: whatever did
    not agree."""

    books: Books = field(default_factory=Books)
    operations: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    answered: dict[str, float] = field(default_factory=dict)
    disagreements: list[str] = field(default_factory=list)
    not_indexed: int = 0
    unwritten: int = 0
    """Records of the seconds before a kill of the daemon that the history does not have."""
    seconds: float = 0.0


class BusySite(Site):
    """A site with a second web process, metrics, and an upkeep of its own."""

    def __init__(self, path: Path, mta: Mta, database: str = "") -> None:
        self.metrics_port = free_port()
        self.daemon_kills: list[float] = []
        super().__init__(
            path, mta, database, f'[metrics]\nlisten = "127.0.0.1:{self.metrics_port}"'
        )
        self.second_port = free_port()
        second = path / "second.toml"
        second.write_text(
            self.config.read_text().replace(f"port = {self.web_port}", f"port = {self.second_port}")
        )
        (path / "second").mkdir()
        self.second = Program(
            [COMMAND, "web", "--config", second, "--first-password-file", path / "password"],
            path / "second",
        )
        (path / "upkeep").mkdir()
        self.upkeep = Program([sys.executable, "-P", "-c", UPKEEP, self.config], path / "upkeep")

    def start(self) -> None:
        self.start_daemon()
        self.start_web()
        self.second.start(lambda: answers(self.second_port))
        self.start_upkeep()

    def start_upkeep(self) -> None:
        before = self.upkeep.output.count("done")
        self.upkeep.start(lambda: self.upkeep.output.count("done") > before)

    def stop(self) -> None:
        for program in (self.upkeep, self.second, self.web, self.daemon):
            program.stop()

    def kill(self, victim: str, dice: random.Random) -> None:
        if victim == "second web":
            self.second.signal(signal.SIGKILL)
            self.second.wait()
            self.second.start(lambda: answers(self.second_port))
        elif victim == "upkeep":
            self.upkeep.signal(signal.SIGKILL)
            self.upkeep.wait()
            self.start_upkeep()
        elif victim == "daemon":
            self.daemon.signal(signal.SIGKILL)
            self.daemon.wait()
            self.daemon_kills.append(time.monotonic())
            self.start_daemon()
        else:
            super().kill(victim, dice)

    @property
    def processes(self) -> list[int]:
        """Those that live long: daemon, web processes, upkeep."""
        programs = (self.daemon, self.web, self.second, self.upkeep)
        return [program.pid for program in programs if program.running]


@contextlib.contextmanager
def busy_site(database: str = "") -> Iterator[BusySite]:
    """Everything, started. database: URL of the index; empty for SQLite."""
    with running() as mta, folder("tortured") as path:
        made = BusySite(path, mta, database)
        made.start()
        yield made
        made.stop()


class Torture:
    """One run over a site."""

    def __init__(self, site: BusySite, seed: int = 1) -> None:
        self.site = site
        self.record = Record()
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._senders_ended = threading.Event()
        self._rebuilding = threading.Event()
        self._threads: list[threading.Thread] = []

    def run(self, messages_between: int, rounds: int = 1, minutes: float = 0.0) -> Record:
        """Let everything happen, in so many rounds and for so long at least; then compare."""
        started = time.monotonic()
        for work in (
            *(self._send for _ in range(CLIENTS)),
            self._command,
            self._watch,
            self._look_at_locks,
            *(lambda port=port: self._click(port) for port in self._ports),
        ):
            thread = threading.Thread(target=self._guarded, args=(work,))
            thread.start()
            self._threads.append(thread)
        number = 0
        try:
            while number < rounds * len(EVENTS) or time.monotonic() < started + 60 * minutes:
                self._wait_for_mail(messages_between)
                self._let_happen(EVENTS[number % len(EVENTS)])
                number += 1
        finally:
            self._senders_ended.set()
            self._ended.set()
            for thread in self._threads:
                thread.join()
        self._compare()
        self.record.seconds = time.monotonic() - started
        return self.record

    @property
    def _ports(self) -> tuple[int, int]:
        return self.site.web_port, self.site.second_port

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # a thread that ends is a disagreement
            self._disagree(f"{type(error).__name__} in the test itself: {error}")

    def _disagree(self, text: str) -> None:
        with self._lock:
            self.record.disagreements.append(text)

    def _count(self, what: str) -> None:
        with self._lock:
            self.record.operations[what] += 1

    def _wait_for_mail(self, messages: int) -> None:
        due = len(self.record.answered) + messages
        while len(self.record.answered) < due:
            assert self.site.daemon.running, self.site.daemon.output[-2000:]
            time.sleep(0.02)

    def _let_happen(self, event: str) -> None:
        if event == "reload":
            try:
                ask(self.site.settings, "reload", 60.0)
            except AskError as error:
                self._disagree(f"reload: {error}")
        elif event == "fsck --rebuild":
            self._rebuilding.set()
            self._run(["quarantine", "fsck", "--rebuild", "--json"])
            self._rebuilding.clear()
        else:
            self.site.kill(event, self._dice)
        self.record.events[event] += 1

    def _run(self, words: list[str]) -> str:
        done = subprocess.run(
            [COMMAND, *words, "--config", self.site.config],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self._count(" ".join(words[:2]))
        # While the index is made anew, a command may have to be given again.
        expected = done.returncode in (0, 69) or "others use it" in done.stderr
        if "fsck" in words and done.returncode == 65:
            damaged = json.loads(done.stdout)["damaged"]
            expected = all("no description" in one["reason"] for one in damaged)
        if not expected:
            text = done.stderr[-500:] or done.stdout[-2000:]
            self._disagree(f"{' '.join(words)}: {done.returncode} {text}")
        return done.stdout

    def _command(self) -> None:
        number = 0
        while not self._ended.is_set():
            self._run(COMMANDS[number % len(COMMANDS)])
            number += 1

    def _send(self) -> None:
        """A client of the MTA's kind; two of three messages are spam and held."""
        dice = random.Random()
        books = self.record.books
        while not self._senders_ended.is_set():
            try:
                with MilterClient(self.site.socket) as client:
                    client.hello()
                    for _ in range(8):
                        if self._senders_ended.wait(PACE):
                            return
                        is_spam = dice.random() < 0.67
                        token = f"k{secrets.token_hex(8)}"
                        body = f"Hello,\r\n\r\n{samples.GTUBE if is_spam else 'text'}\r\n".encode()
                        fields = (
                            (b"From", b" ann@client.example"),
                            (b"Subject", b" " + token.encode()),
                        )
                        with self._lock:
                            books.lost.add(token)
                        outcome = client.message(fields=fields, body=body)
                        with self._lock:
                            self.record.answered[token] = time.monotonic()
                            self.record.operations[f"mail {outcome.word[:8]}"] += 1
                            if outcome.word == "discard":
                                books.told[token] = message_of(fields, body)
                                books.lost.discard(token)
            except (OSError, Gone):
                self._count("mail: connection lost")
                self._ended.wait(0.1)

    def _browse(self, port: int, work: Callable[[httpx.Client], None]) -> None:
        """Do something with a web process again and again; it may be killed meanwhile."""
        headers = {"Authorization": f"Bearer {self.site.secret}"}
        while not self._ended.is_set():
            try:
                with httpx.Client(
                    base_url=f"http://127.0.0.1:{port}/api", headers=headers, timeout=60
                ) as browser:
                    while not self._ended.is_set():
                        work(browser)
            except (httpx.HTTPError, ValueError):
                self._count("web: connection lost")
                self._ended.wait(0.1)

    def _click(self, port: int) -> None:
        """A person: looks at status and history, releases, pins, deletes; and the newest message
        must be there."""
        dice, books = random.Random(port), self.record.books

        def work(browser: httpx.Client) -> None:
            for page in ("/status", "/history", "/stats"):
                if browser.get(page).status_code == 200:
                    self._count(f"web {page}")
            self._must_find(browser, dice)
            found = browser.get("/messages", params={"state": "held", "limit": 20})
            if found.status_code != 200:
                self._count(f"web messages {found.status_code}")
                return
            ids = [one["id"] for one in found.json()["messages"]]
            if ids:
                chosen = dice.sample(ids, min(2, len(ids)))
                deed = dice.choice(("release", "release", "release", "pin", "delete"))
                answer = browser.post(f"/messages/{deed}", json={"ids": chosen})
                self._count(f"web {deed} {answer.status_code}")
                if deed == "release" and answer.status_code == 200:
                    with self._lock:
                        books.released |= {r["id"] for r in answer.json()["results"] if r["ok"]}
            self._ended.wait(0.05)

        self._browse(port, work)

    def _must_find(self, browser: httpx.Client, dice: random.Random) -> None:
        with self._lock:
            newest = list(self.record.books.told)[-20:]
        if not newest:
            return
        token, since = dice.choice(newest), time.monotonic()
        while not self._ended.is_set():
            answer = browser.get("/messages", params={"subject": token})
            if answer.status_code == 200 and answer.json()["messages"]:
                self._count("kept message found on a page")
                return
            if self._rebuilding.is_set():
                since = time.monotonic()
            if time.monotonic() > since + SEEN_LIMIT:
                self._disagree(f"{token} is kept and on no page of {browser.base_url}")
                return
            self._ended.wait(0.2)

    def _watch(self) -> None:
        """Prometheus."""
        while not self._ended.wait(0.5):
            with contextlib.suppress(httpx.HTTPError):
                url = f"http://127.0.0.1:{self.site.metrics_port}/metrics"
                if "filterd_history_lost" in httpx.get(url, timeout=30).text:
                    self._count("metrics")

    def _look_at_locks(self) -> None:
        """Whoever has a database open must have SQLite's lock on it."""
        quarantine = self.site.settings.quarantine.folder
        while not self._ended.wait(0.2):
            for pid in self.site.processes:
                for name in ("index.sqlite", "history.sqlite3"):
                    path = quarantine / name
                    looks = (self._has_lock(pid, path) for _ in range(20))
                    # Between the opening of a file and its lock it has none.
                    if all(found is False for found in looks):
                        self._disagree(f"process {pid} has {name} open without a lock")
                    self._count("locks looked at")

    def _has_lock(self, pid: int, path: Path) -> bool | None:
        """None if the process does not have it open."""
        try:
            wanted = path.stat().st_ino
            before = _open_descriptors(pid, wanted)
            found = any(name == path.name for name, *_ in locks_on(path, pid))
            if before and before == _open_descriptors(pid, wanted):
                if not found:
                    time.sleep(0.05)
                return found
        except OSError:
            pass
        return None

    def _compare(self) -> None:
        site, record = self.site, self.record
        self._compare_history()
        for program in (site.upkeep, site.second, site.web, site.daemon):
            program.kill()
        try:
            compare(site, record.books)
        except AssertionError as error:
            self._disagree(str(error))
        record.not_indexed = site.daemon.output.count("is kept but not in the index")
        for program in (site.daemon, site.web, site.second, site.upkeep):
            for trouble in ("malformed", "Traceback", "removed by another", "somebody removed"):
                if trouble in program.output:
                    where = program.output.index(trouble)
                    self._disagree(
                        f"a log says: {program.output[max(0, where - 300) : where + 9000]}"
                    )

    def _compare_history(self) -> None:
        """Every answered message has a record, but for those just before a kill of the daemon."""
        record, history = self.record, open_history(self.site.settings)
        deadline = time.monotonic() + LAST_RECORDS
        missing = set(record.answered)
        while missing and time.monotonic() < deadline:
            seen, after = set[str](), ""
            with contextlib.suppress(HistoryError):
                while True:
                    page = history.search(HistoryQuery(limit=1000, after=after))
                    seen |= {row.subject for row in page.rows}
                    if not (after := page.next):
                        break
                missing = set(record.answered) - seen
            lost = {t for t in missing if self._just_before_a_kill(record.answered[t])}
            record.unwritten = len(lost)
            missing -= lost
            time.sleep(0.2)
        history.close()
        if missing:
            self._disagree(f"{len(missing)} answered messages are not in the history")

    def _just_before_a_kill(self, moment: float) -> bool:
        return any(0 <= kill - moment <= LAST_RECORDS for kill in self.site.daemon_kills)


def _open_descriptors(pid: int, inode: int) -> list[str]:
    """Which of a process's descriptors are of that file."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.stat(descriptor).st_ino == inode:  # noqa: PTH116  (follows the link)
                found.append(descriptor.name)
    return found
