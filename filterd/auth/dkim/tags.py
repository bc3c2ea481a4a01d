"""Lists of tags, as signatures, seals and key records have them.

Source: RFC 6376 §3.2; letters beyond ASCII as UTF-8, RFC 8616 §5.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.limits import SIGNATURE_SIZE_LIMIT, TAGS_LIMIT

FOLDING = b" \t\r\n"
"""Octets of folding white space (FWS)."""

_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*+")
# VALCHAR without the semicolon, blanks and line ends between; octets of UTF-8.
_VALUE = re.compile(rb"[\t\n\r !-:<-~\x80-\xff]*+")
_NUMBER = re.compile(r"[0-9]{1,76}+")


class Tag(NamedTuple):
    """One tag. value: without the white space around it. start, end: of everything between "=" and
    the semicolon, by octets of the list."""

    value: bytes
    start: int
    end: int


class TagList:
    """A list of tags, parsed strictly: a fault anywhere makes all of it useless (RFC 6376 §3.2).

    octets: the list as it came, folding included. limit: octets that it may have at most.
    any_case: names are asked for in lower case, however they are spelled. Raises DkimError.
    """

    def __init__(
        self, octets: bytes, limit: int = SIGNATURE_SIZE_LIMIT, *, any_case: bool = False
    ) -> None:
        self.octets = octets
        self._tags: dict[str, Tag] = {}
        if len(octets) > limit:
            raise DkimError(f"more than {limit} octets of tags")
        if octets.count(b";") > TAGS_LIMIT:
            raise DkimError(f"more than {TAGS_LIMIT} tags")
        position = 0
        for spec in octets.split(b";"):
            start, position = position, position + len(spec) + 1
            name, equals, value = spec.partition(b"=")
            if not equals:
                if position > len(octets) and not spec.strip(FOLDING) and self._tags:
                    break  # after the last semicolon
                raise DkimError('a tag without "="')
            name = name.strip(FOLDING)
            if not _NAME.fullmatch(name):
                raise DkimError("a tag with an invalid name")
            if any_case:
                name = name.lower()
            if not _VALUE.fullmatch(value):
                raise DkimError(f"octets in {name.decode()}= that no tag may have")
            if name.decode() in self._tags:
                raise DkimError(f"{name.decode()}= twice")
            first = start + len(spec) - len(value)
            self._tags[name.decode()] = Tag(value.strip(FOLDING), first, start + len(spec))

    def __contains__(self, name: str) -> bool:
        return name in self._tags

    def text(self, name: str) -> str | None:
        """The value of a tag as it stands there, None without the tag. What is not UTF-8 is there
        as surrogates."""
        tag = self._tags.get(name)
        return None if tag is None else tag.value.decode("utf-8", "surrogateescape")

    def required(self, name: str) -> str:
        """The value of a tag that must be there and not be empty. Raises DkimError."""
        text = self.text(name)
        if not text:
            raise DkimError(f"no {name}=" if text is None else f"an empty {name}=")
        return text

    def words(self, name: str) -> tuple[str, ...] | None:
        """A value that is a list with colons, each without the white space around it."""
        text = self.text(name)
        return None if text is None else tuple(word.strip(" \t\r\n") for word in text.split(":"))

    def number(self, name: str) -> int | None:
        """A value of digits. Raises DkimError."""
        text = self.text(name)
        if text is None:
            return None
        if not _NUMBER.fullmatch(text):
            raise DkimError(f"{name}= is not a number, or has more than 76 digits")
        return int(text)

    def binary(self, name: str) -> bytes:
        """A value in base64, in which white space does not count, nor missing padding. Raises
        DkimError, also without the tag; an empty value is b""."""
        tag = self._tags.get(name)
        if tag is None:
            raise DkimError(f"no {name}=")
        letters = tag.value.translate(None, FOLDING)
        try:
            return base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise DkimError(f"{name}= is not base64") from None

    def without(self, name: str) -> bytes:
        """The list with the value of one tag taken out, white space around it included, as what is
        signed has b= (RFC 6376 §3.7)."""
        return self.replaced(name, b"")

    def replaced(self, name: str, value: bytes) -> bytes:
        """The list with another value of one tag, white space around it included."""
        tag = self._tags[name]
        return self.octets[: tag.start] + value + self.octets[tag.end :]
