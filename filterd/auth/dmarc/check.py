"""Whether the author domain of a message is proven (RFC 9989 §5.3).

The author domain's walk asks at most `QUERIES_LIMIT` questions, and there is one more where a
record asks for something else for names that do not exist, or From has several domains. Identifiers
lead to a walk only where they may be aligned: below the organizational domain of the author, whose
owner has the DNS there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from filterd.auth.dmarc.authors import author_domains
from filterd.auth.dmarc.record import Alignment, DmarcRecord
from filterd.auth.dmarc.walk import Walk, begin_walk, walk
from filterd.auth.questions import DnsQuestions
from filterd.message.address import canonical_domain
from filterd.message.authentication import (
    AuthResult,
    DkimCheck,
    DmarcCheck,
    DmarcPolicy,
    SpfCheck,
    SpfIdentity,
)
from filterd.message.message import Message
from filterd.resolver.answer import DnsStatus, RecordType

IDENTIFIERS_LIMIT = 10
"""Identifiers of one message, other than its author domain, that lead to a walk; more are not
aligned."""

RECORD_SHOWN = 4096
"""Characters of a record in the result."""

REASON_SHOWN = 300
"""Characters of a reason."""

_SEVERITY = {
    AuthResult.PASS: 0,
    AuthResult.NONE: 1,
    AuthResult.PERMERROR: 2,
    AuthResult.TEMPERROR: 3,
}
_FAILS = {DmarcPolicy.NONE: 4, DmarcPolicy.QUARANTINE: 6, DmarcPolicy.REJECT: 7}
_NOT_ALL_CHECKED = 5
"""Below a fail that has consequences only: one of the domains that are checked is the sender's own,
mostly, and may fail, or not be found out, as he likes."""
_NOT_PRINTABLE = re.compile(r"[^ -~]")


def begin_dmarc(message: Message, questions: DnsQuestions) -> None:
    """Ask what `check_dmarc` will need, and wait for nothing."""
    domains = author_domains(message).domains
    for domain in domains:
        begin_walk(domain, questions)
        if len(domains) > 1:
            # Whether it exists, for np=. Later, another domain may have used up the time.
            questions.start(domain, RecordType.TXT)


def check_dmarc(
    message: Message, spf: SpfCheck | None, dkim: Iterable[DkimCheck], questions: DnsQuestions
) -> DmarcCheck:
    """Whether an identifier that is proven and aligned stands for the author; raises nothing.

    spf: of MAIL FROM (RFC 9989 §4.4.2); one of HELO counts as none. dkim: of all signatures.
    Without an author domain, and without a record for it, DMARC does not apply: none. Of several
    author domains the worst result is that of the message, and of those that fail, that with the
    strictest policy (RFC 9989 §11.5). Where From has more than can be checked, the result is a
    permerror without a domain.
    """
    authors = author_domains(message)
    if not authors.domains:
        result = AuthResult.NONE if authors.is_whole else AuthResult.PERMERROR
        return DmarcCheck(result, reason=authors.reason)
    identifiers = _identifiers(spf, dkim)
    walks = _Walks(questions)
    checks = [_check(domain, identifiers, walks) for domain in authors.domains]
    if not authors.is_whole:
        # Whether the others fail, nobody has asked: it is the mail of none of them.
        checks.append(DmarcCheck(AuthResult.PERMERROR))
    worst = max(checks, key=_severity)
    reason = "; ".join(filter(None, (authors.reason, worst.reason)))
    return replace(worst, reason=_shown(reason, REASON_SHOWN))


def _severity(check: DmarcCheck) -> int:
    if check.result is AuthResult.FAIL:
        return _FAILS[check.asked]
    if not check.domain:
        return _NOT_ALL_CHECKED
    if check.spf_aligned or check.dkim_aligned:
        # Proven, if without a record that can be used: others that are claimed beside it are worse.
        return _SEVERITY[AuthResult.PASS]
    return _SEVERITY[check.result]


class _Walks:
    """The walks of one message: those of its identifiers are few, and each is made once."""

    def __init__(self, questions: DnsQuestions) -> None:
        self.questions = questions
        self._found: dict[str, Walk | None] = {}

    def of_author(self, domain: str) -> Walk:
        return walk(domain, self.questions)

    def of_identifier(self, domain: str) -> Walk | None:
        """None over `IDENTIFIERS_LIMIT`."""
        if domain not in self._found:
            is_over = len(self._found) >= IDENTIFIERS_LIMIT
            self._found[domain] = None if is_over else walk(domain, self.questions)
        return self._found[domain]


class _Identifier:
    """A domain that SPF or DKIM proves (is_proven), or might if the DNS had answered."""

    def __init__(self, check: SpfCheck | DkimCheck) -> None:
        self.domain = canonical_domain(check.domain)
        self.is_proven = check.result is AuthResult.PASS
        self.is_spf = isinstance(check, SpfCheck)


def _identifiers(spf: SpfCheck | None, dkim: Iterable[DkimCheck]) -> tuple[_Identifier, ...]:
    found: list[SpfCheck | DkimCheck] = [*dkim]
    if spf is not None and spf.identity is SpfIdentity.MAIL_FROM:
        found.append(spf)
    count = (AuthResult.PASS, AuthResult.TEMPERROR)
    return tuple(_Identifier(one) for one in found if one.result in count)


def _check(domain: str, identifiers: Iterable[_Identifier], walks: _Walks) -> DmarcCheck:
    """The result for one author domain."""
    start = DmarcCheck(AuthResult.NONE, _shown(domain))
    walked = walks.of_author(domain)
    if walked.failure and walked.own is None:
        return replace(start, result=AuthResult.TEMPERROR, reason=walked.failure)
    applicable = walked.applicable
    alignment = _AlignmentCheck(walked, applicable and applicable[1], walks)
    alignment.check(identifiers)
    found = replace(
        start,
        organizational=_shown("" if walked.failure else walked.organizational),
        spf_aligned=alignment.spf,
        dkim_aligned=alignment.dkim,
    )
    if applicable is None:
        return found
    name, record = applicable
    found = replace(
        found,
        policy_domain=_shown(name),
        testing=record.testing,
        record=_shown(record.text, RECORD_SHOWN),
    )
    if not record.is_usable:
        reason = f"the record of {name} has no policy that can be used, and wants no reports"
        return replace(found, result=AuthResult.PERMERROR, reason=reason)
    policy, failure = _policy(walked, name, record, walks.questions)
    found = replace(found, policy=policy)
    if alignment.spf or alignment.dkim:
        return replace(found, result=AuthResult.PASS)
    failure = alignment.failure or failure
    if failure:
        return replace(found, result=AuthResult.TEMPERROR, reason=failure)
    return replace(found, result=AuthResult.FAIL)


def _policy(
    walked: Walk, name: str, record: DmarcRecord, questions: DnsQuestions
) -> tuple[DmarcPolicy | None, str]:
    """What the record asks for the author domain, and why that is uncertain, in words."""
    subdomain = name != walked.domain
    policy = record.policy(subdomain=subdomain)
    if record.policy(subdomain=subdomain, exists=False) is policy:
        return policy, ""
    answer = questions.answer(walked.domain, RecordType.TXT)
    if answer.failed:
        return policy, f"no answer about {walked.domain}: {answer.detail or answer.status.value}"
    # What can be no name in the DNS does not exist there.
    exists = answer.status not in (DnsStatus.NXDOMAIN, DnsStatus.INVALID)
    return record.policy(subdomain=subdomain, exists=exists), ""


class _AlignmentCheck:
    """Which of the identifiers are aligned with the author domain (RFC 9989 §4.10.2).

    spf, dkim: whether one is that is proven. failure: why others may be, in words.
    """

    def __init__(self, author: Walk, record: DmarcRecord | None, walks: _Walks) -> None:
        self.spf = False
        self.dkim = False
        self.failure = ""
        self._author = author
        self._record = record
        self._walks = walks

    def check(self, identifiers: Iterable[_Identifier]) -> None:
        """Those first that are proven: they may be the last ones that lead to a walk."""
        for one in sorted(identifiers, key=lambda one: not one.is_proven):
            if self.spf if one.is_spf else self.dkim:
                continue
            failure = self._failure(one)
            if failure is None:
                continue
            if failure or not one.is_proven:
                kind = "SPF" if one.is_spf else "DKIM"
                self.failure = self.failure or failure or f"{kind} of {one.domain} is not known"
            elif one.is_spf:
                self.spf = True
            else:
                self.dkim = True

    def _failure(self, one: _Identifier) -> str | None:
        """ "" for one that is aligned, None for one that is not, else why nobody knows."""
        if one.domain == self._author.domain:
            return ""
        if self._record is None:
            return None
        mode = self._record.aspf if one.is_spf else self._record.adkim
        if mode is Alignment.STRICT:
            return None
        if self._author.failure:
            # Some domain above both may be that of the organization, or none.
            top = self._author.domain.rpartition(".")[2]
            return self._author.failure if one.domain.rpartition(".")[2] == top else None
        organizational = self._author.organizational
        if one.domain != organizational and not one.domain.endswith(f".{organizational}"):
            return None
        other = self._walks.of_identifier(one.domain)
        if other is None:
            return None
        if other.failure:
            return other.failure
        return "" if other.organizational == organizational else None


def _shown(text: str, limit: int | None = None) -> str:
    """Printable ASCII: this comes into header fields, logs and pages."""
    return _NOT_PRINTABLE.sub("?", text)[:limit]
