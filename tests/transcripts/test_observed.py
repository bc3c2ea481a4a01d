"""Dialogues of real sendmail 8.17 and Postfix 3.7, replayed against ours.

They lie beside the project: FILTERD_SHARED, or the folder `shared` next to it. Runs whose point is
a clock take seconds and are left to `python -m tests.transcripts`, which plays all of them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.transcripts import FOLDER
from tests.transcripts.replay import plain, replay

QUICK = 0.5
"""Seconds; a run that took longer is about a clock."""

EVERY = 3
"""One in so many of the quick runs is played here."""


def sample() -> list[dict[str, Any]]:
    index = FOLDER / "index.jsonl"
    if not index.is_file():
        return []
    runs = [json.loads(line) for line in index.open(encoding="utf-8")]
    quick = [
        run
        for run in runs
        if run["group"] != "deliver"
        and run["smtp"][-1][0] < QUICK
        and not any(text == "TimeoutError" for _, _, text in run["smtp"])
    ]
    return quick[::EVERY]


RUNS = sample()


@pytest.mark.skipif(not RUNS, reason=f"no observed dialogues in {FOLDER} (set FILTERD_SHARED)")
@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run['mta']}-{run['group']}-{run['name']}")
def test_the_same_is_said(run: dict[str, Any]) -> None:
    outcome = replay(run, FOLDER)
    if outcome.explanation is not None:
        assert outcome.in_other_words, "no longer different: take it off the list"
        return
    assert not outcome.in_other_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("by mx id 6AUBx1Mp017614; Mon, 30 Nov 2026 11:59:01 GMT", "by mx id ID; DATE"),
        ("by mx id 6B102cP3018951; Tue, 1 Dec 2026 00:02:38 +0000 (UTC)", "by mx id ID; DATE"),
        ("by mx id 70S0NqQr004711; Fri, 29 Jan 2027 00:23:52 GMT", "by mx id ID; DATE"),
        (r"Di\x006B102cP3018951\x00", r"Di\x00ID\x00"),
        (r"Di\x00A1C02EF4868\x00", r"Di\x00ID\x00"),
        ("Date: Thu, 1 Jan 2026 00:00:00 +0000", "Date: Thu, 1 Jan 2026 00:00:00 +0000"),
        ("Subject: 2 of 14 letters", "Subject: 2 of 14 letters"),
    ],
)
def test_what_changes_from_run_to_run_is_masked_whatever_day_it_is(
    text: str, expected: str
) -> None:
    assert plain(text) == expected
