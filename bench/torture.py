"""Mail, two web processes, upkeep, metrics and commands on one store, with reloads, kills and an
index that is made anew, for some minutes; then everything is compared with everything.

python -m bench.torture [--minutes 5] [--seed 1] [--between 60] [--database sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack

from tests.helpers.postgresql import postgresql
from tests.helpers.torture import Torture, busy_site


def main() -> int:
    """Run, compare, tell; 1 if anything disagrees."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--between", type=int, default=60, help="messages between two events")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        database = ""
        if arguments.database == "postgresql":
            database = stack.enter_context(postgresql(fsync=True))
        site = stack.enter_context(busy_site(database))
        record = Torture(site, arguments.seed).run(arguments.between, 1, arguments.minutes)
        taken = len(site.mta.taken)
    books = record.books
    kills = {
        name: n for name, n in record.events.items() if name not in ("reload", "fsck --rebuild")
    }
    print(f"{arguments.database}: {record.seconds / 60:.1f} minutes")
    print(f"operations: {sum(record.operations.values())} {dict(record.operations)}")
    print(
        f"reloads: {record.events['reload']}; indexes made anew: {record.events['fsck --rebuild']}"
    )
    print(f"kills: {sum(kills.values())} {kills}")
    print(
        f"{len(books.told)} messages held, {len(record.answered)} answered, {taken} released; "
        f"{record.unwritten} records of the seconds before a kill of the daemon are not in the "
        f"history; {record.not_indexed} rows came later than their message; at the end fsck added "
        f"{books.added_by_fsck} rows and corrected {books.restated_by_fsck}"
    )
    print(f"disagreements: {len(record.disagreements)}")
    for one in record.disagreements:
        print(f"  {one}")
    return bool(record.disagreements)


if __name__ == "__main__":
    sys.exit(main())
