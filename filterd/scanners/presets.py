"""Command scanners by name. Each names the manual that it follows; those that are marked so are
tested with the program itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from filterd.scanners.command import Meaning


@dataclass(frozen=True, slots=True)
class Preset:
    """A program. manual: the version whose manual this follows. tested: with the program."""

    manual: str
    command: tuple[str, ...]
    statuses: Mapping[int, Meaning]
    pattern: str
    version: tuple[str, ...] = ()
    tested: bool = False


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        # What is beyond its limits it would call clean.
        "clamscan": Preset(
            "clamscan(1) of ClamAV 1.4",
            ("clamscan", "--stdout", "--no-summary", "--alert-exceeds-max=yes", "-"),
            {0: "clean", 1: "infected"},
            r"^(?:stdin|.*): (\S.*) FOUND$",
            ("clamscan", "--version"),
            tested=True,
        ),
        "clamdscan": Preset(
            "clamdscan(1) of ClamAV 1.4",
            ("clamdscan", "--stdout", "--no-summary", "-"),
            {0: "clean", 1: "infected"},
            r"^(?:stream|.*): (\S.*) FOUND$",
            ("clamdscan", "--version"),
            tested=True,
        ),
        # 4: riskware, 8: suspicious, 9: a file could not be scanned; 1 and 7 are its own trouble.
        "fsav": Preset(
            "exit codes of fsav in F-Secure Linux Security 11",
            ("fsav", "{file}"),
            {0: "clean", 3: "infected", 4: "infected", 8: "given_up", 9: "given_up"},
            "",
        ),
    }
)
"""Name → program."""
