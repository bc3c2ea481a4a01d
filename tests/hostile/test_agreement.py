"""The tree that filterd sees beside the tree that another project's tests expect.

Apache James Mime4J ships its parser's event stream as XML beside each message, for its own torture
messages and for those of MIME-tools. Where we differ, the reason stands here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.message import Entity, Message
from tests.hostile.corpus import unpacked

Shape = str
"""`x` for a part with a body, `(…)` for a multipart, `[…]` for a message in a message."""

_TAG = re.compile(rb"<(/?)(message|multipart|body-part|body)[ />]")

_ENCODED = (
    "a message that is transfer-encoded as a whole is opened as another reading, not in place"
)
_BLANKS = "the boundary ends in blanks, which RFC 2046 §5.1.1 forbids; blanks at a line's end vary"

DIFFERENT: dict[str, str] = {
    "base64encoded-rfc822message": _ENCODED,
    "base64encoded-rfc822message-nested": _ENCODED,
    "bad-newlines-multiple-parts-base64": _ENCODED,
    "multi-2gifs-base64": _ENCODED,
    "ending-boundaries": "the boundary with text behind it is another reading: MIME_AMBIGUOUS",
    "very-long-boundary": _BLANKS,
    "very-very-long-boundary": _BLANKS,
    "weird-boundary": _BLANKS,
}
"""File → why we see another tree than Mime4J."""


def expected(events: bytes) -> Shape:
    marks = {b"message": ("[", "]"), b"multipart": ("(", ")"), b"body": ("x", "")}
    text = "".join(marks[m[2]][bool(m[1])] for m in _TAG.finditer(events) if m[2] in marks)
    return text[1:-1]


def seen(entity: Entity) -> Shape:
    inner = "".join(map(seen, entity.children))
    if entity.content_type.startswith("multipart/"):
        return f"({inner})"
    return f"[{inner}]" if entity.children else "x"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked("mime-torture", tmp_path_factory.mktemp("torture")) / "james-mime4j"


def pairs(folder: Path) -> Iterator[tuple[str, Shape, Shape]]:
    for events in sorted(folder.glob("*/*.xml")):
        message = events.with_suffix(".msg")
        if message.exists() and not events.stem.endswith("_decoded"):
            yield (
                message.stem,
                expected(events.read_bytes()),
                seen(Message(message.read_bytes()).root),
            )


def test_trees_agree_with_mime4j_but_for_those_explained(samples: Path) -> None:
    compared = list(pairs(samples))
    different = {name: (theirs, ours) for name, theirs, ours in compared if theirs != ours}
    assert len(compared) > 60
    assert set(different) == set(DIFFERENT), different
