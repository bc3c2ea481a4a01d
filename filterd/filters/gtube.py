"""GTUBE, the Generic Test for Unsolicited Bulk Email: one line that every spam filter calls spam.

It proves that mail reaches the filters at all. Source: SpamAssassin's `sample-spam.txt`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_doc import Doc

from filterd.chain.filter import Filter
from filterd.chain.verdict import NO_OPINION, Symbol, Verdict
from filterd.message import Message

# In two pieces, so that no filter takes this file for spam.
STRING = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*" + b"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

SYMBOL = "GTUBE"
DESCRIPTION = "The test string that every spam filter takes for spam."


@dataclass(frozen=True)
class GtubeSettings:
    """Finds the test string of spam filters, to prove that mail is being filtered."""

    needs_network: ClassVar[bool] = False

    score: Annotated[float, Doc("points for a message with the test string")] = 1000.0

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return {SYMBOL: DESCRIPTION}

    def build(self) -> Filter:
        """The filter."""
        return Gtube(self)


class Gtube:
    """Finds the test string."""

    name: ClassVar[str] = "gtube"

    def __init__(self, settings: GtubeSettings) -> None:
        self.settings = settings

    def examine(self, message: Message) -> Verdict:
        """Look for the string in the text parts, decoded."""
        if not self._found(message):
            return NO_OPINION
        symbol = Symbol(SYMBOL, self.settings.score, "test string of spam filters")
        return Verdict(symbols=(symbol,))

    @staticmethod
    def _found(message: Message) -> bool:
        if message.data.find(STRING, message.body_start) >= 0:
            return True
        return any(
            STRING in part.content
            for part in message.leaves()
            if part.content_type.startswith("text/") and part.is_encoded
        )
