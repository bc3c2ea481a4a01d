"""Patterns that read as a user's name and stand for a domain."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.load import load
from filterd.doctor.patterns import bare_names


@pytest.mark.slow
@pytest.mark.parametrize("rules", ["policy.rules", "filters.parts.rules"])
@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("postmaster", True),
        ("jürgen", True),
        ("postmaster@mx.example", False),
        ("mx.example", False),
        (".mx.example", False),
        ("@intern", False),
        ("localhost", False),
        ("[192.0.2.1]", False),
    ],
)
def test_a_name_alone_is_a_domain(tmp_path: Path, rules: str, pattern: str, named: bool) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(
        f'[[{rules}]]\nrecipients = ["mx.example"]\n[[{rules}]]\n'
        f'recipients = ["a@mx.example", "{pattern}"]\n'
    )
    told = list(bare_names(load(file)))
    assert [one.partition(":")[0] for one in told] == [f"{rules}[2].recipients[2]"] * named
