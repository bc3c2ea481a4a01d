"""What attacks on the text and wrong labels do to the classifier; prints Markdown tables.

    python -m bench.accuracy_robustness CORPUS [--seed 1]

The first 60 % of the shuffled corpus train a model; the spam of the rest is attacked. *Missed* is
the spam below probability 0.5, or below the probability that loses 0.2 % of the ham of the same
part, whichever is higher, with the worst window of a message scored apart as the filter does, and
with the whole message only. The padding is ham that the model was trained on: the worst case.
"""

from __future__ import annotations

import argparse
import base64
import random
import re
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np

from filterd.bayes.lab.measures import measure
from filterd.bayes.lab.train import Source, labelled_items
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.tokens import Hasher
from filterd.bayes.site import doubt
from filterd.message import Message

SALT = b"filterd evaluate"
HAM_LOST = 0.002

Attack = Callable[[bytes], bytes]
_BOUNDARY = re.compile(rb'boundary="?([^";\s]+)', re.IGNORECASE)
_WORD = re.compile(rb"(?<![<&=/\w])([A-Za-z]{2})([A-Za-z]{2,})(?![^<]*>)")


def in_text(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Apply a change to the first text of a message, behind its header."""
    header, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    match = _BOUNDARY.search(header)
    if match and len(parts := body.split(b"--" + match[1])) > 1:
        part_header, separator, part = parts[1].partition(b"\n\n")
        parts[1] = part_header + separator + change(part)
        return header + b"\n\n" + (b"--" + match[1]).join(parts)
    return header + b"\n\n" + change(body)


def attacks(ham: list[bytes], seed: int) -> dict[str, Attack]:
    """The attacks by name."""
    chance = random.Random(seed)

    def good(size: int) -> bytes:
        text = b""
        while len(text) < size:
            text += chance.choice(ham)
        return text[:size]

    def pad(size: int, *, before: bool) -> Attack:
        def change(text: bytes) -> bytes:
            return good(size) + b"\n" + text if before else text + b"\n" + good(size) + b"\n"

        return lambda data: in_text(data, change)

    def both(data: bytes) -> bytes:
        return in_text(data, lambda text: good(5000) + b"\n" + text + b"\n" + good(5000))

    def comments(data: bytes) -> bytes:
        return in_text(data, lambda text: _WORD.sub(rb"\1<!-- of -->\2", text)).replace(
            b"text/plain", b"text/html", 1
        )

    def homoglyphs(data: bytes) -> bytes:
        table = {ord(a): b for a, b in zip("aceo", "асео", strict=True)}
        return in_text(data, lambda t: t.decode("latin-1").translate(table).encode())

    def invisible(data: bytes) -> bytes:
        return in_text(data, lambda text: _WORD.sub("\\1\u200b\\2".encode(), text))

    def encoded(data: bytes) -> bytes:
        header, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
        if b"multipart/" in header.lower():
            return data
        header = re.sub(rb"(?im)^content-transfer-encoding:.*\n", b"", header + b"\n")
        header += b"Content-Transfer-Encoding: base64\n\n"
        return header + base64.encodebytes(body)

    def one_line(data: bytes) -> bytes:
        return in_text(data, lambda text: text.replace(b"\n", b" "))

    def long_tail(data: bytes) -> bytes:
        return in_text(data, lambda text: text + b"\n" + good(3_000_000))

    return {
        "none": lambda data: data,
        "2 KB of ham after it": pad(2000, before=False),
        "2 KB of ham before it": pad(2000, before=True),
        "10 KB of ham after it": pad(10_000, before=False),
        "10 KB of ham before it": pad(10_000, before=True),
        "5 KB of ham before and after it": both,
        "3 MB of ham after it": long_tail,
        "an HTML comment in every word": comments,
        "a zero-width space in every word": invisible,
        "Cyrillic lookalikes of a, c, e, o": homoglyphs,
        "base64": encoded,
        "one huge line": one_line,
    }


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        items, _ = labelled_items([Source(arguments.corpus)], stack)
        random.Random(arguments.seed).shuffle(items)
        mail = [(bool(item.label), item.read()) for item in items]
    cut = int(0.6 * len(mail))
    hasher = Hasher(SALT)
    features = [hasher.features(Message(data)) for _, data in mail]
    labels = np.array([spam for spam, _ in mail])

    model = OnlineModel.empty()
    for f, spam in zip(features[:cut], labels[:cut], strict=True):
        model.learn(f, spam=bool(spam))
    ham = [
        data.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
        for spam, data in mail[:cut]
        if not spam and b"base64" not in data and b"multipart" not in data[:4000]
    ]

    def scores(messages: list[bytes]) -> np.ndarray:
        return np.array(
            [
                [score.total for score in model.opinions(hasher.features(Message(data)))]
                for data in messages
            ]
        )

    honest = scores([data for spam, data in mail[cut:] if not spam])
    limits = np.maximum(np.quantile(honest, 1 - HAM_LOST, axis=0), 0.0)
    print("| attack | missed % by the worst window | by the whole message |\n|---|---|---|")
    for name, attack in attacks(ham, arguments.seed).items():
        found = scores([attack(data) for spam, data in mail[cut:] if spam])
        whole, deciding = 100 * np.mean(found <= limits, axis=0)
        print(f"| {name} | {deciding:.1f} | {whole:.1f} |", flush=True)

    print(
        "\n| labels wrong while training | doubting | (1-ROCA)% | lam% | hm/sm% at .5 "
        "| doubted, right/wrong |\n|---|---|---|---|---|---|"
    )
    chance = np.random.default_rng(arguments.seed)
    for noise in (0.0, 0.05, 0.10):
        wrong = chance.random(len(labels)) < noise
        for doubting in (False, True):
            model = OnlineModel.empty()
            seen = []
            doubted = [0, 0]
            for f, label, flip in zip(features, labels, wrong, strict=True):
                seen.append(model.score(f).total)
                told = bool(label ^ flip)
                if doubting:
                    doubted[int(flip)] += doubt.learn(model, f, spam=told)[1]
                else:
                    model.learn(f, spam=told)
            result = measure(np.array(seen), labels)
            at = result.thresholds[0]
            print(
                f"| {noise:.0%} | {'yes' if doubting else 'no'} | {result.roca.value:.3f} "
                f"({result.roca.low:.3f}-{result.roca.high:.3f}) | {result.lam:.2f} "
                f"| {at.hm:.2f}/{at.sm:.2f} | {doubted[0]}/{doubted[1]} of {int(wrong.sum())} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
