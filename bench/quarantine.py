"""How quick the quarantine's lists and searches are: `python -m bench.quarantine [MESSAGES]`.

The index is filled with made-up rows; what is timed is what the command line and the web page ask
for. Each figure is the slowest of five. A URL in FILTERD_BENCH_DATABASE takes the place of SQLite.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from filterd.chain.report import ScanReport
from filterd.chain.verdict import Action, Reason
from filterd.digest.ledger import DigestLedger
from filterd.message import Envelope
from filterd.quarantine import NewEntry, QuarantineSettings, Store
from filterd.quarantine.index import Index
from filterd.quarantine.query import SEARCHED, Query
from filterd.quarantine.schema import deliveries, messages

NOW = 1_800_000_000.0
BATCH = 20_000


def rows(start: int, count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Made-up messages, ten seconds apart, and their copies."""
    dice = random.Random(start)
    made, copies = [], []
    for number in range(start, start + count):
        id, recipient = f"m{number:09}", f"user{dice.randrange(2000)}@mx{dice.randrange(20)}.test"
        reason = dice.choice(("spam",) * 8 + ("virus", "banned"))
        state = dice.choice(("held",) * 9 + ("released",))
        made.append(
            {
                "id": id,
                "received": NOW + 10 * number,
                "size": dice.randrange(500, 100_000),
                "sender": f"s{dice.randrange(50_000)}@d{dice.randrange(5000)}.example",
                "recipients": f'["{recipient}"]',
                "client_address": "192.0.2.1",
                "queue_id": id,
                "message_id": f"<{number}@d.example>",
                "header_from": "Someone <a@b.example>",
                "subject": f"offer {dice.randrange(10**6)} for you today only",
                "reason": reason,
                "action": "quarantine",
                "score": dice.uniform(8, 40),
                "symbols": " BAYES_99 URI_BAD ",
                "virus": "Win.Test" if reason == "virus" else "",
                "path": f"/q/2026/{id}.eml",
                "state": state,
                "pinned": False,
            }
        )
        made[-1]["words"] = "\n".join(str(made[-1][name]) for name in SEARCHED).casefold()
        copies.append(
            {
                "id": id,
                "recipient": recipient,
                "state": state,
                "changed": NOW,
                "reply": "",
                "queue_id": "",
                "attempts": 0,
                "again_at": 0.0,
                "form": "original",
            }
        )
    return made, copies


def fill(index: Index, count: int) -> None:
    """Put so many made-up messages into the index."""
    for start in range(0, count, BATCH):
        made, copies = rows(start, min(BATCH, count - start))
        with index.connection() as connection:
            connection.execute(sa.insert(messages), made)
            connection.execute(sa.insert(deliveries), copies)
    with index.connection() as connection:
        if connection.dialect.name == "postgresql":
            # As its autovacuum does in time.
            connection.execute(sa.text("ANALYZE"))


def filled(settings: QuarantineSettings, count: int) -> Store:
    """A store with one message, in the midst of days and events of `count` others."""
    store, folder = Store(settings), settings.folder
    received = datetime.now(UTC) - timedelta(days=30)
    store.put(
        NewEntry(
            ScanReport(id="m1", action=Action.QUARANTINE, reason=Reason.SPAM, score=9.0),
            b"Subject: x\r\n\r\nx\r\n",
            Envelope("a@b.example"),
            ("joe@mx.test",),
            received,
        )
    )
    store.note("viewed", "m1", "bench")
    for days in range(30):
        (folder / f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}").mkdir(exist_ok=True)
    (journal,) = (folder / "journal").iterdir()
    line = journal.read_bytes()
    with journal.open("ab") as file:
        for number in range(count):
            file.write(line.replace(b'"m1"', b'"m%09d"' % number))
    return store


def slowest(action: Callable[[], object]) -> float:
    """Milliseconds of the slowest of five."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return max(times) * 1000


def main() -> None:
    """Fill, ask, print a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        index = Index(os.environ.get("FILTERD_BENCH_DATABASE", ""), Path(folder))
        index.search(Query())
        started = time.perf_counter()
        fill(index, count)
        print(f"{count} messages, filled in {time.perf_counter() - started:.1f} s")
        middle = f"m{count // 2:09}"
        questions = {
            "first page": Query(),
            "page from the middle": Query(after=f"{NOW + 5 * count!r},{middle}"),
            "state held": Query(state="held"),
            "reason virus": Query(reason="virus"),
            "recipient, some hits": Query(recipient="user77@"),
            "domain": Query(domain="d77.example"),
            "sender of held mail": Query(sender="s77@", state="held"),
            "text, no hit": Query(text="no such words"),
            "a reviewer's mail": Query(visible=("@mx7.test", "ann@mx99.test")),
            "a reviewer without mail": Query(visible=("@mx99.test",)),
        }
        for sort in ("-score", "sender", "-size"):
            behind = index.place(middle, sort)
            questions |= {
                f"by {sort}": Query(sort=sort),
                f"by {sort}, from the middle": Query(sort=sort, after=behind),
                f"by {sort}, to decide": Query(sort=sort, state="waiting"),
                f"by {sort}, failed": Query(sort=sort, state="failed"),
                f"by {sort}, text, no hit": Query(sort=sort, text="no such words"),
                f"by {sort}, much text": Query(sort=sort, text="example"),
                f"by {sort}, a day": Query(sort=sort, since=NOW + 10 * count - 86400),
            }
        for name, query in questions.items():
            print(f"{name:32} {slowest(lambda q=query: index.search(q)):8.1f} ms")  # type: ignore[misc]
        print(f"{'copies of one message':24} {slowest(lambda: index.deliveries(middle)):8.1f} ms")
        print(f"{'counts':24} {slowest(index.counts):8.1f} ms")
        ledger, day = DigestLedger(index), NOW + 10 * count - 86400
        due = slowest(lambda: ledger.due(day, NOW + 10 * count, ("spam",)))
        print(f"{'digests of a day':24} {due:8.1f} ms")
        store = filled(QuarantineSettings(Path(folder)), count)
        page = slowest(lambda: (store.read("m1"), store.delivery_state("m1")))
        print(f"{'one message, its history':24} {page:8.1f} ms")


if __name__ == "__main__":
    main()
