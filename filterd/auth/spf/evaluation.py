"""check_host() of RFC 7208 §4: the record of a domain, and those that it includes.

Terms that ask the DNS are counted (§4.6.4), so that the questions of one check are bounded whatever
is published: 10 terms, of which one asks for 11 names at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from filterd.auth.questions import DnsQuestions
from filterd.auth.spf.macros import (
    EXPLANATION_TEXT_LIMIT,
    MacroError,
    MacroString,
    MacroValues,
    SpfSession,
    parse_macros,
)
from filterd.auth.spf.record import (
    ClientAddress,
    Directive,
    Mechanism,
    RecordError,
    SpfRecord,
    is_record,
    parse_record,
    shown,
)
from filterd.message.authentication import AuthResult
from filterd.resolver.answer import DnsAnswer, DnsStatus, RecordType
from filterd.resolver.names import pointer_name

TERMS_LIMIT = 10
"""Terms that ask the DNS (§4.6.4)."""

VOID_LIMIT = 2
"""Of those, the ones that find nothing (§4.6.4)."""

MX_LIMIT = 10
"""Exchangers of one `mx` (§4.6.4)."""

PTR_LIMIT = 10
"""Names of the client that are looked at (§4.6.4)."""

ADDRESSES_LIMIT = 500
"""Addresses of one name that are compared; the RFC has no limit for them, and no domain so many."""


@dataclass(frozen=True, slots=True)
class SpfOutcome:
    """explanation: the exp= of the record that decided."""

    result: AuthResult
    mechanism: str = ""
    explanation: MacroString | None = None
    reason: str = ""


class _StopError(Exception):
    """An error that ends the whole check."""

    def __init__(self, result: AuthResult, reason: str) -> None:
        super().__init__(reason)
        self.outcome = SpfOutcome(result, reason=reason)


class Evaluation:
    """One check: what it has asked counts through all included records."""

    def __init__(self, questions: DnsQuestions, session: SpfSession) -> None:
        self._questions = questions
        self._values = MacroValues(session, self.validated_name)
        self._client = ClientAddress.of(session.client)
        self._kind = RecordType.A if self._client.version == 4 else RecordType.AAAA
        self.lookups = 0
        self.void = 0

    def check_host(self, domain: str) -> SpfOutcome:
        """The result for a domain (§4)."""
        try:
            return self._evaluated(domain)
        except _StopError as stop:
            return stop.outcome

    def explanation(self, spec: MacroString) -> str:
        """What exp= says (§6.2); "" where that cannot be used. It does not count (§4.6.4)."""
        name = self._values.name(spec)
        if not name:
            return ""
        answer = self._questions.answer(name, RecordType.TXT)
        texts = [one for one in answer.records if isinstance(one, bytes)]
        if len(texts) != 1 or len(texts[0]) > EXPLANATION_TEXT_LIMIT:
            return ""
        try:
            return self._values.explanation(
                parse_macros(texts[0].decode("ascii"), explanation=True)
            )
        except (MacroError, UnicodeDecodeError):
            return ""

    def validated_name(self) -> str:
        """Macro `p` (§7.3): the client's name, if possible one of the domain."""
        answer = self._names_of_client()
        domain = self._values.domain
        names = sorted(
            answer.texts[:PTR_LIMIT], key=lambda name: (name != domain, not _within(name, domain))
        )
        return next(self._validated(names), "unknown")

    def _evaluated(self, domain: str) -> SpfOutcome:
        self._use(domain)
        record = self._record(domain)
        if record is None:
            return SpfOutcome(AuthResult.NONE)
        self._start(record)
        for directive in record.directives:
            if directive.asks:
                matches = self._matches(directive)
                self._use(domain)
            else:
                matches = directive.holds(self._client)
            if matches:
                return SpfOutcome(directive.result, directive.text, record.explanation)
        if record.redirect is None:
            return SpfOutcome(AuthResult.NEUTRAL)
        self._count("redirect")
        found = self._evaluated(self._name(record.redirect) or "")
        if found.result is AuthResult.NONE:
            raise _StopError(AuthResult.PERMERROR, "redirect= goes to a domain without SPF record")
        return found

    def _use(self, domain: str) -> None:
        if self._values.domain != domain:
            self._values.use(domain)

    def _record(self, domain: str) -> SpfRecord | None:
        if "." not in domain:
            return None
        answer = self._answer(domain, RecordType.TXT)
        texts = [one for one in answer.records if isinstance(one, bytes) and is_record(one)]
        if not texts:
            return None
        if len(texts) > 1:
            raise _StopError(AuthResult.PERMERROR, f"{shown(domain)} has {len(texts)} SPF records")
        try:
            return parse_record(texts[0])
        except RecordError as error:
            raise _StopError(AuthResult.PERMERROR, f"{shown(domain)}: {error}") from None

    def _start(self, record: SpfRecord) -> None:
        """Ask at once what has to be asked unless an earlier term matches."""
        left = TERMS_LIMIT - self.lookups
        for directive in record.directives:
            if not directive.asks:
                if directive.holds(self._client):
                    return
                continue
            if not left:
                return
            match directive.mechanism:
                case Mechanism.INCLUDE:
                    kind = RecordType.TXT
                case Mechanism.A:
                    kind = self._kind
                case Mechanism.MX:
                    kind = RecordType.MX
                case _:
                    continue
            left -= 1
            if all(isinstance(part, str) for part in directive.spec):
                name = self._name(directive.spec)
                if name:
                    self._questions.start(name, kind)

    def _matches(self, directive: Directive) -> bool:
        """Of a term that asks the DNS."""
        self._count(directive.text)
        name = self._name(directive.spec)
        if name is None:
            return False
        match directive.mechanism:
            case Mechanism.INCLUDE:
                return self._included(name)
            case Mechanism.EXISTS:
                return bool(self._counted(name, RecordType.A).texts)
            case Mechanism.A:
                return self._covered(directive, self._counted(name, self._kind))
            case Mechanism.MX:
                return self._exchanges(directive, name)
        answer = self._names_of_client()
        self._count_void(answer)
        names = [one for one in answer.texts[:PTR_LIMIT] if _within(one, name)]
        return any(self._validated(names))

    def _included(self, domain: str) -> bool:
        found = self._evaluated(domain)
        if found.result is AuthResult.NONE:
            raise _StopError(
                AuthResult.PERMERROR, f"{shown(domain)} is included and has no SPF record"
            )
        return found.result is AuthResult.PASS

    def _exchanges(self, directive: Directive, name: str) -> bool:
        exchanges = [one for one in self._counted(name, RecordType.MX).texts if one]
        if len(exchanges) > MX_LIMIT:
            raise _StopError(
                AuthResult.PERMERROR, f'term "{directive.text}" has more than {MX_LIMIT} exchangers'
            )
        for exchange in exchanges:
            self._questions.start(exchange, self._kind)
        void = bool(exchanges)
        for exchange in exchanges:
            answer = self._answer(exchange, self._kind)
            if self._covered(directive, answer):
                return True
            void = void and not answer.texts
        if void:
            # One term, however many exchangers: a client with IPv6 often finds none with AAAA.
            self._add_void()
        return False

    def _covered(self, directive: Directive, answer: DnsAnswer) -> bool:
        return any(directive.covers(self._client, one) for one in _numbers(answer))

    def _names_of_client(self) -> DnsAnswer:
        name = pointer_name(str(self._values.session.client))
        return self._questions.answer(name, RecordType.PTR)

    def _validated(self, names: list[str]) -> Iterator[str]:
        """Those names of the client that lead back to it; errors are skipped (§5.5)."""
        for name in names:
            self._questions.start(name, self._kind)
        own = self._client.number
        return (name for name in names if own in _numbers(self._questions.answer(name, self._kind)))

    def _name(self, spec: MacroString) -> str | None:
        return self._values.name(spec) if spec else self._values.domain

    def _count(self, term: str) -> None:
        self.lookups += 1
        if self.lookups > TERMS_LIMIT:
            raise _StopError(
                AuthResult.PERMERROR, f'more than {TERMS_LIMIT} terms ask the DNS, at "{term}"'
            )

    def _counted(self, name: str, kind: RecordType) -> DnsAnswer:
        answer = self._answer(name, kind)
        self._count_void(answer)
        return answer

    def _count_void(self, answer: DnsAnswer) -> None:
        if answer.status in (DnsStatus.NODATA, DnsStatus.NXDOMAIN):
            self._add_void()

    def _add_void(self) -> None:
        self.void += 1
        if self.void > VOID_LIMIT:
            raise _StopError(
                AuthResult.PERMERROR, f"more than {VOID_LIMIT} terms ask for what is not there"
            )

    def _answer(self, name: str, kind: RecordType) -> DnsAnswer:
        """Raises _StopError: a failure of the DNS ends the check (§5)."""
        answer = self._questions.answer(name, kind)
        if answer.failed:
            raise _StopError(
                AuthResult.TEMPERROR, f"the DNS did not answer for {kind} of {shown(name)}"
            )
        return answer


def _numbers(answer: DnsAnswer) -> Iterator[int]:
    return (int(ip_address(one)) for one in answer.texts[:ADDRESSES_LIMIT])


def _within(name: str, domain: str) -> bool:
    return name == domain or name.endswith("." + domain)
