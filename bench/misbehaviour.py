"""A thousand bad connections, then memory over thousands of messages: does the daemon go on?

    python -m bench.misbehaviour [--connections 1000] [--messages 6000]

Connections vanish at every stage, send garbage, or stall and stay open, while good messages are
sent and timed. Then good messages alone, with the memory of every process read after each sixth of
them. Exit status 1 if a good message got no answer, was slow, or memory grew.
"""

from __future__ import annotations

import argparse
import random
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import contestants, mail
from bench.contestants import Contestant
from bench.driver import compiled, drive, percentile
from bench.processes import tree
from filterd.milter.constants import Command
from filterd.milter.packets import Packet
from tests.helpers.milter import FIELDS, MilterClient, one_message

SLOW = 5.0
"""Seconds for an answer, while a thousand others misbehave, that would be a failure."""

GROWTH = 8.0
"""MiB that a process may grow from the first sixth of the messages to the last."""


def _vanish(path: Path, stage: int) -> MilterClient:
    """A client that gets as far as `stage` (0 to 5)."""
    client = MilterClient(path)
    if stage > 0:
        client.hello()
    if stage > 1:
        client.envelope()
    if stage > 2:
        client.content(FIELDS, b"x" * 200_000)
    if stage > 3:
        client.write(Packet(Command.BODYEOB.value).encode())
    if stage > 4:
        client.packet()
    return client


def _garbage(path: Path, chance: random.Random) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        octets = [
            chance.randbytes(chance.randint(1, 3000)),
            b"\0\0\0\x0dO\0\0\0\6",
            b"\xff\xff\xff\xff",
            Packet(b"E").encode() * 50,
            b"EHLO mx.example\r\n",
        ]
        peer.sendall(chance.choice(octets))


def misbehave(path: Path, count: int) -> list[float]:
    """That many bad connections; seconds that the good messages among them took."""
    chance = random.Random(count)
    stalled, seconds = [], []
    for number in range(count):
        try:
            match number % 3:
                case 0:
                    _vanish(path, chance.randint(0, 5)).vanish()
                case 1:
                    _garbage(path, chance)
                case 2:
                    stalled.append(_vanish(path, chance.randint(0, 3)))
        except OSError as error:
            print(f"bad connection {number}: {error}")
        if number % 20 == 0:
            started = time.monotonic()
            one_message(path)
            seconds.append(time.monotonic() - started)
    for client in stalled:
        client.vanish()
    started = time.monotonic()
    one_message(path)
    return sorted([*seconds, time.monotonic() - started])


def memory(contestant: Contestant) -> dict[str, float]:
    """Resident MiB by process."""
    return {f"{name} {one.pid}": one.mib for name, pid in contestant.roots for one in tree(pid)}


def _watch(send: Callable[[], None], contestant: Contestant, parts: int = 6) -> bool:
    """Send, look, and say whether every process that was there all the time stayed as it was."""
    seen = []
    for _ in range(parts):
        send()
        seen.append(memory(contestant))
    flat = True
    for process in seen[0]:
        mib = [one[process] for one in seen if process in one]
        grown = mib[-1] - mib[0]
        flat = flat and grown <= GROWTH
        print(f"{process}: {' '.join(f'{one:.1f}' for one in mib)} MiB, grew {grown:+.1f}")
    return flat


def main() -> int:
    """`python -m bench.misbehaviour`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=6000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="filterd-bench-") as name:
        folder = Path(name)
        driver = compiled(folder)
        (folder / "mail").mkdir()
        files = mail.write(folder / "mail")
        with contestants.filterd(folder) as contestant:
            seconds = misbehave(contestant.socket, options.connections)
            print(
                f"{options.connections} bad connections; {len(seconds)} good messages among them: "
                f"p50 {percentile(seconds, 0.5) * 1000:.1f} ms, slowest {seconds[-1] * 1000:.1f} ms"
            )
            broken = []

            def send() -> None:
                run = drive(
                    driver,
                    contestant.socket,
                    files,
                    messages=options.messages // 6,
                    connections=4,
                    each=20,
                )
                broken.append(run.replies["-"])

            flat = _watch(send, contestant)
            print(f"{options.messages} messages, {sum(broken)} broken connections")
    return 0 if flat and not sum(broken) and seconds[-1] < SLOW else 1


if __name__ == "__main__":
    sys.exit(main())
