"""What it costs to find out who sent a message: SPF, DKIM, DMARC and ARC of one message.

    python -m bench.auth [--rounds N]

A name server in a process of its own, on this host, has all records. Warm: all answers are in the
cache; processor time. Cold: nothing is kept, so each message asks all its questions; processor
time of this process, which has the resolver's thread, and the time until the result is there.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from multiprocessing.connection import Connection

from filterd.auth.arc.verify import begin_arc, verify_arc
from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.record import key_name
from filterd.auth.dkim.signing import SigningKey
from filterd.auth.dkim.verify import begin_dkim, verify_dkim
from filterd.auth.dmarc import begin_dmarc, check_dmarc
from filterd.auth.spf import begin_spf, check_spf
from filterd.message import Message
from filterd.message.authentication import Authentication
from filterd.resolver.lookups import DnsLookups
from filterd.resolver.resolver import Resolver
from filterd.resolver.settings import ResolverSettings
from tests.helpers.dkim import mail, signed, signing_key
from tests.helpers.name_server import name_server, zone

CLIENT = ip_address("192.0.2.25")
SENDER = "bounces@news.bank.example"
HELO = "mx.mailer.example"

NETWORKS = " ".join(f"ip4:198.51.{number}.0/24" for number in range(10))

RECORDS = (
    'news.bank.example 300 TXT "v=spf1 include:_spf.mailer.example -all"',
    'bank.example 300 TXT "v=spf1 include:_spf.mailer.example -all"',
    'mx.mailer.example 300 TXT "v=spf1 a -all"',
    "mx.mailer.example 300 A 192.0.2.25",
    'mailer.example 300 TXT "v=spf1 -all"',
    '_spf.mailer.example 300 TXT "v=spf1 include:_1.mailer.example include:_2.mailer.example ~all"',
    f'_1.mailer.example 300 TXT "v=spf1 {NETWORKS} ~all"',
    f'_2.mailer.example 300 TXT "v=spf1 {NETWORKS} ip4:192.0.2.0/24 ~all"',
    '_dmarc.bank.example 300 TXT "v=DMARC1; p=reject; rua=mailto:dmarc@bank.example"',
)

RSA = signing_key("rsa-sha256")
ED25519 = signing_key("ed25519-sha256", selector="ed")

LINE = b"The quick brown fox jumps over the lazy dog, and nothing else happened today.\r\n"


def bodies() -> dict[str, bytes]:
    """Messages by their names."""
    small, large = mail(LINE * 50), mail(LINE * 12_500)
    forged = mail(LINE * 50, b"List-Id: <a.example>")
    return {
        "4 KB, not signed": forged,
        "4 KB, RSA": signed(small, RSA),
        "4 KB, RSA and Ed25519": signed(small, RSA, ED25519),
        "4 KB, 8 signatures": signed(small, *[RSA] * 8),
        "1 MB, RSA": signed(large, RSA),
        "1 MB, RSA and Ed25519": signed(large, RSA, ED25519),
    }


def checked(data: bytes, resolver: Resolver) -> Authentication:
    """All that filter `auth` finds out about a message."""
    message = Message(data)
    of_spf, of_keys, of_dmarc = (DnsLookups(resolver) for _ in range(3))
    body = CanonicalBody.of(message)
    begin_dmarc(message, of_dmarc)
    begin_dkim(message, of_keys, body=body)
    begin_arc(message, of_keys, body=body)
    begin_spf(of_spf, HELO, SENDER)
    spf, helo = check_spf(of_spf, CLIENT, HELO, SENDER, host="here.example")
    dkim = verify_dkim(message, of_keys, body=body)
    arc = verify_arc(message, of_keys, body=body)
    return Authentication(spf, helo, dkim, check_dmarc(message, spf, dkim, of_dmarc), arc)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    messages = bodies()
    with served() as address:
        for name, settings in {
            "warm": ResolverSettings(nameservers=(address,)),
            "cold": ResolverSettings(nameservers=(address,), cache_entries=0),
        }.items():
            resolver = Resolver(settings)
            for about, data in messages.items():
                found = checked(data, resolver)
                taken = measured(partial(checked, data, resolver), rounds)
                print(f"{name}  {taken}  {about}: {found.line}, {found.spf and found.spf.result}")
            resolver.close()


@dataclass(frozen=True)
class Taken:
    """Milliseconds of one message."""

    processor: float
    elapsed: float

    def __str__(self) -> str:
        return f"{self.processor:6.2f} ms of the processor, {self.elapsed:6.2f} ms elapsed"


def measured(work: Callable[[], object], rounds: int) -> Taken:
    """The least of some rounds, each the mean of 20 (processor) or their median (elapsed)."""
    found = []
    for _ in range(rounds):
        elapsed = []
        processor = time.process_time()
        for _ in range(20):
            started = time.perf_counter()
            work()
            elapsed.append(time.perf_counter() - started)
        used = (time.process_time() - processor) / 20
        found.append(Taken(used * 1000, statistics.median(elapsed) * 1000))
    return Taken(min(one.processor for one in found), min(one.elapsed for one in found))


@contextmanager
def served() -> Iterator[str]:
    """The address of a name server in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield str(ours.recv())
    finally:
        ours.send(None)
        process.join(10)


def _serve(connection: Connection) -> None:
    with name_server(zone(*RECORDS, *map(_record, (RSA, ED25519)))) as server:
        connection.send(server.address)
        connection.recv()


def _record(key: SigningKey) -> str:
    text = key.record
    halves = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
    return f"{key_name(key.domain, key.selector)} 300 TXT {halves}"


if __name__ == "__main__":
    main()
