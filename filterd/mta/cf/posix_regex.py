"""POSIX regular expressions, leftmost and longest, by the C library's regcomp and regexec.

Python's `re` takes the first alternative that fits, POSIX the longest match: `a|ab` finds `ab` in
`abc`. Patterns come from the administrator, subjects from strangers: a subject is limited. For a
pattern with back-references (`\\1`) glibc tries ways one by one, and a subject of 16 octets may
take for ever: such a search belongs in a child process, as which this file can be run.
Source: POSIX.1-2017 <regex.h>; glibc and musl differ in where `re_nsub` stands.
"""

from __future__ import annotations

import ctypes
import json
import struct
import sys
from functools import cache

SUBJECT_LIMIT = 1024
"""Octets of a subject: sendmail's addresses have up to 255, what a header check passes on up to
some 500. glibc's time grows with the square of it where sub-matches are asked for."""

BACK_REFERENCE_LIMIT = 64
"""The same for a pattern with back-references (`\\1`), for which glibc tries ways one by one."""

_SIZE = 256
"""Octets of a regex_t; glibc's has 64, musl's 32."""

_EXTENDED, _IGNORE_CASE, _NO_GROUPS = 1, 2, 8
_NO_MATCH = 1

Spans = tuple[tuple[int, int], ...]
"""Start and end of the match and of each group; (-1, -1) for a group without part in it."""


class PosixRegexError(ValueError):
    """A pattern that does not compile; the text is the C library's."""


class SubjectTooLongError(ValueError):
    """A subject that is too long for its pattern."""


class PosixRegex:
    """A compiled pattern. groups: how many spans `search` tells, 0 for none."""

    def __init__(
        self, pattern: str, *, extended: bool = True, ignore_case: bool = False, groups: int = 0
    ) -> None:
        """Raises PosixRegexError."""
        raw = pattern.encode("utf-8", "surrogateescape")
        flags = extended * _EXTENDED | ignore_case * _IGNORE_CASE | (not groups) * _NO_GROUPS
        self._arguments = (pattern, extended, ignore_case, groups)
        self._compiled = ctypes.create_string_buffer(_SIZE)
        self._library = library = _c_library()
        # Like C, the pattern ends at a NUL.
        if code := library.regcomp(self._compiled, raw.partition(b"\0")[0], flags):
            message = ctypes.create_string_buffer(80)
            library.regerror(code, self._compiled, message, len(message))
            raise PosixRegexError(message.value.decode("utf-8", "replace"))
        (self.group_count,) = struct.unpack_from("N", self._compiled.raw, _group_count_offset())
        self._spans = min(groups, self.group_count + 1)
        self.has_back_reference = _has_back_reference(raw)

    def __del__(self) -> None:
        if library := getattr(self, "_library", None):
            library.regfree(self._compiled)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PosixRegex) and other._arguments == self._arguments

    def __hash__(self) -> int:
        return hash(self._arguments)

    def request(self, subject: bytes) -> bytes:
        """What this file, run as a program, reads from standard input to do the same search.

        It prints the spans as JSON, `null` for no match. Raises SubjectTooLongError.
        """
        _check_length(subject)
        return json.dumps([*self._arguments, subject.decode("latin-1")]).encode()

    def search(self, subject: bytes) -> Spans | None:
        """The spans of the leftmost longest match, None for no match.

        Raises SubjectTooLongError.
        """
        _check_length(subject)
        found = (ctypes.c_int * (2 * max(self._spans, 1)))()
        code = self._library.regexec(
            self._compiled, subject.partition(b"\0")[0], self._spans, found, 0
        )
        if code == _NO_MATCH:
            return None
        if code:
            raise SubjectTooLongError("no memory for it")
        return tuple((found[2 * one], found[2 * one + 1]) for one in range(self._spans))


def _check_length(subject: bytes) -> None:
    if len(subject) > SUBJECT_LIMIT:
        raise SubjectTooLongError(f"{len(subject)} octets, at most {SUBJECT_LIMIT}")


def _has_back_reference(pattern: bytes) -> bool:
    at = 0
    while (at := pattern.find(b"\\", at)) >= 0:
        if pattern[at + 1 : at + 2].isdigit():
            return True
        at += 2
    return False


@cache
def _c_library() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    library.regexec.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_void_p,
        ctypes.c_int,
    ]
    library.regerror.argtypes = [
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
    ]
    return library


@cache
def _group_count_offset() -> int:
    """Where this C library keeps `re_nsub`: found with patterns whose groups are known."""
    library = _c_library()
    candidates = set(range(0, 64, struct.calcsize("N")))
    for groups in (3, 5, 6):
        probe = ctypes.create_string_buffer(_SIZE)
        library.regcomp(probe, b"(a)" * groups, _EXTENDED)
        candidates = {
            one for one in candidates if struct.unpack_from("N", probe.raw, one) == (groups,)
        }
        library.regfree(probe)
    (offset,) = candidates
    return offset


def main() -> None:
    """Do the search that standard input asks for."""
    pattern, extended, ignore_case, groups, subject = json.load(sys.stdin)
    regex = PosixRegex(pattern, extended=extended, ignore_case=ignore_case, groups=groups)
    json.dump(regex.search(subject.encode("latin-1")), sys.stdout)


if __name__ == "__main__":
    main()
