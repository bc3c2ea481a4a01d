"""The demo: clamd, daemon and reference MTA below one folder, and what became of each message.

They run as programs of their own, on loopback. Mail goes in by SMTP; what became of each message is
read where an admin would read it: the SMTP reply, the daemon's log, the mailbox, the quarantine.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filterd.config.load import load
from filterd.config.sample import sample as settings_sample
from filterd.lab.programs import Lab, answers, free_port
from filterd.lab.samples import RECIPIENT, SENDER, samples
from filterd.mta.delivery.client import SendResult, send_all
from filterd.quarantine import QuarantineSettings, Store, StoreError

MARKER = ".filterd-demo"
"""The file that says that a folder is the demo's own, to be emptied by the next run."""

SETTLE_LIMIT = 60.0
"""Seconds that the MTA has to deliver what it accepted."""

_RECEIVED_ID = re.compile(rb"\bid (\S+?);?\s")


@dataclass
class Fate:
    """What became of one message."""

    name: str
    result: SendResult
    facts: dict[str, Any] = field(default_factory=dict)
    mailbox: Path | None = None
    kept: Path | None = None

    @property
    def outcome(self) -> str:
        """What happened, in a word."""
        action = str(self.facts.get("action", ""))
        if action == "accept":
            if self.facts.get("removed"):
                return "stripped"
            return "labelled" if self.facts.get("labelled") else "delivered"
        if not self.facts and self.result.code:
            # Before the daemon had the message, or because it hung up on what no filter takes.
            return f"{'refused' if self.result.code >= 500 else 'delayed'} by the MTA itself"
        past = {"quarantine": "quarantined", "reject": "rejected", "tempfail": "delayed"}
        return past.get(action, action) or "no answer"

    @property
    def is_lost(self) -> bool:
        """True for a message that the MTA accepted and that is nowhere, or is not in the log."""
        is_nowhere = self.mailbox is None and self.kept is None
        return self.result.accepted and (is_nowhere or not self.facts)


def prepare(folder: Path) -> None:
    """Make an empty folder. Never empties one that the demo did not make: raises ValueError for
    such a one, OSError."""
    if folder.exists():
        if not (folder / MARKER).exists() and any(folder.iterdir()):
            raise ValueError(f"{folder} exists and was not made by the demo")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def start(lab: Lab) -> tuple[int, bool]:
    """Start clamd, daemon and MTA; return the MTA's port, and False if clamd is not installed.

    Raises LabError.
    """
    clamd = lab.clamd()
    root = lab.folder.resolve()
    socket = root / "filterd.sock"
    port = free_port()
    names = ["senders", "gtube", "parts", *(["clamav"] if clamd else []), "bayes"]
    text = settings_sample(
        {
            "daemon": {
                "socket": f"unix:{socket}",
                "spool": root / "spool",
                "log_format": "json",
            },
            "chain": {"filters": names},
            "quarantine": {"folder": root / "quarantine"},
            "filters.bayes": {"models": root / "models"},
            "filters.senders": {"file": root / "senders.list"},
            "mta": {
                "port": port,
                "hostname": "mx.example",
                "mail": root / "mail",
                "spool": root / "mta-spool",
            },
            **({"filters.clamav": {"server": f"unix:{clamd}"}} if clamd else {}),
        }
    )
    # The array's own commented lines stay where they are; its one row comes at the end of the file.
    row = f'\n[[mta.filters]]\nname = "filterd"\nsocket = "unix:{socket}"\nflags = "T"\n'
    config = lab.folder / "filterd.toml"
    config.write_text(text + row, encoding="utf-8")
    load(config)
    lab.filterd("daemon", "run", f"--config={config}", ready=lambda: answers(socket))
    lab.filterd(
        "mta", "mta", "run", f"--config={config}", ready=lambda: answers(("127.0.0.1", port))
    )
    return port, clamd is not None


async def send(
    port: int, messages: Iterable[tuple[str, bytes]], connections: int
) -> list[SendResult]:
    """Send messages (name, data) to the MTA; the results in the order of the samples."""
    results: list[SendResult] = []
    await send_all(
        messages,
        results.append,
        host="127.0.0.1",
        port=port,
        sender=SENDER,
        recipients=[RECIPIENT],
        connections=connections,
    )
    order = {name: number for number, (name, _) in enumerate((s.name, s) for s in samples())}
    return sorted(results, key=lambda result: order.get(result.name, 0))


def settle(folder: Path) -> None:
    """Wait until the MTA's queue is empty."""
    deadline = time.monotonic() + SETTLE_LIMIT
    spool = folder / "mta-spool"
    while any(p.is_file() for p in spool.rglob("*")) and time.monotonic() < deadline:
        time.sleep(0.1)


def fates(folder: Path, results: list[SendResult]) -> list[Fate]:
    """Put reply, log line, mailbox and quarantine together, by queue-id and id."""
    by_queue_id: dict[str, dict[str, Any]] = {}
    by_id: dict[str, dict[str, Any]] = {}
    for line in (folder / "daemon.log").read_text(errors="replace").splitlines():
        if '"event": "message"' in line:
            facts = json.loads(line)
            by_queue_id[facts.get("queue_id", "")] = by_id[facts["id"]] = facts
    delivered = {}
    for path in (folder / "mail").rglob("new/*"):
        with path.open("rb") as file:
            if id := _RECEIVED_ID.search(file.read(2048)):
                delivered[id[1].decode("ascii", "replace")] = path
    store = Store(QuarantineSettings(folder / "quarantine"))
    found = []
    for result in results:
        fate = Fate(result.name, result)
        words = re.findall(r"[\w.-]+", result.reply)
        if named := re.search(r"\(id=(\w+)\)", result.reply):
            fate.facts = by_id.get(named[1], {})
        else:
            fate.facts = next((by_queue_id[w] for w in words if w in by_queue_id), {})
        fate.mailbox = next((delivered[w] for w in words if w in delivered), None)
        if fate.facts.get("stored"):
            try:
                fate.kept = store.path(fate.facts["id"])
            except (LookupError, StoreError):
                fate.kept = None
        found.append(fate)
    return found
