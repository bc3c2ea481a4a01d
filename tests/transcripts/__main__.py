"""`python -m tests.transcripts [sendmail|postfix]`: replay every dialogue, print a table."""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.transcripts import FOLDER
from tests.transcripts.replay import Outcome, replay

PARALLEL = 12
"""Runs at a time: most wait for a clock."""


def main(wanted: list[str]) -> int:
    index = FOLDER / "index.jsonl"
    if not index.is_file():
        sys.stderr.write(f"no {index}; set FILTERD_SHARED to the folder that holds transcripts/\n")
        return 66
    logging.disable(logging.CRITICAL)
    runs = [json.loads(line) for line in index.open(encoding="utf-8")]
    runs = [r for r in runs if r["group"] != "deliver" and r["mta"] in (wanted or [r["mta"]])]
    with ThreadPoolExecutor(PARALLEL) as pool:
        outcomes = list(pool.map(lambda run: replay(run, FOLDER), runs))
    show(outcomes)
    return int(any(one.said_otherwise and one.explanation is None for one in outcomes))


def show(outcomes: list[Outcome]) -> None:
    """A line for each difference, then the table: agreed, explained, all, by MTA and group."""
    agreed: Counter[tuple[str, str]] = Counter()
    explained: Counter[tuple[str, str]] = Counter()
    everything: Counter[tuple[str, str]] = Counter()
    for one in outcomes:
        key = (one.mta, one.group)
        everything[key] += 1
        agreed[key] += not one.said_otherwise
        if one.said_otherwise:
            why = one.explanation
            explained[key] += why is not None
            print(f"{one.mta} {one.group}/{one.name}: {why or one.said_otherwise[0]}")
    print(f"\n{'MTA':<10}{'group':<10}{'agreed':>8}{'explained':>11}{'all':>6}")
    for (mta, group), count in sorted(everything.items()):
        key = (mta, group)
        print(f"{mta:<10}{group:<10}{agreed[key]:>8}{explained[key]:>11}{count:>6}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
