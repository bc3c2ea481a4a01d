"""Odd English does not come back: into messages, help, pages, docs or docstrings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

EVERYWHERE = {
    r"(?i)(?<!there )\b(?:is|are|was|were) no (?!longer\b|more\b)[a-z]": "is not a …",
    r"\bright would be\b": "expected …",
    r"\b(?:is|are) of its form\b": "is malformed",
    r"\bnothing of that is in\b": "no matching messages",
    r"\bnobody keeps (?:it|the clock) in time\b": "not synchronised",
    r"\bgets? no mail\b": "undeliverable",
    r"\bnurser(?:y|ies)\b": "fork server",
    r"\bhow (?:filterd|it|they) does?\b": "state of …",
    r"\bdeeds?\b": "action",
    r"\banew\b": "again",
    r"\bspeaks? al(?:one|ong)\b": "is used alone, helps out",
    r"\bcan(?:not)? be had\b": "is (not) available, can be read",
    r"\bputs? aside\b|\b(?:is|was|been) put aside\b": "set aside",
    r"\b(?:in words|meant) for who\b|\bto who (?:is|has|asks)\b": "for the person who …",
    r"\b(?:is|are) there already\b": "exists already",
}
"""Pattern → what to write instead. In all texts, docstrings and comments too."""

FOR_ADMINS = {
    r"\bput(?:s|ting)? off\b": "deferred, postponed",
    r"\bcomes? again\b": "retries, tries again",
    r"\b[Ww]hoever\b": "anybody who …",
    r"\btells? (?:how|of|anew)\b": "shows …",
    r"\blets? (?:it|them) go\b": "delete",
    r"\bmends?\b": "repair",
    r"\b[Ee]nds with \d\d?\b|\bStatus \d\d\b": "exit status …",
    r"\bmade again\b": "rebuilt",
    r"\bmade harmless\b": "sanitized",
    r"\bnone is remembered\b": "none recorded",
    r"\bTakes? an? \w+ away\b": "remove",
    r"\bmay stay empty\b": "optional",
    r"\bwhat came of\b": "the result, what became of",
}
"""Pattern → what to write instead. In pages, docs and command-line help, besides those above."""

DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("packaging/*.md")])
CODE = sorted((ROOT / "filterd").rglob("*.py"))
PAGES = sorted(
    path
    for pattern in ("**/*.html", "cli/**/*.py", "doctor/**/*.py")
    for path in (ROOT / "filterd").glob(pattern)
)


def found(path: Path, patterns: dict[str, str]) -> Iterator[str]:
    """What is there that should be written otherwise, with line and advice."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for pattern, better in patterns.items():
            if match := re.search(pattern, line):
                name = path.relative_to(ROOT)
                yield f"{name}:{number}: {match[0]!r}; write {better!r}"


@pytest.mark.parametrize(
    "paths",
    [DOCS, pytest.param(CODE, marks=pytest.mark.slow), PAGES],
    ids=["docs", "code", "pages and commands"],
)
def test_natural_english(paths: list[Path]) -> None:
    assert [line for path in paths for line in found(path, EVERYWHERE)] == []


@pytest.mark.parametrize("paths", [DOCS, PAGES], ids=["docs", "pages and commands"])
def test_the_words_of_an_admin(paths: list[Path]) -> None:
    assert [line for path in paths for line in found(path, FOR_ADMINS)] == []


def test_odd_english_is_found(tmp_path: Path) -> None:
    page = ROOT / "docs" / "design.md"
    assert list(found(page, {r"^# Design": "x"})) == ["docs/design.md:1: '# Design'; write 'x'"]
    for line in ("That is no address.", "right would be unix:/path", "state how filterd does"):
        assert any(re.search(pattern, line) for pattern in EVERYWHERE), line
    for line in ("The filter is no longer there.", "There is no password."):
        assert not any(re.search(pattern, line) for pattern in EVERYWHERE), line
