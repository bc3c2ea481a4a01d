"""The ARC chain of a message, verified.

Source: RFC 8617 §5.2, §5.2.1. The structure is checked before anything is asked or calculated. A
question for each seal and one for the newest message signature are asked, all at once; older
message signatures are looked at only where these keys are theirs, too. What the seals cover is
hashed once, however many they are.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from dataclasses import replace

from filterd.auth.arc.chain import ArcChain, ArcSet, chain_of
from filterd.auth.arc.fields import (
    MESSAGE_SIGNATURE,
    SEAL,
    MessageSignature,
    Seal,
    results_in,
)
from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.header import CanonicalHeader, Canonicalization, canonical_field
from filterd.auth.dkim.limits import DEFAULT, DkimLimits
from filterd.auth.dkim.record import key_name, key_records, public_key
from filterd.auth.dkim.signature import KEY_TYPES
from filterd.auth.questions import DnsQuestions
from filterd.message import Message
from filterd.message.authentication import ArcCheck, AuthResult
from filterd.resolver.answer import RecordType


def begin_arc(
    message: Message,
    questions: DnsQuestions,
    limits: DkimLimits = DEFAULT,
    *,
    body: CanonicalBody | None = None,
    now: float | None = None,
) -> None:
    """Ask for all keys at once, and wait for nothing. body: that of the message, if others want
    hashes of it, too. Raises nothing."""
    _ChainCheck(message, questions, limits, body, now).begin()


def verify_arc(
    message: Message,
    questions: DnsQuestions,
    limits: DkimLimits = DEFAULT,
    *,
    body: CanonicalBody | None = None,
    now: float | None = None,
) -> ArcCheck:
    """The result of the message's chain: NONE without one, PASS, FAIL, or TEMPERROR where it failed
    only because the DNS did not answer, which RFC 8617 §5.2.1 takes for a fail. Raises nothing.

    body: as in `begin_arc`. now: seconds since 1970, for t= and x=.
    """
    return _ChainCheck(message, questions, limits, body, now).result()


class _ChainCheck:
    """One message's chain."""

    def __init__(
        self,
        message: Message,
        questions: DnsQuestions,
        limits: DkimLimits,
        body: CanonicalBody | None,
        now: float | None,
    ) -> None:
        self._questions = questions
        self._limits = limits
        self._body = body if body is not None else CanonicalBody.of(message)
        self._now = time.time() if now is None else now
        self._header = CanonicalHeader.of(message)
        self._chain = chain_of(self._header, limits)
        self._newest: MessageSignature | None = None
        if self._chain.sets:
            self._read_newest(self._chain.sets[-1])

    def _read_newest(self, newest: ArcSet) -> None:
        try:
            self._newest = MessageSignature.parse(newest.signed, self._now, self._limits)
        except DkimError as error:
            fault = f"{MESSAGE_SIGNATURE} {newest.instance}: {error.reason}"
            self._chain = ArcChain(fault=fault, highest=newest.instance)

    def _signers(self) -> Iterator[Seal | MessageSignature]:
        if self._newest is not None:
            yield self._newest
            yield from (one.sealed for one in self._chain.sets)

    def begin(self) -> None:
        """Start all questions, and say which hash of the body is needed."""
        for name in dict.fromkeys(map(_key_name, self._signers())):
            self._questions.start(name, RecordType.TXT)
        if self._newest is not None:
            self._body.want(self._newest.body, self._newest.length)

    def result(self) -> ArcCheck:
        """What is to be said of the chain."""
        chain, newest = self._chain, self._newest
        if not chain.is_there:
            return ArcCheck(AuthResult.NONE)
        check = ArcCheck(AuthResult.FAIL, chain.highest)
        if newest is None:
            return replace(check, reason=chain.fault)
        self.begin()
        try:
            self._verify_message(chain.sets[-1], newest)
            self._verify_seals()
        except DkimError as error:
            temporary = error.result is AuthResult.TEMPERROR
            result = AuthResult.TEMPERROR if temporary else AuthResult.FAIL
            return replace(check, result=result, reason=error.reason)
        first, last = (
            results_in(self._header.value(one.results)) for one in (chain.sets[0], chain.sets[-1])
        )
        return ArcCheck(
            AuthResult.PASS,
            chain.highest,
            tuple(one.sealed.domain for one in chain.sets),
            (first, last),
            self._oldest_pass(),
        )

    def _verify_message(self, one: ArcSet, signature: MessageSignature) -> None:
        """Raises DkimError unless a message signature fits the message."""
        what = f"{MESSAGE_SIGNATURE} {one.instance} of {signature.domain}"
        hashed = self._body.hashed(signature.body, signature.length)
        if not hmac.compare_digest(hashed.digest, signature.body_hash):
            raise DkimError(f"{what}: the body was changed after it was signed")
        whole = signature.length in (None, hashed.octets)
        if not whole and self._limits.partly_signed is not AuthResult.PASS:
            raise DkimError(f"{what}: only a part of the body is signed (l=)")
        if len(self._header.places("from")) > signature.names.count("from"):
            raise DkimError(f"{what}: there is a From field that is not signed")
        index = one.message_signature
        own = canonical_field(
            MESSAGE_SIGNATURE,
            signature.value,
            signature.header,
            spelled=self._header.spelled(index),
        )
        digest = self._header.digest(signature.names, signature.header, own, but=index)
        self._verify(what, signature, digest)

    def _verify_seals(self) -> None:
        """Raises DkimError unless all seals hold; the newest is tried first (§5.2, step 6)."""
        digests = list(seal_digests(self._header, self._chain.sets))
        for one, digest in zip(self._chain.sets[::-1], digests[::-1], strict=True):
            self._verify(f"{SEAL} {one.instance} of {one.sealed.domain}", one.sealed, digest)

    def _verify(self, what: str, one: Seal | MessageSignature, digest: bytes) -> None:
        """Raises DkimError unless a signature is that of its key; TEMPERROR without an answer."""
        problem = DkimError("what it covers was changed, or it is not a signature by its key")
        try:
            answer = self._questions.answer(_key_name(one), RecordType.TXT)
            for record in key_records(answer):
                try:
                    if record.key_type != KEY_TYPES[one.algorithm]:
                        raise DkimError(f"the key is of type {record.key_type}")
                    if public_key(record, self._limits).verifies(one.signature, digest):
                        return
                except DkimError as error:
                    problem = error
        except DkimError as error:
            problem = error
        raise DkimError(f"{what}: {problem.reason}", problem.result)

    def _oldest_pass(self) -> int:
        """The oldest set since which the message was not changed; 0 if it never was (§5.2, step 5).

        What cannot be said without further questions, or further hashes of the body, counts as
        changed.
        """
        assert self._newest is not None
        asked = set(map(_key_name, self._signers()))
        for one in self._chain.sets[-2::-1]:
            try:
                signature = MessageSignature.parse(one.signed, self._now, self._limits)
                if signature.length is not None or _key_name(signature) not in asked:
                    return one.instance + 1
                self._verify_message(one, signature)
            except DkimError:
                return one.instance + 1
        return 0


def seal_digests(header: CanonicalHeader, sets: tuple[ArcSet, ...]) -> Iterator[bytes]:
    """The SHA-256 that each seal signs: all sets before it, its own, and itself with an empty b=
    (RFC 8617 §5.1.1)."""
    hasher = hashlib.sha256()
    for one in sets:
        for index in (one.results, one.message_signature):
            hasher.update(header.canonical(index, Canonicalization.RELAXED) + b"\r\n")
        sealed = hasher.copy()
        sealed.update(canonical_field(SEAL, one.sealed.value, Canonicalization.RELAXED))
        yield sealed.digest()
        hasher.update(header.canonical(one.seal, Canonicalization.RELAXED) + b"\r\n")


def _key_name(one: Seal | MessageSignature) -> str:
    return key_name(one.domain, one.selector)
