"""Settings that let pass what a filter against dangerous files could not examine."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.load import load
from filterd.doctor.gates import open_gates


def gates(folder: Path, toml: str) -> list[str]:
    file = folder / "filterd.toml"
    file.write_text(toml)
    return [text.split(" ")[0].rstrip(":") for text in open_gates(load(file))]


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("", []),
        ('[filters.parts]\non_error = "quarantine"', []),
        ('[filters.parts]\non_error = "continue"', ["filters.parts.on_error"]),
        (
            '[filters.clamav]\non_error = "tempfail"\non_error_authenticated = "continue"',
            ["filters.clamav.on_error_authenticated"],
        ),
        ("[filters.parts]\ndry_run = true", ["filters.parts.dry_run"]),
        ('[filters.clamav]\nover_limit = "continue"', ["filters.clamav.over_limit"]),
        ('[filters.bayes]\non_error = "continue"', []),
        ('[chain]\nfilters = ["bayes"]\n[filters.parts]\non_error = "continue"', []),
    ],
)
def test_what_is_named(tmp_path: Path, toml: str, named: list[str]) -> None:
    assert gates(tmp_path, toml) == named


@pytest.mark.parametrize("name", ["senders", "gtube", "parts", "clamav", "bayes"])
def test_nothing_is_delivered_unexamined_unless_somebody_says_so(tmp_path: Path, name: str) -> None:
    """The default for every filter."""
    file = tmp_path / "filterd.toml"
    file.write_text("")
    link = load(file).filters[name].link
    assert (link.on_error, link.on_error_authenticated) == ("tempfail", None)
