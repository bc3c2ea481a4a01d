"""Senders that were made for one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.filters.senders.filter import Senders
from filterd.filters.senders.rewritten import Rewritten, rewritten
from filterd.filters.senders.settings import SendersSettings
from filterd.message import Envelope, Message, Recipient


@pytest.mark.parametrize(
    ("sender", "found"),
    [
        ("prvs=1234abcdef=ann@a.example", Rewritten("BATV", "ann@a.example")),
        ("SRS0=HHH=TT=a.example=ann@fwd.example", Rewritten("SRS", "ann@a.example", False)),
        ("SRS0+HHH=TT=a.example=ann@fwd.example", Rewritten("SRS", "ann@a.example", False)),
        ("srs0=h=t=a.example=x=y@fwd.example", Rewritten("SRS", "x=y@a.example", False)),
        (
            "SRS1=HHH=one.example==HHH=TT=a.example=ann@two.example",
            Rewritten("SRS", "ann@a.example", False),
        ),
        ("news-bounces+joe=mx.example@l.example", Rewritten("VERP", "news-bounces@l.example")),
        ("bounce-77-joe=mx.example@l.example", Rewritten("VERP", "l.example")),
        ("ann@a.example", None),
        ("ann+list@a.example", None),
        ("a=b@a.example", None),
        ("prvs=ann@a.example", None),
        ("srs0=h=t=@fwd.example", None),
        ("", None),
        ("postmaster", None),
    ],
)
def test_what_a_sender_stands_for(sender: str, found: Rewritten | None) -> None:
    assert rewritten(sender) == found


@pytest.mark.parametrize(
    ("entry", "sender", "symbols"),
    [
        ("block ann@a.example", "prvs=1234abcdef=ann@a.example", ["SENDER_BLOCKED"]),
        ("allow ann@a.example", "prvs=1234abcdef=ann@a.example", ["SENDER_ALLOWED"]),
        ("block ann@a.example", "SRS0=H=T=a.example=ann@fwd.example", ["SENDER_BLOCKED"]),
        ("block a.example", "SRS0=H=T=a.example=ann@fwd.example", ["SENDER_BLOCKED"]),
        # Anybody may write such a sender, whoever the forwarder is.
        ("allow ann@a.example", "SRS0=H=T=a.example=ann@fwd.example", []),
        ("allow fwd.example", "SRS0=H=T=a.example=ann@fwd.example", ["SENDER_ALLOWED"]),
        ("block l@l.example", "l+joe=mx.example@l.example", ["SENDER_BLOCKED"]),
        ("block bob@a.example", "prvs=1234abcdef=ann@a.example", []),
    ],
)
def test_entries_fit_what_a_sender_stands_for(
    tmp_path: Path, entry: str, sender: str, symbols: list[str]
) -> None:
    file = tmp_path / "senders.list"
    file.write_text(f"{entry}\n")
    filter = Senders(SendersSettings(file))
    filter.prepare()
    envelope = Envelope(sender, (Recipient("joe@mx.example"),))
    verdict = filter.examine(Message(b"Subject: x\r\n\r\nx\r\n", envelope, "id"))
    assert [one.name for one in verdict.symbols] == symbols
