"""kill -9 of worker, fork server, web and daemon while messages are quarantined and released.

python -m bench.quarantine_kill [--decisions 5000] [--kills 100] [--seed 1]
[--database sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack

from tests.helpers.postgresql import postgresql
from tests.helpers.quarantine_kill import play, site


def main() -> None:
    """Play, compare, tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--decisions", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    arguments = parser.parse_args()
    started = time.monotonic()
    with ExitStack() as stack:
        database = ""
        if arguments.database == "postgresql":
            database = stack.enter_context(postgresql(fsync=True))
        made = stack.enter_context(site(database))
        books = play(made, arguments.decisions, arguments.kills, arguments.seed)
        taken = len(made.mta.taken)
    kills = ", ".join(f"{number} of {victim}" for victim, number in books.kills.items())
    print(f"{len(books.told)} messages taken in {time.monotonic() - started:.0f} s; kills: {kills}")
    print(f"answers: {dict(books.answers)}")
    print(
        f"all of them are kept, once, octet by octet; {len(books.lost)} tries without an answer, "
        f"{books.stored_untold} of these are kept too; {books.half_written} half written"
    )
    print(
        f"fsck added {books.added_by_fsck} rows and corrected {books.restated_by_fsck}; "
        f"{taken} released, none twice, {len(books.released)} of them heard of"
    )


if __name__ == "__main__":
    main()
