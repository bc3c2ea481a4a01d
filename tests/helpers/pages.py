"""The pages of the documentation."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for name in ("docs", "models", "packaging") for page in (ROOT / name).rglob("*.md")),
    ]
)
