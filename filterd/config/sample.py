"""Settings as text: TOML values, and the commented sample file.

The sample is generated from the dataclasses that define the settings, so that it cannot drift from
them: every key stands there with its explanation and its default, commented out unless it is set.
"""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Mapping
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from annotated_doc import Doc

from filterd.chain import filter as filters
from filterd.chain.links import LinkSettings
from filterd.config.load import SECTIONS
from filterd.config.processes import Octal
from filterd.config.tables import array_of

WIDTH = 98
"""Characters of a comment line."""

Chosen = Mapping[str, Mapping[str, Any]]
"""Section name → key → value that the sample sets instead of leaving the default."""


def toml_value(value: Any) -> str:
    """The value as TOML writes it. Raises TypeError for what TOML cannot say."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        return repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Enum):
        return toml_value(value.value)
    if isinstance(value, str | Path):
        escaped = "".join(
            {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}.get(c, c)
            if c >= " " or c in "\n\t"
            else f"\\u{ord(c):04x}"
            for c in str(value)
        )
        return f'"{escaped}"'
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, set | frozenset):
        return toml_value(sorted(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml_value(k)} = {toml_value(v)}" for k, v in value.items()) + "}"
    if dataclasses.is_dataclass(value):
        return toml_value(
            {
                f.name: v
                for f in dataclasses.fields(value)
                if (v := getattr(value, f.name)) is not None
            }
        )
    if value is None or value is dataclasses.MISSING:
        return '""'
    raise TypeError(f"{value!r} cannot be written as TOML")


def field_value(hint: Any, value: Any) -> str:
    """The value of a field as TOML writes it and people read it: file modes in octal."""
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    if isinstance(value, int) and any(isinstance(note, Octal) for note in notes):
        return f"0o{value:o}"
    return toml_value(value)


def sample(chosen: Chosen) -> str:
    """The text of a settings file: all keys with explanation and default, the chosen ones set."""
    blocks = [
        "# Settings of filterd. A line without `#` before it is set; the others show the default.\n"
        "# `filterd check` checks this file, `filterd check --show` prints what is in force."
    ]
    for name, cls in SECTIONS.items():
        blocks.append(_block(name, [cls], chosen.get(name, {})))
    for name in sorted(filters.available()):
        section = f"filters.{name}"
        blocks.append(_block(section, [LinkSettings, filters.load(name)], chosen.get(section, {})))
    return "\n\n\n".join(blocks) + "\n"


def _block(name: str, classes: list[type[Any]], chosen: Mapping[str, Any]) -> str:
    lines = []
    if about := summary(classes[-1]):
        lines += _comment(about)
    lines.append(f"[{name}]")
    arrays: list[str] = []
    for cls in classes:
        hints = get_type_hints(cls, include_extras=True)
        for field in dataclasses.fields(cls):
            if not field.init:
                continue
            inner = array_of(hints[field.name])
            explained = ["", *_comment(documentation(hints[field.name]))]
            if inner is not None:
                # After all plain keys: what follows an array's heading belongs to that.
                arrays += [*explained, *_rows_sample(f"{name}.{field.name}", inner)]
                continue
            lines += explained
            default = field.default
            if default is dataclasses.MISSING:
                default = field.default_factory()  # type: ignore[operator]
            if field.name in chosen:
                value = field_value(hints[field.name], chosen[field.name])
                lines.append(f"{field.name} = {value}")
            else:
                unset = "" if default is None else f" {field_value(hints[field.name], default)}"
                lines.append(f"#{field.name} ={unset}")
    return "\n".join(lines + arrays)


def _rows_sample(name: str, cls: type[Any]) -> list[str]:
    hints = get_type_hints(cls, include_extras=True)
    lines = [f"#[[{name}]]"]
    for field in dataclasses.fields(cls):
        lines += [f"#  {line}" for line in _comment(documentation(hints[field.name]))]
        unset = (
            "" if field.default in (None, dataclasses.MISSING) else f" {toml_value(field.default)}"
        )
        lines.append(f"#{field.name} ={unset}")
    return lines


def documentation(hint: Any) -> str:
    """The `Doc` of an annotated field."""
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((note.documentation for note in notes if isinstance(note, Doc)), "")


def summary(cls: type[Any]) -> str:
    """The first paragraph of the class's docstring, without `Settings [x]:`."""
    paragraph = " ".join((cls.__doc__ or "").split("\n\n")[0].split())
    return "" if paragraph.startswith(("Settings `[", cls.__name__ + "(")) else paragraph


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH - 2)]
