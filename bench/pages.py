"""How quick the pages of `filterd web` are: python -m bench.pages [--entries 100000]
[--database sqlite|postgresql] [--times 9] [--only search]

A `filterd web` process of its own serves a quarantine and a history of so many made-up messages; a
browser that is logged in, and a client of the REST interface, ask for the real pages, one after the
other. PostgreSQL is a server that the bench starts, on a unix socket.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import httpx

from bench.quarantine import NOW, fill, filled
from filterd.chain.verdict import Action, Symbol
from filterd.config.assembly import open_history
from filterd.config.load import Settings, load
from filterd.digest.ledger import DigestLedger
from filterd.history import Record
from filterd.quarantine import Store
from filterd.review.principals import tokens_path
from filterd.review.tokens import TokenFile
from tests.helpers.postgresql import postgresql
from tests.helpers.process import Program, answers, free_port
from tests.helpers.servers.filterd import COMMAND

DAY = 86400.0
PASSWORD = "correct horse battery"
BATCH = 20_000
LIMIT = 100.0
"""Milliseconds that no page of 100,000 messages may need."""

SETTINGS = """
[chain]
filters = ["gtube", "bayes"]
[quarantine]
folder = "{folder}/quarantine"
database = "{database}"
[web]
port = {port}
"""

SEARCHES = {
    "first page": "",
    "page from the middle": "after={middle}",
    "100 to a page": "limit=100",
    "state": "state=held",
    "reason": "reason=virus",
    "sender": "sender=s77@",
    "recipient": "recipient=user77@",
    "domain": "domain=d77.example",
    "subject": "subject=offer+77777",
    "symbol": "symbol=BAYES_99",
    "symbol that none has": "symbol=NO_SUCH",
    "virus": "virus=Win.Test",
    "text": "text=user77",
    "text that is nowhere": "text=no+such+words",
    "points": "score_from=39.9",
    "a day": "since={day}&until={day}",
}
"""Each kind of search; `HISTORY_ONLY` and `KEPT_ONLY` name those that one list alone has."""

BOTH = {
    "a common word": "offer",
    "an address": "to:user77@mx7.test",
    "a sender": "from:s77@",
    "words in any order": "today 77777",
    "a phrase": '"for you today"',
    "a subject": "subject:77777",
    "an id": "id:h000000077",
    "a client": "client:192.0.2.1",
    "a virus": "virus:Win.Test",
    "a symbol": "symbol:BAYES_99",
    "a symbol that none has": "symbol:NO_SUCH",
    "words that are nowhere": "no such words",
    "in another field": "subject:192.0.2.1",
    "a file": "file:offer.pdf",
}
"""Each kind of the one search over both."""

KEPT_ONLY = {"state", "reason", "subject", "virus", "points"}
HISTORY_ONLY = {"action": "action=reject"}


def records(count: int) -> Iterator[Record]:
    """Made-up messages of the history, ten seconds apart, the last of them now."""
    dice, end = random.Random(1), time.time()
    for number in range(count):
        action = dice.choice(("accept",) * 6 + ("quarantine", "reject", "tempfail"))
        yield Record(
            id=f"h{number:09}",
            received=end - 10 * (count - number),
            queue_id=f"q{number}",
            message_id=f"<{number}@d.example>",
            client_name="client.example",
            client_address="192.0.2.1",
            sender=f"s{dice.randrange(50_000)}@d{dice.randrange(5000)}.example",
            recipients=(f"user{dice.randrange(2000)}@mx{dice.randrange(20)}.test",),
            subject=f"offer {dice.randrange(10**6)} for you today only",
            size=dice.randrange(500, 100_000),
            action=Action(action),
            score=dice.uniform(-5, 40),
            required=5.0,
            symbols=(Symbol("BAYES_99", 3.5), Symbol("URI_BAD", 2.0)),
            milliseconds={"gtube": 0.1, "bayes": 3.0},
        )


def prepare(settings: Settings, count: int) -> None:
    """Fill quarantine, journal and history."""
    store = Store(settings.quarantine)
    fill(store.index, count)
    filled(settings.quarantine, count).close()
    store.close()
    history, waiting = open_history(settings), []
    for record in records(count):
        waiting.append(record)
        if len(waiting) == BATCH:
            history.add(waiting)
            waiting = []
    history.add(waiting)


def log_in(browser: httpx.Client, name: str) -> None:
    """Fill in the form."""
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get("/login").text)
    assert found
    answer = browser.post("/login", data={"csrf": found[1], "name": name, "password": PASSWORD})
    assert answer.status_code == 303, answer.text


def questions(count: int) -> Iterator[tuple[str, str]]:
    """Name and path of everything that is asked for."""
    middle = f"{NOW + 5 * count!r}%2Cm{count // 2:09}"
    moment = time.localtime(NOW + 5 * count)
    values = {"middle": middle, "day": time.strftime("%Y-%m-%d", moment)}
    for name, asked in SEARCHES.items():
        yield f"list: {name}", f"/quarantine?{asked.format(**values)}"
    yield "message", "/message/m1"
    values = {
        "middle": f"{time.time() - 5 * count!r}%2C{count // 2}",
        "day": time.strftime("%Y-%m-%d", time.localtime(time.time() - 5 * count)),
    }
    for name, asked in {**SEARCHES, **HISTORY_ONLY}.items():
        if name not in KEPT_ONLY:
            yield f"history: {name}", f"/history?{asked.format(**values)}"
    for name, asked in BOTH.items():
        yield f"search: {name}", f"/search?{urlencode({'q': asked})}"
    yield "dashboard, 1 day", "/"
    yield "dashboard, 7 days", "/?days=7"
    yield "dashboard, 30 days", "/?days=30"
    yield "audit", "/audit"
    yield "audit: one message", "/audit?id=m1"
    yield "REST: first page", "/api/messages"
    yield "REST: text that is nowhere", "/api/messages?text=no+such+words"
    yield "REST: domain", "/api/messages?domain=d77.example"
    yield "REST: 1000 to a page", "/api/messages?limit=1000"
    yield "REST: message", "/api/messages/m1"
    yield "REST: history", "/api/history"


def timed(action: Callable[[], object], times: int) -> tuple[float, float]:
    """Median and slowest, in milliseconds; once before to warm up."""
    action()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken), max(taken)


def tell(name: str, measured: tuple[float, float]) -> None:
    """A row of the table."""
    mark = "  over" if measured[0] > LIMIT else ""
    print(f"{name:36} {measured[0]:9.1f} {measured[1]:9.1f}{mark}", flush=True)


def measure(path: Path, database: str, count: int, times: int, only: str) -> None:
    """Fill, start, ask, print."""
    port = free_port()
    config = path / "filterd.toml"
    config.write_text(SETTINGS.format(folder=path, database=database, port=port))
    settings = load(config)
    started = time.perf_counter()
    prepare(settings, count)
    print(f"{count} messages and records, filled in {time.perf_counter() - started:.0f} s")
    secret = TokenFile(tokens_path(settings)).add("robot", "admin")
    password = path / "password"
    password.write_text(f"{PASSWORD}\n")
    password.chmod(0o600)
    web = Program([COMMAND, "web", "--config", config, "--first-password-file", password], path)
    web.start(lambda: answers(port))
    print(f"{'milliseconds':36} {'median':>9} {'slowest':>9}")
    try:
        base = f"http://127.0.0.1:{port}"
        with (
            httpx.Client(base_url=base, timeout=120) as browser,
            httpx.Client(
                base_url=base, timeout=120, headers={"Authorization": f"Bearer {secret}"}
            ) as robot,
        ):
            log_in(browser, "admin")
            for name, where in questions(count):
                if only not in name:
                    continue
                client = robot if where.startswith("/api") else browser

                def ask(client: httpx.Client = client, where: str = where) -> None:
                    answer = client.get(where)
                    assert answer.status_code == 200, f"{where}: {answer.status_code}"
                    assert "aria-invalid" not in answer.text, f"{where} was not understood"

                tell(name, timed(ask, times))
    finally:
        web.stop()
    store = Store(settings.quarantine)
    ledger, end = DigestLedger(store.index), NOW + 10 * count
    tell("due digests of a day", timed(lambda: ledger.due(end - DAY, end, ("spam",)), times))
    store.close()


def main() -> None:
    """Read the arguments, prepare the database, measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--only", default="", help="a part of the names of what is asked")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="filterd-bench-")))
        database = ""
        if arguments.database == "postgresql":
            database = stack.enter_context(postgresql(fsync=True))
        measure(path, database, arguments.entries, arguments.times, arguments.only)


if __name__ == "__main__":
    main()
