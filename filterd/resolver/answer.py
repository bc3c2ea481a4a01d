"""What the DNS says to a question, and what it means that it says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RecordType(StrEnum):
    """Types of records that filterd asks for."""

    A = "A"
    AAAA = "AAAA"
    MX = "MX"
    TXT = "TXT"
    PTR = "PTR"
    NS = "NS"
    CNAME = "CNAME"


class DnsStatus(StrEnum):
    """How a question ended. The first four are answers; the others are failures, and say nothing
    about whether there is a record."""

    FOUND = "found"
    NODATA = "no data"
    """The name exists, without records of the type (RFC 2308 §2.2)."""
    NXDOMAIN = "nxdomain"
    """The name does not exist (RFC 2308 §2.1), nor any below it (RFC 8020)."""
    INVALID = "invalid name"
    """The text cannot be a name in the DNS (RFC 1035 §2.3.4), so it was not asked for."""
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    """No name server is configured, or none could be reached."""
    MALFORMED = "malformed"
    """The answer cannot be read, or its aliases go in a circle."""
    LIMIT = "limit"
    """The message, or the whole host, has too many questions under way; this was not asked."""


_ANSWERS = frozenset({DnsStatus.FOUND, DnsStatus.NODATA, DnsStatus.NXDOMAIN, DnsStatus.INVALID})


@dataclass(frozen=True, slots=True)
class MX:
    """A mail exchanger. exchange: empty for the null MX (RFC 7505)."""

    preference: int
    exchange: str


Record = str | bytes | MX
"""An address or a name is str (lower case, A-labels, no dot at its end); TXT is the octets of its
strings, joined (RFC 7208 §3.3); MX is MX."""


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """The answer to one question.

    ttl: seconds for which it counts. canonical: the name at the end of all aliases. detail: of a
    failure, for people.
    """

    status: DnsStatus
    records: tuple[Record, ...] = ()
    ttl: float = 0.0
    canonical: str = ""
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether nobody knows if there is a record: never the same as "there is none"."""
        return self.status not in _ANSWERS

    @property
    def texts(self) -> tuple[str, ...]:
        """The records that are text: addresses, names, exchanges. Without those of TXT."""
        return tuple(
            record.exchange if isinstance(record, MX) else record
            for record in self.records
            if not isinstance(record, bytes)
        )
