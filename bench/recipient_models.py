"""What models of their own are worth to the users of one site, on labelled mail in time order.

    python -m bench.recipient_models CORPUS CORPUS...

Each corpus is one user's mailbox; their mail arrives mixed, each mailbox evenly over the time.
Every message is classified, then its user says what it was. *agree*: the site's model learns that.
*untaught*: nobody teaches the site, which has the starter model only. *differ*: the corpus with
most of both classes is delivered to two users, message by message in turn; the second of them
calls all of it spam, and the site's model learns from both. Each once without and once with models
of their own. Ham is lost, and spam missed, at p = .5.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from bench.accuracy_peers import clean
from filterd.bayes.lab.measures import roca
from filterd.bayes.lab.train import Source, labelled_items
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.recipient import RecipientModel
from filterd.bayes.model.store import load
from filterd.bayes.model.tokens import Features, Hasher
from filterd.bayes.site.folder import starter_path
from filterd.message import Message


@dataclass(slots=True)
class Mail:
    """One message on its way. at: when, 0.0 to 1.0."""

    at: float
    user: str
    spam: bool
    features: Features


@dataclass(slots=True)
class Protocol:
    """What happened: log-odds and labels in order, and what was lost and missed by user."""

    scores: list[float] = field(default_factory=list)
    labels: list[bool] = field(default_factory=list)
    wrong: Counter[tuple[str, bool]] = field(default_factory=Counter)
    seen: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def note(self, mail: Mail, total: float) -> None:
        """One message classified."""
        self.scores.append(total)
        self.labels.append(mail.spam)
        self.seen[mail.user, mail.spam] += 1
        self.wrong[mail.user, mail.spam] += (total > 0) != mail.spam

    def row(self, name: str, users: list[str]) -> str:
        """The row of the table."""
        value = roca(np.array(self.scores), np.array(self.labels), 0).value
        cells = [f"{value:.4f}"]
        for user in users:
            for spam in (False, True):
                wrong, seen = self.wrong[user, spam], self.seen[user, spam]
                cells.append(f"{wrong}/{seen}" if seen else "-")
        return f"| {name} | " + " | ".join(cells) + " |"


def read(corpus: str, hasher: Hasher, stack: ExitStack) -> list[Mail]:
    """A user's mailbox."""
    items, _ = labelled_items([Source(corpus)], stack)
    return [
        Mail(
            (n + 0.5) / len(items), corpus, bool(i.label), hasher.features(Message(clean(i.read())))
        )
        for n, i in enumerate(items)
    ]


def play(stream: list[Mail], site: OnlineModel, *, taught: bool, own: bool) -> Protocol:
    """Classify and teach all of it. taught: whether the site's model learns. own: whether each user
    has a model."""
    protocol = Protocol()
    models: dict[str, RecipientModel] = {}
    for mail in stream:
        total = site.score(mail.features).total
        model = models.setdefault(mail.user, RecipientModel())
        protocol.note(mail, total + (model.shift(mail.features) if own else 0.0))
        if own:
            model.learn(mail.features, total, spam=mail.spam)
        if taught:
            site.learn(mail.features, spam=mail.spam)
    return protocol


def main() -> None:
    """Print the tables that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpora", metavar="CORPUS", nargs="+")
    path = starter_path()
    if path is None:
        sys.exit("recipient_models: the starter model is missing")
    starter = load(path)
    hasher = Hasher(starter.card.salt)
    with ExitStack() as stack:
        boxes = [read(one, hasher, stack) for one in parser.parse_args().corpora]
    mixed = sorted((mail for box in boxes for mail in box), key=lambda mail: (mail.at, mail.user))
    both = max(
        boxes, key=lambda box: min(Counter(mail.spam for mail in box).get(c, 0) for c in (0, 1))
    )
    differ = [
        Mail(mail.at, "second" if n % 2 else "first", bool(n % 2) or mail.spam, mail.features)
        for n, mail in enumerate(both)
    ]
    tables = [
        ("agree", mixed, OnlineModel.empty(), True),
        ("untaught", mixed, starter.model, False),
        ("differ", differ, OnlineModel.empty(), True),
    ]
    for name, stream, site, taught in tables:
        users = list(dict.fromkeys(mail.user for mail in stream))
        heads = [f"{user} {what}" for user in users for what in ("ham lost", "spam missed")]
        print(f"\n| {name} | (1-ROCA)% | " + " | ".join(heads) + " |")
        print("|---" * (2 + len(heads)) + "|")
        for own in (False, True):
            done = play(stream, site.copy(), taught=taught, own=own)
            print(done.row("with own models" if own else "site's only", users), flush=True)


if __name__ == "__main__":
    main()
