"""All hostile samples through the daemon: an answer to each, no worker lost, memory bounded.

How much the workers needed at most is printed (`pytest -s`); docs/figures/mime.md states it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.daemon.libmilter import PACKET_LIMIT
from filterd.message import Message
from tests.helpers.milter import Gone, MilterClient
from tests.helpers.process import folder
from tests.helpers.servers.clamd import Clamd
from tests.helpers.servers.filterd import Filterd
from tests.hostile.corpus import attached, unpacked

pytestmark = pytest.mark.minutes

WORKER_LIMIT = 512 << 10
"""KiB of memory that a worker may have needed at most (VmHWM); its own limit is twice as much."""

LOOK_EVERY = 50
"""Messages between two looks at the workers, which are the same processes unless one was lost."""

AMPLE = {
    "timeout = 8.0": "timeout = 300.0",
    "grace = 0.5": "grace = 60.0",
    "silence = 3.0": "silence = 60.0\ntimeout = 300.0",
}
"""The settings whose limits are about time, and what stands in their place."""

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_TROUBLE = re.compile(r"kind=(?:crash|timeout|memory|error)\b|worker.*(?:killed|died|ended)")


@pytest.fixture(scope="module")
def daemon() -> Iterator[Filterd]:
    with folder("hostile-clamd") as scanner, folder("hostile-daemon") as path:
        clamd = Clamd(scanner)
        clamd.start()
        server = Filterd(path, clamd.socket, "[filters.parts]\ntimeout = 300.0\n")
        # Nothing here is about time: the machine may have other things to do.
        text = server.configuration.read_text()
        for usual, ample in AMPLE.items():
            assert usual in text
            text = text.replace(usual, ample)
        server.configuration.write_text(text)
        server.start()
        yield server
        server.stop()
        clamd.stop()


def asked(daemon: Filterd, data: bytes) -> str:
    """What the daemon says to the message, as it comes from an MTA."""
    message = Message(data)
    fields = [
        (field.name.encode(), field.raw_value.replace(b"\r\n", b"\n").replace(b"\0", b""))
        for field in message.header_fields
    ]
    # Over a larger packet libmilter hangs up; no MTA shows such a field.
    is_too_long = any(len(name) + len(value) + 2 > PACKET_LIMIT for name, value in fields)
    with MilterClient(daemon.socket) as client:
        client.hello()
        try:
            return client.message(fields=fields, body=data[message.body_start :]).word
        except (BrokenPipeError, ConnectionResetError, Gone):
            if not is_too_long:
                raise
            return "hung up"


def peaks(daemon: Filterd) -> dict[int, int]:
    """KiB of memory that each process of the daemon needed at most so far."""
    found = {}
    for pid in daemon.processes:
        try:
            match = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
        except OSError:
            continue
        if match:
            found[pid] = int(match[1])
    return found


def through(daemon: Filterd, messages: Iterator[tuple[Path, bytes]]) -> tuple[int, dict[int, int]]:
    """How many messages were answered, and the highest peak of each process that was seen."""
    count = 0
    highest: dict[int, int] = {}
    for path, data in messages:
        assert asked(daemon, data), path
        count += 1
        if count % LOOK_EVERY == 0:
            for pid, peak in peaks(daemon).items():
                highest[pid] = max(peak, highest.get(pid, 0))
    return count, highest | peaks(daemon)


@pytest.mark.integration
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("corpus", ["hostile", "mime-torture"])
def test_every_sample_is_answered_and_costs_no_worker(
    corpus: str, daemon: Filterd, tmp_path: Path
) -> None:
    files = sorted(path for path in unpacked(corpus, tmp_path).rglob("*") if path.is_file())
    messages = (
        (path, data if _is_message(path) else attached(path))
        for path in files
        if (data := path.read_bytes())
    )
    before = set(peaks(daemon))
    count, highest = through(daemon, messages)

    print(f"{corpus}: {count} messages, workers' peak {max(highest.values()) >> 10} MiB")
    assert count > 500
    assert set(highest) == before, "a worker was lost"
    assert max(highest.values()) < WORKER_LIMIT
    assert not _TROUBLE.findall(daemon.process.output)


def _is_message(path: Path) -> bool:
    return "synthetic" in path.parts or "mime-torture" in path.parts
