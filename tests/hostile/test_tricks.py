"""Every trick of our own is met, whatever the wrapping: by the parts filter, or by real clamd."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from filterd.filters.clamav.filter import ClamAV
from filterd.filters.clamav.settings import ClamAVSettings
from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.message import Message
from tests.helpers.servers.clamd import Clamd
from tests.hostile.tricks import (
    VIRUS,
    Trick,
    archives,
    documents,
    encodings,
    names,
    structure,
    wrappings,
)

CLASSES: dict[str, Callable[[], Iterator[Trick]]] = {
    "names": names.tricks,
    "structure": structure.tricks,
    "encodings": encodings.tricks,
    "archives": archives.tricks,
    "documents": documents.tricks,
    "wrappings": wrappings.tricks,
}

ENOUGH = 600
"""Tricks that there must be, lest a test that finds none passes."""


@pytest.fixture(scope="module")
def clamav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClamAV]:
    server = Clamd(tmp_path_factory.mktemp("clamd"))
    server.start()
    yield ClamAV(ClamAVSettings(server=f"unix:{server.socket}"))
    server.stop()


def missed(tricks: Iterator[Trick], clamav: ClamAV | None) -> list[tuple[str, tuple[str, ...]]]:
    parts = Parts(PartsSettings())
    found = []
    for trick in tricks:
        if clamav is None and VIRUS in trick.wanted:
            continue
        message = Message(trick.data, id="X1")
        seen = {symbol.name for symbol in parts.examine(message).symbols}
        if VIRUS in trick.wanted and not seen & set(trick.wanted):
            assert clamav is not None
            seen |= {VIRUS} if clamav.examine(message).virus else set()
        if not seen & set(trick.wanted):
            found.append((trick.name, tuple(seen)))
    return found


@pytest.mark.parametrize("kind", CLASSES)
def test_every_trick_has_its_symbol(kind: str) -> None:
    assert missed(CLASSES[kind](), None) == []


@pytest.mark.integration
@pytest.mark.parametrize("kind", CLASSES)
def test_every_virus_is_found_or_refused(kind: str, clamav: ClamAV) -> None:
    viruses = (trick for trick in CLASSES[kind]() if VIRUS in trick.wanted)
    assert missed(viruses, clamav) == []


def test_there_are_enough() -> None:
    tricks = [trick for make in CLASSES.values() for trick in make()]
    assert len(tricks) > ENOUGH
    assert len({trick.name for trick in tricks}) == len(tricks)
