"""How filters are found."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from filterd.chain.filter import UnknownFilterError, available, load

PLUGIN = """
from dataclasses import dataclass

from filterd.chain.verdict import NO_OPINION


@dataclass
class Fresh:
    name = "fresh"

    def examine(self, message):
        return NO_OPINION
"""


def test_a_plugin_that_is_installed_or_removed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fresh_filter.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    assert "fresh" not in available()
    info = tmp_path / "fresh_filter-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fresh-filter\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[filterd.filters]\nfresh = fresh_filter:Fresh\n")
    assert available()["fresh"] == "fresh_filter:Fresh"
    assert load("fresh").__name__ == "Fresh"
    shutil.rmtree(info)
    with pytest.raises(UnknownFilterError, match="no filter 'fresh' is installed"):
        load("fresh")
    sys.modules.pop("fresh_filter", None)
