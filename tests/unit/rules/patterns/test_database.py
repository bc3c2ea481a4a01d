"""Which patterns are worth a search: those that match are never missing, whatever says it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.rules.conf.rule import Pattern
from filterd.rules.patterns import PatternError, compile_pattern
from filterd.rules.patterns.database import Database
from filterd.rules.patterns.prepared import Prepared, Store, prepare
from filterd.rules.patterns.texts import Texts
from tests.helpers.rule_patterns import ALPHABET, CONSTRUCTS, MISTAKES, PATTERNS

pytestmark = pytest.mark.slow

PREPARED = [prepare(Pattern(pattern)) for pattern in CONSTRUCTS]
DATABASES = {
    "Hyperscan": Database(PREPARED),
    "from a cache": Database(PREPARED, Database(PREPARED).kept),
    "literals": Database(PREPARED, uses_hyperscan=False),
}
ITEMS = st.lists(
    st.lists(st.sampled_from(list(ALPHABET)), max_size=8).map(bytes), min_size=1, max_size=4
)


def matching(patterns: list[Pattern], texts: Texts) -> set[int]:
    return {
        number for number, pattern in enumerate(patterns) if compile_pattern(pattern).is_in(texts)
    }


@pytest.mark.parametrize("name", DATABASES)
@settings(deadline=None, max_examples=60)
@given(items=ITEMS)
def test_what_matches_is_a_candidate(name: str, items: list[bytes]) -> None:
    texts = Texts(items)
    expected = matching([Pattern(pattern) for pattern in CONSTRUCTS], texts)
    assert expected <= set(DATABASES[name].candidates(texts))


@settings(deadline=None, max_examples=150)
@given(pattern=PATTERNS, items=ITEMS)
def test_so_it_is_with_any_pattern(pattern: str, items: list[bytes]) -> None:
    texts = Texts(items)
    expected = matching([Pattern(pattern)], texts)
    prepared = [prepare(Pattern(pattern))]
    for uses_hyperscan in (True, False):
        found = Database(prepared, uses_hyperscan=uses_hyperscan).candidates(texts)
        assert expected <= set(found)


def test_most_patterns_are_no_candidates_of_most_texts() -> None:
    words = [f"word{number}[a-z]{{2,9}}tail" for number in range(300)]
    prepared = [prepare(Pattern(word, "i")) for word in words]
    texts = Texts((b"some text", b"with WORD17abcTail in it"))
    for uses_hyperscan in (True, False):
        database = Database(prepared, uses_hyperscan=uses_hyperscan)
        found = database.candidates(texts)
        assert 17 in found
        assert len(found) <= 2


LOOK_ALIKES = "(?:[aA]|[\\xc3][\\xa0-\\xa5]|[\\xd0][\\xb0]|[\\xef][\\xbd][\\x81]|&#97;)"


@pytest.mark.parametrize(
    "letter", [b"a", b"A", b"\xc3\xa1", b"\xd0\xb0", b"\xef\xbd\x81", b"&#97;"]
)
def test_letters_that_look_alike_are_candidates(letter: bytes) -> None:
    pattern = Pattern(f"(?!aaaa){LOOK_ALIKES}{{4}}(?:\\s{LOOK_ALIKES}{{40}})?", "")
    texts = Texts((b"x" + letter + b"aA" + letter,))
    assert compile_pattern(pattern).is_in(texts)
    assert Database([prepare(pattern)]).candidates(texts) == [0]


def test_a_store_is_as_it_was() -> None:
    store = Store()
    store.add(Pattern(pattern) for pattern in (*CONSTRUCTS, *MISTAKES))
    again = Store.load(store.dump())
    assert again.prepared == store.prepared
    assert again.mistakes == store.mistakes
    assert len(again.mistakes) == len(MISTAKES)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1]",
        b"[[1,2,3]]",
        b'[["a","","b","","0x0",true,true,["\\u20ac"],null]]',
        b'[["a"]]',
    ],
)
def test_a_damaged_store_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Store.load(data)


@pytest.mark.parametrize("data", [b"", b"nothing", Database(PREPARED).kept[1][0][:-40] + b"x" * 3])
def test_a_damaged_database_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="Hyperscan cannot load its database"):
        Database(PREPARED, ((0,), [data]))


def test_a_mistake_is_one_here_too() -> None:
    with pytest.raises(PatternError, match="nested quantifiers"):
        prepare(Pattern("a**"))


def test_what_has_no_literal_is_always_a_candidate_without_hyperscan() -> None:
    prepared: list[Prepared] = [prepare(Pattern(pattern)) for pattern in (r"\d\d", "abc", "x?")]
    assert Database(prepared, uses_hyperscan=False).candidates(Texts((b"",))) == [0, 2]
