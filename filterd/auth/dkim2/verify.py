"""The DKIM2 signatures of a message, verified. Sections are those of the draft."""

from __future__ import annotations

import hashlib
import time

from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.header import Canonicalization
from filterd.auth.dkim.record import KeyRecord, key_name, public_key
from filterd.auth.dkim.signature import KEY_TYPES
from filterd.auth.dkim2.chain import Dkim2Chain
from filterd.auth.dkim2.content import SHARED_HASH, check_content
from filterd.auth.dkim2.fields import SIGNATURE, Dkim2Signature, SignatureSet
from filterd.auth.dkim2.limits import KEYS
from filterd.auth.questions import DnsQuestions
from filterd.message import Message
from filterd.message.authentication import AuthResult, Dkim2Check
from filterd.resolver.answer import DnsAnswer, DnsStatus, RecordType


def begin_dkim2(
    message: Message,
    questions: DnsQuestions,
    *,
    body: CanonicalBody | None = None,
    now: float | None = None,
) -> None:
    """Ask for all keys at once, and wait for nothing; for none where it is clear without them.

    body: that of the message, if others want hashes of it, too; it is told which are needed. now:
    as in `verify_dkim2`.
    """
    try:
        chain = _read(message, now)
    except DkimError:
        return
    if chain is None:
        return
    for name in chain.keys:
        questions.start(name, RecordType.TXT)
    newest = chain.instances[-1].hashes
    if body is not None and any(one.algorithm == SHARED_HASH for one in newest):
        body.want(Canonicalization.SIMPLE)


def verify_dkim2(
    message: Message,
    questions: DnsQuestions,
    *,
    body: CanonicalBody | None = None,
    now: float | None = None,
) -> Dkim2Check:
    """The result of all signatures together; NONE for a message without one. Raises nothing.

    PASS, FAIL, PERMERROR and TEMPERROR as in section 11.1. body: as in `begin_dkim2`. now: seconds
    since 1970, for t=.
    """
    chain: Dkim2Chain | None = None
    try:
        chain = _read(message, now)
        if chain is None:
            return Dkim2Check(AuthResult.NONE)
        for name in chain.keys:
            questions.start(name, RecordType.TXT)
        check_content(message, chain.instances, body or CanonicalBody.of(message))
        check_signatures(chain, questions)
    except DkimError as error:
        # The draft has four results; POLICY is DKIM's word for a key that is not accepted.
        result = AuthResult.PERMERROR if error.result is AuthResult.POLICY else error.result
        sequence = 0 if chain is None else len(chain.signatures)
        return Dkim2Check(result, sequence, reason=error.reason)
    domains = tuple(one.domain for one in chain.signatures)
    return Dkim2Check(AuthResult.PASS, len(domains), domains, chain.changed_by)


def _read(message: Message, now: float | None) -> Dkim2Chain | None:
    chain = Dkim2Chain.of(message)
    if chain is not None:
        chain.check_times(time.time() if now is None else now)
        chain.check_custody(message.envelope)
    return chain


def check_signatures(chain: Dkim2Chain, questions: DnsQuestions) -> None:
    """All signatures (11.5, 11.6), the newest first. Raises DkimError: TEMPERROR only where nothing
    worse was found."""
    unanswered: DkimError | None = None
    digests = _digests(chain)
    for one, digest in zip(reversed(chain.signatures), reversed(digests), strict=True):
        who = f"{SIGNATURE} i={one.sequence}"
        if not one.sets:
            raise DkimError(f"{who} has no signature that can be verified", AuthResult.FAIL)
        for part in one.sets:
            try:
                _check_one(one, part, digest, questions)
            except DkimError as error:
                named = DkimError(f"{who} selector {part.selector}: {error.reason}", error.result)
                if error.result is not AuthResult.TEMPERROR:
                    raise named from None
                unanswered = unanswered or named
    if unanswered is not None:
        raise unanswered


def _digests(chain: Dkim2Chain) -> list[bytes]:
    """What each signature signs (9.6): the instances up to its own, the signatures before it, and
    its own field without the signatures."""
    prefixes = [hashlib.sha256()]
    for instance in chain.instances:
        hasher = prefixes[-1].copy()
        hasher.update(instance.whole)
        prefixes.append(hasher)
    found = []
    for index, one in enumerate(chain.signatures):
        hasher = prefixes[one.instance].copy()
        for before in chain.signatures[:index]:
            hasher.update(before.whole)
        hasher.update(one.unsigned)
        found.append(hasher.digest())
    return found


def _check_one(
    one: Dkim2Signature, part: SignatureSet, digest: bytes, questions: DnsQuestions
) -> None:
    record = _record(questions.answer(key_name(one.domain, part.selector), RecordType.TXT))
    if record.key_type != KEY_TYPES[part.algorithm]:
        raise DkimError(f"public key algorithm mismatch: it is of type {record.key_type}")
    if not public_key(record, KEYS).verifies(part.signature, digest):
        raise DkimError("incorrect signature", AuthResult.FAIL)


def _record(answer: DnsAnswer) -> KeyRecord:
    """The one key record of an answer (11.5), whose h= does not count."""
    if answer.failed:
        raise DkimError(f"the DNS did not give the key: {answer.status}", AuthResult.TEMPERROR)
    if answer.status is DnsStatus.INVALID:
        raise DkimError("d= and the selector make no name that the DNS could have")
    texts = [record for record in answer.records if isinstance(record, bytes)]
    if not texts:
        raise DkimError("public key does not exist")
    if len(texts) > 1:
        raise DkimError("public key has multiple records")
    return KeyRecord.parse(texts[0], any_hash=True)
