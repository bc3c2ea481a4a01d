"""Replies of the filter as values, read from packets, and the reply text that a client may see.

What is not whole is not guessed: `parse` returns `Malformed`, and each MTA has its own way with
it (sendmail ignores an edit without its final NUL, Postfix breaks off).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from struct import Struct

from filterd.milter.constants import ReplyCode
from filterd.milter.packets import Packet

_INDEX = Struct("!I")

# sendmail looks at three characters only: `[45]DD`, whatever follows.
_SENDMAIL_CODE = re.compile(rb"[45][0-9][0-9]")


@dataclass(frozen=True, slots=True)
class PlainReply:
    """A reply without data: CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD, SKIP, PROGRESS …

    data: what a filter has sent all the same; sendmail does not look at it.
    """

    code: ReplyCode
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class ReplyText:
    """REPLYCODE. data: the packet's data as it came, checked by `sendmail_text`/`postfix_text`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class AddHeader:
    """SMFIR_ADDHEADER: a field at the end of the header."""

    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class InsertHeader:
    """SMFIR_INSHEADER. index: place among all fields; 0 is the top."""

    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class ChangeHeader:
    """index counts fields of that name from 1. An empty value deletes the field."""

    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class ReplaceBody:
    """SMFIR_REPLBODY: the next piece of a new body."""

    chunk: bytes


@dataclass(frozen=True, slots=True)
class AddRecipient:
    """parameters: ESMTP parameters in one string, empty for the plain form."""

    address: bytes
    parameters: bytes = b""


@dataclass(frozen=True, slots=True)
class DeleteRecipient:
    """SMFIR_DELRCPT."""

    address: bytes


@dataclass(frozen=True, slots=True)
class ChangeSender:
    """SMFIR_CHGFROM. parameters: ESMTP parameters in one string."""

    address: bytes
    parameters: bytes = b""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """SMFIR_QUARANTINE: the MTA holds the message."""

    reason: bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    """A known reply whose data is not what its code demands."""

    code: ReplyCode
    data: bytes


@dataclass(frozen=True, slots=True)
class UnknownReply:
    """An octet that is not a reply."""

    code: bytes


Edit = (
    AddHeader
    | InsertHeader
    | ChangeHeader
    | ReplaceBody
    | AddRecipient
    | DeleteRecipient
    | ChangeSender
    | Quarantine
)
FilterReply = PlainReply | ReplyText | Edit | Malformed | UnknownReply

PLAIN = frozenset(
    {
        ReplyCode.ACCEPT,
        ReplyCode.CONTINUE,
        ReplyCode.DISCARD,
        ReplyCode.REJECT,
        ReplyCode.SKIP,
        ReplyCode.TEMPFAIL,
        ReplyCode.PROGRESS,
        ReplyCode.SHUTDOWN,
        ReplyCode.CONN_FAIL,
    }
)


_ALONE = {code.value: PlainReply(code, b"") for code in PLAIN}
"""What nearly every reply is: an octet alone."""


def parse(packet: Packet) -> FilterReply:
    """Read a reply. Never raises: see `Malformed` and `UnknownReply`."""
    if not packet.data and packet.command in _ALONE:
        return _ALONE[packet.command]
    try:
        code = ReplyCode(packet.command)
    except ValueError:
        return UnknownReply(packet.command)
    if code in PLAIN:
        return PlainReply(code, packet.data)
    if code is ReplyCode.REPLYCODE:
        return ReplyText(packet.data)
    if code is ReplyCode.REPLBODY:
        return ReplaceBody(packet.data)
    if code in (ReplyCode.OPTNEG, ReplyCode.SETSYMLIST):
        return UnknownReply(packet.command)
    if code is ReplyCode.QUARANTINE:
        # Neither MTA wants a reason, or the NUL at its end: the message is held in any case.
        return Quarantine(packet.data.partition(b"\0")[0])
    if not packet.data.endswith(b"\0"):
        return Malformed(code, packet.data)
    return _strings(code, packet.data) or Malformed(code, packet.data)


def _strings(code: ReplyCode, data: bytes) -> FilterReply | None:
    """Replies that are made of NUL-terminated strings, two of them after an index."""
    index = 0
    if code in (ReplyCode.INSHEADER, ReplyCode.CHGHEADER):
        if len(data) < _INDEX.size + 1:
            return None
        (index,) = _INDEX.unpack_from(data)
        data = data[_INDEX.size :]
    parts = data[:-1].split(b"\0")
    first, second = parts[0], parts[1] if len(parts) > 1 else None
    match code:
        case ReplyCode.ADDHEADER if second is not None:
            return AddHeader(first, second)
        case ReplyCode.INSHEADER if second is not None:
            return InsertHeader(index, first, second)
        case ReplyCode.CHGHEADER if second is not None:
            return ChangeHeader(index, first, second)
        case ReplyCode.ADDRCPT | ReplyCode.ADDRCPT_PAR:
            return AddRecipient(first, second or b"")
        case ReplyCode.DELRCPT:
            return DeleteRecipient(first)
        case ReplyCode.CHGFROM:
            return ChangeSender(first, second or b"")
    return None


def sendmail_text(data: bytes) -> bytes | None:
    """The reply text of a REPLYCODE packet as sendmail 8.17 checks it, None where it refuses it.

    One NUL, at the very end; at least three octets; `[45]DD`; every `%` doubled. The code of later
    lines and the class of the enhanced code are not looked at. Returned with `%%` made single.
    Source: MILTER_CHECK_REPLYCODE in `sendmail/milter.c`.
    """
    text = data[:-1]
    if not data.endswith(b"\0") or b"\0" in text or not _SENDMAIL_CODE.match(text):
        return None
    if b"%" in text.replace(b"%%", b""):
        return None
    return text.replace(b"%%", b"%")


# RFC 3463: class.subject.detail, the class alike to the code's first digit.
_POSTFIX_LINE = re.compile(rb"([45])[0-9][0-9](?:[ -]|$)")
_ENHANCED = re.compile(rb"([245])\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9])")


def postfix_text(data: bytes) -> bytes | None:
    """The reply text as Postfix 3.7 checks it, None where it calls it a configuration error.

    The code is `[45]DD`, an enhanced status code behind it must be of the same class; `%%` and
    single `%` alike become one character or none (`milter8.c`).
    """
    text = data.partition(b"\0")[0]
    match = _POSTFIX_LINE.match(text)
    if match is None or len(text) < 4:
        return None
    enhanced = _ENHANCED.match(text[4:])
    if enhanced and enhanced[1] != match[1]:
        return None
    return re.sub(rb"%(%?)", rb"\1", text)
