"""Take the arguments of a K line apart: option letters, a file name, and what follows.

Each class has its own letters: what one complains of, another ignores. A letter's value goes up to
the next blank. Mistakes are found when the file is read. Source: sendmail 8.17 `map.c`; messages as
observed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from filterd.mta.cf.config import MapLine
from filterd.mta.cf.map_options import MATCH_LIMIT, MapOptions, leading_number, regex_fields
from filterd.mta.cf.option_values import unit_complaints
from filterd.mta.cf.posix_regex import PosixRegex, PosixRegexError

MEMBER_LIMIT = 12
"""Members of a sequence or switch, sendmail's MAXMAPSTACK."""

RECORD_TYPES = frozenset("A NS CNAME PTR MX TXT AFSDB SRV AAAA TLSA".split())
"""What `-R` of a dns map may ask for."""

PRIORITIES = frozenset("EMERG ALERT CRIT ERR WARNING NOTICE INFO DEBUG".split())
"""What `-L` of a syslog map may say, with or without `LOG_`."""

_OPTIONAL_FILE = frozenset(("bestmx", "user", "null"))
_BLANKS = " \t\n\v\f\r"

_CHANGES: dict[str, Callable[[str], dict[str, Any]]] = {
    "A": lambda _: {"appends_duplicates": True},
    "a": lambda value: {"append": value},
    "B": lambda value: {"base_domain": value},
    "D": lambda _: {"rests_when_deferred": True},
    "d": lambda value: {"timeout": duration(value)},
    "f": lambda _: {"folds_case": False},
    "k": lambda value: {"key_column": value},
    "m": lambda _: {"match_only": True},
    "N": lambda _: {"stores_nul": True, "tries_plain": False},
    "O": lambda _: {"tries_nul": False},
    "o": lambda _: {"is_optional": True},
    "q": lambda _: {"keeps_quotes": True},
    "r": lambda value: {"retries": leading_number(value)},
    "S": lambda value: {"space": value[:1]},
    "T": lambda value: {"failure_suffix": value},
    "t": lambda _: {"defers": False},
    "v": lambda value: {"value_column": value},
    "Z": lambda value: {"value_limit": leading_number(value)},
    "z": lambda value: {"delimiter": column_delimiter(value)},
}
"""What each letter changes, in the classes that have it."""

_COMMON = "AaDdfkmNOoqSTtvz"
_LDAP = "1bcdHhKklMnPpRrsVvwxZ"


def map_options(
    line: MapLine, known: Collection[str] = (), *, is_alias: bool = False
) -> tuple[MapOptions, list[str]]:
    """The options of a K line and sendmail's complaints about it.

    known: names of the maps above it, in lower case, for the members of a sequence. is_alias: the
    line stands in `O AliasFile`.
    """
    reader = _ArgumentReader(line, known, is_alias)
    _READERS.get(line.type, _ArgumentReader.common)(reader)
    return replace(reader.options, told=tuple(reader.told)), reader.problems


def duration(text: str) -> float:
    """A time such as `1h30m`, a bare number in seconds, in seconds. Unknown units are seconds."""
    units = {"w": 604800, "d": 86400, "h": 3600, "m": 60}
    found = re.findall(r"([0-9]{1,9})([^0-9]?)", text)
    return float(sum(int(number) * units.get(unit, 1) for number, unit in found))


def column_delimiter(value: str) -> str:
    """The value of `-z`: one character, or `\\n`, `\\t`; another `\\x` is a backslash."""
    if value.startswith("\\"):
        return {"n": "\n", "t": "\t"}.get(value[1:2], "\\")
    return value[:1]


class _ArgumentReader:
    def __init__(self, line: MapLine, known: Collection[str], is_alias: bool) -> None:
        self._text = line.arguments
        self._known = known
        self.options = MapOptions(line.name, line.type, is_alias=is_alias)
        self.problems: list[str] = []
        self.told: list[str] = []

    def _set(self, **changes: Any) -> None:
        self.options = replace(self.options, **changes)

    def _change(self, letter: str, value: str) -> None:
        self._set(**_CHANGES[letter](value))
        if letter == "d":
            self.told += unit_complaints(value)

    def _refuse(self, problem: str) -> None:
        self.problems.append(problem)
        self._set(is_valid=False)

    def _letters(self, taking_next: str = "", *, quotes: bool = False) -> list[tuple[str, str]]:
        """The letters with their values; what follows them stays in `_text`.

        taking_next: letters that take the next word if nothing is glued to them. quotes: a value in
        quotes may have blanks.
        """
        word = re.compile(r'(?:"[^"]*"?|[^\s"])*' if quotes else r"\S*", re.ASCII)
        found = []
        while (text := self._text.lstrip(_BLANKS)).startswith("-"):
            letter = text[1:2]
            start = 2 if letter.strip(_BLANKS) else 1
            if letter in taking_next:
                start = len(text) - len(text[start:].lstrip(_BLANKS))
            match = word.match(text, start)
            end = match.end() if match else start
            value = text[start:end]
            if letter in "Sz" and not value:
                # The character is taken, whatever it is.
                value = text[2:3]
            found.append((letter, value.replace('"', "") if quotes else value))
            self._text = text[end:]
        self._text = self._text.lstrip(_BLANKS)
        return found

    def _apply(self, letters: str, taking_next: str = "") -> list[str]:
        """Apply the letters that the class has, and return the others."""
        others = []
        for letter, value in self._letters(taking_next):
            if letter and letter in letters:
                self._change(letter, value)
            else:
                others.append(letter)
        return others

    def common(self) -> None:
        """Most classes: letters, a file name, and what follows it."""
        name, type = self.options.name, self.options.type
        if self.options.is_alias and type == "implicit":
            self._set(stores_nul=True)
        for letter in self._apply(_COMMON, "kv"):
            # Of a letter that is missing, C's strings end there.
            self.problems.append(
                f"Illegal option {letter} map {name}" if letter else "Illegal option "
            )
        file, _, rest = re.sub(r"\s", " ", self._text, flags=re.ASCII).partition(" ")
        self._set(file=file, rest=rest.strip(_BLANKS))
        if not file and type not in _OPTIONAL_FILE:
            self._refuse(f"No file name for {type} map {name}")

    def host(self) -> None:
        for letter, value in self._letters("dr"):
            if letter and letter in "aTmtSDdr":
                self._change(letter, value)

    def dns(self) -> None:
        for letter, value in self._letters("BrZR"):
            if letter == "R":
                wanted = value.upper()
                if wanted not in RECORD_TYPES:
                    self.problems.append(f"dns map {self.options.name}: wrong type {value}")
                    wanted = ""
                self._set(record_type=wanted)
            elif letter and letter in "AaBdfmNOoqrTtZz":
                self._change(letter, value)
        if not self.options.record_type:
            # The map stays, and finds nothing.
            self.problems.append(f"dns map {self.options.name}: missing -R type")

    def dequote(self) -> None:
        """dequote, macro, arith, arpa: quotes are kept, and only the first letter counts."""
        self._set(keeps_quotes=True)
        for letter, value in self._letters()[:1]:
            if letter and letter in "aDSs":
                self._set(**_CHANGES[letter.replace("s", "S")](value))

    def syslog(self) -> None:
        for letter, value in self._letters("L"):
            if letter == "L":
                word = value[4:] if value[:4].upper() == "LOG_" else value
                if word.upper() not in PRIORITIES:
                    self._refuse(f"syslog_map_parseargs: Unknown priority {word}")
                self._set(priority=word.upper())
            elif letter and letter in "DS":
                self._set(**_CHANGES[letter](value))
            else:
                self.problems.append(f"Illegal option {letter} map syslog")
                if value:
                    # What follows is not read.
                    break

    def sequence(self) -> None:
        """Names; anything else between them separates."""
        name, members = self.options.name, list[str]()
        for member in re.findall(r"[A-Za-z0-9_.]+", self._text):
            if member.lower() not in self._known:
                self.problems.append(f"Sequence map {name}: unknown member map {member}")
            elif len(members) >= MEMBER_LIMIT:
                self.problems.append(
                    f"Sequence map {name}: too many member maps ({MEMBER_LIMIT} max)"
                )
            else:
                members.append(member)
        self._set(members=tuple(members))

    def regex(self) -> None:
        is_basic, wanted = False, None
        for letter, value in self._letters():
            if letter == "n":
                self._set(negates=True)
            elif letter == "b":
                is_basic = True
            elif letter == "s":
                wanted = value
            elif letter == "d":
                self._set(joiner=value)
            elif letter and letter in "famqSD":
                self._set(**_CHANGES[letter](value))
        try:
            pattern = PosixRegex(
                self._text,
                extended=not is_basic,
                ignore_case=self.options.folds_case,
                groups=0 if wanted is None else MATCH_LIMIT,
            )
        except PosixRegexError as error:
            self._refuse(f"pattern-compile-error: {error}")
            return
        self._set(pattern=pattern)
        if wanted is None:
            return
        if pattern.group_count + 1 >= MATCH_LIMIT:
            self._refuse(f"too many substrings, {MATCH_LIMIT} max")
            return
        fields, problem = regex_fields(wanted, pattern.group_count + 1)
        if problem:
            self._refuse(problem)
        self._set(fields=fields)

    def ldap(self) -> None:
        if self.options.is_alias:
            self._set(delimiter=",")
        own: list[tuple[str, str]] = []
        for letter, value in self._letters("bcdHhklMPprsvwZ", quotes=True):
            if letter and letter in _LDAP:
                own.append((letter, value))
            elif letter and letter in "AaDfmNOoqSTtz":
                self._set(**_CHANGES[letter](value))
            else:
                self.problems.append(f"Illegal option {letter} map {self.options.name}")
        self._set(own=tuple(own))
        letters = [letter for letter, _ in own]
        if "h" in letters and "H" in letters:
            self._refuse(
                "Can not specify both an LDAP host and an LDAP URI in map " + self.options.name
            )
        elif "k" not in letters and not self.options.is_alias:
            self._refuse(f"No filter given in map {self.options.name}")


_READERS: dict[str, Callable[[_ArgumentReader], None]] = {
    "host": _ArgumentReader.host,
    "dns": _ArgumentReader.dns,
    "dequote": _ArgumentReader.dequote,
    "macro": _ArgumentReader.dequote,
    "arith": _ArgumentReader.dequote,
    "arpa": _ArgumentReader.dequote,
    "regex": _ArgumentReader.regex,
    "sequence": _ArgumentReader.sequence,
    "syslog": _ArgumentReader.syslog,
    "ldap": _ArgumentReader.ldap,
    "ldapx": _ArgumentReader.ldap,
}
