"""Which patterns are worth a search: those that match are never missing, whatever says it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.rules.conf.rule import Pattern
from filterd.rules.patterns import PatternError, compile_pattern, database
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


LONGER = st.lists(
    st.sampled_from([b"<a", b"<img", b"http", b"://", b":", b"foo", b"x", b"z", b"7", b"\n", b" "]),
    max_size=60,
).map(b"".join)
NEARLY_ALIKE = [
    Pattern(text, flags)
    for flags in ("", "im", "s")
    for text in (
        *("^[^>].*?<img", "^[^>].*?<a", r"\s:.*<a", r"\s:\d*z", r"\n\d*z", r":\d*z", r"^\d*/"),
        *(r"x{2,3}[^a]{1,5}foo", "https?://[^#/?]{0,50}z", r"(?m:^)\d*<", r"\s[a-z]{0,7}\Z"),
    )
]


@pytest.mark.parametrize("uses_hyperscan", [True, False])
def test_of_patterns_nearly_alike_none_hides_another(uses_hyperscan: bool) -> None:
    database = Database(list(map(prepare, NEARLY_ALIKE)), uses_hyperscan=uses_hyperscan)

    @settings(deadline=None)
    @given(LONGER)
    def check(text: bytes) -> None:
        texts = Texts([text])
        assert matching(NEARLY_ALIKE, texts) <= set(database.candidates(texts))

    check()


def test_a_hyperscan_that_misses_matches_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database._Scan, "run", lambda *_: None)
    database.usable.cache_clear()
    try:
        assert not database.usable()
        made = Database([prepare(Pattern("word"))])
        assert made.kept == ((), [])
        assert made.candidates(Texts([b"a word"])) == [0]
    finally:
        database.usable.cache_clear()
    assert "misses matches and is not used" in caplog.text
