"""kill -9 at random moments: what was answered with 250 is delivered, once or more.

FILTERD_CRASH_MESSAGES sets the number of submissions (200; the full trial has 2000).
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from filterd.mta.delivery.client import SendResult, send_all
from filterd.mta.queue.spool import Spool
from filterd.mta.server import running_mta
from filterd.mta.settings import MtaSettings

pytestmark = pytest.mark.server


MESSAGES = int(os.environ.get("FILTERD_CRASH_MESSAGES", "200"))
KILLS = 5

SERVER = """
import asyncio, sys
from pathlib import Path
from filterd.mta.server import ReferenceMta
from filterd.mta.settings import MtaSettings

async def main(port, folder):
    settings = MtaSettings(port=port, mail=folder / "mail", spool=folder / "spool")
    async with ReferenceMta(settings):
        print("up", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
"""


def start(port: int, folder: Path) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port), str(folder)], stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"up\n"
    return server


def free_port() -> int:
    """A port below the range that the kernel gives to clients."""
    for _ in range(100):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no free port")


def test_nothing_accepted_is_lost(tmp_path: Path) -> None:
    port = free_port()
    todo = [f"m{number}" for number in range(MESSAGES)]
    accepted: set[str] = set()
    moments = sorted(random.sample(range(MESSAGES // 10, MESSAGES * 9 // 10), KILLS))
    server = start(port, tmp_path)

    def keep(result: SendResult) -> None:
        if result.accepted:
            accepted.add(result.name)
        if moments and len(accepted) >= moments[0]:
            moments.pop(0)
            server.kill()

    try:
        while len(accepted) < MESSAGES:
            left = [
                (name, f"X-Name: {name}\n\nbody\n".encode())
                for name in todo
                if name not in accepted
            ]
            asyncio.run(
                send_all(
                    left,
                    keep,
                    host="127.0.0.1",
                    port=port,
                    sender="a@x",
                    recipients=["joe"],
                    connections=4,
                )
            )
            if server.poll() is not None:
                assert server.stdout is not None
                server.stdout.close()
                server = start(port, tmp_path)
    finally:
        server.kill()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()
    assert not moments, "the server was not killed as often as meant"

    settings = MtaSettings(port=0, mail=tmp_path / "mail", spool=tmp_path / "spool")
    with running_mta(settings) as mta:
        deadline = time.monotonic() + 60
        while list(Spool(settings.spool).entries()) and time.monotonic() < deadline:
            time.sleep(0.1)
        mta.settle()
        delivered = {
            match[1]
            for path in mta.mailbox("joe")
            if (match := re.search(r"X-Name: (\w+)", path.read_text()))
        }
    assert accepted <= delivered
    assert len(accepted) == MESSAGES
