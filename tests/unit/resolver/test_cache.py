"""How long an answer counts, and what goes when there is no room."""

from __future__ import annotations

import pytest

from filterd.resolver.answer import DnsAnswer, DnsStatus, RecordType
from filterd.resolver.cache import SIZE_LIMIT, DnsCache
from tests.helpers.clock import Clock

A = RecordType.A

LIFETIMES = [
    (DnsAnswer(DnsStatus.FOUND, ("192.0.2.1",), 300), 300),
    (DnsAnswer(DnsStatus.FOUND, ("192.0.2.1",), 10_000_000), 86400),
    (DnsAnswer(DnsStatus.FOUND, ("192.0.2.1",), 0), 0),
    (DnsAnswer(DnsStatus.NXDOMAIN, ttl=60), 60),
    (DnsAnswer(DnsStatus.NODATA, ttl=10_000_000), 900),
    (DnsAnswer(DnsStatus.NODATA, ttl=0), 0),
    (DnsAnswer(DnsStatus.SERVFAIL), 30),
    (DnsAnswer(DnsStatus.TIMEOUT), 5),
    (DnsAnswer(DnsStatus.LIMIT), 0),
    (DnsAnswer(DnsStatus.UNREACHABLE), 0),
]


@pytest.mark.parametrize(("answer", "seconds"), LIFETIMES, ids=lambda v: str(v)[:40])
def test_how_long(answer: DnsAnswer, seconds: float) -> None:
    clock = Clock()
    cache = DnsCache(10, clock)
    cache.put(("mail.example", A), answer)
    assert (cache.get(("mail.example", A)) == answer) == (seconds > 0)
    clock.now += seconds - 0.5
    assert (cache.get(("mail.example", A)) == answer) == (seconds > 0)
    clock.now += 1
    assert cache.get(("mail.example", A)) is None
    assert len(cache) == 0


def test_the_least_used_one_goes() -> None:
    cache = DnsCache(2)
    for name in ("a", "b"):
        cache.put((name, A), DnsAnswer(DnsStatus.FOUND, (name,), 60))
    assert cache.get(("a", A))
    cache.put(("c", A), DnsAnswer(DnsStatus.FOUND, ("c",), 60))
    assert [bool(cache.get((name, A))) for name in "abc"] == [True, False, True]


def test_large_answers_do_not_fill_the_memory() -> None:
    cache = DnsCache(1_000_000)
    for number in range(3 * SIZE_LIMIT // 60_000):
        cache.put((f"n{number}", RecordType.TXT), DnsAnswer(DnsStatus.FOUND, (b"x" * 60_000,), 60))
    assert len(cache) * 60_000 < SIZE_LIMIT


def test_without_a_cache() -> None:
    cache = DnsCache(0)
    cache.put(("a", A), DnsAnswer(DnsStatus.FOUND, ("a",), 60))
    assert cache.get(("a", A)) is None
