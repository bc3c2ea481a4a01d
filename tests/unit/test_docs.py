"""The pages of the documentation lead to each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.pages import PAGES, ROOT


def anchor(heading: str) -> str:
    """What a heading's link ends in, as GitHub and GitLab make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        other = page.parent / path if path else page
        assert other.exists(), f"{target} is not there"
        if fragment:
            headings = re.findall(r"^#+ (.*)", other.read_text(encoding="utf-8"), re.M)
            assert fragment in map(anchor, headings), f"{target}: no such heading"
