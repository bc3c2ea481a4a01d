"""What `filterd mta trace` and `filterd mta diff` have in common: reading a configuration."""

from __future__ import annotations

from pathlib import Path

from filterd.cli.mta_build import mc_errors
from filterd.cli.mta_run import cf_errors
from filterd.mta.trace.configuration import RuleFile


def read_rules(path: Path, macros: Path | None = None, *, is_mc: bool | None = None) -> RuleFile:
    """Read a file, by default one named `.mc` through m4. Ends the command where that cannot be
    done."""
    with mc_errors(), cf_errors():
        return RuleFile.read(path, macros, is_mc=is_mc)
    raise AssertionError("unreachable")
