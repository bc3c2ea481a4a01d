"""What is noted about DKIM before a part is taken out of a signed message."""

from __future__ import annotations

import pytest

from filterd.auth.dkim.limits import DkimLimits
from filterd.chain.headers import LabelSettings
from filterd.chain.services import Services
from filterd.chain.verdict import AddField
from filterd.filters.parts import filter as parts
from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.parts.signatures import results
from filterd.message import Message
from filterd.message.authentication import Authentication
from filterd.resolver.answer import DnsStatus
from tests.helpers.dkim import published, signed, signing_key
from tests.helpers.zones import Zones

MAIL = (
    b"From: alice@bank.example\r\nSubject: the tool\r\n"
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\n\r\nhello\r\n--x\r\nContent-Type: application/octet-stream; name=tool.exe\r\n\r\n"
    b"MZ\r\n--x--\r\n"
)
KEY = signing_key("ed25519-sha256")
KEY_NAME = "mail._domainkey.bank.example"


def noted(data: bytes, zones: Zones) -> str:
    """What is noted where that is what the DNS has."""
    found = results(Message(data), "mx.example", zones)
    assert found is not None
    assert found.name == "Authentication-Results"
    return " ".join(found.value.split())


def test_a_good_signature_passes() -> None:
    assert noted(signed(MAIL, KEY), published(KEY)).startswith(
        "mx.example; dkim=pass header.d=bank.example header.s=mail header.a=ed25519-sha256"
    )


def test_a_changed_body_fails() -> None:
    changed = signed(MAIL, KEY).replace(b"hello", b"hullo")
    assert "; dkim=fail reason=" in noted(changed, published(KEY))


def test_no_key_and_no_signature_worth_the_name_are_permanent() -> None:
    assert "; dkim=permerror reason=" in noted(signed(MAIL, KEY), published())
    zones = published(KEY)
    assert noted(b"DKIM-Signature: nonsense\r\n" + MAIL, zones).startswith(
        "mx.example; dkim=permerror reason="
    )
    assert zones.asked == []


def test_a_silent_dns() -> None:
    zones = published(more=[(KEY_NAME, DnsStatus.TIMEOUT)])
    assert noted(signed(MAIL, KEY), zones).startswith("mx.example; dkim=temperror reason=")


def test_no_more_signatures_than_the_limit_are_verified() -> None:
    text = noted(b"DKIM-Signature: a=b\r\n" * 50 + MAIL, published())
    assert text.count("dkim=permerror") == DkimLimits().signatures
    assert text.count("dkim=policy") == 1, "all others together"


def test_nobody_signed_nothing_is_noted() -> None:
    assert results(Message(MAIL), "mx.example", published()) is None


def added(data: bytes, filter: Parts, found: Authentication | None = None) -> list[AddField]:
    message = Message(data)
    message.authentication = found
    edits = filter.examine(message).edits
    assert edits or b"tool.exe" not in data, "the part is taken out in any case"
    return [edit for edit in edits if isinstance(edit, AddField)]


def test_the_result_goes_on_a_message_that_loses_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    zones = published(KEY)
    monkeypatch.setattr(parts, "DnsLookups", lambda _resolver: zones)
    services = Services(labels=LabelSettings(hostname="mx.example"))
    data = signed(MAIL, KEY)
    (field,) = added(data, Parts(PartsSettings(), services))
    assert field.name == "Authentication-Results"
    assert field.value.startswith("mx.example;\n\tdkim=pass header.d=bank.example")
    assert added(MAIL, Parts(PartsSettings(), services)) == []
    assert added(data, Parts(PartsSettings(verify_dkim=False), services)) == []
    harmless = data.replace(b"tool.exe", b"tool.txt").replace(b"MZ", b"")
    assert added(harmless, Parts(PartsSettings(), services)) == []


def test_what_the_filter_auth_verified_is_not_verified_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zones = published(KEY)
    monkeypatch.setattr(parts, "DnsLookups", lambda _resolver: zones)
    assert added(signed(MAIL, KEY), Parts(PartsSettings()), Authentication()) == []
    assert zones.asked == []
