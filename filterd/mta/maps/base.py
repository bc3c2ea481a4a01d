"""What all maps have in common: opening, failures, and what becomes of a value that was found.

A map that cannot be opened, and is not optional, answers each lookup with a temporary failure, as
sendmail's "bogus map" does; `retry` lets it be opened again.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from filterd.mta.cf.lookup import EX_OK, EX_TEMPFAIL, MapAnswer, Opening
from filterd.mta.cf.map_options import MapOptions

EX_UNAVAILABLE = 69
EX_SOFTWARE = 70
EX_OSERR = 71
EX_CONFIG = 78

KEY_LIMIT = 256
"""Octets of a key; sendmail cuts longer ones (MAXNAME)."""


NO_COMPLAINT = "", EX_OK


class MapError(Exception):
    """A map that cannot be opened or read; the text is sendmail's message.

    error: the system's number, which the message ends with; None for none.
    """

    def __init__(self, text: str, error: int | str | None = None) -> None:
        said = os.strerror(error) if isinstance(error, int) else error
        super().__init__(f"{text}: {said}" if said else text)
        self.trouble = EX_OSERR if said else EX_SOFTWARE


@dataclass(frozen=True, slots=True)
class MapValue:
    """A value as the map's source has it, and where it stands."""

    value: bytes
    entry: str = ""


def octets(text: str) -> bytes:
    """The octets of text from the rules."""
    return text.encode("utf-8", "surrogateescape")


def text_of(data: bytes) -> str:
    """Octets as the rules take them."""
    return data.decode("ascii", "surrogateescape")


_PERCENT = re.compile(rb"%(.?)", re.DOTALL)


def rewritten(value: bytes, key: bytes, arguments: Sequence[str]) -> bytes:
    """A value with `%0` (the key), `%1` to `%9` (the arguments) and `%%` replaced."""
    parts = (key, *map(octets, arguments))

    def replacement(match: re.Match[bytes]) -> bytes:
        letter = match[1]
        if not letter.isdigit():
            return b"%" if letter == b"%" else match[0]
        number = int(letter)
        return parts[number] if number < len(parts) else b""

    # Like C, a value ends at its first NUL.
    return _PERCENT.sub(replacement, value.partition(b"\0")[0])


class BaseMap:
    """A map. Classes implement `_find`, and `_open` if there is something to open."""

    def __init__(self, options: MapOptions) -> None:
        self.options = options
        self._is_open = False
        self._is_closed_for_good = not options.is_valid
        self._failed = self._is_absent = False
        self._pending = NO_COMPLAINT
        self._lock = threading.RLock()

    @property
    def strips_quotes(self) -> bool:
        return not self.options.keeps_quotes

    @property
    def space(self) -> str | None:
        return self.options.space or None

    @property
    def failure_suffix(self) -> str | None:
        return self.options.failure_suffix

    @property
    def defers(self) -> bool:
        return self.options.defers

    @property
    def rests_when_deferred(self) -> bool:
        return self.options.rests_when_deferred

    @property
    def is_open(self) -> bool:
        with self._lock:
            self._ensure_open()
            return self._is_open

    def version(self) -> Hashable | None:
        """See `Map`. Only of an open map."""
        with self._lock:
            self._ensure_open()
            sound = self._is_open and not self._failed and self._pending == NO_COMPLAINT
            return self._version() if sound else None

    def _version(self) -> Hashable | None:
        return None

    def open(self) -> Opening:
        with self._lock:
            self._ensure_open()
            complaint, trouble = self._pending
            self._pending = NO_COMPLAINT
            return Opening(self._is_open, complaint, trouble)

    def _ensure_open(self) -> None:
        if self._is_open or self._is_closed_for_good or self._is_absent:
            return
        try:
            self._pending = self._open()
        except MapError as error:
            if self.options.is_optional:
                self._is_absent = True
                return
            self._failed = True
            self._pending = str(error), error.trouble
        self._is_open = True

    def retry(self) -> None:
        """Let a map that could not be opened be opened at the next lookup, optional or not."""
        if not self._failed and not self._is_absent:
            return
        with self._lock:
            self._is_open = self._failed = self._is_absent = False

    def lookup(self, key: str, arguments: Sequence[str] = ()) -> MapAnswer:
        opening = self.open()
        if not opening.is_open:
            return MapAnswer()
        try:
            answer = MapAnswer(None, EX_TEMPFAIL) if self._failed else self._answer(key, arguments)
        except MapError as error:
            answer = MapAnswer(None, EX_TEMPFAIL, str(error), trouble=error.trouble)
        if not opening.complaint:
            return answer
        complaints = [one for one in (opening.complaint, answer.complaint) if one]
        return replace(
            answer, complaint="\n".join(complaints), trouble=opening.trouble or answer.trouble
        )

    def _open(self) -> tuple[str, int]:
        """Returns a complaint in spite of which it is open, mostly none, and the exit status that
        it leaves behind. Raises MapError."""
        return NO_COMPLAINT

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        """What an open map finds. Raises MapError for a temporary failure."""
        raise NotImplementedError

    def _value(self, key: str, arguments: Sequence[str], found: MapValue) -> MapAnswer:
        """The answer for a value that was found: `-m`, `%n`, `-a`."""
        options, raw = self.options, octets(key)
        value = raw if options.match_only else rewritten(found.value, raw, arguments)
        return MapAnswer(text_of(value + octets(options.append)), EX_OK, entry=found.entry)

    def _folded(self, key: str) -> bytes:
        """The key as files have it: cut, and in lower case unless `-f`."""
        raw = octets(key)[:KEY_LIMIT]
        return raw.lower() if self.options.folds_case else raw
