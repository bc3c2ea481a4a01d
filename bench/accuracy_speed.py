"""How fast the classifier is on messages of 4 to 10 KB, from octets; one process.

    python -m bench.accuracy_speed CORPUS

Prints the best of several passes in CPU time, which other work on the machine still slows by caches
and shared cores.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack

from filterd.bayes.lab.train import Source, labelled_items
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.text import text_of
from filterd.bayes.model.tokens import Hasher
from filterd.message import Message

PASSES = 5
MESSAGES = 1000
SIZES = range(4000, 10_001)  # octets


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        items, _ = labelled_items([Source(arguments.corpus)], stack)
        read = ((bool(item.label), item.read()) for item in items)
        mail = [(spam, data) for spam, data in read if len(data) in SIZES][:MESSAGES]
    hasher, model = Hasher(b"filterd evaluate"), OnlineModel.empty()
    for spam, data in mail:
        model.learn(hasher.features(Message(data)), spam=spam)
    # As the workers have it: a model that only judges.
    judging = model.copy()
    judging.settle()
    texts = [text_of(Message(data)) for _, data in mail]
    features = [hasher.features_of(text) for text in texts]
    print(f"{len(mail)} messages, mean {sum(len(d) for _, d in mail) / len(mail):.0f} octets")

    def show(name: str, work: Callable[[], object]) -> None:
        best = float("inf")
        for _ in range(PASSES):
            begin = time.process_time()
            work()
            best = min(best, time.process_time() - begin)
        print(f"{name:32} {1e6 * best / len(mail):6.0f} us {len(mail) / best:8.0f}/s")

    show("MIME tree and text", lambda: [text_of(Message(d)) for _, d in mail])
    show("features of the text", lambda: [hasher.features_of(t) for t in texts])
    show("score", lambda: [judging.score(f) for f in features])
    show(
        "classify, from octets",
        lambda: [judging.score(hasher.features(Message(d))) for _, d in mail],
    )
    show(
        "learn, from octets",
        lambda: [model.learn(hasher.features(Message(d)), spam=s) for s, d in mail],
    )


if __name__ == "__main__":
    main()
