"""Escapes for one octet, and classes in brackets."""

from __future__ import annotations

import re
from functools import lru_cache

import pcre2

from filterd.rules.patterns.octets import (
    ALL,
    ESCAPES,
    POSIX,
    bits,
    folded,
    negated,
    span,
)
from filterd.rules.patterns.syntax import PatternError

_CONTROLS = {"a": 0x07, "e": 0x1B, "f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09}
_HEX = frozenset("0123456789abcdefABCDEF")
_OCTAL = frozenset("01234567")


_SIMPLE = re.compile(r"[^\[\]\\^](?:[^\[\]\\]|\\[^\n])*+\]")
"""A class without a bracket in it: what is read once."""


class ClassReader:
    """text: the pattern; at: where the reader stands in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def escaped_octet(self) -> int:
        """The escape that stands here, as a set of one octet: empty when it means a character that
        no octet is. Raises PatternError for other escapes."""
        text, start = self.text, self.at
        letter = text[start + 1 : start + 2]
        self.at = start + 2
        if not letter:
            raise PatternError("a backslash at the end")
        if letter in _CONTROLS:
            return 1 << _CONTROLS[letter]
        if letter == "x":
            return self._number(_HEX, 16, 2)
        if letter == "o":
            if not text.startswith("{", self.at):
                raise PatternError(f"\\o at {start}: expected {{...}}")
            return self._number(_OCTAL, 8, 0)
        if letter == "N":
            if not text.startswith("{U+", self.at):
                raise PatternError(f"\\N{{...}} at {start}: expected a number, U+...")
            return self._number(_HEX, 16, 0, opening="{U+")
        if letter == "c":
            key = text[self.at : self.at + 1]
            if not key or not key.isascii():
                raise PatternError(f"\\c at {start}: expected a key")
            self.at += 1
            return 1 << (ord(key.upper()) ^ 64)
        if letter in _OCTAL:
            self.at -= 1
            return self._number(_OCTAL, 8, 3)
        if letter.isascii() and letter.isalnum():
            raise PatternError(f"unknown escape \\{letter} at {start}")
        return 1 << ord(letter)

    def _number(self, digits: frozenset[str], base: int, most: int, opening: str = "{") -> int:
        """Digits that stand here, in braces or at most so many; as a set."""
        if self.text.startswith(opening, self.at) and most != 3:
            end = self.text.find("}", self.at)
            start = self.at + len(opening)
            number = self.text[start:end].strip().replace("_", "") if end > 0 else ""
            if not number or not digits.issuperset(number):
                raise PatternError(f"number at {self.at}: expected digits in braces")
            self.at = end + 1
        else:
            end = self.at
            while end < min(len(self.text), self.at + most) and self.text[end] in digits:
                end += 1
            number = self.text[self.at : end] or "0"
            self.at = end
        value = int(number[-12:], base)
        return 1 << value if value < 256 else 0

    def property(self) -> int:
        """`\\p{...}` or `\\PL` that stands here, for the characters of Latin-1."""
        start = self.at
        end = start + 3
        if self.text.startswith("{", start + 2):
            end = self.text.find("}", start) + 1
        name = self.text[start + 2 : end].strip("{}")
        self.at = max(end, start + 3)
        clean = name.replace("_", "").replace(" ", "").replace("=", "").replace("^", "")
        if not clean.isascii() or not clean.isalnum():
            raise PatternError(f"property at {start}: expected its name")
        return _property(self.text[start + 1], name)

    def bracket(self, *, folds: bool, blanks: bool) -> int:
        """The class whose opening bracket was taken. folds: under /i; blanks: under /xx, where
        blanks mean nothing."""
        simple = _SIMPLE.match(self.text, self.at)
        if simple is None or blanks:
            return self._bracket(folds=folds, blanks=blanks)
        self.at = simple.end()
        return _simple_class(simple[0], folds)

    def _bracket(self, *, folds: bool, blanks: bool) -> int:
        start = self.at
        inverted = self.text.startswith("^", self.at)
        self.at += inverted
        first = self.at
        found = 0
        while True:
            mark = self.text[self.at : self.at + 1]
            if not mark:
                raise PatternError(f"class at {start} without ']'")
            if mark == "]" and self.at > first:
                self.at += 1
                break
            if blanks and mark in " \t":
                self.at += 1
                continue
            mask, is_octet = self._member()
            if is_octet and self._is_range():
                self.at += 1
                last, is_octet = self._member()
                if is_octet:
                    mask = _range(mask, last)
                else:
                    mask |= last | 1 << ord("-")
            found |= mask
        if folds:
            found = folded(found)
        return negated(found) if inverted else found & ALL

    def _is_range(self) -> bool:
        return self.text.startswith("-", self.at) and self.text[self.at + 1 : self.at + 2] not in (
            "]",
            "",
        )

    def _member(self) -> tuple[int, bool]:
        """A member of a class, and whether it is a single octet."""
        text, start = self.text, self.at
        if text[start] == "[" and text[start + 1 : start + 2] in (":", "=", "."):
            kind = text[start + 1]
            end = text.find(kind + "]", start + 2)
            if end > 0 and text[start + 2 : end].removeprefix("^").isalpha():
                name = text[start + 2 : end]
                if kind != ":" or name.removeprefix("^") not in POSIX:
                    raise PatternError(f"unknown POSIX class [{kind}{name}{kind}]")
                self.at = end + 2
                mask = POSIX[name.removeprefix("^")]
                return (negated(mask) if name.startswith("^") else mask), False
        if text[start] != "\\":
            self.at += 1
            return 1 << ord(text[start]), True
        letter = text[start + 1 : start + 2]
        if letter == "b":
            self.at += 2
            return 1 << 0x08, True
        if letter in ("p", "P") and letter:
            return self.property(), False
        if letter in ESCAPES and letter and (letter != "N" or not text.startswith("{", start + 2)):
            if letter == "N":
                raise PatternError("\\N in a class")
            self.at += 2
            return ESCAPES[letter], False
        if letter in ("8", "9"):
            raise PatternError(f"unknown escape \\{letter} at {start}")
        return self.escaped_octet(), True


def _range(first: int, last: int) -> int:
    """The set from one octet to another; an empty set stands for a character beyond them."""
    low = first.bit_length() - 1 if first else 256
    high = last.bit_length() - 1 if last else 255
    if low > high and first and last:
        raise PatternError("range in a class: expected the lower end first")
    return span(low, high) if low <= high else 0


@lru_cache(maxsize=4096)
def _simple_class(text: str, folds: bool) -> int:
    return ClassReader(text)._bracket(folds=folds, blanks=False)


@lru_cache(maxsize=256)
def _property(letter: str, name: str) -> int:
    if name.startswith("Is"):
        name = name[2:]
    try:
        found = pcre2.compile(f"(?s)\\{letter}{{{name}}}".encode("ascii"), jit=False)
    except pcre2.PatternError as error:
        raise PatternError(f"property {name!r} is not supported") from error
    return bits(octet for octet in range(256) if found.match(bytes((octet,))))
