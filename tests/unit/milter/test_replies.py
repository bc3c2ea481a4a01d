"""Replies of a filter, and the reply text that a client may come to see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.milter import replies as r
from filterd.milter.constants import ReplyCode
from filterd.milter.packets import Packet

CASES: list[tuple[bytes, r.FilterReply]] = [
    (b"c", r.PlainReply(ReplyCode.CONTINUE)),
    (b"p", r.PlainReply(ReplyCode.PROGRESS)),
    (b"y550 5.7.1 no\0", r.ReplyText(b"550 5.7.1 no\0")),
    (b"hX-A\0v\0", r.AddHeader(b"X-A", b"v")),
    (b"i\0\0\0\x05X-A\0v\0", r.InsertHeader(5, b"X-A", b"v")),
    (b"m\0\0\0\x01Subject\0\0", r.ChangeHeader(1, b"Subject", b"")),
    (b"bchunk", r.ReplaceBody(b"chunk")),
    (b"b", r.ReplaceBody(b"")),
    (b"+<a@x>\0", r.AddRecipient(b"<a@x>")),
    (b"2<a@x>\0NOTIFY=NEVER\0", r.AddRecipient(b"<a@x>", b"NOTIFY=NEVER")),
    (b"2<a@x>\0", r.AddRecipient(b"<a@x>")),
    (b"-<a@x>\0", r.DeleteRecipient(b"<a@x>")),
    (b"e<b@y>\0", r.ChangeSender(b"<b@y>")),
    (b"qheld\0", r.Quarantine(b"held")),
    (b"q", r.Quarantine(b"")),
    (b"q\0", r.Quarantine(b"")),
    (b"qheld", r.Quarantine(b"held")),
    (b"hX-A\0v", r.Malformed(ReplyCode.ADDHEADER, b"X-A\0v")),
    (b"hX-A\0", r.Malformed(ReplyCode.ADDHEADER, b"X-A\0")),
    (b"i\0\0", r.Malformed(ReplyCode.INSHEADER, b"\0\0")),
    (b"m\0\0\0\0", r.Malformed(ReplyCode.CHGHEADER, b"\0\0\0\0")),
    (b"O\0\0\0\x06", r.UnknownReply(b"O")),
    (b"Zjunk", r.UnknownReply(b"Z")),
]


@pytest.mark.parametrize(("wire", "reply"), CASES)
def test_reading(wire: bytes, reply: r.FilterReply) -> None:
    assert r.parse(Packet(wire[:1], wire[1:])) == reply


@given(st.binary(min_size=1, max_size=1), st.binary(max_size=60))
def test_reading_never_raises(command: bytes, data: bytes) -> None:
    r.parse(Packet(command, data))
    r.sendmail_text(data)
    r.postfix_text(data)


@pytest.mark.parametrize(
    ("data", "sendmail", "postfix"),
    [
        (b"550 5.7.9 Go away %% now\0", b"550 5.7.9 Go away % now", b"550 5.7.9 Go away % now"),
        (b"550 5.7.1 100% bad\0", None, b"550 5.7.1 100 bad"),
        (b"550 5.7.1 end%\0", None, b"550 5.7.1 end"),
        (b"250 2.0.0 OK\0", None, None),
        (b"354 go\0", None, None),
        (b"55\0", None, None),
        (b"5x0 hm\0", None, None),
        (b"", None, None),
        (b"550 5.7.1 no nul", None, b"550 5.7.1 no nul"),
        (b"550 5.7.1 a\0b\0", None, b"550 5.7.1 a"),
        (b"550\0", b"550", None),
        (b"550 4.7.1 mismatch\0", b"550 4.7.1 mismatch", None),
        (b"599 5.9.9 odd\0", b"599 5.9.9 odd", b"599 5.9.9 odd"),
        (b"550-a\r\n450 b\0", b"550-a\r\n450 b", b"550-a\r\n450 b"),
    ],
)
def test_reply_texts_as_each_checks_them(
    data: bytes, sendmail: bytes | None, postfix: bytes | None
) -> None:
    assert r.sendmail_text(data) == sendmail
    assert r.postfix_text(data) == postfix
