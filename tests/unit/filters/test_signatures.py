"""What is noted about DKIM before a part is taken out of a signed message."""

from __future__ import annotations

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from filterd.chain.verdict import AddField
from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.parts.signatures import SIGNATURE_LIMIT, results
from filterd.message import Message

MAIL = (
    b"From: alice@sender.example\r\nSubject: the tool\r\n"
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\n\r\nhello\r\n--x\r\nContent-Type: application/octet-stream; name=tool.exe\r\n\r\n"
    b"MZ\r\n--x--\r\n"
)


@pytest.fixture(scope="module")
def key() -> tuple[bytes, bytes]:
    """A private key in PEM, and the TXT record of its public half."""
    import base64

    from cryptography.hazmat.primitives import serialization as s

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = made.private_bytes(s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, s.NoEncryption())
    public = made.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    return pem, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


def signed(key: tuple[bytes, bytes]) -> bytes:
    return bytes(dkim.sign(MAIL, b"mail", b"sender.example", key[0])) + MAIL


def noted(data: bytes, record: bytes | None, *, asks: bool = True) -> str:
    """What is noted where that is the answer to a question for the key; asks: it is put."""
    asked = []

    def lookup(name: bytes, timeout: int = 5) -> bytes | None:
        asked.append(name)
        return record

    found = results(Message(data), "mx.example", lookup)
    assert found is not None
    assert asked == [b"mail._domainkey.sender.example."] * asks
    return found.value


def test_a_good_signature_passes(key: tuple[bytes, bytes]) -> None:
    assert noted(signed(key), key[1]) == (
        "mx.example;\n\tdkim=pass header.d=sender.example header.s=mail"
    )


def test_a_changed_body_fails(key: tuple[bytes, bytes]) -> None:
    assert "dkim=fail " in noted(signed(key).replace(b"hello", b"hullo"), key[1])


def test_no_key_and_no_signature_worth_the_name_are_permanent(key: tuple[bytes, bytes]) -> None:
    assert "dkim=permerror " in noted(signed(key), None)
    odd = b"DKIM-Signature: nonsense\r\n" + MAIL
    assert noted(odd, key[1], asks=False) == "mx.example;\n\tdkim=permerror"


def test_a_silent_dns_is_asked_once_only(key: tuple[bytes, bytes]) -> None:
    asked = []

    def lookup(name: bytes, timeout: int = 5) -> bytes | None:
        asked.append(name)
        raise dkim.DnsTimeoutError("no answer")

    field = signed(key)[: -len(MAIL)]
    found = results(Message(field * 3 + MAIL), "mx.example", lookup)
    assert found is not None
    assert found.value.count("dkim=temperror") == 3
    assert len(asked) == 1


def test_no_more_signatures_than_the_limit_are_verified(key: tuple[bytes, bytes]) -> None:
    found = results(Message(b"DKIM-Signature: a=b\r\n" * 50 + MAIL), "mx.example", lambda *_: None)
    assert found is not None
    assert found.value.count("dkim=") == SIGNATURE_LIMIT


def test_nobody_signed_nothing_is_noted() -> None:
    assert results(Message(MAIL), "mx.example") is None


@given(st.text("abcdpvs=;:/ \t\r\n\0\xff", max_size=200))
def test_no_signature_raises(text: str) -> None:
    data = b"DKIM-Signature: " + text.encode() + b"\r\n" + MAIL
    results(Message(data), "mx.example", lambda *_args, **_named: None)


def test_the_result_goes_on_a_message_that_loses_a_part(
    key: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dkim, "get_txt", lambda *_args, **_named: key[1])

    def added(data: bytes, filter: Parts) -> list[AddField]:
        edits = filter.examine(Message(data)).edits
        return [edit for edit in edits if isinstance(edit, AddField)]

    (field,) = added(signed(key), Parts(PartsSettings()))
    assert (field.name, "dkim=pass" in field.value) == ("Authentication-Results", True)
    assert added(signed(key), Parts(PartsSettings(verify_dkim=False))) == []
    assert (
        added(
            signed(key).replace(b"tool.exe", b"tool.txt").replace(b"MZ", b""),
            Parts(PartsSettings()),
        )
        == []
    )
