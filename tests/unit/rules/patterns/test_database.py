"""Which patterns are worth a search: those that match are never missing, whatever says it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.rules.conf.rule import RulePattern
from filterd.rules.patterns import PatternError, compile_pattern, database
from filterd.rules.patterns.database import PatternDatabase
from filterd.rules.patterns.prepared import PatternStore, PreparedPattern, prepare
from filterd.rules.patterns.texts import PatternTexts
from tests.helpers.rule_patterns import ALPHABET, CONSTRUCTS, MISTAKES, PATTERNS

pytestmark = pytest.mark.slow

PREPARED = [prepare(RulePattern(pattern)) for pattern in CONSTRUCTS]
DATABASES = {
    "Hyperscan": PatternDatabase(PREPARED),
    "from a cache": PatternDatabase(PREPARED, PatternDatabase(PREPARED).kept),
    "literals": PatternDatabase(PREPARED, uses_hyperscan=False),
}
ITEMS = st.lists(
    st.lists(st.sampled_from(list(ALPHABET)), max_size=8).map(bytes), min_size=1, max_size=4
)


def matching(patterns: list[RulePattern], texts: PatternTexts) -> set[int]:
    return {
        number for number, pattern in enumerate(patterns) if compile_pattern(pattern).is_in(texts)
    }


@pytest.mark.parametrize("name", DATABASES)
@settings(deadline=None, max_examples=60)
@given(items=ITEMS)
def test_what_matches_is_a_candidate(name: str, items: list[bytes]) -> None:
    texts = PatternTexts(items)
    expected = matching([RulePattern(pattern) for pattern in CONSTRUCTS], texts)
    assert expected <= set(DATABASES[name].candidates(texts))


@settings(deadline=None, max_examples=150)
@given(pattern=PATTERNS, items=ITEMS)
def test_so_it_is_with_any_pattern(pattern: str, items: list[bytes]) -> None:
    texts = PatternTexts(items)
    expected = matching([RulePattern(pattern)], texts)
    prepared = [prepare(RulePattern(pattern))]
    for uses_hyperscan in (True, False):
        found = PatternDatabase(prepared, uses_hyperscan=uses_hyperscan).candidates(texts)
        assert expected <= set(found)


def test_most_patterns_are_no_candidates_of_most_texts() -> None:
    words = [f"word{number}[a-z]{{2,9}}tail" for number in range(300)]
    prepared = [prepare(RulePattern(word, "i")) for word in words]
    texts = PatternTexts((b"some text", b"with WORD17abcTail in it"))
    for uses_hyperscan in (True, False):
        database = PatternDatabase(prepared, uses_hyperscan=uses_hyperscan)
        found = database.candidates(texts)
        assert 17 in found
        assert len(found) <= 2


LOOK_ALIKES = "(?:[aA]|[\\xc3][\\xa0-\\xa5]|[\\xd0][\\xb0]|[\\xef][\\xbd][\\x81]|&#97;)"


@pytest.mark.parametrize(
    "letter", [b"a", b"A", b"\xc3\xa1", b"\xd0\xb0", b"\xef\xbd\x81", b"&#97;"]
)
def test_letters_that_look_alike_are_candidates(letter: bytes) -> None:
    pattern = RulePattern(f"(?!aaaa){LOOK_ALIKES}{{4}}(?:\\s{LOOK_ALIKES}{{40}})?", "")
    texts = PatternTexts((b"x" + letter + b"aA" + letter,))
    assert compile_pattern(pattern).is_in(texts)
    assert PatternDatabase([prepare(pattern)]).candidates(texts) == [0]


def test_a_store_is_as_it_was() -> None:
    store = PatternStore()
    store.add(RulePattern(pattern) for pattern in (*CONSTRUCTS, *MISTAKES))
    again = PatternStore.load(store.dump())
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
        PatternStore.load(data)


@pytest.mark.parametrize(
    "data", [b"", b"nothing", PatternDatabase(PREPARED).kept[1][0][:-40] + b"x" * 3]
)
def test_a_damaged_database_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="Hyperscan cannot load its database"):
        PatternDatabase(PREPARED, ((0,), [data]))


def test_a_mistake_is_one_here_too() -> None:
    with pytest.raises(PatternError, match="nested quantifiers"):
        prepare(RulePattern("a**"))


def test_what_has_no_literal_is_always_a_candidate_without_hyperscan() -> None:
    prepared: list[PreparedPattern] = [
        prepare(RulePattern(pattern)) for pattern in (r"\d\d", "abc", "x?")
    ]
    assert PatternDatabase(prepared, uses_hyperscan=False).candidates(PatternTexts((b"",))) == [
        0,
        2,
    ]


LONGER = st.lists(
    st.sampled_from([b"<a", b"<img", b"http", b"://", b":", b"foo", b"x", b"z", b"7", b"\n", b" "]),
    max_size=60,
).map(b"".join)
NEARLY_ALIKE = [
    RulePattern(text, flags)
    for flags in ("", "im", "s")
    for text in (
        *("^[^>].*?<img", "^[^>].*?<a", r"\s:.*<a", r"\s:\d*z", r"\n\d*z", r":\d*z", r"^\d*/"),
        *(r"x{2,3}[^a]{1,5}foo", "https?://[^#/?]{0,50}z", r"(?m:^)\d*<", r"\s[a-z]{0,7}\Z"),
    )
]


@pytest.mark.parametrize("uses_hyperscan", [True, False])
def test_of_patterns_nearly_alike_none_hides_another(uses_hyperscan: bool) -> None:
    database = PatternDatabase(list(map(prepare, NEARLY_ALIKE)), uses_hyperscan=uses_hyperscan)

    @settings(deadline=None)
    @given(LONGER)
    def check(text: bytes) -> None:
        texts = PatternTexts([text])
        assert matching(NEARLY_ALIKE, texts) <= set(database.candidates(texts))

    check()


def test_a_hyperscan_that_misses_matches_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database._HyperscanDatabase, "run", lambda *_: None)
    database.usable.cache_clear()
    try:
        assert not database.usable()
        made = PatternDatabase([prepare(RulePattern("word"))])
        assert made.kept == ((), [])
        assert made.candidates(PatternTexts([b"a word"])) == [0]
    finally:
        database.usable.cache_clear()
    assert "misses matches and is not used" in caplog.text
