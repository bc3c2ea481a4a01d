"""What is signed here verifies here, and no longer when what was signed is changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


FORMS = st.tuples(st.sampled_from([SIMPLE, RELAXED]), st.sampled_from([SIMPLE, RELAXED]))
NAMES = st.sampled_from(["From", "from", "To", "Subject", "X-Odd", "Received", "List-Id"])
VALUES = st.text(alphabet="ab:;= \t\x0bü", max_size=30).map(lambda text: text.encode())
FOLDS = st.sampled_from([b"\r\n ", b"\r\n\t", b" ", b""])
FIELDS = st.lists(st.tuples(NAMES, VALUES, FOLDS, VALUES), max_size=6)
BODIES = st.lists(
    st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"b c", b".", b"\xff", b"--"]), max_size=20
).map(b"".join)


def composed(fields: list[tuple[str, bytes, bytes, bytes]], body: bytes) -> bytes:
    """A message; a fold stands between two visible words, so that no line is blank."""
    lines = [
        name.encode() + b":" + (one or b"x") + fold + (other.strip() or b"y") + b"\r\n"
        for name, one, fold, other in fields
    ]
    return b"From: ann@bank.example\r\n" + b"".join(lines) + b"\r\n" + body


@given(FIELDS, BODIES, FORMS)
def test_whatever_is_signed_verifies(
    fields: list[tuple[str, bytes, bytes, bytes]],
    body: bytes,
    forms: tuple[Canonicalization, Canonicalization],
) -> None:
    key = signing_key("ed25519-sha256")
    data = signed(composed(fields, body), key, header=forms[0], canonical_body=forms[1])
    [check] = verify_dkim(Message(data), published(key))
    assert check.result is AuthResult.PASS, check.reason


@given(st.data())
def test_a_changed_octet_breaks_it(data: st.DataObject) -> None:
    key = signing_key("ed25519-sha256")
    plain = mail(b"Hello Bob,\r\n\r\n 1  2\tthree\r\n-- \r\nAnn\r\n")
    whole = signed(plain, key, header=SIMPLE, canonical_body=SIMPLE)
    # Not the last line end: two LF in its place are an empty line more, which does not count.
    place = data.draw(st.integers(whole.index(b"\r\nFrom:") + 2, len(whole) - 3))
    octet = data.draw(st.integers(0, 255).filter(lambda octet: octet != whole[place]))
    broken = whole[:place] + bytes([octet]) + whole[place + 1 :]
    results = [check.result for check in verify_dkim(Message(broken), published(key))]
    assert AuthResult.PASS not in results


@given(st.data())
def test_what_the_relaxed_form_ignores_does_not_break_it(data: st.DataObject) -> None:
    key = signing_key("ed25519-sha256")
    whole = signed(mail(b"one two\r\n\r\nthree\r\n"), key)
    head, _, body = whole.partition(b"\r\n\r\n")
    more = data.draw(st.sampled_from([b" ", b"\t", b" \t "]))
    head = head.replace(b"Your  account", b"Your" + more + b"account" + more)
    body = body.replace(b"one two\r\n", b"one" + more + b"two" + more + b"\r\n")
    body += b"\r\n" * data.draw(st.integers(0, 3))
    [check] = verify_dkim(Message(head + b"\r\n\r\n" + body), published(key))
    assert check.result is AuthResult.PASS, check.reason
