"""Checks of what filters say, and processes that a stranger may have taken over: replies, header
fields."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from filterd.chain.verdict import Action, AddField, ChangeField, Edit, Reply, Splice, Verdict

NAME_LIMIT = 200
"""Characters of a header field name."""

VALUE_LIMIT = 60_000
"""Characters of a header field value; a milter packet holds 65,535 octets."""

_FIELD_NAME = re.compile(r"[!-9;-~]+")
_FIELD_VALUE = re.compile(r"[^\0\r\n]*+(?:\n[ \t][^\0\r\n]*+)*+")
_XCODE = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
EDIT_LIMIT = 10_000
"""Edits of one message; a header of forged fields has hundreds at most."""

REPLY_TEXT = re.compile(r"[ -~]{1,900}")


class AnswerError(ValueError):
    """What a filter or a process says is not to be used; the text says what is wrong with it."""


def check_reply(reply: Reply | None, action: Action) -> None:
    """Raise AnswerError for a reply that is not one for the action."""
    if reply is None:
        if action in (Action.TEMPFAIL, Action.REJECT):
            raise AnswerError("reply: expected one with a refusal")
        return
    kind = 4 if action is Action.TEMPFAIL else 5
    right = reply.code // 100 == kind and reply.xcode.startswith(f"{kind}.")
    if not (right and _XCODE.fullmatch(reply.xcode) and REPLY_TEXT.fullmatch(reply.text)):
        raise AnswerError(
            f"reply: {reply!r} does not fit {action.word}; expected code {kind}xx, "
            f"enhanced code {kind}.x.x and a line of ASCII"
        )


@lru_cache(maxsize=256)
def field_name(name: str) -> str:
    """The name, if a header field may have it. Raises AnswerError."""
    if len(name) > NAME_LIMIT or not _FIELD_NAME.fullmatch(name):
        raise AnswerError(
            f"field name {name[:NAME_LIMIT]!r}: expected at most {NAME_LIMIT} printable "
            "characters of ASCII, no blank and no colon"
        )
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


def check_verdict(verdict: Verdict, body_start: int, size: int) -> None:
    """Raise AnswerError where a filter wants what cannot be done: a reply that does not fit its
    action, edits of a message of so many octets, whose body begins there, or a probability
    outside 0.0 to 1.0."""
    if verdict.probability is not None and not 0.0 <= verdict.probability <= 1.0:
        raise AnswerError(f"probability: expected 0.0 to 1.0, not {verdict.probability}")
    if verdict.reply is not None and verdict.action in (Action.TEMPFAIL, Action.REJECT):
        check_reply(verdict.reply, verdict.action)
    if verdict.edits:
        _check_edits(verdict.edits, body_start, size)
    for one in verdict.infected:
        _check_edits(one.edits, body_start, size)


def _check_edits(edits: Iterable[Edit], body_start: int, size: int) -> None:
    for number, edit in enumerate(edits):
        if number >= EDIT_LIMIT:
            raise AnswerError(f"more than {EDIT_LIMIT} edits")
        match edit:
            case AddField(str(name), str(value)):
                field_name(name)
                field_value(value)
            case ChangeField(str(name), int(index), str() | None as text) if (
                1 <= index <= EDIT_LIMIT
            ):
                field_name(name)
                if text is not None:
                    field_value(text)
            # A worker has the message as a bytearray, and parts of it are such, too.
            case Splice(int(start), int(end), bytes() | bytearray()) if (
                body_start <= start <= end <= size
            ):
                pass
            case _:
                raise AnswerError(f"edit: {str(edit)[:80]} cannot be made in this message")
