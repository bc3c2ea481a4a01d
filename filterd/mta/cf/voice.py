"""What rules say: errors of the configuration and of addresses, complaints of maps.

Source: sendmail 8.17 `err.c` (fmtmsg).
"""

from __future__ import annotations

from dataclasses import replace

from filterd.mta.cf.lookup import EX_OK, MapAnswer
from filterd.mta.cf.marks import octets
from filterd.mta.cf.observer import Observer, RuleMessage
from filterd.mta.cf.program import Program
from filterd.mta.cf.tokens import Scanned, Table, Tokens, scan

EX_OSERR = 71


class Voice:
    """said: how much was said. place: the file and line that messages begin with, "" for none."""

    def __init__(self, program: Program, observer: Observer) -> None:
        self._program, self._observer = program, observer
        self.said = 0
        self.place = ""

    def complain(self, text: str, code: str = "554", enhanced: str = "5.3.5") -> RuleMessage:
        """An error of the configuration."""
        message = RuleMessage(code, enhanced, self._program.names.stripped(text), system=True)
        self._say(message)
        return message

    def warn(self, text: str) -> None:
        """Something that may be meant so."""
        self._say(RuleMessage("050", "", self._program.names.stripped(text)))

    def error(self, error: str, address: str = "") -> RuleMessage:
        """An error of an address. error: `553 5.1.1 text`, or without the enhanced code."""
        message = user_message(self._program, error, address)
        self._say(message)
        return message

    def tell(self, answer: MapAnswer) -> None:
        """Say what a map complains of."""
        for line in answer.complaint.split("\n") if answer.complaint else ():
            message = RuleMessage(
                "451" if answer.trouble == EX_OSERR else "554",
                "",
                self._program.names.stripped(octets(line)),
                system=answer.trouble != EX_OK,
                trouble=answer.trouble,
            )
            self._say(message)

    def _say(self, message: RuleMessage) -> None:
        self.said += 1
        if self.place:
            message = replace(message, address="", text=f"{self.place}{message}")
        self._observer.message(message)

    def scanned(self, text: str, table: Table) -> Tokens | None:
        """Text as tokens; complaints name the text."""
        return self.scanned_until("", text, table).tokens

    def scanned_until(self, delimiter: str, text: str, table: Table) -> Scanned:
        """Text up to a delimiter as tokens; complaints name all of the text."""

        def report(error: str) -> None:
            self.error(error, text)

        return scan(text, table, report, delimiter=delimiter)


_WITH_ADDRESS = frozenset(("050", "250", "252", "450", "550", "553"))
"""Codes of messages that begin with the address."""


def user_message(program: Program, error: str, address: str) -> RuleMessage:
    """A message about an address. error: `553 5.1.1 text`, or without the enhanced code."""
    code, _, text = error.partition(" ")
    enhanced, _, rest = text.partition(" ")
    if not is_enhanced(enhanced):
        enhanced, rest = f"{code[0]}.0.0", text
    shown = shortened(address) if code in _WITH_ADDRESS else ""
    names = program.names
    return RuleMessage(code, enhanced, names.stripped(rest), names.stripped(shown))


def is_enhanced(text: str) -> bool:
    """Whether a text is an enhanced status code: `5.1.1`, digits 2, 4 or 5, then up to 3 each."""
    parts = text.split(".")
    return (
        len(parts) == 3
        and parts[0] in ("2", "4", "5")
        and all(part.isdecimal() and part.isascii() and len(part) <= 3 for part in parts[1:])
    )


MAX_SHOWN = 203
"""Octets of an address in a message, MAXSHORTSTR."""


def shortened(text: str, limit: int = MAX_SHOWN) -> str:
    """A text of fewer octets than the limit, or with dots for its middle."""
    if len(text) < limit:
        return text
    half = (min(limit, MAX_SHOWN) - 3) // 2
    return f"{text[:half]}...{text[-half:]}"
