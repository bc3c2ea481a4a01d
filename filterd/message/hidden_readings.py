"""The files that may begin somewhere in a message and that none of its trees has, as readings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from filterd.message.entity import STRUCTURAL, Entity
from filterd.message.fields import Buffer
from filterd.message.hidden import HiddenFile, HiddenFileSearch
from filterd.message.reading import Reading, of_file

HIDDEN_LIMIT = 200
"""Files of one message that no tree has and that are kept; each filter looks at all of them."""

HIDDEN_FACTOR = 3
"""Times the message's size that these files may have together; the octets without NUL and those
without bare CR may each have another file."""

HIDDEN_LEAST = 1 << 20
"""Octets that they may have together however small the message is."""


def hidden_readings(
    data: Buffer, root: Entity, found: Sequence[Reading]
) -> tuple[list[Reading], bool]:
    """A reading for each file that may begin in the octets and is not in any tree; True if there
    are more than the limits allow to look at."""
    known = _KnownReadings(root, found)
    messages = (reading.octets for reading in found if reading.is_message)
    search = HiddenFileSearch((data, *(octets for octets in messages if octets)))
    room = max(HIDDEN_FACTOR * len(data), HIDDEN_LEAST)
    hidden: list[Reading] = []
    for file in search.files():
        if known.covers(file):
            continue
        content = b"" if file.is_altered and not file.is_decoded else file.content
        if not content and not file.names:
            continue
        room -= len(content)
        if len(hidden) >= HIDDEN_LIMIT or room < 0:
            return hidden, True
        reading = of_file("", file.names, content, file.content_type)
        hidden.append(replace(reading, hidden_at=file.at, is_end_guessed=not file.is_decoded))
    return hidden, search.exceeds


class _KnownReadings:
    """The files of all trees, by content and name."""

    def __init__(self, root: Entity, found: Sequence[Reading]) -> None:
        self._names: dict[bytes, set[str]] = {}
        self._usual: Counter[tuple[bytes, str]] = Counter()
        self._others: set[bytes] = set()
        self._places: dict[tuple[bytes, object], set[int]] = {}
        for leaf in root.walk():
            if leaf.is_leaf:
                found_by = _ways(leaf)
                self._usual.update(
                    (digest, way) for digest in self._learn(leaf) for way in found_by
                )
        for reading in found:
            for leaf in reading.root.walk():
                if leaf.is_leaf:
                    self._others.update(self._learn(leaf))

    def _learn(self, leaf: Entity) -> set[bytes]:
        digests = {_digest(leaf.content), _digest(leaf.body)}
        for digest in digests:
            self._names.setdefault(digest, set()).update(leaf.filenames)
        return digests

    def covers(self, file: HiddenFile) -> bool:
        """True if the file is one of them, or came before.

        The usual tree's parts may be stripped, so each covers one place where it is found in its
        way, and not its copies: what is banned in another reading holds the message anyway.
        """
        digest = _digest(file.content)
        if digest not in self._names and not file.is_decoded:
            text = file.content.partition(b"\n--")[0]
            # Where a text ends does not make it another file; of an archive it does.
            if b"\0" not in text and _digest(text) in self._names:
                digest = _digest(text)
        places = self._places.setdefault((digest, file.source), set())
        places.add(file.at)
        names = self._names.setdefault(digest, set())
        is_known = names.issuperset(file.names) and (
            digest in self._others or len(places) <= self._usual[digest, file.source[1]]
        )
        if not is_known:
            names.update(file.names)
            self._others.add(digest)
        return is_known


def _ways(leaf: Entity) -> list[str]:
    """The ways in which a search finds a part that it knows (`HiddenFile.source`)."""
    ways = []
    if any(field.name.lower() in STRUCTURAL for field in leaf.header_fields):
        ways.append("header")
    if leaf.transfer_encoding == "base64":
        ways.append("base64")
    if leaf.is_uuencoded:
        ways.append("inline")
    return ways


def _digest(content: bytes) -> bytes:
    return blake2b(content.rstrip(b"\r\n"), digest_size=16).digest()
