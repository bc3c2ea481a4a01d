"""Deliver By (RFC 2852): the time within which a sender wants its message delivered, `BY=120;R`.

Source of what is a valid value, and of the words for what is not: sendmail 8.17 `srvrsmtp.c`
(mail_esmtp_args); observed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST = 999_999_999
"""Seconds at most, RFC 2852 §4."""

MAX_DIGITS = 20
"""Digits of a number that are read; LONG_MAX has 19."""

_NUMBER = re.compile(r"\s*([+-]?)(\d*)")


class DeliverByError(ValueError):
    """A value that is not valid. The text is the SMTP reply."""


@dataclass(frozen=True, slots=True)
class DeliverBy:
    """seconds: from when the message came; 0 or less only without `returns`. returns: mail that is
    late is returned (`R`), and not only told of (`N`). traces: the sender hears of each step (`T`).
    """

    seconds: int
    returns: bool
    traces: bool

    @classmethod
    def parse(cls, value: str) -> DeliverBy:
        """Read a value. Raises DeliverByError."""
        found = _NUMBER.match(value)
        assert found is not None
        seconds = int(found[2][:MAX_DIGITS] or "0") * (-1 if found[1] == "-" else 1)
        rest = value[found.end() :] if found[2] else value
        if abs(seconds) > LONGEST:
            raise DeliverByError(f"501 5.5.2 BY={value} out of range")
        if not rest.startswith(";"):
            raise DeliverByError("501 5.5.2 BY= missing ';'")
        mode, trace = rest[1:2].upper(), rest[2:3].upper()
        if mode not in ("R", "N") or not mode:
            raise DeliverByError(f"501 5.5.2 illegal by-mode '{_shown(rest[1:2])}'")
        if mode == "R" and seconds <= 0:
            raise DeliverByError("501 5.5.4 mode R requires BY time > 0")
        if trace not in ("", "T"):
            raise DeliverByError(f"501 5.5.2 illegal by-trace '{_shown(rest[2:3])}'")
        return cls(seconds, mode == "R", trace == "T")

    @classmethod
    def of(cls, parameters: Iterable[str]) -> DeliverBy | None:
        """What the parameters of a sender say, the last one of several; None for nothing valid."""
        found: DeliverBy | None = None
        for one in parameters:
            name, _, value = one.partition("=")
            if name.upper() == "BY":
                try:
                    found = cls.parse(value.partition("=")[0])
                except DeliverByError:
                    continue
        return found

    def left(self, passed: float) -> int:
        """Seconds that are left when so many have passed."""
        return self.seconds - int(passed)

    def is_exceeded(self, passed: float) -> bool:
        """Whether a sender who wants to be told of late mail is to be told."""
        return not self.returns and 0 < self.seconds <= passed

    def parameter(self, passed: float) -> str:
        """The parameter for the next server: `BY=87;RT`."""
        mode = ("R" if self.returns else "N") + ("T" if self.traces else "")
        return f"BY={self.left(passed)};{mode}"


def _shown(one: str) -> str:
    return one if one.isascii() and one.isprintable() and one else "?"
