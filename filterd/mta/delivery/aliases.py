"""The aliases file: the members of each local name.

    name: someone, someone@else.where, |program, /file, :include:/list, \\name

`\\name` is delivered as it is, and so is a name that expands to itself. Source: aliases(5),
sendmail 8.17 `alias.c`; EXPN and loops as observed.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from filterd.system.bounded import open_regular, plain_text, read_regular

MAX_DEPTH = 10
"""Aliases of aliases, MaxAliasRecursion."""

INCLUDE_LIMIT = 1 << 20
"""Octets of an :include: file."""

# A quote that is not closed reaches to the end.
_MEMBER = re.compile(r'((?:"(?:[^"\\]|\\.?)*+(?:"|\Z)|[^",])++)(?:,|\Z)')


class AliasError(Exception):
    """An alias that cannot be expanded. member: the one at fault; the text says why."""

    def __init__(self, member: str, text: str) -> None:
        super().__init__(text)
        self.member = member


def parse_aliases(text: str) -> dict[str, list[str]]:
    """The members of each name, lower case."""
    table: dict[str, list[str]] = {}
    for line in re.sub(r"\n[ \t]+", " ", text).split("\n"):
        if line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if colon and name.strip():
            table[name.strip().strip('"').lower()] = members(value)
    return table


def members(text: str) -> list[str]:
    """The members of a list, without their quotes."""
    found = (match[1].strip() for match in _MEMBER.finditer(text))
    return [one[1:-1] if one.startswith('"') and one.endswith('"') else one for one in found if one]


SIZE_LIMIT = 64 << 20
"""Bytes of an alias file; a hundred thousand aliases have some 5 MiB."""


class Aliases:
    """A table of aliases. files: read when made; one that is missing counts as empty."""

    def __init__(self, files: list[Path]) -> None:
        self._table: dict[str, list[str]] = {}
        for path in files:
            try:
                text = plain_text(read_regular(path, SIZE_LIMIT), "surrogateescape")
            except FileNotFoundError:
                continue
            except ValueError as error:
                raise OSError(errno.EINVAL, str(error), str(path)) from None
            self._table.update(parse_aliases(text))

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._table

    def owner(self, name: str) -> str | None:
        """Who gets reports about a list: the member of `owner-NAME` if it is one address, else that
        name. None for a name without an owner."""
        owner = f"owner-{name.partition('+')[0]}".lower()
        if owner not in self._table:
            return None
        found = self._table[owner]
        return found[0] if len(found) == 1 and found[0][:1] not in "|/:" else owner

    def expand(self, name: str) -> list[str]:
        """The final members of a local name. Raises AliasError."""
        return list(dict.fromkeys(self._expand(name, ())))

    def _expand(self, name: str, above: tuple[str, ...]) -> Iterator[str]:
        key = name.lower()
        if key in above or key not in self._table or len(above) > MAX_DEPTH:
            # Not an alias, or a loop: delivered to this name.
            yield name
            return
        for one in self._table[key]:
            yield from self._member(one, (*above, key))

    def _member(self, one: str, above: tuple[str, ...]) -> Iterator[str]:
        if one.startswith(":include:"):
            path = Path(one.removeprefix(":include:").strip())
            try:
                with open_regular(path) as file:
                    text = file.read(INCLUDE_LIMIT).decode("utf-8", "surrogateescape")
            except OSError as error:
                raise AliasError(one, f"Cannot open {path}: {error.strerror}") from None
            for line in text.split("\n"):
                if not line.startswith("#"):
                    for inner in members(line):
                        yield from self._member(inner, above)
        elif one[:1] in "|/\\" or "@" in one:
            yield one
        else:
            yield from self._expand(one, above)
