"""The file with compiled patterns: it saves time, and never changes an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.rules.conf.rule import RulePattern
from filterd.rules.pattern_cache import NAME, PatternCache
from filterd.rules.patterns.texts import PatternTexts

pytestmark = pytest.mark.slow

PATTERNS = [
    RulePattern("one+", "i"),
    RulePattern(r"\d{3}"),
    RulePattern("(a)(?=b)"),
    RulePattern("t(?:wo|hree)"),
]
TEXTS = PatternTexts((b"x ONE", b"two 12", b"ab"))


def made(folder: Path | None) -> tuple[PatternCache, list[int]]:
    """A cache that has these patterns, and which of them are worth a search."""
    cache = PatternCache(folder)
    cache.know(PATTERNS)
    found = cache.database(PATTERNS).candidates(TEXTS)
    cache.save()
    return cache, found


def test_a_second_start_finds_what_the_first_kept(tmp_path: Path) -> None:
    _, first = made(tmp_path)
    written = (tmp_path / NAME).stat()
    _, again = made(tmp_path)
    assert first == again == [0, 2, 3]
    assert (tmp_path / NAME).stat().st_mtime_ns == written.st_mtime_ns
    assert written.st_mode & 0o077 == 0


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, found = made(None)
    assert {0, 2, 3} <= set(found)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "a folder"])
def test_a_damaged_file_is_made_again(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    made(tmp_path)
    file = tmp_path / NAME
    data = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(data[:-100])
        case "changed":
            file.write_bytes(data.replace(b"two", b"TWO").replace(b"hree", b"HREE")[:-1] + b" ")
        case "empty":
            file.write_bytes(b"")
        case _:
            file.unlink()
            file.mkdir()
    _, found = made(tmp_path)
    assert found == [0, 2, 3]
    assert "the patterns are compiled again" in caplog.text
    if damage != "a folder":
        assert file.read_bytes() == data


def test_other_patterns_have_other_databases(tmp_path: Path) -> None:
    made(tmp_path)
    cache = PatternCache(tmp_path)
    assert cache.database(PATTERNS[2:]).candidates(TEXTS) == [0, 1]
