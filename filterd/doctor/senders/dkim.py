"""DKIM of an own domain: the key records of its selectors (RFC 6376 §3.6, RFC 8301 §3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.record import key_name, key_records, public_key
from filterd.auth.questions import DnsQuestions
from filterd.doctor.findings import Finding, Level
from filterd.doctor.senders.mta_sts import shown
from filterd.doctor.senders.outgoing import unanswered
from filterd.message.authentication import AuthResult
from filterd.resolver.answer import RecordType

ABOUT = "dkim"

GOOD_BITS = 2048
"""Of an RSA key."""


def dkim(
    domain: str, keys: Sequence[tuple[str, str]], questions: DnsQuestions
) -> Iterator[Finding]:
    """What receivers make of each key. keys: domain and selector of those that sign for the
    domain."""
    if not keys:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"no DKIM selector of {domain} is known here; Gmail, Yahoo and Microsoft ask bulk "
            "senders for a signature",
            "name the selectors in doctor.selectors or with --selector; filterd dkim genkey makes "
            "a key",
        )
    for signer, selector in keys:
        questions.start(key_name(signer, selector), RecordType.TXT)
    for signer, selector in keys:
        yield from _key(key_name(signer, selector), questions)


def _key(name: str, questions: DnsQuestions) -> Iterator[Finding]:
    answer = questions.answer(name, RecordType.TXT)
    if answer.failed:
        yield unanswered(ABOUT, f"the key {name}", answer)
        return
    try:
        records = key_records(answer)
        keys = [public_key(record) for record in records]
    except DkimError as error:
        level = Level.WARN if error.result is AuthResult.TEMPERROR else Level.FAIL
        yield Finding(
            level,
            ABOUT,
            f"{name}: {shown(error.reason, 200)}",
            "publish the record that filterd dkim genkey has printed, or sign with another "
            "selector",
        )
        return
    record, key = records[0], keys[0]
    if record.key_type == "rsa" and key.bits < GOOD_BITS:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{name}: an RSA key of {key.bits} bits",
            f"make one of {GOOD_BITS} bits, with a new selector",
        )
    if any(one.testing for one in records):
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{name} says t=y: receivers treat the signatures as a trial",
            "take t=y out of the record once signatures verify",
        )
    if len(records) > 1:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{name} has {len(records)} keys, of which receivers may take any",
            "leave one",
        )
    yield Finding(
        Level.OK, ABOUT, f"{name}: a key of {key.bits} bits ({record.key_type}) can be used"
    )
