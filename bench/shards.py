"""What training in parts costs in accuracy: the same mail learned in 1, 2, 4, 8 and 16 parts.

    python -m bench.shards CORPUS [--shuffle SEED] [--jobs N]

The first half is trained, the second half is scored by each model, which learns nothing more.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack

from filterd.bayes.lab.evaluate import EvaluationPlan, Ours, run
from filterd.bayes.lab.parallel import Readers
from filterd.bayes.lab.shards import train_shards
from filterd.bayes.lab.train import Source, labelled_items

SALT = b"filterd evaluate"


def main() -> None:
    """Print the table that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus")
    parser.add_argument("--shuffle", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    readers = Readers(arguments.jobs)
    with ExitStack() as stack:
        items, _ = labelled_items([Source(arguments.corpus)], stack)
        EvaluationPlan(shuffle=arguments.shuffle).order(items)
        half = len(items) // 2
        print("| parts | (1-ROCA)% | lam% | Brier | hm/sm% at .5 | seconds |")
        print("|---|---|---|---|---|---|")
        for parts in (1, 2, 4, 8, 16):
            begin = time.monotonic()
            model = train_shards(items[:half], SALT, parts, readers)[0]
            seconds = time.monotonic() - begin
            found = run(items[half:], EvaluationPlan("fixed"), Ours(model, SALT)).measures()
            at = found.thresholds[0]
            print(
                f"| {parts} | {found.roca.value:.3f} ({found.roca.low:.3f}-{found.roca.high:.3f}) "
                f"| {found.lam:.2f} | {found.brier:.4f} | {at.hm:.2f}/{at.sm:.2f} "
                f"| {seconds:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
