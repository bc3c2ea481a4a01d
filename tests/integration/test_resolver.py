"""The resolver and a real name server, nsd."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from filterd.resolver.answer import MX, DnsStatus, RecordType
from filterd.resolver.resolver import Resolver
from filterd.resolver.settings import ResolverSettings
from tests.helpers.process import folder
from tests.helpers.servers.nsd import Nsd

WAIT = 60.0
"""Seconds that no test waits for."""

HOSTS = "".join(f"many A 192.0.2.{n}\n" for n in range(1, 255))
"""More than one datagram holds: nsd cuts the answer, and TCP has it whole."""

ZONES = {
    "example": f"""\
@ MX 10 mail
@ MX 20 second.other.
@ TXT "v=spf1 ip4:192.0.2.0/24 " "-all"
mail A 192.0.2.1
mail AAAA 2001:db8::1
www CNAME mail
away CNAME host.elsewhere.
over CNAME there.other.
dangling CNAME nobody.other.
*.list A 127.0.0.2
nomail MX 0 .
{HOSTS}""",
    "other": "there A 198.51.100.7\n",
    "2.0.192.in-addr.arpa": "1 PTR mail.example.\n",
}


@pytest.fixture(scope="module")
def resolver() -> Iterator[Resolver]:
    with folder("nsd") as place:
        server = Nsd(place, ZONES)
        server.start()
        made = Resolver(ResolverSettings(nameservers=(server.address,)))
        yield made
        made.close()
        server.stop()


@pytest.mark.parametrize(
    ("name", "kind", "status", "records"),
    [
        ("example", "MX", DnsStatus.FOUND, {MX(10, "mail.example"), MX(20, "second.other")}),
        ("example", "TXT", DnsStatus.FOUND, {b"v=spf1 ip4:192.0.2.0/24 -all"}),
        ("mail.example", "AAAA", DnsStatus.FOUND, {"2001:db8::1"}),
        ("www.example", "A", DnsStatus.FOUND, {"192.0.2.1"}),
        ("over.example", "A", DnsStatus.FOUND, {"198.51.100.7"}),
        ("4.3.2.1.list.example", "A", DnsStatus.FOUND, {"127.0.0.2"}),
        ("nomail.example", "MX", DnsStatus.FOUND, {MX(0, "")}),
        ("1.2.0.192.in-addr.arpa", "PTR", DnsStatus.FOUND, {"mail.example"}),
        ("many.example", "A", DnsStatus.FOUND, {f"192.0.2.{n}" for n in range(1, 255)}),
        ("mail.example", "MX", DnsStatus.NODATA, set()),
        ("www.example", "MX", DnsStatus.NODATA, set()),
        ("nobody.example", "A", DnsStatus.NXDOMAIN, set()),
        ("dangling.example", "A", DnsStatus.NXDOMAIN, set()),
        # Not its zones: nsd, which does not resolve for others, refuses.
        ("host.elsewhere", "A", DnsStatus.REFUSED, set()),
        ("away.example", "A", DnsStatus.REFUSED, set()),
    ],
)
def test_answers(
    resolver: Resolver, name: str, kind: str, status: DnsStatus, records: set[object]
) -> None:
    answer = resolver.ask(name, RecordType(kind)).answer(WAIT)
    assert (answer.status, set(answer.records)) == (status, records)


def test_how_long_an_answer_counts(resolver: Resolver) -> None:
    assert resolver.ask("mail.example", RecordType.A).answer(WAIT).ttl == 300
    assert resolver.ask("nobody.example", RecordType.A).answer(WAIT).ttl == 30
