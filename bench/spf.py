"""What an SPF check costs where all answers are in the cache: reading, comparing, macros.

    python -m bench.spf [--rounds N]

Prints processor time, in microseconds, of one `check_spf` (MAIL FROM and HELO) for records of
common kinds, asked through `DnsLookups` with a filled cache: the least of several rounds.
"""

from __future__ import annotations

import argparse
import time
from ipaddress import IPv4Address, IPv6Address, ip_address

from filterd.auth.spf import check_spf
from filterd.resolver.answer import MX, DnsAnswer, DnsStatus, Record, RecordType
from filterd.resolver.lookups import DnsLookups
from filterd.resolver.resolver import Resolver
from filterd.resolver.settings import ResolverSettings

NETWORKS = " ".join(f"ip4:198.51.{number}.0/24" for number in range(20))

ANSWERS: dict[tuple[str, RecordType], list[Record]] = {
    ("small.example", RecordType.TXT): [b"v=spf1 ip4:192.0.2.0/24 -all"],
    ("mx.small.example", RecordType.TXT): [b"v=spf1 a -all"],
    ("mx.small.example", RecordType.A): ["192.0.2.1"],
    ("large.example", RecordType.TXT): [
        b"v=spf1 include:_spf.mailer.example ip4:203.0.113.0/24 mx -all"
    ],
    ("large.example", RecordType.MX): [MX(1, "mx.small.example")],
    ("_spf.mailer.example", RecordType.TXT): [
        b"v=spf1 include:_1.mailer.example include:_2.mailer.example include:_3.mailer.example ~all"
    ],
    ("_1.mailer.example", RecordType.TXT): [f"v=spf1 {NETWORKS} ~all".encode()],
    ("_2.mailer.example", RecordType.TXT): [f"v=spf1 {NETWORKS} ~all".encode()],
    ("_3.mailer.example", RecordType.TXT): [f"v=spf1 {NETWORKS} ip4:100.64.0.0/24 ~all".encode()],
    ("macros.example", RecordType.TXT): [b"v=spf1 exists:%{ir}.%{l1r-}.%{d2} -all"],
    ("1.2.0.192.ann.macros.example", RecordType.A): ["127.0.0.2"],
}

CASES = {
    "one network, pass": ("192.0.2.1", "ann@small.example"),
    "one network, fail": ("203.0.113.7", "ann@small.example"),
    "mailer of 4 records, pass": ("100.64.0.7", "ann@large.example"),
    "mailer of 4 records and mx, fail": ("203.0.114.7", "ann@large.example"),
    "macros, pass": ("192.0.2.1", "ann@macros.example"),
    "no record": ("192.0.2.1", "ann@none.example"),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    resolver = Resolver(ResolverSettings(nameservers=("127.0.0.1:9",)))
    fill(resolver)
    for name, (address, sender) in CASES.items():
        client = ip_address(address)
        found = [microseconds(resolver, client, sender) for _ in range(rounds)]
        result = check_spf(DnsLookups(resolver), client, HELO, sender, host="here.example")[0]
        print(f"{min(found):7.0f} us  {name}: {result.result}, {result.lookups} look-ups")


HELO = "mx.small.example"


def fill(resolver: Resolver) -> None:
    """Put all answers, and "no" for what else is asked, into the cache."""
    cache = resolver._cache
    for key, records in ANSWERS.items():
        cache.put(key, DnsAnswer(DnsStatus.FOUND, tuple(records), 3600.0, key[0]))
    cache.put(("none.example", RecordType.TXT), DnsAnswer(DnsStatus.NXDOMAIN, (), 900.0))


def microseconds(resolver: Resolver, client: IPv4Address | IPv6Address, sender: str) -> float:
    """Of one check, mean of 200."""
    started = time.process_time()
    for _ in range(200):
        check_spf(DnsLookups(resolver), client, HELO, sender, host="here.example")
    return (time.process_time() - started) / 200 * 1e6


if __name__ == "__main__":
    main()
