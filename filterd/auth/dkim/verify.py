"""The DKIM signatures of a message, verified.

Source: RFC 6376 §6; words of the results RFC 8601 §2.7.1.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.header import CanonicalHeader, canonical_field
from filterd.auth.dkim.limits import DEFAULT, DkimLimits
from filterd.auth.dkim.record import KeyRecord, key_name, key_records, public_key
from filterd.auth.dkim.signature import KEY_TYPES, Signature, beginning_of, signer_of
from filterd.auth.dkim.tags import TagList
from filterd.auth.questions import DnsQuestions
from filterd.message import Message
from filterd.message.authentication import AuthResult, DkimCheck
from filterd.resolver.answer import RecordType

FIELD = "DKIM-Signature"


def begin_dkim(
    message: Message,
    questions: DnsQuestions,
    limits: DkimLimits = DEFAULT,
    *,
    body: CanonicalBody | None = None,
) -> None:
    """Ask for all keys at once, and wait for nothing.

    body: that of the message, if others want hashes of it, too; it is told which are needed.
    """
    _SignatureCheck(
        message, questions, limits, body or CanonicalBody.of(message), time.time()
    ).begin()


def verify_dkim(
    message: Message,
    questions: DnsQuestions,
    limits: DkimLimits = DEFAULT,
    *,
    body: CanonicalBody | None = None,
    now: float | None = None,
) -> tuple[DkimCheck, ...]:
    """The result of each signature, top first; nothing for a message without one. Raises nothing.

    Over the limit, the rest have one result together, POLICY without a domain. body: as in
    `begin_dkim`. now: seconds since 1970, for t= and x=.
    """
    moment = time.time() if now is None else now
    check = _SignatureCheck(message, questions, limits, body or CanonicalBody.of(message), moment)
    return tuple(check.results())


class _SignatureCheck:
    """The signatures of one message, and what they share."""

    def __init__(
        self,
        message: Message,
        questions: DnsQuestions,
        limits: DkimLimits,
        body: CanonicalBody,
        now: float,
    ) -> None:
        self._questions = questions
        self._limits = limits
        self._body = body
        wanted = FIELD.lower()
        fields = message.header_fields
        places = [index for index, field in enumerate(fields) if field.name.lower() == wanted]
        self._left = len(places) - limits.signatures
        self._read = [
            (index, self._reading(fields[index].raw_value, now))
            for index in places[: limits.signatures]
        ]
        self._message = message

    def _reading(self, value: bytes, now: float) -> Signature | DkimCheck:
        try:
            return Signature.parse(value, now, self._limits)
        except DkimError as error:
            return replace(_described(value), result=error.result, reason=error.reason)

    def begin(self) -> None:
        """Start what every usable signature needs."""
        for _index, one in self._read:
            if isinstance(one, Signature):
                self._questions.start(key_name(one.domain, one.selector), RecordType.TXT)
                self._body.want(one.body, one.length)

    def results(self) -> Iterator[DkimCheck]:
        """One after the other, top first."""
        if not self._read:
            return
        self.begin()
        header = CanonicalHeader.of(self._message)
        for index, one in self._read:
            yield one if isinstance(one, DkimCheck) else self._result(one, index, header)
        if self._left > 0:
            reason = f"{self._left} more, not checked: the limit is {self._limits.signatures}"
            yield DkimCheck(AuthResult.POLICY, reason=reason)

    def _result(self, signature: Signature, index: int, header: CanonicalHeader) -> DkimCheck:
        check = _shown(signature)
        hashed = self._body.hashed(signature.body, signature.length)
        if signature.length is not None:
            if signature.length > hashed.octets:
                reason = "l= is more than the body has"
                return replace(check, result=AuthResult.PERMERROR, reason=reason)
            check = replace(check, unsigned=hashed.octets - signature.length)
        body_fits = hmac.compare_digest(hashed.digest, signature.body_hash)
        own = canonical_field(
            FIELD, signature.value, signature.header, spelled=header.spelled(index)
        )
        digest = header.digest(signature.names, signature.header, own, but=index)
        name = key_name(signature.domain, signature.selector)
        try:
            records = key_records(self._questions.answer(name, RecordType.TXT))
            check = self._by_key(check, signature, records, digest)
        except DkimError as error:
            check = replace(check, result=error.result, reason=error.reason)
        if not body_fits:
            # Whatever the key is: this body was not signed.
            reason = "the body was changed after it was signed"
            return replace(check, result=AuthResult.FAIL, reason=reason)
        if check.result is AuthResult.PASS:
            return self._good_enough(check, signature, header)
        return check

    def _by_key(
        self,
        check: DkimCheck,
        signature: Signature,
        records: Sequence[KeyRecord],
        digest: bytes,
    ) -> DkimCheck:
        """With one of the keys. Raises DkimError if none can be used."""
        problem: DkimError | None = None
        failed: DkimCheck | None = None
        for record in records:
            try:
                if record.key_type != KEY_TYPES[signature.algorithm]:
                    raise DkimError(f"the key is of type {record.key_type}")
                if record.strict and signature.auid_domain != signature.domain:
                    raise DkimError("the key is not for domains below d= (t=s)")
                key = public_key(record, self._limits)
            except DkimError as error:
                problem = problem or error
                continue
            found = replace(check, bits=key.bits, testing=record.testing)
            if key.verifies(signature.signature, digest):
                return replace(found, result=AuthResult.PASS)
            reason = "signed fields were changed, or it is not a signature by this key"
            failed = failed or replace(found, result=AuthResult.FAIL, reason=reason)
        if failed is None:
            assert problem is not None
            raise problem
        return failed

    def _good_enough(
        self, check: DkimCheck, signature: Signature, header: CanonicalHeader
    ) -> DkimCheck:
        if len(header.places("from")) > signature.names.count("from"):
            # Readers may show the one that was added (RFC 6376 §8.15).
            reason = "there is a From field that is not signed"
            return replace(check, result=AuthResult.POLICY, reason=reason)
        if check.unsigned and self._limits.partly_signed is not AuthResult.PASS:
            reason = f"the last {check.unsigned} octets of the body are not signed (l=)"
            return replace(check, result=self._limits.partly_signed, reason=reason)
        return check


def _shown(signature: Signature) -> DkimCheck:
    return DkimCheck(
        AuthResult.NONE,
        signature.domain,
        signature.selector,
        signature.auid,
        signature.algorithm,
        signature=signature.shown,
    )


def _described(value: bytes) -> DkimCheck:
    """What can be told of a signature that cannot be used."""
    check = DkimCheck(AuthResult.PERMERROR)
    try:
        tags = TagList(value)
        domain, selector = signer_of(tags)
    except DkimError:
        return check
    algorithm = (tags.text("a") or "").lower()
    known = algorithm in KEY_TYPES or algorithm == "rsa-sha1"
    return replace(
        check,
        domain=domain,
        selector=selector,
        algorithm=algorithm if known else "",
        signature=beginning_of(tags),
    )
