"""Ids sort by time, are safe anywhere, and do not repeat."""

from __future__ import annotations

import re
import time

from filterd.message.ids import new_id


def test_ids_are_short_words_that_differ() -> None:
    ids = {new_id() for _ in range(20_000)}
    assert len(ids) == 20_000
    assert all(re.fullmatch(r"[0-9a-z]{16}", name) for name in ids)


def test_ids_sort_by_time() -> None:
    first = new_id()
    time.sleep(0.002)
    assert first < new_id()
