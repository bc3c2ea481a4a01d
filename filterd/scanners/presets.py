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
        "clamscan": Preset(
            "clamscan(1) of ClamAV 1.4",
            ("clamscan", "--stdout", "--no-summary", "-"),
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
        "savscan": Preset(
            "savscan(1) of Sophos Anti-Virus for Linux 9",
            ("savscan", "-nc", "-nb", "-ss", "-archive", "{file}"),
            {0: "clean", 3: "infected"},
            r">>> Virus '([^']+)' found",
            ("savscan", "-v"),
        ),
        "esets_scan": Preset(
            "esets_scan(1) of ESET File Security 4.5 for Linux",
            ("esets_scan", "--clean-mode=none", "--no-log-all", "{file}"),
            {0: "clean", 10: "given_up", 50: "infected"},
            r'threat="([^"]+)"',
            ("esets_scan", "--version"),
        ),
    }
)
"""Name → program."""
