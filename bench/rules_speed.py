"""Messages a second by the stock rules, beside SpamAssassin in the same run.

    python -m bench.rules_speed FOLDER... [--count N] [--cache FOLDER]

Messages of 4 to 10 KB from the folders, chosen by a fixed seed. Processor time of one process
counts, not the clock: a busy machine slows both. SpamAssassin (its Perl modules, local tests only,
without Bayes) runs once with one message and once with all, so that its start does not count;
filterd goes through all once before it is measured.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.rules_peers import ASK
from filterd.filters.rules.loading import Loaded, load
from filterd.filters.rules.settings import RulesSettings
from filterd.message import Message
from filterd.rules.view.view import View

PROGRAM = ASK.replace("dont_copy_prefs => 1,", "dont_copy_prefs => 1, LOCAL_STATE_DIR => '/-',")
"""With the rules of the package, whatever sa-update has left."""

SIZES = range(4_000, 10_000)
"""Octets of a message: about 7 KB on average."""

ROUNDS = 3
"""Times that filterd goes through the messages; the best counts, as disturbances only add."""


def messages(folders: list[Path], count: int) -> list[Path]:
    """Messages of the right size, a sample."""
    found = [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.stat().st_size in SIZES
    ]
    random.Random(7).shuffle(found)
    return found[:count]


def spamassassin(paths: list[Path]) -> float:
    """Seconds of processor time for these messages, with its start."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        ["perl", "-e", PROGRAM],
        input="".join(f"{path.absolute()}\n" for path in paths),
        stdout=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def start(cache: Path) -> tuple[Loaded, float]:
    """The stock rules, and the seconds of processor time to load them."""
    begin = time.process_time()
    loaded = load(RulesSettings(stock=True, own=False, cache=cache), score_set=0)
    return loaded, time.process_time() - begin


def examined(loaded: Loaded, data: list[bytes]) -> float:
    """Seconds of processor time for these messages."""
    begin = time.process_time()
    for message in data:
        loaded.rules.check(View(Message(message), loaded.rule_set.options))
    return time.process_time() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--cache", type=Path, help="used again; otherwise a new one")
    options = parser.parse_args()
    paths = messages(options.folders, options.count + 1)
    if len(paths) < 2:
        parser.error("expected at least two messages of 4 to 10 KB")
    with tempfile.TemporaryDirectory() as folder:
        cache = options.cache or Path(folder)
        _, first = start(cache)
        loaded, second = start(cache)
    data = [path.read_bytes() for path in paths[1:]]
    examined(loaded, data)
    ours = min(examined(loaded, data) for _ in range(ROUNDS)) / len(data)
    theirs = (spamassassin(paths) - spamassassin(paths[:1])) / len(data)
    size = sum(map(len, data)) / len(data)
    print(
        f"{len(data)} messages, {size:,.0f} octets on average, {len(loaded.rule_set.rules)} rules"
    )
    print(f"start: {first:.2f} s, with the cache {second:.2f} s")
    print(f"filterd       {ours * 1e3:8.2f} ms a message {1 / ours:8.1f} messages/s")
    print(f"SpamAssassin  {theirs * 1e3:8.2f} ms a message {1 / theirs:8.1f} messages/s")
    print(f"filterd is {theirs / ours:.1f} times as fast")
    return 0


if __name__ == "__main__":
    sys.exit(main())
