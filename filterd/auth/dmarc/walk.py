"""The DNS tree walk: which records there are at a domain and above it, and what that says.

Source: RFC 9989 §4.10.
"""

from __future__ import annotations

from dataclasses import dataclass

from filterd.auth.dmarc.record import DmarcRecord, Psd
from filterd.auth.questions import DnsQuestions
from filterd.resolver.answer import RecordType

QUERIES_LIMIT = 8
"""Questions of one walk."""

PREFIX = "_dmarc."


def walked(domain: str) -> tuple[str, ...]:
    """The names that a walk asks about, the longest first: the domain, then what is above it, from
    seven labels on (RFC 9989 §4.10, steps 3 to 7)."""
    # Of a name of a thousand labels, only the last ones matter.
    labels = domain.rsplit(".", QUERIES_LIMIT - 1)
    above = labels[1:]
    return (domain, *(".".join(above[position:]) for position in range(len(above))))


@dataclass(frozen=True, slots=True)
class Walk:
    """What one walk found. found: the names that have one record, and it, the longest name first.
    failure: why a name's answer is not known, in words; the walk ended there."""

    domain: str
    found: tuple[tuple[str, DmarcRecord], ...]
    failure: str = ""

    @property
    def own(self) -> DmarcRecord | None:
        """The record of the domain itself."""
        if self.found and self.found[0][0] == self.domain:
            return self.found[0][1]
        return None

    @property
    def organizational(self) -> str:
        """The organizational domain, as far as the walk came (RFC 9989 §4.10.2)."""
        for name, record in self.found:
            if record.psd is Psd.NO:
                return name
            if record.psd is Psd.YES and name != self.domain:
                # One label below the name where others register.
                below = self.domain.removesuffix(f".{name}").rpartition(".")[2]
                return f"{below}.{name}"
        return self.found[-1][0] if self.found else self.domain

    @property
    def applicable(self) -> tuple[str, DmarcRecord] | None:
        """The record that applies to mail of this domain, and whose it is: its own, that of its
        organizational domain, that of the public suffix above (RFC 9989 §4.10.1)."""
        if self.own is not None:
            return self.found[0]
        wanted = self.organizational
        for name, record in self.found:
            if name == wanted:
                return name, record
        return self.found[-1] if self.found else None


def begin_walk(domain: str, questions: DnsQuestions) -> None:
    """Ask for all that a walk may need: most walks go on to the top."""
    for name in walked(domain):
        questions.start(PREFIX + name, RecordType.TXT)


def walk(domain: str, questions: DnsQuestions) -> Walk:
    """Walk from the domain, in A-labels, to the top; raises nothing."""
    found: list[tuple[str, DmarcRecord]] = []
    for name in walked(domain):
        answer = questions.answer(PREFIX + name, RecordType.TXT)
        if answer.failed:
            failure = f"no answer about {PREFIX}{name}: {answer.detail or answer.status.value}"
            return Walk(domain, tuple(found), failure)
        texts = (record for record in answer.records if isinstance(record, bytes))
        records = [one for one in map(DmarcRecord.parse, texts) if one is not None]
        # Of several, nobody can know which one is meant: none of them counts.
        if len(records) == 1:
            found.append((name, records[0]))
            if records[0].psd is not Psd.UNKNOWN:
                break
    return Walk(domain, tuple(found))


def organizational_domain(domain: str, questions: DnsQuestions) -> str:
    """The organizational domain of a domain in A-labels, the domain itself where the DNS does not
    answer; at most `QUERIES_LIMIT` questions."""
    found = walk(domain, questions)
    return domain if found.failure else found.organizational
