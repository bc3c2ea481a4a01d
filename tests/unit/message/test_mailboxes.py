"""Lists of addresses in header fields: RFC 5322 §3.4, the obsolete forms, and what is neither."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.message.address import Mailbox
from filterd.message.mailboxes import FIELD_LIMIT, MAILBOXES_LIMIT, author_of, mailboxes
from filterd.message.message import Message
from tests.helpers.growth import growth
from tests.helpers.messages import message


def found(field: bytes | str) -> list[str]:
    return [str(one) for one in mailboxes(field)]


PROPER = {
    "ann@mx.example": ["ann@mx.example"],
    "<ann@mx.example>": ["ann@mx.example"],
    "Ann <ann@mx.example>": ["ann@mx.example"],
    '"Ann, of Example" <ann@mx.example>': ["ann@mx.example"],
    r'"Ann \"A\" <x@other.example>" <ann@mx.example>': ["ann@mx.example"],
    "=?utf-8?q?Ann_=40bank=2Eexample?= <ann@mx.example>": ["ann@mx.example"],
    "ann@mx.example (Ann (of Example), x@other.example)": ["ann@mx.example"],
    r"ann@mx.example (\) x@other.example)": ["ann@mx.example"],
    "Ann <ann@mx.example>, joe@other.example": ["ann@mx.example", "joe@other.example"],
    "Team: Ann <ann@mx.example>, joe@other.example;": ["ann@mx.example", "joe@other.example"],
    "Team: ann@mx.example;, joe@other.example": ["ann@mx.example", "joe@other.example"],
    "Undisclosed recipients:;": [],
    '"joe@bank.example"@mx.example': ['"joe@bank.example"@mx.example'],
    "Ann <ann@[192.0.2.1]>": ["ann@[192.0.2.1]"],
    "Ann\r\n <ann@mx.example>": ["ann@mx.example"],
    "Jürgen <jürgen@müller.example>": ["jürgen@müller.example"],
    "ANN@MX.EXAMPLE": ["ann@mx.example"],
}

OBSOLETE = {
    "<@one.example,@two.example:ann@mx.example>": ["ann@mx.example"],
    "ann @ mx . example": ["ann@mx.example"],
    'ann."b"@mx.example': ["ann.b@mx.example"],
    'ann"b"@mx.example': ["annb@mx.example"],
    '"ann\\\nb"@mx.example': ['"ann\nb"@mx.example'],
    "<ann(Ann)@(at)mx.(dot)example>": ["ann@mx.example"],
    "Ann B. Clark <ann@mx.example>": ["ann@mx.example"],
    ", ,ann@mx.example,,": ["ann@mx.example"],
}

NEITHER = {
    "": [],
    "nobody": [],
    '"ann@mx.example"': [],
    "ann@": [],
    "ann@.": [],
    "=?utf-8?q?ann=40mx=2Eexample?=": [],
    # Separated otherwise than by commas.
    "ann@mx.example; joe@other.example": ["ann@mx.example", "joe@other.example"],
    "ann@mx.example joe@other.example": ["ann@mx.example", "joe@other.example"],
    "<ann@mx.example> <joe@other.example>": ["ann@mx.example", "joe@other.example"],
    "<ann@mx.example> joe@other.example": ["ann@mx.example", "joe@other.example"],
    "<ann@mx.example, joe@other.example>": ["ann@mx.example", "joe@other.example"],
    "ann@mx.example: joe@other.example;": ["ann@mx.example", "joe@other.example"],
    # A name as many programs write it.
    "joe@other.example <ann@mx.example>": ["ann@mx.example"],
    "Sales: Ann <ann@mx.example>": ["ann@mx.example"],
    # Not closed, or closed twice.
    "Ann <ann@mx.example": ["ann@mx.example"],
    "Ann ann@mx.example>": ["ann@mx.example"],
    "ann@mx.example <": ["ann@mx.example"],
    "ann@mx.example <>": ["ann@mx.example"],
    "<<ann@mx.example>>": ["ann@mx.example"],
    "<<<>Ann <ann@mx.example>>": ["ann@mx.example"],
    "<joe@other.example <ann@mx.example>>": ["joe@other.example", "ann@mx.example"],
    "<joe@other.example <ann@mx.example>": ["joe@other.example", "ann@mx.example"],
    "joe@other.example <<ann@mx.example>>": ["ann@mx.example"],
    "joe@other.example <<": ["joe@other.example"],
    '"Ann <ann@mx.example>': ["ann@mx.example"],
    "(Ann <ann@mx.example>": ["ann@mx.example"],
    "ann@mx.example (Ann": ["ann@mx.example"],
    "ann@mx.example(Ann)joe@other.example": ["ann@mx.example", "joe@other.example"],
    "ann@mx.example) joe@other.example": ["ann@mx.example", "joe@other.example"],
    "joe@other.example <mailto:ann@mx.example>": ["ann@mx.example"],
    "<ann@mx.example>, x@other.example <sue@mx.example>": ["ann@mx.example", "sue@mx.example"],
    "ann@mx.example(.other.example": ["ann@mx.example.other.example"],
    'ann@mx.example"bank': ["ann@mx.example"],
    'ann@mx.example"bank"': ["ann@mx.example"],
    "ann@mx.example(bank": ["ann@mx.example"],
    "Ann) <ann@mx.example>": ["ann@mx.example"],
    # Other shapes that mail readers show.
    "<mailto:ann@mx.example>": ["ann@mx.example"],
    "@mx.example": ["@mx.example"],
    "ann@mx.example.": ["ann@mx.example"],
    "ann@bank.example@mx.example": ["ann@bank.example", "bank.example@mx.example"],
}


@pytest.mark.parametrize(("field", "expected"), [*PROPER.items(), *OBSOLETE.items()])
def test_a_list_by_the_grammar(field: str, expected: list[str]) -> None:
    assert found(field) == expected
    assert found(field.encode()) == expected


@pytest.mark.parametrize(("field", "expected"), NEITHER.items())
def test_what_is_not_by_the_grammar_hides_no_address(field: str, expected: list[str]) -> None:
    assert found(field) == expected


def test_octets_of_another_charset_are_no_name_of_the_dns_that_somebody_else_has() -> None:
    (one,) = mailboxes("x@müller.example".encode("latin-1"))
    assert one.domain not in ("müller.example", "xn--mller-kva.example")


def test_only_so_many_mailboxes_and_octets_are_read() -> None:
    assert len(mailboxes("a@b.example," * 2000)) == MAILBOXES_LIMIT
    assert len(mailboxes("a@b.example," * 2000, 3)) == 3
    assert mailboxes(b"x" * FIELD_LIMIT + b", ann@mx.example") == ()


HOSTILE = '()<>[]:;@\\,." \tab=?\r\n\x00\xfcﷺ'


@given(st.text(st.sampled_from(HOSTILE), max_size=80), st.booleans())
def test_nothing_raises(text: str, as_octets: bool) -> None:
    for one in mailboxes(text.encode("utf-8", "replace") if as_octets else text):
        assert one.domain


@given(
    st.lists(st.sampled_from(["ann@mx.example", "joe@other.example", "sue@x.example"]), max_size=6),
    st.sampled_from([", ", ",", " ,\r\n ", ";"]),
    st.sampled_from(["{}", "<{}>", "A B <{}>", '"A, <B" <{}>', "(x (y)) {}", "{} (z, <q@r>)"]),
)
def test_what_was_written_is_read(addresses: list[str], comma: str, form: str) -> None:
    assert found(comma.join(form.format(one) for one in addresses)) == addresses


@pytest.mark.parametrize(
    "piece", ["(", "(()", "<", '"', '\\"', '"\\', "[", "<@", "@a", "a@b ", ",", "a:", "=?"]
)
def test_four_times_the_text_takes_four_times_the_work(piece: str) -> None:
    small, large = piece * 1000, piece * 4000
    assert growth(mailboxes, small, large, limit=8.0) < 8.0


AUTHORS: dict[bytes, Mailbox | None] = {
    b"From: Ann <ann@mx.example>": Mailbox("ann", "mx.example"),
    b"From: ann@mx.example, joe@mx.example": None,
    b"From: ann@mx.example\r\nFrom: ann@mx.example": None,
    b"From: nobody": None,
    b"Sender: ann@mx.example": None,
    b"From: " + b"(" * FIELD_LIMIT + b"ann@mx.example": None,
    b"From: ann@mx.example (" + b"x" * FIELD_LIMIT + b")": None,
}


@pytest.mark.parametrize(("fields", "expected"), AUTHORS.items())
def test_the_author_is_one_or_nobody(fields: bytes, expected: Mailbox | None) -> None:
    octets = message().replace(b"From: Ann <ann@client.example>", fields, 1)
    assert author_of(Message(octets)) == expected
