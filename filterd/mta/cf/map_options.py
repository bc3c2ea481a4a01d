"""What a K line says of its map, as values. The lines are taken apart by `map_arguments`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from filterd.mta.cf.posix_regex import PosixRegex

MATCH_LIMIT = 32
"""Sub-matches of a regex map, sendmail's MAX_MATCH."""

ELSE_MARK = "\udc9b"
"""The mark `$|` inside of text, as sendmail keeps it: octet 0233."""


@dataclass(frozen=True, slots=True)
class MapOptions:
    """A K line, taken apart. Each field names its letter.

    is_valid: False after a mistake that keeps the map closed. space: None for the option BlankSub.
    timeout: seconds, 0 for the default. rest: what follows the file name. fields: None for a regex
    without `-s`. own: letters of one class only (ldap), with their values. is_alias: it stands in
    `O AliasFile`. told: what sendmail says of the line that is not an error.
    """

    name: str
    type: str
    is_valid: bool = True
    file: str = ""
    rest: str = ""
    append: str = ""  # -a
    failure_suffix: str | None = None  # -T
    folds_case: bool = True  # not -f
    match_only: bool = False  # -m
    stores_nul: bool = False  # -N
    tries_plain: bool = True  # not -N
    tries_nul: bool = True  # not -O
    is_optional: bool = False  # -o
    keeps_quotes: bool = False  # -q
    space: str | None = None  # -S
    defers: bool = True  # not -t
    rests_when_deferred: bool = False  # -D
    appends_duplicates: bool = False  # -A
    key_column: str | None = None  # -k
    value_column: str | None = None  # -v
    delimiter: str = ""  # -z
    timeout: float = 0.0  # -d
    retries: int = 0  # -r
    value_limit: int = 0  # -Z
    record_type: str = ""  # -R
    base_domain: str = ""  # -B
    negates: bool = False  # -n
    pattern: PosixRegex | None = None
    fields: tuple[int, ...] | None = None  # -s
    joiner: str = ELSE_MARK  # -d of regex
    members: tuple[str, ...] = ()
    priority: str = "INFO"  # -L
    own: tuple[tuple[str, str], ...] = ()
    is_alias: bool = False
    told: tuple[str, ...] = ()


def leading_number(text: str) -> int:
    """The number that a text begins with, as C's `atoi` has it: 0 for none."""
    match = re.match(r"[ \t]*([+-]?[0-9]{1,18})", text)
    return int(match[1]) if match else 0


def regex_fields(text: str, count: int) -> tuple[tuple[int, ...], str]:
    """The list of `-s` or of a lookup's argument, and a complaint.

    count: spans that there are, the whole match among them. An empty list means all.
    """
    if not text:
        return tuple(range(count)), ""
    fields: list[int] = []
    for one in text.split(","):
        number = leading_number(one)
        if not 0 <= number < count:
            return (), f"field ({number}) out of range, only {count} substrings in pattern"
        if len(fields) >= MATCH_LIMIT:
            return (), f"too many fields, {MATCH_LIMIT} max"
        fields.append(number)
    return tuple(fields), ""
