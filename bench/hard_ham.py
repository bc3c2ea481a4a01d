"""Honest mail that has spam in it: how much of it the classifier loses; prints a Markdown table.

    python -m bench.hard_ham CORPUS... [--seed 3] [--share 0.08]

Into each corpus, shuffled, honest messages are put that are made of what came before them: a spam
quoted, forwarded in line, or bounced; a digest of honest mail with an advertisement in it; an
honest letter with a few lines of spam as its footer. Everything is classified, then learned. The
figures leave out the first quarter, while the model is young. *Whole* is the score of the message
without its windows.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from contextlib import ExitStack

from filterd.bayes.lab.train import Source, labelled_items
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.text import text_of
from filterd.bayes.model.tokens import Hasher
from filterd.message import Message

SALT = b"filterd evaluate"
ENOUGH = 100
"""Messages of each class from which on honest mail is made of them."""
LAST = 800
"""So many of the last messages are what people quote."""

Bodies = list[bytes]
REPORT = b"""From: MAILER-DAEMON@mx.example (Mail Delivery System)
To: joe@mx.example
Subject: Undelivered Mail Returned to Sender
Date: Mon, 1 Jun 2026 10:00:00 +0200

This is the mail system at host mx.example.

I'm sorry to have to inform you that your message could not be delivered to one or more
recipients.

<joe@there.example>: host mx.there.example said: 550 5.1.1 User unknown

"""


def text_in(data: bytes, size: int) -> bytes:
    """What a reader sees of a message, up to that many octets."""
    text = text_of(Message(data))
    return b"\n".join(section.text for section in text.words[text.body_section :][:1])[:size]


def header_of(data: bytes) -> bytes:
    """The header section without what describes the body."""
    lines = data.replace(b"\r\n", b"\n").partition(b"\n\n")[0].split(b"\n")
    of_body = (b"content-", b"mime-", b"\t", b" boundary")
    kept = [line for line in lines if not line.lower().startswith(of_body)]
    return b"\n".join(kept) + b"\n\n"


def makers(chance: random.Random) -> dict[str, Callable[[Bodies, Bodies], bytes]]:
    """How honest messages are made of honest mail and spam, by kind."""

    def quoted(ham: Bodies, spam: Bodies) -> bytes:
        letter = chance.choice(ham)
        lines = text_in(chance.choice(spam), 6000).split(b"\n")
        return b"".join(
            (
                header_of(letter),
                text_in(letter, 600),
                b"\n\nOn Monday somebody wrote:\n",
                *(b"> " + line + b"\n" for line in lines),
            )
        )

    def forwarded(ham: Bodies, spam: Bodies) -> bytes:
        letter = chance.choice(ham)
        parts = text_in(chance.choice(spam), 6000), text_in(letter, 400)
        return header_of(letter) + b"Look what I got today:\n\n" + b"\n\n".join(parts)

    def digest(ham: Bodies, spam: Bodies) -> bytes:
        letters = [chance.choice(ham) for _ in range(4)]
        parts = [text_in(letter, 2500) for letter in letters] + [text_in(chance.choice(spam), 2000)]
        return header_of(letters[0]) + (b"\n\n" + b"-" * 30 + b"\n\n").join(parts)

    def bounced(_ham: Bodies, spam: Bodies) -> bytes:
        return REPORT + text_in(chance.choice(spam), 5000)

    def footer(ham: Bodies, spam: Bodies) -> bytes:
        letter = chance.choice(ham)
        line = b"\n" + b"_" * 47 + b"\n"
        return header_of(letter) + text_in(letter, 5000) + line + text_in(chance.choice(spam), 400)

    return {
        "a spam quoted": quoted,
        "a spam forwarded in line": forwarded,
        "a digest with an advertisement": digest,
        "a bounce with the spam in it": bounced,
        "an advertisement as footer": footer,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.08)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        sources = [Source(corpus) for corpus in arguments.corpus]
        items, _ = labelled_items(sources, stack)
        chance = random.Random(arguments.seed)
        chance.shuffle(items)
        mail = [(item.read(), bool(item.label)) for item in items]
    kinds = makers(chance)
    hasher, model = Hasher(SALT), OnlineModel.empty()
    lost: dict[str, list[tuple[bool, bool]]] = {kind: [] for kind in (*kinds, "all other ham")}
    ham: Bodies = []
    spam: Bodies = []

    def play(data: bytes, is_spam: bool, kind: str) -> None:
        features = hasher.features(Message(data))
        whole, deciding = model.opinions(features)
        if kind and len(ham) + len(spam) > len(mail) / 4:
            lost[kind].append((deciding.probability >= 0.5, whole.probability >= 0.5))
        model.learn(features, spam=is_spam)

    for data, is_spam in mail:
        play(data, is_spam, "" if is_spam else "all other ham")
        (spam if is_spam else ham).append(data)
        if min(len(ham), len(spam)) > ENOUGH and chance.random() < arguments.share:
            kind = chance.choice(list(kinds))
            play(kinds[kind](ham[-LAST:], spam[-LAST:]), False, kind)

    print(
        "| honest mail | messages | lost at .5, % | lost by the whole alone, % |\n|---|---|---|---|"
    )
    for kind, answers in lost.items():
        count = max(len(answers), 1)
        by_window, by_whole = (100 * sum(column) / count for column in zip(*answers, strict=True))
        print(f"| {kind} | {len(answers)} | {by_window:.2f} | {by_whole:.2f} |")


if __name__ == "__main__":
    main()
