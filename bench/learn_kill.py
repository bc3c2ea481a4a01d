"""kill -9 while a process learns, again and again; after each the model and its journal must agree.

python -m bench.learn_kill [--times 100] [--database sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import random
import tempfile
from contextlib import ExitStack
from pathlib import Path

from filterd.bayes.site.folder import ModelFolder
from tests.helpers.learning import kill_and_check
from tests.helpers.postgresql import emptied, postgresql

LONGEST = 0.6  # seconds before the kill; the victim learns for about that long


def main() -> None:
    """Kill, check, count."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    times, chance = options.times, random.Random(1)
    with ExitStack() as stack:
        is_file = options.database == "sqlite"
        url = "" if is_file else stack.enter_context(postgresql(fsync=True))
        for done in range(1, times + 1):
            with tempfile.TemporaryDirectory(prefix="filterd-kill-") as folder:
                models = ModelFolder(Path(folder) / "models", url and emptied(url))
                kill_and_check(models, chance.uniform(0.0, LONGEST))
            print(f"\r{done} of {times}: model whole, journal agrees", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
