"""docs/settings.md says what the program does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Le

from filterd.config import reference

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_is_of_today() -> None:
    assert PAGE.read_text() == reference.page(), (
        "run: python -m filterd.config.reference > docs/settings.md"
    )


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (str, "string"),
        (bool, "true or false"),
        (Annotated[int, Ge(0), Le(1024)], "whole number from 0 to 1024"),
        (Annotated[float, Gt(0)], "number above 0"),
        (Literal["store", "mta"], "`store`, `mta`"),
        (Path | None, "path"),
        (tuple[str, ...] | str, "list of strings or string"),
        (tuple[tuple[float, float], ...], "list of pairs of numbers"),
        (dict[str, str], "table"),
    ],
)
def test_values_in_words(hint: object, words: str) -> None:
    assert reference.values(hint) == words
