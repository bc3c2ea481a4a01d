"""What the starter model makes of honest mail by script and by kind; prints Markdown tables.

    python -m bench.languages [--copies 4]

All mail is generated (`bench.language_mail`). *Labelled*: the filter's points for it reach the
threshold of the default policy, as on a site that has taught nothing.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict

import numpy as np

from bench.language_mail import ENCODINGS, KINDS, LANGUAGES, honest_mail
from filterd.bayes.model.classifier import Classifier
from filterd.bayes.model.store import load
from filterd.bayes.site.folder import starter_path
from filterd.message import Message

LABELLED = math.log(0.9 / 0.1)
"""Log-odds from which the filter gives 5 points, the default policy's label."""


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--copies", type=int, default=4)
    arguments = parser.parse_args()
    path = starter_path()
    assert path is not None
    classifier = Classifier(None, load(path))
    scores: dict[str, list[float]] = defaultdict(list)
    for language in LANGUAGES:
        for kind in KINDS:
            for encoding in ENCODINGS:
                for copy in range(arguments.copies):
                    data = honest_mail(language, kind, encoding, copy)
                    total = classifier.judge(Message(data)).total
                    for name in (language.name, kind, encoding):
                        scores[name].append(total)
    for title, names in (
        ("script", [one.name for one in LANGUAGES]),
        ("kind", list(KINDS)),
        ("encoding", list(ENCODINGS)),
    ):
        heads = (title, "messages", "p >= .5, %", "labelled, %", "median log-odds", "highest")
        print(f"\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
        for name in names:
            found = np.array(scores[name])
            half, label = 100 * np.mean(found >= 0), 100 * np.mean(found >= LABELLED)
            middle, most = np.median(found), found.max()
            shares = f"{half:.1f} | {label:.1f} | {middle:+.1f} | {most:+.1f}"
            print(f"| {name} | {len(found)} | {shares} |")


if __name__ == "__main__":
    main()
