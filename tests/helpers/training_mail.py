"""Generated mail for the classifier's tests: two classes that differ in words, none of it real."""

from __future__ import annotations

import random

from filterd.message import Message

_SPAM = "offer winner million transfer pills cheap click unsubscribe prize urgent casino".split()
_HAM = "meeting minutes patch review compile kernel lunch tuesday report branch merge".split()
_COMMON = "the a of to and in we you that is for on with as please thanks see best it".split()


def mail(number: int, *, spam: bool, words: int = 60) -> bytes:
    """One message of a class; the number seeds it, so that equal arguments give equal mail."""
    chance = random.Random(f"{number} {spam}")
    own = _SPAM if spam else _HAM
    text = [chance.choice(own if chance.random() < 0.4 else _COMMON) for _ in range(words)]
    lines = "\n".join(" ".join(text[i : i + 10]) for i in range(0, words, 10))
    return (
        f"Received: from mail{number % 7}.example by mx.example; Mon, 23 Nov 2026 10:00:00 +0000\n"
        f"From: {chance.choice(own)}{number} <a{number}@{'offers' if spam else 'work'}.example>\n"
        f"To: joe@mx.example\nSubject: {' '.join(chance.choices(own, k=4))}\n"
        f"Message-ID: <{number}.{spam}@sender.example>\n\n{lines}\n"
    ).encode()


def message(number: int, *, spam: bool, words: int = 60) -> Message:
    return Message(mail(number, spam=spam, words=words))
