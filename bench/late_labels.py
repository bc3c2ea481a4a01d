"""What late labels cost, and where: (1-ROCA)% by stretch of the corpus, beside other filters.

    python -m bench.late_labels CORPUS [--lag 500] [--shuffle SEED] [--peers bogofilter,crm114,nb]

Every contestant classifies each message and learns it `lag` messages later. A stretch's figure
counts the pairs of spam and ham within it; `from N` counts all that comes from there on, so that
what it has more than its stretches is drift: mail of one time ranked against mail of another.
"""

from __future__ import annotations

import argparse
import math
from contextlib import ExitStack

from bench.accuracy_peers import clean, contestants
from filterd.bayes.lab.evaluate import EvaluationPlan, run
from filterd.bayes.lab.measures import Labels, Scores, roca
from filterd.bayes.lab.train import Source, labelled_items
from filterd.mailfiles.items import MailItem

EDGES = (0, 500, 1000, 1500, 2000, 3000, 4000, 5000)


def figure(scores: Scores, labels: Labels) -> str:
    """(1-ROCA)% of these messages, `-` where there is only one class."""
    value = roca(scores, labels, 0).value if labels.any() and not labels.all() else math.nan
    return "-" if math.isnan(value) else f"{value:.2f}"


def main() -> None:
    """Print the table that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus")
    parser.add_argument("--lag", type=int, default=500)
    parser.add_argument("--shuffle", type=int)
    parser.add_argument("--peers", default="bogofilter,crm114,nb")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        items, _ = labelled_items([Source(arguments.corpus)], stack)
        EvaluationPlan(shuffle=arguments.shuffle).order(items)
        items = [MailItem(i.label, i.name, lambda i=i: clean(i.read())) for i in items]  # type: ignore[misc]
        edges = [edge for edge in EDGES if edge < len(items)]
        spans = list(zip(edges, [*edges[1:], len(items)], strict=True))
        heads = ["all", *(f"from {edge}" for edge in edges[1:4]), *(f"{a}-{b}" for a, b in spans)]
        spam = [sum(bool(item.label) for item in items[a:b]) for a, b in spans]
        print("| filter | " + " | ".join(heads) + " |")
        print("|---" * (len(heads) + 1) + "|")
        print("| spam of these | | | | | " + " | ".join(map(str, spam)) + " |")
        for name, examined in contestants(arguments.peers.split(","), stack).items():
            done = run(items, EvaluationPlan("delayed", lag=arguments.lag), examined)
            scores, labels = done.arrays
            cells = [figure(scores[a:], labels[a:]) for a in (0, *edges[1:4])]
            cells += [figure(scores[a:b], labels[a:b]) for a, b in spans]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
