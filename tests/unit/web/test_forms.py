"""What people type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.quarantine.query import Query
from filterd.web.forms import addresses_of, local_path, search_of


def test_a_search_uses_the_words_of_the_command_line() -> None:
    search = search_of(
        {
            "text": " invoice ",
            "reason": "spam",
            "state": "held",
            "domain": "mx.example",
            "score_from": "5",
            "score_to": "7.5",
            "pinned": "yes",
            "limit": "100",
            "since": "2026-11-23",
            "until": "2026-11-23T12:00",
        }
    )
    query = search.query
    assert search.errors == {}
    assert (query.text, query.reason, query.state) == ("invoice", "spam", "held")
    assert (query.score_from, query.score_to, query.pinned) == (5.0, 7.5, True)
    assert query.limit == 100
    assert query.since is not None
    assert query.until == query.since + 12 * 3600


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("since", "yesterday", "2026-11-23"),
        ("until", "99999-01-01", "2026-11-23"),
        ("score_from", "many", "7.5"),
        ("score_from", "nan", "7.5"),
        ("score_to", "inf", "7.5"),
        ("reason", "none", "accepted: spam"),
        ("state", "gone", "accepted: waiting, any, held"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(field: str, value: str, said: str) -> None:
    search = search_of({field: value})
    assert said in search.errors[field]
    assert getattr(search.query, field) == getattr(Query(), field)


@given(
    st.dictionaries(
        st.sampled_from(
            "text sender recipient domain subject reason state symbol virus since until score_from"
            " score_to pinned limit after".split()
        ),
        st.text(),
    )
)
def test_whatever_is_typed_there_is_a_search(given_: dict[str, str]) -> None:
    search = search_of(given_)
    assert 1 <= search.query.limit <= 250
    assert search.link().startswith("?")


def test_the_link_of_a_search_is_that_search() -> None:
    search = search_of({"text": "a&b=c", "reason": "spam", "after": "1.0,x"})
    assert search.link() == "?text=a%26b%3Dc&reason=spam"
    assert search.link(after="2.0,y") == "?text=a%26b%3Dc&reason=spam&after=2.0%2Cy"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", []),
        ("a@b.example", ["a@b.example"]),
        ("a@b.example, c@d.example  a@b.example", ["a@b.example", "c@d.example"]),
        ("ü@b.example", ["ü@b.example"]),
    ],
)
def test_addresses(typed: str, meant: list[str]) -> None:
    assert addresses_of(typed) == meant


@pytest.mark.parametrize("typed", ["joe", "@b.example", "joe@", "<a@b.example>", "a\0@b.example"])
def test_what_is_no_address_is_told(typed: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        addresses_of(typed)


@pytest.mark.parametrize(
    ("given_", "path"),
    [
        ("/quarantine?text=a", "/quarantine?text=a"),
        ("//evil.example/", "/else"),
        ("/\\evil.example/", "/else"),
        ("https://evil.example/", "/else"),
        ("javascript:alert(1)", "/else"),
        ("/a\r\nSet-Cookie: x", "/else"),
        ("", "/else"),
        ("/" + "x" * 5000, "/else"),
    ],
)
def test_nobody_is_sent_elsewhere(given_: str, path: str) -> None:
    assert local_path(given_, "/else") == path
