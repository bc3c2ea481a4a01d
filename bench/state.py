"""`python -m bench.state`: the state of greylisting and rates with a million triplets and a million
counters: memory, disk, time per look-up; and what has expired is deleted while mail flows.

Stores: `sqlite`, `redis` (a redis-server of its own), `postgresql` (a server of its own).
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import redis
import sqlalchemy as sa

from filterd.filters.greylist.settings import GreylistSettings
from filterd.filters.greylist.triplets import TRIPLET, WAITS, Triplets
from filterd.state.facts import Addition, SharedState, StateKey, state_key
from filterd.state.opening import open_state
from filterd.state.schema import entries
from filterd.state.server import ServerState
from filterd.state.settings import StateSettings
from filterd.state.statements import delete_expired
from filterd.state.tables import SqlState
from tests.helpers.postgresql import postgresql, run
from tests.helpers.process import folder
from tests.helpers.servers.redis_server import RedisServer

T = TypeVar("T")

NOW = 1_700_000_000.0
HOUR = 3600
BATCH = 1000
"""Counters that are made in one step."""

FLOW_SECONDS = 60.0
"""For which recipients come while triplets expire."""

SAMPLE = 5000
"""Operations whose times are taken."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=["sqlite", "redis", "postgresql"], default="sqlite")
    parser.add_argument("--number", type=int, default=1_000_000, help="triplets, and counters")
    given = parser.parse_args(arguments)
    with opened(given.store) as (state, size):
        measure(state, size, given.number)
    return 0


@contextmanager
def opened(store: str) -> Iterator[tuple[SharedState, Callable[[], str]]]:
    """A fresh state, and what says how large it is."""
    with ExitStack() as stack:
        place = stack.enter_context(folder("bench-state"))
        file, url = place / "state.sqlite3", ""

        def size() -> str:
            octets = sum(path.stat().st_size for path in place.glob("state.sqlite3*"))
            return f"{octets / 2**20:.0f} MiB on disk"

        if store == "redis":
            server = RedisServer(place)
            server.start()
            url = server.url

            def size() -> str:
                with redis.Redis.from_url(url) as client:
                    told = client.info("memory")
                return f"{told['used_memory'] / 2**20:.0f} MiB in the server"

        elif store == "postgresql":
            url = stack.enter_context(postgresql(fsync=True))

            def size() -> str:
                ((octets,),) = run(url, "SELECT pg_database_size(current_database())")
                return f"{octets / 2**20:.0f} MiB on disk"

        state = open_state(StateSettings(url=url, size_limit=4096, timeout=30.0), file)
        stack.callback(state.close)
        yield state, size


def measure(state: SharedState, size: Callable[[], str], number: int) -> None:
    """Fill it, and take times of what filters do."""
    chance = random.Random(1)
    triplets = Triplets(GreylistSettings(), state)

    def triplet(n: int) -> tuple[str, str, str]:
        # As mail has them; the first half came an hour before.
        network = f"{n % 223 + 1}.{n // 7 % 256}.{n // 1801 % 256}.0/24"
        return network, f"sender{n}@host{n % 50021}.example", f"user{n % 997}@mx.example"

    lifetime = GreylistSettings().retry_hours * HOUR
    times = (NOW if n < number // 2 else NOW + HOUR for n in range(number))
    keys = (state_key(TRIPLET, *triplet(n)) for n in range(number))
    for batch in batches(zip(keys, times, strict=True)):
        fill(state, batch, lifetime)
    print(f"{number} triplets that wait: {size()}", flush=True)

    for n in range(0, number, BATCH):
        users = [state_key("rate", "user messages", f"user{m}") for m in range(n, n + BATCH)]
        state.add([Addition(key, HOUR, 1, 1000) for key in users], NOW + HOUR)
    print(f"{number} counters: {size()}", flush=True)

    later = NOW + HOUR + 10
    some = [chance.randrange(number // 2, number) for _ in range(SAMPLE)]

    def recipient(n: int) -> None:
        triplets.judge(*triplet(n), later)

    def known(n: int) -> None:
        state.get([state_key(TRIPLET, *triplet(n))], later)

    def message(n: int) -> None:
        kinds = ("client messages", "network messages", "user messages", "sender messages", "day")
        state.add(
            [Addition(state_key("rate", kind, f"user{n}"), HOUR, 1, 1000) for kind in kinds], later
        )

    report("a new recipient of a stranger (2 steps)", recipient, range(number, number + SAMPLE))
    report("a recipient that waits (2 steps)", recipient, some)
    report("a look-up", known, some)
    report("a message, five rates (1 step)", message, some)

    after = NOW + 48 * HOUR + 60
    took: list[float] = []
    spent = sum(os.times()[:2])
    started = time.monotonic()
    while time.monotonic() - started < FLOW_SECONDS:
        begun = time.perf_counter()
        triplets.judge(*triplet(chance.randrange(number // 2, number)), after)
        took.append(time.perf_counter() - begun)
    spent = sum(os.times()[:2]) - spent
    took.sort()
    left, steps = expire_rest(state, after)
    gone = number // 2 + number - left
    print(
        f"{number // 2 + number} triplets and counters expire: {gone} are deleted beside "
        f"{len(took)} recipients in {FLOW_SECONDS:.0f} s and {spent:.0f} s of CPU time; of these "
        f"recipients 99 % took {took[len(took) * 99 // 100] * 1000:.2f} ms at most, the slowest "
        f"{took[-1] * 1000:.0f}; {size()}"
    )
    if steps:
        steps.sort()
        print(
            f"the rest, {left}, in {len(steps)} steps and {sum(steps):.1f} s of CPU time; a step: "
            f"median {statistics.median(steps) * 1000:.1f} ms, slowest {steps[-1] * 1000:.1f}"
        )
    print(f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB at most")


def expire_rest(state: SharedState, now: float) -> tuple[int, list[float]]:
    """Delete what is left of what has expired: how much it was, and the CPU seconds of each step,
    for which nobody else can write."""
    steps: list[float] = []
    left = 0
    while isinstance(state, SqlState):
        begun = time.thread_time()
        with state._database.transaction(state) as connection:
            gone = delete_expired(connection, now)
        if not gone:
            break
        steps.append(time.thread_time() - begun)
        left += gone
    return left, steps


def fill(state: SharedState, some: list[tuple[StateKey, float]], lifetime: float) -> None:
    """Make entries as `touch` does, many at a time."""
    if isinstance(state, SqlState):
        rows = [
            {
                **key._asdict(),
                "first": now,
                "last": now,
                "count": 1,
                "expires": now + lifetime,
                "value": WAITS,
            }
            for key, now in some
        ]
        with state._database.transaction(state) as connection:
            connection.execute(sa.insert(entries), rows)
        return
    assert isinstance(state, ServerState)
    with state._redis.pipeline(transaction=False) as pipeline:
        for key, now in some:
            line = f"{now!r} {now!r} 1 {now + lifetime!r} {WAITS}"
            pipeline.set(state._entry_key(key), line, px=int(lifetime * 1000))
        pipeline.execute()


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Lists of `BATCH`."""
    rest = iter(items)
    while some := list(itertools.islice(rest, BATCH)):
        yield some


def report(what: str, operation: Callable[[int], None], numbers: Sequence[int]) -> None:
    """Print the times of an operation."""
    times = []
    for n in numbers:
        begun = time.perf_counter()
        operation(n)
        times.append((time.perf_counter() - begun) * 1000)
    times.sort()
    print(
        f"{what}: median {statistics.median(times):.2f} ms, "
        f"99 % within {times[len(times) * 99 // 100]:.2f} ms, slowest {times[-1]:.1f} ms",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
