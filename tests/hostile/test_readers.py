"""What a real mail reader opens, by one trick or by two together, is stripped or held; the same
tricks around a harmless file hold nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.chain.verdict import Action
from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.message import Message
from filterd.milter.replies import ReplaceBody
from tests.helpers.edits import after
from tests.helpers.milter import MilterClient
from tests.helpers.servers.filterd import Filterd
from tests.hostile import recorded
from tests.hostile.tricks import pairs
from tests.hostile.tricks.archives import zipped
from tests.hostile.tricks.structure import base64_of

SHARDS = 6
"""Pieces of the long list, so that several processes can share it."""

LIMITED = ("partial", "external body", "multipart as type of the part")
"""Tricks that hold a message whatever is in it: it is not wholly there."""

LETTER = b"Dear Bob,\n\nhere are the minutes of Tuesday.\n" * 4
HARMLESS = {"txt": (LETTER, 6), "zip": (zipped("minutes.txt", LETTER), 100)}
"""Extension → content, and of how many messages one is looked at: an archive costs a process."""


def delivered(data: bytes) -> bool:
    """True if the message goes to its recipient as it came."""
    verdict = Parts(PartsSettings(verify_dkim=False)).examine(Message(data, id="X1"))
    return verdict.action is Action.ACCEPT and not verdict.removed


@pytest.mark.parametrize("shard", range(SHARDS))
def test_nothing_that_a_reader_opens_is_delivered(shard: int) -> None:
    opened = [(pair, readers) for pair, readers in recorded.read() if readers]
    missed = [
        (pair.name, readers) for pair, readers in opened[shard::SHARDS] if delivered(pair.data)
    ]
    assert missed == []


def test_the_list_is_long_and_every_reader_is_on_it() -> None:
    rows = list(recorded.read())
    assert len(pairs.TRICKS) >= 80
    assert len({pair.name for pair, _readers in rows}) == len(rows)
    alone = {pair.names for pair, readers in rows if readers and len(pair.names) == 1}
    assert len(alone) > 80
    for reader in recorded.READERS:
        assert sum(reader in readers for _pair, readers in rows) > 1000


@pytest.mark.parametrize("extension", HARMLESS)
def test_the_same_tricks_around_a_harmless_file_hold_nothing(extension: str) -> None:
    content, every = HARMLESS[extension]
    # A payload of its own is the program, and so is a name that is cut in pieces.
    left_out = {name for name, (slot, _change) in pairs.TRICKS.items() if slot == "payload"}
    left_out |= {*LIMITED, "NUL in the name", "CR in the name"}

    def harmless(*names: str) -> pairs.Shape:
        shape = pairs.made(*names)
        shape.payload = base64_of(content)
        for header in ("disposition", "header"):
            plain = getattr(shape, header).replace(b"exe", extension.encode())
            setattr(shape, header, plain)
        return shape

    held = [
        pair.name
        for index, pair in enumerate(pairs.messages(harmless))
        if index % every == 0 and not left_out & set(pair.names) and not delivered(pair.data)
    ]
    assert held == []


def test_what_is_left_holds_nothing_that_would_be_found() -> None:
    """With the same program as a part that all readers see: its copy is not forgotten over it."""
    visible = b"--OUTER\r\n" + pairs.Shape().part() + b"\r\n"
    left_over = []
    for index, pair in enumerate(pairs.messages()):
        data = pair.data.replace(b"--OUTER\r\nX-A", visible + b"--OUTER\r\nX-A", 1)
        if index % EVERY_WITH_A_COPY or data == pair.data:
            continue
        verdict = Parts(PartsSettings(verify_dkim=False)).examine(Message(data, id="X1"))
        if verdict.action is not Action.ACCEPT:
            continue
        assert verdict.removed, pair.name
        left = Message(after(data, verdict), id="X1")
        again = Parts(PartsSettings(verify_dkim=False)).examine(left)
        if again.action is not Action.ACCEPT or again.removed:
            left_over.append(pair.name)
    assert left_over == []


EVERY_WITH_A_COPY = 12
"""Of the pairs, one in so many is made with a copy."""

EVERY_IN_DAEMON = 250
"""Of the pairs, one in so many goes through the running daemon."""


@pytest.mark.integration
def test_the_daemon_holds_or_strips_what_a_reader_opens(tmp_path: Path) -> None:
    opened = [
        pair
        for pair, readers in recorded.read()
        # Of a message's own header an MTA shows a filter only fields.
        if readers and len(pair.names) == 2 and not pair.name.endswith("on top")
    ]
    daemon = Filterd(tmp_path)
    daemon.start()
    try:
        ends = {pair.name: ended(daemon, pair.data) for pair in opened[::EVERY_IN_DAEMON]}
    finally:
        daemon.stop()
    assert set(ends.values()) == {"held", "stripped"}, ends


def ended(daemon: Filterd, data: bytes) -> str:
    """What the daemon does with the message, as it comes from an MTA."""
    message = Message(data)
    fields = [(f.name.encode(), f.raw_value.replace(b"\r\n", b"\n")) for f in message.header_fields]
    with MilterClient(daemon.socket) as client:
        client.hello()
        outcome = client.message(fields=fields, body=data[message.body_start :])
    if outcome.word == "discard":
        return "held"
    is_changed = any(isinstance(edit, ReplaceBody) for edit in outcome.edits)
    return "stripped" if is_changed else outcome.word
