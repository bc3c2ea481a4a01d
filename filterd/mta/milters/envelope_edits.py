"""What filters do to the envelope: recipients added and deleted, the sender changed.

`sendmail.envelope_edits` and `postfix.envelope_edits` do it as the two MTAs do. Common to both is
how a list of addresses is split.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from filterd.mta.mail.draft import Draft

_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|\\.|[^",\\])+')
_COMMENT = re.compile(r"\([^()]*\)?")


def shown(value: bytes) -> str:
    """A filter's octets as one printable line."""
    return re.sub(r"[^ -~]", "?", value.decode("ascii", "replace"))


def address_list(text: str) -> list[str]:
    """The members of a list of addresses, separated by commas outside of quotes."""
    return _PART.findall(text)


def without_comments(text: str) -> str:
    """A blank in the place of each comment in parentheses."""
    return _COMMENT.sub(" ", text)


class EnvelopeEdits(ABC):
    """As one MTA does it. Each method changes the draft and returns what it did, for the log."""

    @abstractmethod
    def add(self, draft: Draft, address: bytes, parameters: bytes) -> str: ...

    @abstractmethod
    def delete(self, draft: Draft, address: bytes) -> str: ...

    @abstractmethod
    def change_sender(self, draft: Draft, address: bytes, parameters: bytes) -> str: ...
