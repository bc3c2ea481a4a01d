"""One question to one name server: UDP with EDNS (RFC 6891), TCP where the answer was cut.

Forged datagrams are not answers: id, question, address and port must be those of the question
(RFC 5452 §9); what does not fit is dropped, and the wait goes on.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from filterd.resolver.answer import MX, DnsAnswer, DnsStatus, Record, RecordType
from filterd.resolver.names import written
from filterd.resolver.settings import PAYLOAD, NameServer

ALIAS_LIMIT = 8
"""Aliases (CNAME) from name to name; resolvers in use follow 8 to 16."""

_FAILURES = {dns.rcode.SERVFAIL: DnsStatus.SERVFAIL, dns.rcode.REFUSED: DnsStatus.REFUSED}


@dataclass(frozen=True, slots=True)
class Alias:
    """A server knows an alias and not what it stands for: `name` has to be asked for. ttl: seconds
    for which that holds."""

    name: dns.name.Name
    ttl: float


@dataclass(frozen=True, slots=True)
class Transport:
    """How a server is asked. payload: octets of an answer by UDP, 0: without EDNS. tcp: whether it
    is asked by TCP where its answer was cut."""

    payload: int = PAYLOAD
    tcp: bool = True


USUAL = Transport()


async def ask(
    server: NameServer,
    name: dns.name.Name,
    kind: RecordType,
    seconds: float,
    transport: Transport = USUAL,
) -> DnsAnswer | Alias:
    """Ask one server once; a server without EDNS, or a cut answer, makes it ask again.

    Never raises but for cancellation: what goes wrong is a `DnsAnswer` with its status.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _asked(server, name, kind, transport)
    except (TimeoutError, dns.exception.Timeout):
        return DnsAnswer(DnsStatus.TIMEOUT, detail=f"{server}: no answer within {seconds:.3g} s")
    except OSError as error:
        return DnsAnswer(DnsStatus.UNREACHABLE, detail=f"{server}: {error.strerror or error}")
    except (dns.exception.DNSException, EOFError, ValueError) as error:
        return DnsAnswer(DnsStatus.MALFORMED, detail=f"{server}: {type(error).__name__}")


async def _asked(
    server: NameServer, name: dns.name.Name, kind: RecordType, transport: Transport
) -> DnsAnswer | Alias:
    for edns in (True, False) if transport.payload else (False,):
        question = dns.message.make_query(
            name,
            dns.rdatatype.from_text(kind),
            use_edns=0 if edns else False,
            payload=transport.payload,
        )
        try:
            response = await _exchanged(server, question, tcp=transport.tcp)
        except dns.message.Truncated:
            return DnsAnswer(
                DnsStatus.MALFORMED, detail=f"{server}: too long for UDP, and resolver.tcp is off"
            )
        # RFC 6891 §7: who does not know EDNS says FORMERR.
        if response.rcode() != dns.rcode.FORMERR:
            break
    return read(response, name, kind, server)


async def _exchanged(
    server: NameServer, question: dns.message.Message, *, tcp: bool
) -> dns.message.Message:
    # A connected socket takes datagrams of that server only, and hears that nobody is there.
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    connected = await dns.asyncbackend.get_backend("asyncio").make_socket(  # type: ignore[no-untyped-call]
        family, socket.SOCK_DGRAM, destination=(server.address, server.port)
    )
    async with connected:
        try:
            return await dns.asyncquery.udp(
                question,
                server.address,
                port=server.port,
                ignore_unexpected=True,
                ignore_errors=True,
                raise_on_truncation=True,
                sock=connected,
            )
        except dns.message.Truncated:
            if not tcp:
                raise
            return await dns.asyncquery.tcp(question, server.address, port=server.port)


def read_wire(
    wire: bytes, name: dns.name.Name, kind: RecordType, server: NameServer
) -> DnsAnswer | Alias | None:
    """What the octets of a response say; None where the server has to be asked otherwise: without
    EDNS, or by TCP."""
    try:
        response = dns.message.from_wire(wire, raise_on_truncation=True)
    except dns.message.Truncated:
        return None
    except (dns.exception.DNSException, EOFError, ValueError) as error:
        return DnsAnswer(DnsStatus.MALFORMED, detail=f"{server}: {type(error).__name__}")
    if response.rcode() == dns.rcode.FORMERR:
        return None
    return read(response, name, kind, server)


def read(
    response: dns.message.Message, name: dns.name.Name, kind: RecordType, server: NameServer
) -> DnsAnswer | Alias:
    """What a response says to a question of this name and type."""
    code = response.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        status = _FAILURES.get(code, DnsStatus.SERVFAIL)
        return DnsAnswer(status, detail=f"{server}: {dns.rcode.to_text(code)}")
    records: list[Record] = []
    wanted = dns.rdatatype.from_text(kind)
    ttl, seen = float("inf"), 0
    while True:
        found = response.get_rrset(response.answer, name, dns.rdataclass.IN, wanted)
        if found is not None:
            records += [_record(one) for one in found]
            ttl = min(ttl, found.ttl)
            break
        alias = response.get_rrset(response.answer, name, dns.rdataclass.IN, dns.rdatatype.CNAME)
        if alias is None:
            break
        seen += 1
        if seen > ALIAS_LIMIT:
            return DnsAnswer(
                DnsStatus.MALFORMED, detail=f"{server}: more than {ALIAS_LIMIT} aliases"
            )
        ttl, name = min(ttl, alias.ttl), alias[0].target
    if records:
        return DnsAnswer(DnsStatus.FOUND, tuple(records), ttl, written(name))
    negative = _negative_ttl(response)
    if code == dns.rcode.NXDOMAIN:
        return DnsAnswer(DnsStatus.NXDOMAIN, (), min(ttl, negative or 0.0), written(name))
    if seen and negative is None:
        return Alias(name, ttl)
    return DnsAnswer(DnsStatus.NODATA, (), min(ttl, negative or 0.0), written(name))


def _negative_ttl(response: dns.message.Message) -> float | None:
    """RFC 2308 §5: the lesser of the SOA's own time and its minimum. None without one: "no" is not
    kept then, and behind an alias the server has not said it."""
    for found in response.authority:
        if found.rdtype == dns.rdatatype.SOA and len(found):
            return float(min(found.ttl, found[0].minimum))
    return None


def _record(data: object) -> Record:
    kind = data.rdtype  # type: ignore[attr-defined]
    if kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        return str(data.address)  # type: ignore[attr-defined]
    if kind == dns.rdatatype.TXT:
        return b"".join(data.strings)  # type: ignore[attr-defined]
    if kind == dns.rdatatype.MX:
        return MX(int(data.preference), written(data.exchange))  # type: ignore[attr-defined]
    return written(data.target)  # type: ignore[attr-defined]
