"""Whatever is killed, what the MTA was told is taken is kept, once; `python -m
bench.quarantine_kill` does the same with thousands."""

from __future__ import annotations

import pytest

from tests.helpers.quarantine_kill import play, site

pytestmark = pytest.mark.minutes

KINDS = ("worker", "web", "daemon", "fork server")
DECISIONS, KILLS = 160, 4


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_is_lost_or_kept_twice(request: pytest.FixtureRequest, kind: str) -> None:
    database = "" if kind == "sqlite" else request.getfixturevalue("postgresql")
    with site(database) as made:
        books = play(made, DECISIONS, KILLS)
    assert len(books.told) >= DECISIONS
    assert books.kills == dict.fromkeys(KINDS, KILLS // len(KINDS))
    assert books.released, "the web process was never there"
