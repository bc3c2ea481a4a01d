"""Lookups of a trace in words, as commands and pages show them."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def lookup_text(lookup: Row) -> str:
    """A lookup and what it found."""
    key = lookup["key"]
    arguments = "".join(f" $@ {one}" for one in lookup["arguments"])
    entry = f" ({lookup['entry']})" if lookup["entry"] else ""
    if why := lookup.get("not_looked_up"):
        found = f"not looked up: {why}"
    elif lookup["value"] is not None:
        found = f"{lookup['value']!r}{entry}"
    elif lookup["status"] == 75:
        found = "temporary failure"
    else:
        found = "not found"
    return f"{lookup['map']}({key}{arguments}) = {found}"
