"""Checks of what filters say, and processes that a stranger may have taken over: replies, header
fields."""

from __future__ import annotations

import re
from functools import lru_cache

from filterd.chain.verdict import Action, Reply

NAME_LIMIT = 200
"""Characters of a header field name."""

VALUE_LIMIT = 60_000
"""Characters of a header field value; a milter packet holds 65,535 octets."""

_FIELD_NAME = re.compile(r"[!-9;-~]+")
_FIELD_VALUE = re.compile(r"[^\0\r\n]*+(?:\n[ \t][^\0\r\n]*+)*+")
_XCODE = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
REPLY_TEXT = re.compile(r"[ -~]{1,900}")


class AnswerError(ValueError):
    """What a filter or a process says is not to be used; the text says what is wrong with it."""


def check_reply(reply: Reply | None, action: Action) -> None:
    """Raise AnswerError for a reply that is not one for the action."""
    if reply is None:
        if action in (Action.TEMPFAIL, Action.REJECT):
            raise AnswerError("reply: a refusal without one")
        return
    kind = 4 if action is Action.TEMPFAIL else 5
    right = reply.code // 100 == kind and reply.xcode.startswith(f"{kind}.")
    if not (right and _XCODE.fullmatch(reply.xcode) and REPLY_TEXT.fullmatch(reply.text)):
        raise AnswerError(f"reply: {reply!r} is not one for {action.word}")


@lru_cache(maxsize=256)
def field_name(name: str) -> str:
    """The name, if a header field may have it. Raises AnswerError."""
    if len(name) > NAME_LIMIT or not _FIELD_NAME.fullmatch(name):
        raise AnswerError(f"field name {name[:NAME_LIMIT]!r} is none")
    return name


def field_value(text: str) -> str:
    """The value, if a header field may have it. Raises AnswerError."""
    # What is printable has no line end.
    is_one_line = text.isprintable()
    if len(text) > VALUE_LIMIT or not (is_one_line or _FIELD_VALUE.fullmatch(text)):
        raise AnswerError(f"field value {text[:80]!r} would break the header section")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise AnswerError("field value with lone surrogates") from error
    return text
