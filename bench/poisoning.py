"""What an attacker gains who gets his mail autolearned, with the caps and without.

    python -m bench.poisoning CORPUS [--seed 1] [--mails 1000]

People have taught the first 60 % of the shuffled corpus. Then, in one day, either

*spam as ham*: he sends half of the remaining spam, over and over with other numbers in it, under
the forged address of a sender that the site allows, so that it is learned as ham; or
*ham as spam*: he sends ham that the model knows with something in it that another filter is sure
is spam, so that it is learned as spam.

All of it passes the real queue and the real learner. The rest of the corpus that he did not use is
scored: what is measured is the harm to other people's mail. `one sender`: all under one domain;
`many`: each under another. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from filterd.bayes.lab.measures import Measures, measure
from filterd.bayes.lab.train import Source, labelled_items
from filterd.bayes.model.tokens import Hasher
from filterd.bayes.site.autolearn import AutolearnSettings, Queue
from filterd.bayes.site.autolearn_learning import learn_queued
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.learner import Learner
from filterd.message import Envelope, Message
from filterd.message.ids import new_id

Mail = tuple[bool, bytes]

MANY = 10**6
PROTECTIONS = {
    "none": AutolearnSettings(
        enabled=True, per_sender=MANY, per_day=MANY, queue_messages=MANY, disputed=True
    ),
    "caps": AutolearnSettings(enabled=True, disputed=True),
    "no disputed": AutolearnSettings(
        enabled=True, per_sender=MANY, per_day=MANY, queue_messages=MANY
    ),
    "both": AutolearnSettings(enabled=True),
}


def measured(folder: ModelFolder, mail: list[Mail]) -> Measures:
    """How the version in force does on mail."""
    stored = folder.load_current()
    assert stored is not None
    hasher = Hasher(stored.card.salt)
    scores = [stored.model.score(hasher.features(Message(data))).total for _, data in mail]
    return measure(np.array(scores), np.array([spam for spam, _ in mail]))


def attacked(
    folder: ModelFolder, settings: AutolearnSettings, mails: list[bytes], *, spam: bool, many: bool
) -> int:
    """Send these in one day; return how many were learned."""
    queue = Queue(folder.path, settings)
    points = [("EVIDENCE", 20.0 if spam else -20.0)]
    learned = 0
    for number, data in enumerate(mails):
        sender = f"a@{number if many else 'one'}.example"
        unlike = b"X-Number: %d\n" % number + data
        queue.offer(Message(unlike, Envelope(sender), new_id()), points)
        # The timer runs several times a day, so the queue's own limit protects nothing here.
        if number % 100 == 99 or number == len(mails) - 1:
            learned += learn_queued(folder, queue)["learned"]
    return learned


def main() -> None:
    """Print the table that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mails", type=int, default=1000)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with ExitStack() as stack:
        items, _ = labelled_items([Source(arguments.corpus)], stack)
        chance.shuffle(items)
        mail = [(bool(item.label), item.read()) for item in items]
    cut = int(0.6 * len(mail))
    taught, rest = mail[:cut], mail[cut:]
    spam = [data for is_spam, data in rest if is_spam]
    his, others = spam[: len(spam) // 2], spam[len(spam) // 2 :]
    tested = [(True, data) for data in others] + [(s, data) for s, data in rest if not s]
    known_ham = [data for is_spam, data in taught if not is_spam]

    print("| attack | protection | senders | sent | learned | (1-ROCA)% | hm/sm% at .5 | at .9 |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        honest = Path(name) / "honest"
        folder = ModelFolder(honest)
        with Learner(folder, "cli:people") as learner:
            for is_spam, data in taught:
                learner.learn(Message(data), spam=is_spam)
        show("none", "", "", 0, 0, measured(folder, tested))
        for attack, source, as_spam in (
            ("spam as ham", his, False),
            ("ham as spam", known_ham, True),
        ):
            mails = [chance.choice(source) for _ in range(arguments.mails)]
            for protection, many in (
                ("none", True),
                ("caps", True),
                ("caps", False),
                ("no disputed", True),
                ("both", True),
                ("both", False),
            ):
                victim = ModelFolder(Path(shutil.copytree(honest, f"{name}/victim", symlinks=True)))
                learned = attacked(victim, PROTECTIONS[protection], mails, spam=as_spam, many=many)
                found = measured(victim, tested)
                show(attack, protection, "many" if many else "one", len(mails), learned, found)
                shutil.rmtree(victim.path)


def show(attack: str, protection: str, who: str, sent: int, learned: int, found: Measures) -> None:
    """Print one row."""
    half, sure = found.thresholds[0], found.thresholds[1]
    print(
        f"| {attack} | {protection} | {who} | {sent} | {learned} "
        f"| {found.roca.value:.3f} ({found.roca.low:.3f}-{found.roca.high:.3f}) "
        f"| {half.hm:.2f}/{half.sm:.2f} | {sure.hm:.2f}/{sure.sm:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
