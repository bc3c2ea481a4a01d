"""What is signed here verifies here, and no longer when what was signed is changed."""

from __future__ import annotations

import pytest

from filterd.auth.dkim.header import Canonicalization
from filterd.auth.dkim.verify import verify_dkim
from filterd.message import Message
from filterd.message.authentication import AuthResult
from tests.helpers.dkim import mail, published, signed, signing_key

SIMPLE, RELAXED = Canonicalization.SIMPLE, Canonicalization.RELAXED


@pytest.mark.parametrize("algorithm", ["rsa-sha256", "ed25519-sha256"])
@pytest.mark.parametrize("header", [SIMPLE, RELAXED])
@pytest.mark.parametrize("body", [SIMPLE, RELAXED])
def test_what_is_signed_verifies(
    algorithm: str, header: Canonicalization, body: Canonicalization
) -> None:
    key = signing_key(algorithm)
    data = signed(mail(), key, header=header, canonical_body=body)
    [check] = verify_dkim(Message(data), published(key))
    assert check.result is AuthResult.PASS, check.reason
    assert (check.domain, check.selector, check.algorithm) == ("bank.example", "mail", algorithm)
    assert check.bits == key.bits
    assert all(len(line) <= 78 for line in data.split(b"\r\n"))
