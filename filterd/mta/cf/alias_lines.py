"""The databases in `O AliasFile`. Source: sendmail 8.17 `alias.c` (setalias); texts observed."""

from __future__ import annotations

import re

from filterd.mta.cf.names import MAP_TYPES

ALIAS_CLASSES = frozenset(
    "hash btree cdb nis nisplus ldap text stab implicit program sequence switch null socket".split()
)
"""Classes that may stand in `O AliasFile`."""


def alias_specs(value: str) -> list[tuple[str, str]]:
    """Class and arguments of each part of `O AliasFile`: `/etc/aliases, hash:-o /etc/other`."""
    specs: list[tuple[str, str]] = []
    for part in re.findall(r'(?:"[^"]*"|[^,"])+', value):
        spec = part.strip()
        match = re.match(r"([^ ,/:]*):", spec)
        if match:
            specs.append((match[1], spec[match.end() :]))
        elif spec:
            specs.append(("implicit", spec))
    return specs


def class_trouble(type: str) -> str:
    """What is wrong with a class in `O AliasFile`, "" for nothing."""
    type = type.lower()
    if type in ALIAS_CLASSES:
        return ""
    if type in MAP_TYPES:
        return f"setalias: map class {type} can't handle aliases"
    return f"setalias: unknown alias class {type}"
