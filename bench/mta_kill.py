"""kill -9 of the MTA while it takes mail, again and again; what had its 250 must be delivered.

    python -m bench.mta_kill [MESSAGES]

The client's own record is the truth: it writes down which message was answered with 250. One whose
answer was lost is sent anew under the same mark, so a message may come twice, never not at all.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from filterd.mta.delivery.client import SendResult, send_all
from tests.helpers.process import free_port
from tests.helpers.servers.filterd import COMMAND

MARK = re.compile(rb"^X-Mark: (m\d+)$", re.MULTILINE)

CONNECTIONS = 4

LONGEST_LIFE = 1.0
"""Seconds from the MTA's first word to its kill, at most."""

REST = 60.0
"""Seconds that the last MTA has to empty the queue."""


@dataclass(slots=True)
class Outcome:
    """accepted: marks that had a 250. delivered: how often each mark is in the mailbox."""

    accepted: set[str] = field(default_factory=set)
    delivered: Counter[str] = field(default_factory=Counter)
    kills: int = 0

    @property
    def lost(self) -> set[str]:
        return self.accepted - set(self.delivered)

    @property
    def more_than_once(self) -> int:
        return sum(count > 1 for count in self.delivered.values())


@contextlib.asynccontextmanager
async def _running(folder: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command `filterd mta run`, listening; killed at the end without a warning."""
    (folder / "filterd.toml").touch()
    with (folder / "mta.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            "mta",
            "run",
            "--config",
            folder / "filterd.toml",
            "--port",
            str(port),
            "--spool",
            folder / "spool",
            "--mail",
            folder / "mail",
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline(), (folder / "mta.log").read_text()
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _submit(port: int, todo: list[str], outcome: Outcome) -> None:
    """One attempt at all that has no 250 yet; ends when the server is gone."""

    def note(result: SendResult) -> None:
        if result.accepted:
            outcome.accepted.add(result.name)

    left = [
        (mark, f"X-Mark: {mark}\nSubject: kill\n\n{'text ' * 12}\n".encode())
        for mark in todo
        if mark not in outcome.accepted
    ]
    await send_all(
        left,
        note,
        host="127.0.0.1",
        port=port,
        sender="ann@x.test",
        recipients=["joe"],
        connections=CONNECTIONS,
    )


async def _trial(folder: Path, messages: int, chance: random.Random, longest: float) -> Outcome:
    outcome, port = Outcome(), free_port()
    todo = [f"m{number}" for number in range(messages)]
    while len(outcome.accepted) < messages:
        async with _running(folder, port) as process:
            sending = asyncio.create_task(_submit(port, todo, outcome))
            await asyncio.wait([sending], timeout=chance.uniform(0.0, longest))
            process.kill()
            outcome.kills += 1
            await sending
    async with _running(folder, port):
        deadline = time.monotonic() + REST
        while any((folder / "spool" / "queue").iterdir()) and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
    for box in (folder / "mail").iterdir():
        for path in (box / "new").iterdir():
            match = MARK.search(path.read_bytes())
            assert match is not None, f"{path}: delivered without its mark"
            outcome.delivered[match[1].decode()] += 1
    return outcome


def trial(
    folder: Path, messages: int, *, seed: int | None = None, longest: float = LONGEST_LIFE
) -> Outcome:
    """Submit so many messages to an MTA that is killed at random moments until all had their 250.

    longest: seconds that it lives at most.
    """
    return asyncio.run(_trial(folder, messages, random.Random(seed), longest))


def main() -> None:
    """Kill, count, and end with 1 if a message is lost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("messages", type=int, nargs="?", default=2000)
    wanted = parser.parse_args().messages
    with tempfile.TemporaryDirectory(prefix="filterd-kill-") as folder:
        found = trial(Path(folder), wanted)
    print(
        f"{len(found.accepted)} messages with 250, {found.kills} kills, {len(found.lost)} lost, "
        f"{found.more_than_once} delivered more than once"
    )
    raise SystemExit(1 if found.lost else 0)


if __name__ == "__main__":
    main()
