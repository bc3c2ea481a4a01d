"""The message as rules see it."""

from __future__ import annotations

import pytest

from filterd.message.message import Message
from filterd.rules.view.view import View


@pytest.mark.parametrize(
    ("data", "full"),
    [
        (b"Subject: a\r\n\r\nText\r\n", b"Subject: a\n\nText\n"),
        (b"From a@b.example Mon\r\nSubject: a\r\n\r\n", b"Subject: a\n\n"),
        (b"From : a@b.example\r\n\r\n", b"From : a@b.example\n\n"),
        (b"", b""),
    ],
)
def test_the_full_text_has_bare_line_feeds_and_no_mbox_line(data: bytes, full: bytes) -> None:
    assert View(Message(data)).full == full
