"""A signature verifies behind a real MTA if the fields and the body arrive as they were signed.

The strictest form (simple/simple) is signed, so that one blank that the MTA, the milter protocol or
the daemon changes is a fail. What the quarantine has of a held message is what filters got.
"""

from __future__ import annotations

import pytest

from filterd.auth.dkim.header import Canonicalization
from filterd.auth.dkim.verify import verify_dkim
from filterd.message import Message
from filterd.message.authentication import AuthResult
from tests.helpers.dkim import published, signed, signing_key
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mta import Mta
from tests.helpers.smtp import send

KEY = signing_key("ed25519-sha256", "client.example")
SIMPLE = Canonicalization.SIMPLE

FIELDS = {
    "usual": b"Subject: hello",
    "no blank": b"Subject:hello",
    "blanks": b"Subject:   hello  \t ",
    "a tab": b"Subject:\thello",
    "folded": b"Subject: one\r\n two\r\n\tthree\r\n     four",
    "folded before the value": b"Subject:\r\n hello",
    "empty": b"Subject:",
    "8-bit": "Subject: Grüße".encode(),
    "spelling": b"sUBJECT: hello",
    "twice": b"Subject: one\r\nSubject: two",
}

BODIES = {
    "usual": b"Hello,\r\n\r\nthat is all.\r\n",
    "nothing": b"",
    "an empty line": b"\r\n",
    "empty lines at the end": b"Hello\r\n\r\n\r\n",
    "blanks": b" Hello  \t world \r\n  \r\n",
    "dots": b".\r\n..\r\nHello\r\n.\r\n",
    "over a chunk": b"0123456789abcd \r\n" * 8000,
}


def held(mta: Mta, filterd: Filterd, data: bytes) -> bytes:
    """What filters got of a message that is held."""
    before = filterd.stored
    assert send(mta.port, data, parameters=" BODY=8BITMIME").final.code == 250
    (id,) = filterd.stored - before
    return filterd.original(id)


def arrived(mta: Mta, filterd: Filterd, subject: bytes, body: bytes) -> AuthResult:
    """The result of a message with that subject and body after it came through the MTA."""
    head = (
        b"From: ann@client.example\r\nTo: joe@mx.example.test\r\nMessage-ID: <1@client.example>\r\n"
        b"Date: Sat, 28 Nov 2026 10:00:00 +0000\r\nX-Obey: score=9\r\n"
    )
    data = signed(head + subject + b"\r\n\r\n" + body, KEY, header=SIMPLE, canonical_body=SIMPLE)
    [check] = verify_dkim(Message(held(mta, filterd, data)), published(KEY))
    return check.result


@pytest.mark.parametrize("subject", FIELDS.values(), ids=FIELDS)
def test_fields_arrive_as_they_were_signed(mta: Mta, filterd: Filterd, subject: bytes) -> None:
    assert arrived(mta, filterd, subject, BODIES["usual"]) is AuthResult.PASS


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_bodies_arrive_as_they_were_signed(mta: Mta, filterd: Filterd, body: bytes) -> None:
    assert arrived(mta, filterd, FIELDS["usual"], body) is AuthResult.PASS


def test_blanks_before_the_colon_are_taken_away_by_mtas(mta: Mta, filterd: Filterd) -> None:
    """RFC 5322 §4.5 calls them obsolete; the milter protocol has no place for them."""
    assert arrived(mta, filterd, b"Subject : hello", BODIES["usual"]) is AuthResult.FAIL
