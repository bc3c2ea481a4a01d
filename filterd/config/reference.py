"""docs/settings.md: every setting with its values, default and meaning.

Made of the same definitions as the sample file and the check, so that the page cannot be wrong:
`python -m filterd.config.reference > docs/settings.md`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from filterd.chain import filter as filters
from filterd.chain.links import LinkSettings
from filterd.config.load import SECTIONS
from filterd.config.sample import documentation, field_value, summary
from filterd.config.tables import array_of
from filterd.system import paths

_HEAD = """\
# Settings

All settings are in one TOML file: `filterd init` writes one with every key, `filterd check` checks
it, `filterd check --show` prints what is in force. An unknown key is an error. This page is made
from the program's own definitions.

The default paths are those of a checkout; an installed filterd keeps models in `/var/lib/filterd`
and mail in `/var/spool/filterd`. A `path` that is not absolute counts from the folder of the
settings file. Paths in strings and lists have to be absolute.
"""

_KINDS = {
    "string": "string",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "table",
    "null": "unset",
}

_BOUNDS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "to {}",
    "exclusiveMaximum": "below {}",
}


def page() -> str:
    """The page, in Markdown."""
    blocks = [_HEAD]
    for name, cls in SECTIONS.items():
        blocks.append(_section(f"[{name}]", [cls]))
    blocks.append(
        "## Every `[filters.NAME]`\n\nSettings of the chain that every filter has.\n\n"
        + _table(LinkSettings)
    )
    for name in sorted(filters.available()):
        if filters.available()[name].startswith("filterd."):
            blocks.append(_section(f"[filters.{name}]", [filters.load(name)]))
    return "\n".join(blocks)


def _section(heading: str, classes: list[type[Any]]) -> str:
    text = summary(classes[-1])
    return "\n".join([f"## `{heading}`", "", *([text, ""] if text else []), *map(_table, classes)])


def _table(cls: type[Any]) -> str:
    lines = ["| key | values | default | meaning |", "| --- | --- | --- | --- |"]
    nested: list[str] = []
    for field, hint in _fields(cls):
        inner = array_of(hint)
        if inner is not None:
            lines.append(
                f"| `{field.name}` | tables, below | none | {_cell(documentation(hint))} |"
            )
            nested += [f"\nEach `[[…{field.name}]]`:\n", _table(inner)]
            continue
        lines.append(
            f"| `{field.name}` | {_cell(values(hint))} | {_default(field, hint)} "
            f"| {_cell(documentation(hint))} |"
        )
    return "\n".join([*lines, *nested]) + ("" if nested else "\n")


def _fields(cls: type[Any]) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    hints = get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        if field.init:
            yield field, hints[field.name]


def values(hint: Any) -> str:
    """What a setting of this type may be, in words."""
    return _values(TypeAdapter(hint).json_schema())


def _values(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_values(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    kind = schema.get("type", "")
    if (form := schema.get("format")) in ("path", "date"):
        return str(form)
    if kind == "array":
        items = schema.get("items", {})
        if "enum" in items:
            return f"list of {_values(items)}"
        return {
            "array": "list of pairs of numbers",
            "number": "list of numbers",
            "integer": "list of numbers",
        }.get(items.get("type", ""), "list of strings")
    if kind == "object":
        return "table"
    bounds = [text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema]
    return " ".join([_KINDS.get(kind, "value"), *bounds])


def _default(field: dataclasses.Field[Any], hint: Any) -> str:
    default = field.default
    if default is dataclasses.MISSING:
        if field.default_factory is dataclasses.MISSING:
            return "required"
        default = field.default_factory()
    if default is None:
        return "unset"
    if isinstance(default, Path) and paths.CHECKOUT and default.is_relative_to(paths.CHECKOUT):
        default = default.relative_to(paths.CHECKOUT)
    text = field_value(hint, default)
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(page())
