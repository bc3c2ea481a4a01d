"""What the DNS says of our keys: whether others can verify what they sign."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.limits import DkimLimits
from filterd.auth.dkim.record import KeyRecord, key_name, key_records, public_key
from filterd.auth.dkim.signing import FIELD, SigningKey, sign
from filterd.auth.dkim.verify import verify_dkim
from filterd.auth.questions import DnsQuestions
from filterd.message import Message
from filterd.message.authentication import AuthResult
from filterd.resolver.answer import DnsStatus, RecordType

GOOD_BITS = 2048
"""Of an RSA key; RFC 8301 §3.2 asks signers for at least 1024, and says that 2048 should be."""


@dataclass(frozen=True, slots=True)
class Published:
    """What was found for one key.

    name: where the record is. problem: why mail signed with it does not verify, "" if it does.
    unknown: the DNS did not answer, so that nobody knows. warnings: what else should be otherwise.
    """

    name: str
    problem: str = ""
    unknown: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """True if mail signed with the key verifies."""
        return not self.problem


def published(key: SigningKey, questions: DnsQuestions) -> Published:
    """Ask the DNS for the public key, compare it, and verify a message signed with ours. Raises
    nothing."""
    name = key_name(key.domain, key.selector)
    answer = questions.answer(name, RecordType.TXT)
    if answer.failed:
        why = f"the DNS did not answer ({answer.detail or answer.status})"
        return Published(name, why, unknown=True)
    if answer.status in (DnsStatus.NXDOMAIN, DnsStatus.NODATA):
        return Published(name, "there is no TXT record")
    try:
        records = key_records(answer)
        for record in records:
            public_key(record)
    except DkimError as error:
        return Published(name, f"the record cannot be used: {error.reason}")
    warnings = tuple(_warnings(key, records, len(answer.records)))
    own = _record(key)
    if own not in [(record.key_type, record.key) for record in records]:
        return Published(name, "the record is of another private key", warnings=warnings)
    return Published(name, _trial(key, questions), warnings=warnings)


def _record(key: SigningKey) -> tuple[str, bytes]:
    record = KeyRecord.parse(key.record.encode("ascii"))
    return record.key_type, record.key


def _warnings(key: SigningKey, records: tuple[KeyRecord, ...], count: int) -> list[str]:
    found = []
    if key.algorithm == "rsa-sha256" and key.bits < GOOD_BITS:
        found.append(f"an RSA key of {key.bits} bits, expected {GOOD_BITS}")
    if any(record.testing for record in records):
        found.append("the record says t=y (testing): the signature may be treated as none")
    if count > 1:
        found.append(f"{count} TXT records, expected one: verifiers may take any of them")
    return found


def _trial(key: SigningKey, questions: DnsQuestions) -> str:
    """Why a message that is signed now does not verify, "" if it does."""
    fields = [("From", f" postmaster@{key.domain}".encode()), ("Subject", b" trial")]
    body = b"This message is signed to see whether the signature verifies.\r\n"
    value = sign(fields, body, key)
    head = b"".join(name.encode() + b":" + text + b"\r\n" for name, text in fields)
    message = Message(FIELD.encode() + b": " + value + b"\r\n" + head + b"\r\n" + body)
    (check,) = verify_dkim(message, questions, DkimLimits())
    return "" if check.result is AuthResult.PASS else check.reason or check.result
