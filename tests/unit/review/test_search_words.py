"""What people type into the one search, and which message fits it."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.review.search_words import (
    TEXT_LIMIT,
    SearchConditions,
    SearchError,
    Term,
    document,
    folded,
    read,
)

TOVAR = "\u0442\u043e\u0432\u0430\u0440"

PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
"""With a zero-width non-joiner in it."""

FAMILY = "\U0001f468\u200d\U0001f469"
"""Two people and a zero-width joiner."""


def fits(asked: str, **texts: str) -> bool:
    """True if a message with these texts fits; `from_` is the field from."""
    known = document({name.rstrip("_"): (text,) for name, text in texts.items()})
    return all(term.fits(known) for term in read(asked).terms)


@pytest.mark.parametrize(
    ("asked", "texts"),
    [
        ("shoes red", {"subject": "Red  running SHOES"}),
        ('"red running"', {"subject": "Red\tRunning shoes"}),
        ("from:ann@a.example", {"from_": "Ann <Ann@A.example>"}),
        ("FROM:<ann@a.example>", {"from_": "ann@a.example"}),
        ("from:xn--mnchen-3ya.example", {"from_": "ann@m\u00fcnchen.example"}),
        ("M\u00dcNCHEN", {"subject": "Gru\u00dfe aus Mu\u0308nchen"}),
        ("stra\u00dfe", {"subject": "STRASSE"}),
        (TOVAR, {"subject": TOVAR.upper() + " x"}),
        # A zero-width non-joiner and joiner belong to their words.
        (PERSIAN, {"subject": f"x {PERSIAN} x"}),
        (FAMILY, {"subject": f"hi {FAMILY}\u200d\U0001f467"}),
        ("file:report.pdf", {"file": "Report.PDF"}),
        ("192.0.2.", {"client": "c[192.0.2.1]"}),
        ("2001:db8::1", {"client": "c[2001:db8::1]"}),
        ("dead:beef::1", {"client": "c[dead:beef::1]"}),
        ("https://a.example/x", {"subject": "see https://a.example/x"}),
        ("Re: tea", {"subject": "Re: Tea"}),
        ('"note: tea"', {"subject": "note: tea"}),
        ("virus:eicar", {"virus": "Eicar-Test"}),
        ("id:4cbdb56", {"id": "4cbdb56t4MzPjfw"}),
    ],
)
def test_what_fits(asked: str, texts: dict[str, str]) -> None:
    assert fits(asked, **texts)
    # Each piece that the database is asked for stands in the text, in one of its spellings.
    (text,) = texts.values()
    for term in read(asked).terms:
        for spellings in term.pieces():
            assert any(one in text.casefold() for one in spellings), spellings


@pytest.mark.parametrize(
    ("asked", "texts"),
    [
        ('"shoes red"', {"subject": "red shoes"}),
        ("from:ann", {"subject": "ann"}),
        ("to:ann", {"from_": "ann@a.example"}),
        ("red shoes", {"subject": "red"}),
        (PERSIAN.replace("\u200c", ""), {"subject": PERSIAN}),
        ('"red shoes"', {"subject": "red", "file": "shoes"}),
    ],
)
def test_what_does_not_fit(asked: str, texts: dict[str, str]) -> None:
    assert not fits(asked, **texts)


def test_conditions() -> None:
    found = read(
        "symbol:bayes_99 action:reject reason:spam state:held since:2026-11-23 "
        "until:2026-11-24T12:00"
    )
    assert found == SearchConditions(
        (),
        ("bayes_99",),
        "reject",
        "spam",
        "held",
        datetime(2026, 11, 23).timestamp(),
        datetime(2026, 11, 24, 12).timestamp(),
    )
    assert read("  ") == SearchConditions()
    assert read("a a").terms == (Term("", ("a",)),) * 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("form:ann", "form: is unknown (did you mean from:?); expected from:, to:"),
        ("note:tea", "put it in quotation marks"),
        ("from:", "from: expected a value behind it, such as from:shop.example"),
        ('from:""', "from: expected a value"),
        ('say "hello', "a quotation mark is missing"),
        ('""', 'expected a text between ""'),
        ("since:yesterday", "since: no date; expected since:2026-11-23"),
        ("state:helt", "state: 'helt' is unknown (did you mean held?)"),
        ("action:reject action:accept", "action: is there twice"),
        ("a " * 21, "at most 20 words"),
        ("x" * (TEXT_LIMIT + 1), "at most 500 characters"),
    ],
)
def test_what_cannot_be_understood_says_why(asked: str, words: str) -> None:
    with pytest.raises(SearchError) as told:
        read(asked)
    assert words in str(told.value)


@given(st.text(max_size=TEXT_LIMIT + 10) | st.text(alphabet='from:to" a\t\u200d.', max_size=99))
def test_any_text_is_borne(asked: str) -> None:
    try:
        found = read(asked)
    except SearchError:
        return
    for term in found.terms:
        assert all(term.texts)
        assert all(one for spellings in term.pieces() for one in spellings)


@given(st.text(max_size=99))
def test_a_message_is_found_by_each_word_of_its_subject(subject: str) -> None:
    for word in subject.replace('"', " ").split():
        assert fits(f'"{word}"', subject=subject)
    assert folded(folded(subject)) == folded(subject)
