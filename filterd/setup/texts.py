"""Changing single values in files that people write, and nothing else in them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from filterd.config.sample import toml_value
from filterd.setup.plan import SetupError
from filterd.system.bounded import toml_table

HEADING = "# For filterd (written by `filterd setup postfix`):"


def with_setting(text: str, section: str, key: str, value: str) -> str:
    """A settings file with one value set. Raises SetupError if that would change anything else."""
    line = f"{key} = {toml_value(value)}"
    lines = text.split("\n")
    start = next((n for n, one in enumerate(lines) if one.strip() == f"[{section}]"), None)
    if start is None:
        lines = [*lines, f"[{section}]", line, ""]
    else:
        rest = range(start + 1, len(lines))
        end = next((n for n in rest if lines[n].lstrip().startswith("[")), len(lines))
        places = {mark: re.compile(rf"{mark}{re.escape(key)}[ \t]*=") for mark in ("", "#")}
        for place in places.values():
            found = [n for n in range(start + 1, end) if place.match(lines[n])]
            if found:
                lines[found[-1]] = line
                break
        else:
            lines.insert(start + 1, line)
    changed = "\n".join(lines)
    try:
        before: dict[str, Any] = toml_table(text)
        after = toml_table(changed)
    except tomllib.TOMLDecodeError as error:
        raise SetupError(f"the settings cannot be changed: {error}") from None
    before.setdefault(section, {})[key] = value
    if before != after:
        raise SetupError(f"set {line} in [{section}] by hand: the file is written in another way")
    return changed


def with_parameters(text: str, wanted: Mapping[str, str]) -> str:
    """A main.cf with these parameters: where one is set last it gets its value, others are added at
    the end. A blank at the beginning of a line continues the one before (postconf(5))."""
    lines = text.split("\n")
    added = []
    for name, value in wanted.items():
        new = f"{name} = {value}"
        place = re.compile(rf"{re.escape(name)}[ \t]*=")
        found = [n for n, one in enumerate(lines) if place.match(one)]
        if not found:
            added.append(new)
            continue
        end = found[-1] + 1
        while end < len(lines) and lines[end][:1] in (" ", "\t") and lines[end].strip():
            end += 1
        if " ".join(one.strip() for one in lines[found[-1] : end]) != new:
            lines[found[-1] : end] = [new]
    if not added:
        return "\n".join(lines)
    body = "\n".join(lines).rstrip("\n")
    return f"{body}\n\n{HEADING}\n" + "\n".join(added) + "\n"


def with_filter(text: str, name: str, wanted: list[str]) -> str:
    """A sendmail.mc with the lines of a filter: they stand above the first mailer, and its own
    former line is replaced."""
    lines = text.split("\n")
    own = re.compile(rf"INPUT_MAIL_FILTER\([ \t]*`{re.escape(name)}'")
    first, *rest = wanted
    found = [n for n, one in enumerate(lines) if own.match(one)]
    for number in found[:1]:
        lines[number] = first
    missing = [one for one in rest if one not in lines]
    if not found:
        missing.insert(0, first)
    place = next(
        (n for n, one in enumerate(lines) if re.match(r"MAILER(?:_DEFINITIONS)?\b", one)), None
    )
    if place is None:
        raise SetupError("sendmail.mc has no MAILER() line, above which the filter belongs")
    lines[place:place] = missing
    return "\n".join(lines)
