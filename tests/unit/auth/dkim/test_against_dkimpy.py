"""The same verdicts as dkimpy, on mail that either of them signed and somebody changed."""

from __future__ import annotations

import logging

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.auth.dkim.header import Canonicalization
from filterd.auth.dkim.verify import verify_dkim
from filterd.message import Message
from filterd.message.authentication import AuthResult
from tests.helpers.dkim import mail, published, signed, signing_key

pytestmark = pytest.mark.slow

KEY = signing_key()
ZONES = published(KEY)
SILENT = logging.Logger("dkim")
SILENT.disabled = True

FORMS = ["simple", "relaxed"]
LINES = st.lists(
    st.sampled_from([b"", b" ", b"a", b"a  b ", b"\tc", b"-- ", b"x" * 100, b"\xc3\xa4"]),
    min_size=1,
    max_size=8,
).map(lambda lines: b"".join(line + b"\r\n" for line in lines))

# Not here: "To : bob", which the relaxed form makes "to:bob" (RFC 6376 §3.4.2); dkimpy takes such a
# line for no field and refuses the message.
CHANGES = st.sampled_from(
    [
        (b"", b""),
        (b"Your  account", b"Your account"),
        (b"Your  account", b"My  account"),
        (b"\r\n and more", b"\r\n\tand more"),
        (b"To: bob", b"to: bob"),
        (b"\r\n\r\n", b"\r\nX-New: 1\r\n\r\n"),
        (b"\r\n\r\n", b"\r\nSubject: 2\r\n\r\n"),
        (b"an", b"ban"),
        (b"bh=", b"bh= "),
        (b"c=", b"C="),
        (b"v=1", b"v=2"),
        (b"h=from", b"h=To:from"),
    ]
)


def theirs(data: bytes) -> bool:
    """What dkimpy says."""
    try:
        verifier = dkim.DKIM(data, logger=SILENT)
        return bool(verifier.verify(0, lambda _name, timeout=0: KEY.record.encode()))
    except dkim.DKIMException:
        return False


def ours(data: bytes) -> bool:
    """What filterd says."""
    return [check.result for check in verify_dkim(Message(data), ZONES)] == [AuthResult.PASS]


@pytest.mark.parametrize("header", FORMS)
@pytest.mark.parametrize("body", FORMS)
@given(text=LINES, change=CHANGES)
def test_what_filterd_signed(
    header: str, body: str, text: bytes, change: tuple[bytes, bytes]
) -> None:
    data = signed(
        mail(text),
        KEY,
        header=Canonicalization(header),
        canonical_body=Canonicalization(body),
    )
    assert ours(data) and theirs(data)
    changed = data.replace(*change, 1)
    assert ours(changed) == theirs(changed), changed


@pytest.mark.parametrize("header", FORMS)
@pytest.mark.parametrize("body", FORMS)
@given(text=LINES, change=CHANGES)
def test_what_dkimpy_signed(
    header: str, body: str, text: bytes, change: tuple[bytes, bytes]
) -> None:
    plain = mail(text)
    data = signed_by_dkimpy(plain, header, body) + plain
    assert ours(data) and theirs(data)
    changed = data.replace(*change, 1)
    assert ours(changed) == theirs(changed), changed


def signed_by_dkimpy(data: bytes, header: str, body: str) -> bytes:
    """dkimpy's signature with the same key."""
    return dkim.DKIM(data, logger=SILENT).sign(  # type: ignore[no-any-return]
        KEY.selector.encode(),
        KEY.domain.encode(),
        KEY.pem,
        canonicalize=(header.encode(), body.encode()),
    )
