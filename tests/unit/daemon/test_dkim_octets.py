"""Which signatures survive the milter protocol, with new and with old MTAs."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.auth.dkim.header import Canonicalization
from filterd.auth.dkim.verify import verify_dkim
from filterd.daemon.transaction import Transaction
from filterd.message import Message
from filterd.message.authentication import AuthResult
from tests.helpers.dkim import published, signed, signing_key

KEY = signing_key("ed25519-sha256")

SIMPLE, RELAXED = Canonicalization.SIMPLE, Canonicalization.RELAXED

PLAIN = b"From: ann@bank.example\r\nSubject:{}\r\n\r\nHello\r\n"

SUBJECTS = {
    "usual": b" hello",
    "no blank": b"hello",
    "more blanks": b"  hello ",
    "folded": b" hello\r\n world\r\n\tagain",
}


def through(tmp_path: Path, data: bytes, *, keeps_blanks: bool) -> bytes:
    """The message as the daemon puts it together from what an MTA says of it.

    keeps_blanks: the MTA gives all after the colon (SMFIP_HDR_LEADSPC); older ones take one blank
    away. Line ends of folded values are LF.
    """
    message = Message(data)
    transaction = Transaction(tmp_path, b"" if keeps_blanks else b" ")
    for field in message.header_fields:
        value = field.raw_value.replace(b"\r\n", b"\n")
        transaction.add_field(field.name, value if keeps_blanks else value.removeprefix(b" "))
    transaction.add_body(data[message.body_start :])
    return transaction.data()


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
@pytest.mark.parametrize("header", [SIMPLE, RELAXED])
@pytest.mark.parametrize("keeps_blanks", [True, False])
def test_what_survives(
    tmp_path: Path, subject: bytes, header: Canonicalization, keeps_blanks: bool
) -> None:
    data = signed(PLAIN.replace(b"{}", subject), KEY, header=header)
    came = through(tmp_path, data, keeps_blanks=keeps_blanks)
    [check] = verify_dkim(Message(came), published(KEY))
    # Without the blanks of the MTA nobody knows whether there was one.
    is_exact = keeps_blanks or subject.startswith(b" ")
    assert (came == data) is is_exact
    assert (check.result is AuthResult.PASS) is (is_exact or header is RELAXED)
