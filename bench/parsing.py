"""Time to read messages beside Python's `email`: `python -m bench.parsing FOLDER...`.

Both make the tree, and, measured apart, then the decoded content of every part, and then also the
text in its charset and the file names, which is what a filter needs. Each message is read several
times, and the best time counts.
"""

from __future__ import annotations

import argparse
import email
import email.policy
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filterd.message import Message

ROUNDS = 5
"""Times that each message is read; the best counts, as disturbances only add."""

AGAIN = 5
"""Times that both are measured anew before filterd is called slower: a busy machine interrupts."""

SLOWER_BY_SECONDS = 20e-6
"""A difference that the clock and the machine make: below it neither is slower."""


def our_tree(data: bytes) -> int:
    """Entities, found by filterd."""
    return sum(1 for _ in Message(data).walk())


def python_tree(data: bytes) -> int:
    """The same by the `email` package, whose tree is finished when it returns."""
    email.message_from_bytes(data)
    return 0


def ours(data: bytes) -> int:
    """Octets of content, read by filterd."""
    return sum(len(leaf.content) for leaf in Message(data).leaves())


def python(data: bytes) -> int:
    """The same by the `email` package with its fast, old policy. Raises what that raises."""
    message = email.message_from_bytes(data)
    octets = 0
    for part in message.walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            octets += len(content) if isinstance(content, bytes) else 0
    return octets


def our_texts(data: bytes) -> int:
    """Characters of texts, octets of the rest and characters of file names, read by filterd."""
    size = 0
    for leaf in Message(data).leaves():
        size += len(leaf.text if leaf.content_type.startswith("text/") else leaf.content)
        size += sum(map(len, leaf.filenames))
    return size


def python_texts(data: bytes) -> int:
    """The same by the `email` package. Raises what that raises."""
    size = 0
    for part in email.message_from_bytes(data).walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            if part.get_content_maintype() == "text":
                size += len(content.decode(part.get_content_charset("utf-8"), "replace"))
            else:
                size += len(content)
            size += len(part.get_filename(""))
    return size


def best(read: Callable[[bytes], int], data: bytes) -> float:
    """Seconds of the fastest round; infinite if the reader raises."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        try:
            read(data)
        except Exception:  # noqa: BLE001 whatever it raises, it has no result
            return float("inf")
        times.append(time.perf_counter() - started)
    return min(times)


def messages(folder: Path, count: int) -> Iterator[tuple[Path, bytes]]:
    """Messages of a folder, evenly chosen."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in paths[:: max(len(paths) // count, 1)]:
        yield path, path.read_bytes()


def _compare(
    folder: Path,
    what: str,
    own: Callable[[bytes], int],
    other: Callable[[bytes], int],
    options: argparse.Namespace,
) -> None:
    own_times, other_times, slower = [], [], []
    for path, data in messages(folder, options.count):
        one, two = best(own, data), best(other, data)
        for _ in range(AGAIN if one > two + SLOWER_BY_SECONDS else 0):
            one, two = min(one, best(own, data)), min(two, best(other, data))
        if two == float("inf"):
            continue
        own_times.append(one)
        other_times.append(two)
        if one > two + SLOWER_BY_SECONDS:
            slower.append((one / two, path))
    median, reference = statistics.median(own_times) * 1e6, statistics.median(other_times) * 1e6
    print(
        f"{folder.name[:20]:20} {what:8} {len(own_times):8} {reference:9.0f} {median:10.0f} "
        f"{reference / median:6.1f}   slower at {len(slower)}"
    )
    if options.slower:
        for ratio, path in sorted(slower, reverse=True)[:20]:
            print(f"    {ratio:6.1f} times slower: {path}")


def main() -> int:
    """Print three lines a folder: messages, medians, their ratio, and where filterd is slower."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=1000, help="messages of each folder")
    parser.add_argument("--slower", action="store_true", help="name messages filterd is slower at")
    options = parser.parse_args()
    print(
        f"{'folder':20} {'what':8} {'messages':>8} {'email us':>9} {'filterd us':>10} {'times':>6}"
    )
    for folder in options.folders:
        _compare(folder, "tree", our_tree, python_tree, options)
        _compare(folder, "content", ours, python, options)
        _compare(folder, "texts", our_texts, python_texts, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
