"""What a model is worth without lessons, and when the site's MTA changes; prints Markdown tables.

    python -m bench.drift CORPUS... [--seed 1]

*No lessons any more*: each corpus in the order of its dates; the first third is learned. What comes
later is asked about by the time since, once by that model and once by one that goes on learning.

*Another MTA*: each corpus shuffled; the first half is learned, then the header of all mail changes.
*Hops*: the two uppermost Received fields are another host's, of another product. *All hops*: so are
all others, there are that product's X- fields and none of the old ones. *Every field*: besides,
From, To, Subject, Content-* and those of threads and lists stand in another order under another
capitalisation, and nothing else is left of the old header. Each once without lessons afterwards,
and once with them; at p = .5, of all mail and of the first hundreds after the change.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import numpy as np

from filterd.bayes.lab.measures import roca
from filterd.bayes.lab.train import Source, labelled_items
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.tokens import Features, Hasher
from filterd.message import Message

SALT = b"filterd evaluate"
SPANS = (("1 month", 30), ("2-3 months", 91), ("4-6 months", 182), ("7-12 months", 365))
LATER = "later"
STAGES = ((0, 100), (100, 500), (500, 10**9))

Letter = tuple[Features, bool]


def when(data: bytes) -> datetime | None:
    """When a message was received: its uppermost Received field's date, else its Date."""
    for wanted in ("received", "date"):
        for field in Message(data).header_fields:
            if field.name.lower() == wanted:
                text = data[field.start : field.end].decode("latin-1")
                text = text.rpartition(";")[2] if wanted == "received" else text.partition(":")[2]
                try:
                    found = parsedate_to_datetime(" ".join(text.split()))
                except (ValueError, TypeError, IndexError):
                    break
                return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def ages(dates: list[datetime | None], last: int) -> list[timedelta]:
    """How long after message number `last` each came; as long as the one before it where the order
    of the corpus contradicts its date."""
    known = [one for one in dates[max(0, last - 50) : last] if one]
    end = sorted(known)[len(known) // 2]
    found: list[timedelta] = []
    so_far = timedelta(0)
    for number, _one in enumerate(dates):
        near = sorted(d for d in dates[max(0, number - 10) : number + 11] if d)
        if near:
            so_far = max(so_far, near[len(near) // 2] - end) if number >= last else so_far
        found.append(so_far)
    return found


def span_of(age: timedelta) -> str:
    """The row of the table."""
    return next((name for name, days in SPANS if age.days <= days), LATER)


def rates(scores: np.ndarray, labels: np.ndarray) -> str:
    """Ham lost and spam missed at p = .5, in percent."""
    ham, spam = scores[~labels], scores[labels]
    lost = f"{100 * np.mean(ham >= 0):.2f}" if len(ham) else "-"
    missed = f"{100 * np.mean(spam < 0):.2f}" if len(spam) else "-"
    return f"{lost} / {missed}"


def area(scores: np.ndarray, labels: np.ndarray) -> str:
    """(1-ROCA)% with its interval."""
    if labels.all() or not labels.any():
        return "-"
    found = roca(scores, labels)
    return f"{found.value:.3f} ({found.low:.3f}-{found.high:.3f})"


def moved(data: bytes, kind: str, chance: random.Random) -> bytes:
    """The message as another MTA would have handed it over."""
    if kind == "none":
        return data
    message = Message(data)
    fields = [
        (field.name.lower(), data[field.start : field.end].rstrip(b"\r\n"))
        for field in message.header_fields
    ]
    body = data[message.header_fields[-1].end :] if message.header_fields else b"\n" + data
    hops = 0
    kept: list[tuple[str, bytes]] = []
    for name, field in fields:
        if name == "received":
            hops += 1
            if kind != "hops" or hops <= 2:
                continue
        elif kind != "hops" and name.startswith("x-"):
            continue
        kept.append((name, field))
    if kind == "every field":
        kept = list(_reordered(kept))
    new = [_hop(chance, number) for number in range(2 if kind == "hops" else max(hops, 2))]
    if kind != "hops":
        new += [
            b"X-MS-Exchange-CrossTenant-Id: %032x" % chance.getrandbits(128),
            b"X-MS-TrafficTypeDiagnostic: DB%dPR%02d" % (chance.randrange(9), chance.randrange(99)),
            b"X-MS-Has-Attach: ",
            b"X-OriginatorOrg: example.org",
            b"Accept-Language: en-US",
        ]
    return b"\n".join([*new, *(field for _, field in kept)]) + b"\n" + body.lstrip(b"\r")


def _hop(chance: random.Random, number: int) -> bytes:
    inside = b"VI%dPR08MB%04d.eurprd08.example" % (number, chance.randrange(10_000))
    return (
        b"Received: from %s (2001:db8:208::%x) by\n AS8PR08MB%04d.eurprd08.example with HTTPS; "
        b"Mon, 23 Nov 2026 10:%02d:00 +0000"
        % (inside, chance.getrandbits(16), chance.randrange(10_000), chance.randrange(60))
    )


_LEFT = (
    "content-type",
    "content-transfer-encoding",
    "mime-version",
    "subject",
    "to",
    "cc",
    "from",
    "reply-to",
    "references",
    "in-reply-to",
    "list-id",
    "list-unsubscribe",
    "precedence",
)


def _reordered(fields: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    for wanted in _LEFT:
        for name, field in fields:
            if name == wanted:
                yield name, name.upper().encode() + b":" + field.partition(b":")[2]


def decay(name: str, mail: list[tuple[bytes, bool]], hasher: Hasher) -> None:
    """Print the rows of one corpus in the first table."""
    last = len(mail) // 3
    waited = ages([when(data) for data, _ in mail], last)
    still, going_on = OnlineModel.empty(), OnlineModel.empty()
    found: dict[str, list[tuple[float, float, bool]]] = {}
    for number, (data, spam) in enumerate(mail):
        features = hasher.features(Message(data))
        if number < last:
            still.learn(features, spam=spam)
        else:
            if number == last:
                going_on = still.copy()
            span = found.setdefault(span_of(waited[number]), [])
            span.append((still.score(features).total, going_on.score(features).total, spam))
            going_on.learn(features, spam=spam)
    for span in (*(one for one, _ in SPANS), LATER):
        if span in found:
            columns = zip(*found[span], strict=True)
            frozen, learning, labels = (np.array(column) for column in columns)
            count = f"{(~labels).sum()} / {labels.sum()}"
            cells = (area(frozen, labels), area(learning, labels))
            wrong = (rates(frozen, labels), rates(learning, labels))
            print(f"| {name} | {span} | {count} | {' | '.join((*cells, *wrong))} |", flush=True)


def change(name: str, mail: list[tuple[bytes, bool]], hasher: Hasher, seed: int) -> None:
    """Print the rows of one corpus in the second table."""
    mail = list(mail)
    random.Random(seed).shuffle(mail)
    cut = len(mail) // 2
    taught = OnlineModel.empty()
    for data, spam in mail[:cut]:
        taught.learn(hasher.features(Message(data)), spam=spam)
    for kind in ("none", "hops", "all hops", "every field"):
        chance = random.Random(seed)
        letters = [
            (hasher.features(Message(moved(data, kind, chance))), spam) for data, spam in mail[cut:]
        ]
        labels = np.array([spam for _, spam in letters])
        still = np.array([taught.score(features).total for features, _ in letters])
        learning = taught.copy()
        later = []
        for features, spam in letters:
            later.append(learning.score(features).total)
            learning.learn(features, spam=spam)
        scores = np.array(later)
        stages = (rates(scores[a:b], labels[a:b]) for a, b in STAGES)
        cells = (area(still, labels), rates(still, labels), area(scores, labels), *stages)
        print(f"| {name} | {kind} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpora", metavar="CORPUS", nargs="+")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    hasher = Hasher(SALT)
    boxes = {}
    for corpus in arguments.corpora:
        with ExitStack() as stack:
            items, _ = labelled_items([Source(corpus)], stack)
            boxes[Path(corpus).name] = [(item.read(), bool(item.label)) for item in items]
    print(
        "| corpus | since the last lesson | ham / spam | (1-ROCA)%, no lessons | going on learning "
        f"| ham lost / spam missed at .5, % | going on learning |\n|{'---|' * 7}"
    )
    for name, mail in boxes.items():
        decay(name, mail, hasher)
    print(
        "\n| corpus | what changes | (1-ROCA)%, no lessons | ham lost / spam missed at .5, % "
        "| (1-ROCA)% with lessons | first 100 | to 500 | later |\n" + f"|{'---|' * 8}"
    )
    for name, mail in boxes.items():
        change(name, mail, hasher, arguments.seed)


if __name__ == "__main__":
    main()
