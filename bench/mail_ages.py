"""Old mail and new mail: what a model knows of mail of another time; prints Markdown tables.

    python -m bench.mail_ages --old CORPUS... --new CORPUS

Every corpus is cut in two by time: models learn first halves, and are asked about second halves
without learning anything more. *Mixed* is the first halves of all, evenly mixed; *one after the
other* the same mail, the old first. The starter is the one that comes with filterd. Besides, there
is phishing of today and the honest notices that it imitates (`bench.phishing_mail`), generated.

Spam is sorted by its words: *phishing* asks to confirm or log in to something and threatens;
*advance fee* promises money; the rest is *other*. The last table is about a site whose mail is the
new corpus and those notices: what the starter and a few lessons, from one half of it, make of the
other half, at the probability from which mail is labelled (messages in turn, for most of the new
corpus's spam is late).
"""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.phishing_mail import notice
from filterd.bayes.lab.evaluate import Ours
from filterd.bayes.lab.measures import roca
from filterd.bayes.lab.train import Source, labelled_items
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.store import StoredModel, load
from filterd.bayes.model.text import Text, text_of
from filterd.bayes.site.folder import starter_path
from filterd.message import Message

SALT = b"filterd evaluate"
LABEL = float(np.log(9.0))
"""Log-odds from which mail is labelled, p = .9."""
NOTICES = 280
"""Notices of each class, half of them to be learned."""

_ASKED = frozenset(b"verify confirm validate update restore login log sign reactivate".split())
_OF = frozenset(b"account accounts password mailbox identity wallet billing".split())
_THREAT = frozenset(
    b"suspended suspend limited expire expires unusual unauthorized deactivated blocked locked "
    b"security terminated".split()
)
_MONEY = frozenset(
    b"beneficiary inheritance deceased kin million millions fund funds transfer barrister lottery "
    b"donation compensation consignment attorney loan winner investment charity claim".split()
)
_WORDS = re.compile(rb"[a-z]{2,20}")
KINDS = ("phishing", "advance fee", "other")


def kind_of(text: Text) -> str:
    """One of `KINDS`."""
    words = set(_WORDS.findall(b"\n".join(section.text for section in text.words).lower()))
    if words & _ASKED and words & _OF and words & _THREAT and len(words & _MONEY) < 2:
        return "phishing"
    return "advance fee" if len(words & _MONEY) >= 2 else "other"


@dataclass(frozen=True, slots=True)
class KnownMail:
    """One message. seen: what the classifier makes of it; kind: of spam, else empty."""

    spam: bool
    kind: str
    seen: object


Mailbox = list[KnownMail]


def known(data: bytes, spam: bool, reader: Ours, kind: str = "") -> KnownMail:
    """A message as it will be asked about."""
    found = (kind or kind_of(text_of(Message(data)))) if spam else ""
    return KnownMail(spam, found, reader.read(data))


def mixed(boxes: list[Mailbox]) -> Mailbox:
    """The mail of all, each evenly over the time."""
    placed = [
        ((n + 0.5) / len(box), number, mail)
        for number, box in enumerate(boxes)
        for n, mail in enumerate(box)
    ]
    return [mail for *_, mail in sorted(placed, key=lambda one: one[:2])]


def scores_of(examined: Ours, box: Mailbox) -> np.ndarray:
    """Log-odds of spam."""
    return np.array([examined.score(mail.seen) for mail in box])


def share(found: np.ndarray, limit: float) -> str:
    """What percentage is at the limit or above it."""
    return f"{100 * np.mean(found >= limit):.1f}" if len(found) else "-"


def row(name: str, about: str, examined: Ours, box: Mailbox) -> tuple[str, dict[str, np.ndarray]]:
    """A row of the first table, and the scores of spam by kind."""
    scores = scores_of(examined, box)
    labels = np.array([mail.spam for mail in box])
    area = roca(scores, labels)
    ham, spam = scores[~labels], -scores[labels]
    cells = (
        f"{area.value:.3f} ({area.low:.3f}-{area.high:.3f})",
        f"{share(ham, 0.0)} | {share(ham, LABEL)}",
        f"{share(spam, np.nextafter(0.0, 1.0))} | {share(spam, np.nextafter(-LABEL, 1.0))}",
    )
    kinds = np.array([mail.kind for mail in box])
    return (
        f"| {name} | {about} | {' | '.join(cells)} |",
        {kind: scores[kinds == kind] for kind in KINDS},
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--old", nargs="+", required=True)
    parser.add_argument("--new", required=True)
    arguments = parser.parse_args()
    path = starter_path()
    if path is None:
        sys.exit("mail_ages: the starter model is missing")
    starter = load(path)
    reader = Ours(OnlineModel.empty(), SALT, starter)
    boxes: dict[str, Mailbox] = {}
    for corpus in (*arguments.old, arguments.new):
        with ExitStack() as stack:
            items, _ = labelled_items([Source(corpus)], stack)
            boxes[Path(corpus).name] = [known(i.read(), bool(i.label), reader) for i in items]
    new = Path(arguments.new).name
    made = [
        known(notice(n, phishing=spam), spam, reader, "phishing")
        for n in range(NOTICES)
        for spam in (False, True)
    ]
    first = {name: box[: len(box) // 2] for name, box in boxes.items()}
    second = {name: box[len(box) // 2 :] for name, box in boxes.items()}
    second["notices"] = made[NOTICES:]
    old = [first[name] for name in boxes if name != new]

    taught: dict[str, Mailbox] = {name: box for name, box in first.items() if name != new}
    taught["all old mail"] = [mail for box in old for mail in box]
    taught[new] = first[new]
    taught["one after the other"] = [mail for box in (*old, first[new]) for mail in box]
    taught["mixed"] = mixed([*old, first[new]])
    taught["mixed, and notices"] = mixed([*old, first[new], made[:NOTICES]])

    heads = "(1-ROCA)% | ham at .5, % | at .9 | spam below .5, % | below .9"
    print(f"| learned | asked about | {heads} |\n|{'---|' * 7}")
    kinds: list[tuple[str, str, dict[str, np.ndarray]]] = []
    for name, box in {"starter": [], **taught}.items():
        examined = Ours(OnlineModel.empty(), SALT, starter if name == "starter" else None)
        for mail in box:
            examined.learn(mail.seen, mail.spam)
        for about, asked in second.items():
            line, by_kind = row(name, about, examined, asked)
            kinds.append((name, about, by_kind))
            print(line, flush=True)

    print(f"\n| spam below .5 / .9, % | of | {' | '.join(KINDS)} |\n|{'---|' * 5}")
    for name, about, by_kind in kinds:
        cells = (
            f"{share(-found, np.nextafter(0.0, 1.0))} / "
            f"{share(-found, np.nextafter(-LABEL, 1.0))} of {len(found)}"
            for found in by_kind.values()
        )
        print(f"| {name} | {about} | {' | '.join(cells)} |")

    lessons(boxes[new], made, starter)


def lessons(box: Mailbox, made: Mailbox, starter: StoredModel) -> None:
    """Print what the first lessons do on a site."""
    taught, mail = box[::2], box[1::2]
    ham, spam = ([one for one in taught if one.spam == is_spam] for is_spam in (False, True))
    good, bad = (
        [one for one in made[:NOTICES] if one.spam == is_spam] for is_spam in (False, True)
    )
    notices = made[NOTICES:]
    plans: dict[str, Mailbox] = {
        "nothing": [],
        "200 ham": mixed([ham[:100], good[:100]]),
        "90 spam": mixed([spam[:45], bad[:45]]),
        "10 + 10": mixed([spam[:5], bad[:5], ham[:5], good[:5]]),
        "25 + 25": mixed([spam[:12], bad[:13], ham[:12], good[:13]]),
        "50 + 50": mixed([spam[:25], bad[:25], ham[:25], good[:25]]),
        "50 + 50, no phishing": mixed([spam[:50], ham[:25], good[:25]]),
        "50 + 50, no notices": mixed([spam[:25], bad[:25], ham[:50]]),
        "50 + 500": mixed([spam[:25], bad[:25], ham[:400], good[:100]]),
        "98 + 98": mixed([spam[:49], bad[:49], ham[:49], good[:49]]),
        "all of it": mixed([spam, bad, ham, good]),
    }
    print(
        "\n| learned | mail labelled, % | notices labelled, % | spam not labelled, % "
        f"| phishing not labelled, % |\n|{'---|' * 5}"
    )
    for name, plan in plans.items():
        examined = Ours(OnlineModel.empty(), SALT, starter)
        for one in plan:
            examined.learn(one.seen, one.spam)
        cells = []
        for is_spam in (False, True):
            for box in (mail, notices):
                found = scores_of(examined, [one for one in box if one.spam == is_spam])
                labelled = 100 * float(np.mean(found >= LABEL))
                cells.append(f"{100 - labelled if is_spam else labelled:.1f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
