"""Reading mail on several cores, or on a Dask cluster, and learning it in order all the same.

Cutting a message into features is most of the work and needs nothing but the message, so others do
it; scores and lessons depend on each other and stay in one process, in the order of the mail. So
the result is that of one process to the last bit, however many read.

Messages travel in bundles, and a few bundles for each reader are on their way at a time: memory is
bounded whatever the corpus. joblib runs the readers; a cluster is its Dask backend. Anybody who
reaches a Dask scheduler can run programs on it: that network is trusted, or it uses TLS.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from filterd.mailfiles.items import MailItem
from filterd.mailfiles.mail_file import SkippedError
from filterd.mailfiles.selection import Skips
from filterd.system.child import keep_children_safe

BUNDLE = 32
"""Messages of one task: much more work than sending them, and some megabytes at the most."""

AHEAD = 4
"""Bundles for each reader that are under way, so that none waits while others finish; as many are
read meanwhile."""

CONNECT_SECONDS = 10.0
"""Seconds for the cluster's scheduler to answer."""

T = TypeVar("T")


class ClusterError(Exception):
    """A cluster that cannot be used. The text names it and says why."""


@dataclass(frozen=True, slots=True)
class ReadMessage(Generic[T]):
    """One message, read. seconds: of CPU time; octets: of the message."""

    item: MailItem
    seen: T
    seconds: float
    octets: int


ParallelMap = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]
"""What a function makes of each argument, in order."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Who reads. jobs: processes; cluster: a Dask scheduler's address (`tcp://host:8786`), whose
    workers read instead."""

    jobs: int = 1
    cluster: str | None = None

    def read(
        self,
        items: Sequence[MailItem],
        read: Callable[[bytes], T],
        bundle: int = BUNDLE,
        skips: Skips | None = None,
    ) -> Iterator[ReadMessage[T]]:
        """Yield every message in order, with what `read` made of it.

        bundle: messages of one task. skips: counts what cannot be read and is left out; without it
        that is an error.

        read: can be pickled unless it is read here; it may have `pack` and `unpack`, for the way
        back (see `filterd.bayes.model.reading`). Raises CorpusError, ClusterError.
        """
        if self.jobs == 1 and self.cluster is None:
            for item, data in _data(items, skips):
                yield ReadMessage(item, *_timed(read, data), len(data))
            return
        with ExitStack() as stack:
            parallel, size = self._parallel(stack)
            yield from _read_elsewhere(parallel, items, read, bundle, size * AHEAD, skips)

    def map(self, function: Callable[[Any], T], arguments: Sequence[Any]) -> list[T]:
        """What a function makes of each argument, in order. Raises as `read` does."""
        if self.jobs == 1 and self.cluster is None:
            return [function(argument) for argument in arguments]
        with ExitStack() as stack:
            parallel, _size = self._parallel(stack)
            return parallel(function, arguments)

    def _parallel(self, stack: ExitStack) -> tuple[ParallelMap, int]:
        """What calls a function in all readers, and how many there are."""
        import joblib  # noqa: PLC0415  (half a second, and one reader needs none)

        def on(pool: Any) -> ParallelMap:
            return lambda function, arguments: pool(map(joblib.delayed(function), arguments))

        if self.cluster is None:
            # joblib starts its readers by `python -m`.
            keep_children_safe()
            return on(stack.enter_context(joblib.Parallel(n_jobs=self.jobs))), self.jobs
        try:
            from distributed import Client  # noqa: PLC0415  # the optional extra
        except ImportError:
            raise ClusterError(
                f"--cluster {self.cluster}: needs Dask: pip install 'filterd[cluster]'"
            ) from None
        made: Any = Client  # its constructor has no annotations
        try:
            client = stack.enter_context(made(self.cluster, timeout=CONNECT_SECONDS))
        except (OSError, ValueError) as error:
            raise ClusterError(f"--cluster {self.cluster}: {error}") from None
        # A model is 16 MiB and travels with a thousand messages, more than that: it is meant so.
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        stack.enter_context(joblib.parallel_config(backend="dask"))
        size = max(sum(client.ncores().values()), 1)
        return on(stack.enter_context(joblib.Parallel(n_jobs=-1))), size


ONE_READER = Readers()


def _data(items: Sequence[MailItem], skips: Skips | None) -> Iterator[tuple[MailItem, bytes]]:
    """Read messages, and count those that cannot be read."""
    for item in items:
        try:
            data = item.read()
        except SkippedError as error:
            if skips is None:
                raise
            skips.add(error)
            continue
        yield item, data


def _read_elsewhere(
    parallel: ParallelMap,
    items: Sequence[MailItem],
    read: Callable[[bytes], T],
    bundle: int,
    bundles: int,
    skips: Skips | None,
) -> Iterator[ReadMessage[T]]:
    """Yield messages that others read, and let them read the next ones meanwhile."""
    ahead = bundle * bundles
    unpack: Callable[[Any], T] | None = getattr(read, "unpack", None)

    def start(first: int) -> Future[list[tuple[MailItem, Any, float, int]]]:
        return thread.submit(
            _read_some, parallel, items[first : first + ahead], read, bundle, skips
        )

    with ThreadPoolExecutor(1) as thread:
        coming = start(0)
        for first in range(ahead, len(items) + ahead, ahead):
            found = coming.result()
            if first < len(items):
                coming = start(first)
            for item, seen, seconds, octets in found:
                yield ReadMessage(item, unpack(seen) if unpack else seen, seconds, octets)


def _read_some(
    parallel: ParallelMap,
    items: Sequence[MailItem],
    read: Callable[[bytes], T],
    bundle: int,
    skips: Skips | None,
) -> list[tuple[MailItem, Any, float, int]]:
    there = list(_data(items, skips))
    messages = [data for _item, data in there]
    bundles = [messages[i : i + bundle] for i in range(0, len(messages), bundle)]
    found = parallel(partial(_read_bundle, read), bundles)
    results = (result for each in found for result in each)
    return [(item, *result, len(data)) for (item, data), result in zip(there, results, strict=True)]


def _read_bundle(read: Callable[[bytes], T], messages: list[bytes]) -> list[tuple[Any, float]]:
    pack: Callable[[T], Any] | None = getattr(read, "pack", None)
    found = [_timed(read, data) for data in messages]
    return [(pack(seen), seconds) for seen, seconds in found] if pack else list(found)


def _timed(read: Callable[[bytes], T], data: bytes) -> tuple[T, float]:
    begin = time.process_time()
    seen = read(data)
    return seen, time.process_time() - begin
