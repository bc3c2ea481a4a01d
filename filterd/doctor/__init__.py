"""Looking for what is wrong: each check gives findings, and a trouble comes with what to do.

Only looked at, nothing changed or sent: folders, sockets, servers, the model, the store. What the
daemon would make itself when it starts (its folders) is no trouble while it is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from filterd.config import Settings
from filterd.doctor import files, servers
from filterd.doctor.findings import Finding, Level

__all__ = ["Finding", "Level", "examine"]


def examine(settings: Settings) -> list[Finding]:
    """All findings; a check that fails itself is one."""
    checks: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
        ("settings", files.settings_file),
        ("folders", files.folders),
        ("disk", files.disk),
        ("daemon", servers.daemon),
        ("clamd", servers.clamd),
        ("model", servers.model),
        ("quarantine", servers.store),
        ("release", servers.release),
    )
    found: list[Finding] = []
    for about, check in checks:
        try:
            found += check(settings)
        except OSError as error:
            found.append(
                Finding(Level.FAIL, about, str(error), "see that this user may read and write it")
            )
    return found
