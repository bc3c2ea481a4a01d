"""Mail with and without the filter `rules`: what its points add to the classifier's.

    python -m bench.rules_accuracy CORPUS... [--shuffle SEED] [--rules PATH...] [--limit N]

Three sites: one that has taught nothing (the starter model alone), one after 50 spam and 50 ham,
and one that learns every message after it was judged. The points are those of the filters `bayes`
and `rules` with their defaults and the stock rules of the system; other filters are not asked, and
DNS is not. Prints for each: (1-ROCA)% of the points, and what the threshold of 5 points does.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from filterd.bayes.lab.evaluate import EvaluationPlan, Ours
from filterd.bayes.lab.measures import roca
from filterd.bayes.lab.train import Source, labelled_items
from filterd.bayes.model.classifier import Learned
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.store import load as load_model
from filterd.bayes.site.folder import starter_path
from filterd.chain.verdict import Symbol
from filterd.filters.bayes.filter import STARTER_POINTS
from filterd.filters.bayes.symbols import symbol_name
from filterd.filters.points import DEFAULT_POINTS, PointTable
from filterd.filters.rules.loading import Loaded, load
from filterd.filters.rules.settings import RulesSettings
from filterd.message import Message
from filterd.rules.view.view import View

SALT = b"filterd evaluate"

LABEL = 5.0
"""Points from which mail is labelled."""

FEW = 50
"""Messages of each class that the second site has taught."""


@dataclass(frozen=True)
class Judged:
    """One message: its class, and its points by rules (score sets 0 and 2), and by the classifier
    of each site."""

    spam: bool
    rules: float
    beside: float
    bayes: dict[str, float]


class Bayes:
    """The points of the filter `bayes` of one site. most: messages of each class that it learns."""

    def __init__(self, most: float) -> None:
        path = starter_path()
        self._ours = Ours(OnlineModel.empty(), SALT, load_model(path) if path else None)
        self._table = PointTable(DEFAULT_POINTS)
        self._most = most

    def points(self, seen: object) -> tuple[float, float]:
        """Probability, and points."""
        total = self._ours.score(seen)
        learned = Learned(self._ours.model.spam, self._ours.model.ham)
        limit = STARTER_POINTS + (self._table.most - STARTER_POINTS) * learned.weight
        points = min(self._table.at(total), max(limit, STARTER_POINTS))
        return 1.0 / (1.0 + math.exp(-max(min(total, 500.0), -500.0))), points

    def read(self, data: bytes) -> object:
        return self._ours.read(data)

    def learn(self, seen: object, spam: bool) -> None:
        model = self._ours.model
        if (model.spam if spam else model.ham) < self._most:
            self._ours.learn(seen, spam)


def hits(loaded: Loaded, data: bytes, probability: float | None) -> float:
    """The points of all rules that hit. probability: by the classifier, None without one."""
    message = Message(data)
    if probability is not None:
        message.symbols = (Symbol(symbol_name(probability)),)
    names = {symbol.name for symbol in message.symbols}
    found = loaded.rules.check(View(message, loaded.rule_set.options))
    known = loaded.rule_set.rules
    return sum(
        hit.score
        for hit in found
        if hit.name not in names and hit.name in known and not known[hit.name].is_part
    )


def judge(
    corpus: str, sets: tuple[Loaded, Loaded], order: EvaluationPlan, limit: int | None
) -> list[Judged]:
    """Judge all messages of a corpus, in order."""
    sites = {"day 0": Bayes(0), f"{FEW}+{FEW}": Bayes(FEW), "trained": Bayes(math.inf)}
    found = []
    with ExitStack() as stack:
        items, _ = labelled_items([Source(corpus)], stack)
        order.order(items)
        for item in items[:limit]:
            data, spam = item.read(), bool(item.label)
            said = {}
            for name, site in sites.items():
                seen = site.read(data)
                probability, points = site.points(seen)
                said[name] = points
                site.learn(seen, spam)
            alone, beside = (hits(sets[0], data, None), hits(sets[1], data, probability))
            found.append(Judged(spam, alone, beside, said))
    return found


def row(name: str, points: Iterable[float], judged: list[Judged]) -> str:
    """One line of the table."""
    scores = np.array(list(points))
    labels = np.array([one.spam for one in judged])
    area = roca(scores, labels)
    lost = int((scores[~labels] >= LABEL).sum())
    passed = int((scores[labels] < LABEL).sum())
    return (
        f"| {name} | {area.value:.4f} ({area.low:.3f}-{area.high:.3f}) "
        f"| {100 * lost / (~labels).sum():.2f} ({lost}) "
        f"| {100 * passed / labels.sum():.2f} ({passed}) |"
    )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--shuffle", type=int)
    parser.add_argument("--rules", nargs="*", default=())
    parser.add_argument("--own", action="store_true", help="filterd's own rules, too")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--cache", type=Path, default=RulesSettings.cache)
    arguments = parser.parse_args()
    settings = RulesSettings(tuple(arguments.rules), own=arguments.own, cache=arguments.cache)
    sets = load(settings, 0), load(settings, 2)
    for corpus in arguments.corpora:
        judged = judge(corpus, sets, EvaluationPlan(shuffle=arguments.shuffle), arguments.limit)
        spam = sum(one.spam for one in judged)
        print(f"\n{Path(corpus).name}: {spam} spam, {len(judged) - spam} ham\n")
        print("| | (1-ROCA)% | ham of 5 points, % | spam below, % |")
        print("|---|---|---|---|")
        print(row("rules alone (set 0)", (one.rules for one in judged), judged))
        for name in judged[0].bayes:
            print(row(f"{name}: bayes", (one.bayes[name] for one in judged), judged))
            both = (one.bayes[name] + one.beside for one in judged)
            print(row(f"{name}: bayes and rules (set 2)", both, judged))
            wrong = (one.bayes[name] + one.rules for one in judged)
            print(row(f"{name}: bayes and rules (set 0)", wrong, judged), flush=True)


if __name__ == "__main__":
    main()
