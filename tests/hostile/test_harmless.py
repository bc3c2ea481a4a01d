"""Ordinary mail keeps free of symbols, however near it comes to a trick."""

from __future__ import annotations

import pytest

from filterd.chain.verdict import Verdict
from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.message import Message
from tests.hostile.harmless import harmless

MAIL = dict(harmless())


@pytest.mark.parametrize("data", MAIL.values(), ids=MAIL)
def test_it_has_no_symbol(data: bytes) -> None:
    assert Parts(PartsSettings()).examine(Message(data, id="X1")) == Verdict()


def test_line_ends_alone_change_nothing() -> None:
    for name, data in MAIL.items():
        verdict = Parts(PartsSettings()).examine(Message(data.replace(b"\r\n", b"\n"), id="X1"))
        assert verdict == Verdict(), name
