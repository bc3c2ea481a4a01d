"""Do the tests notice it when the code is wrong? `python -m bench.mutations [ROOM ...]`

Every module of a room is changed in one place at a time: a comparison, a condition, a constant, an
argument, a return value, a statement. The room's own tests must fail for each change; one that they
do not notice has survived and is listed. Some change nothing that anybody could notice; the others
are gaps in the tests. By hand, not in CI: a room takes minutes. The changes are made in memory, by
processes with low priority.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.mutations.changes import Change, changes
from bench.mutations.trials import Ended, TestsFailError, Trials

ROOT = Path(__file__).resolve().parents[2]

ROOMS = {
    "policy": (
        "filterd/chain/policy.py filterd/chain/policy_settings.py filterd/chain/outcomes.py"
        " filterd/chain/disinfect.py",
        "tests/unit/chain/test_policy.py tests/unit/chain/test_pipeline.py"
        " tests/unit/chain/test_outcomes.py tests/unit/chain/test_stages.py"
        " tests/unit/config/test_reference.py",
    ),
    "chain": (
        "filterd/chain/chain.py filterd/chain/links.py",
        "tests/unit/chain/test_chain.py tests/unit/chain/test_pipeline.py"
        " tests/unit/chain/test_marks.py tests/unit/chain/test_stages.py"
        " tests/unit/config/test_reference.py",
    ),
    "pipeline": ("filterd/chain/pipeline.py", "tests/unit/chain/test_pipeline.py"),
    "codec": (
        "filterd/workers/codec.py filterd/workers/framing.py filterd/chain/checks.py"
        " filterd/chain/report_codec.py",
        "tests/unit/workers/test_codec.py tests/unit/workers/test_framing.py"
        " tests/unit/chain/test_report_codec.py",
    ),
    "dkim": (
        "filterd/auth/dkim/tags.py filterd/auth/dkim/record.py filterd/auth/dkim/signature.py"
        " filterd/auth/dkim/verify.py",
        "tests/unit/auth/dkim/test_faults.py tests/unit/auth/dkim/test_rfc_examples.py"
        " tests/unit/auth/dkim/test_hostile.py tests/unit/auth/dkim/test_signing.py",
    ),
    "access": (
        "filterd/review/access.py filterd/review/rights.py filterd/review/reviewer.py"
        " filterd/review/seen.py",
        "tests/unit/review/test_reviewer.py tests/unit/review/test_access.py"
        " tests/unit/review/test_seen.py",
    ),
    "actions": (
        "filterd/review/actions.py",
        "tests/unit/review/test_actions.py tests/unit/review/test_access.py",
    ),
    "apply": (
        "filterd/daemon/apply.py filterd/daemon/transaction.py",
        "tests/unit/daemon/test_apply.py tests/unit/daemon/test_transaction.py",
    ),
    "release": (
        "filterd/quarantine/release.py",
        "tests/unit/quarantine/test_release.py tests/unit/quarantine/test_release_retry.py",
    ),
}
"""What is changed, and the tests that must notice it: modules, and files of tests."""


def tried(wanted: Sequence[Change], tests: Sequence[str]) -> Iterator[tuple[Change, Ended]]:
    """Each change, and how the tests ended with it. Raises TestsFailError."""
    with tempfile.TemporaryDirectory() as name:
        trials = Trials(wanted, tests, Path(name))
        with trials.quickly() as quickly:
            for index, change in enumerate(wanted):
                ended: Ended = quickly(index) if change.swaps else "passed"
                yield change, trials.slowly(change) if ended == "passed" else ended


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.mutations", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(ROOMS)}")
    parser.add_argument("--modules", nargs="+", metavar="FILE", help="these in place of a room's")
    parser.add_argument("--tests", nargs="+", metavar="FILE", help="these in place of a room's")
    parser.add_argument(
        "--at",
        action="append",
        metavar="FILE:LINE",
        help="only changes whose place begins like this, such as policy.py or policy.py:120:",
    )
    options = parser.parse_args()
    os.nice(10)
    if options.modules and options.tests:
        _report("changes", options.modules, options.tests, options.at)
        return
    for room in options.rooms or ROOMS:
        if room not in ROOMS:
            parser.error(f"{room}: expected one of {', '.join(ROOMS)}")
        modules, tests = (words.split() for words in ROOMS[room])
        _report(room, options.modules or modules, options.tests or tests, options.at)


def _report(
    room: str, modules: Sequence[str], tests: Sequence[str], places: Sequence[str] | None
) -> None:
    wanted = [change for module in modules for change in changes(ROOT / module)]
    wanted.sort(key=lambda change: (change.path, change.line))
    if places:
        wanted = [change for change in wanted if place(change).startswith(tuple(places))]
    print(f"{room}: {len(wanted)} changes", flush=True)
    started, counts = time.monotonic(), Counter[Ended]()
    try:
        for change, ended in tried(wanted, tests):
            counts[ended] += 1
            if ended == "passed":
                print(f"{place(change)} {change.text}", flush=True)
    except TestsFailError:
        sys.exit(f"{room}: the tests fail without a change: {' '.join(tests)}")
    print(
        f"{room}: {counts.total()} tried, {counts['passed']} not noticed, {counts['hangs']} ended"
        f" by a limit, {time.monotonic() - started:.0f} s",
        flush=True,
    )


def place(change: Change) -> str:
    """Where it is: `policy.py:120:`."""
    return f"{change.path.name}:{change.line}:"


if __name__ == "__main__":
    main()
