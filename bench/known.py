"""What known senders are worth: honest mail over the threshold, and spam that gets the symbols.

    python -m bench.known ksummit/index enron-skilling/index --spam spamassassin/index \
        [--models FOLDER] [--people 20]

Each corpus has real conversations in the order of their dates. The people who wrote most of its
mail are sites, one after the other: what one of them sent goes out (to all of To and Cc, as it was
before the list added its fields), what others sent to it, by To or Cc, comes in, through the
filters `bayes` and `known`. Of each fourth of these an answer that quotes a spam, one that
forwards one, or one with an advertisement as its footer comes as well: what the classifier takes
for spam when people write of it (bench.hard_ham). At the end spam of the other corpora comes to
each site: as it is; and again as a forger would send it who knows whom this person has written to,
without a proof.

The corpora have no DNS: honest authors are taken as authenticated (`proven`), or nobody is
(`without auth`). Prints a Markdown table for each corpus.
"""

from __future__ import annotations

import argparse
import email.utils
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.hard_ham import makers
from filterd.bayes.lab.train import Source, labelled_items
from filterd.chain.report import ScanReport
from filterd.chain.services import Services
from filterd.chain.stages import Session
from filterd.chain.verdict import Action
from filterd.filters.bayes.filter import Bayes
from filterd.filters.bayes.settings import BayesSettings
from filterd.filters.known.filter import Known
from filterd.filters.known.settings import KnownSettings
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.address import Mailbox
from filterd.message.authentication import Authentication, AuthResult, DmarcCheck
from filterd.message.mailboxes import author_of, mailboxes

LABEL, QUARANTINE = 5.0, 8.0
"""The policy's defaults."""

OF_LISTS = ("list-", "precedence", "x-mailing-list")
"""Fields that a list adds to what somebody sent to it."""


NOT_ONE_LETTER = ("a digest with an advertisement", "a bounce with the spam in it")
"""Kinds of hard mail that nobody writes as an answer."""


class Clock:
    """Goes by the dates of the mail."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Mail:
    """One message. points: the classifier's."""

    data: bytes
    points: float
    author: Mailbox | None
    date: float
    recipients: tuple[str, ...]
    hard: bool = False

    @property
    def as_sent(self) -> bytes:
        """Without what a list added."""
        header, blank, body = self.data.partition(b"\n\n")
        fields: list[bytes] = []
        for line in header.split(b"\n"):
            if line[:1] in b" \t" and fields:
                fields[-1] += b"\n" + line
            else:
                fields.append(line)
        kept = [one for one in fields if not one.decode("latin-1").lower().startswith(OF_LISTS)]
        return b"\n".join(kept) + blank + body


@dataclass
class Figures:
    """Counts of one corpus. over, saved: by threshold."""

    sent: int = 0
    received: int = 0
    symbols: Counter[str] = field(default_factory=Counter)
    hard: int = 0
    over: Counter[tuple[bool, float]] = field(default_factory=Counter)
    saved: Counter[tuple[bool, str, float]] = field(default_factory=Counter)
    spam: int = 0
    spam_known: int = 0
    forged: int = 0
    forged_known: int = 0
    forged_saved: Counter[float] = field(default_factory=Counter)


def read(paths: Sequence[str], spam: bool, bayes: Bayes) -> list[Mail]:
    """The mail of that kind, with the classifier's points."""
    found = []
    with ExitStack() as stack:
        items = itertools.chain.from_iterable(
            labelled_items([Source(path, None)], stack)[0] for path in paths
        )
        for item in items:
            if bool(item.label) != spam:
                continue
            data = item.read().replace(b"\r\n", b"\n")
            message = Message(data)
            points = bayes.score(bayes.opinion(message))
            every = [message.get(name) for name in ("To", "Cc")]
            people = {str(one) for text in every for one in mailboxes(text) if one.domain}
            found.append(
                Mail(data, points, author_of(message), _date(message), tuple(sorted(people)))
            )
    return found


def _date(message: Message) -> float:
    try:
        return email.utils.parsedate_to_datetime(message.get("Date")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0


def proven(author: Mailbox | None) -> Authentication:
    """As the filter `auth` finds for an honest author."""
    domain = author.domain if author is not None else ""
    return Authentication(dmarc=DmarcCheck(AuthResult.PASS, domain, dkim_aligned=True))


def play(
    person: str,
    mail: Sequence[Mail],
    spam: Sequence[Mail],
    harder: Callable[[Mail], list[Mail]],
    figures: Figures,
) -> None:
    """One site. harder: makes of a message those that people write of spam."""
    clock = Clock()
    # The address itself is all of its domain: colleagues are outside.
    known = Known(KnownSettings(domains=(person,)), Services(), clock)
    written_to: set[str] = set()

    def points(
        one: Mail, found: Authentication | None, data: bytes = b""
    ) -> tuple[float, set[str]]:
        client = Client("mail.example", "192.0.2.1")
        message = Message(data or one.data, Envelope("x@x.example", (Recipient(person),), client))
        message.authentication = found
        verdict = known.examine(message)
        return verdict.score, {symbol.name for symbol in verdict.symbols}

    for one in mail:
        clock.now = max(clock.now, one.date)
        if one.author is not None and str(one.author) == person:
            envelope = Envelope(person, tuple(map(Recipient, one.recipients)), Client())
            message = Message(one.as_sent, envelope)
            verdict = known.examine(message)
            report = ScanReport(
                id="m",
                action=Action.ACCEPT,
                sender=person,
                recipients=one.recipients,
                message_id=message.get("Message-ID"),
                symbols=verdict.symbols,
            )
            known.reported(Session("s"), report)
            written_to.update(one.recipients if verdict.symbols else ())
            figures.sent += 1
        elif person in one.recipients:
            figures.received += 1
            come = [one, *harder(one)] if figures.received % 4 == 0 else [one]
            for each in come:
                gets, symbols = points(each, proven(each.author))
                if each.hard:
                    figures.hard += 1
                else:
                    figures.symbols.update(symbols)
                    figures.symbols["either"] += bool(symbols)
                unproven, _ = points(each, None)
                for threshold in (LABEL, QUARANTINE):
                    if each.points >= threshold:
                        figures.over[each.hard, threshold] += 1
                        for how, given in (("proven", gets), ("without auth", unproven)):
                            saved = each.points + given < threshold
                            figures.saved[each.hard, how, threshold] += saved
    friends = itertools.cycle(sorted(written_to - {person}) or ["nobody@x.example"])
    for one in spam:
        figures.spam += 1
        figures.spam_known += bool(points(one, None)[1])
        header, blank, body = one.data.partition(b"\n\n")
        lines = b"From: " + next(friends).encode("utf-8", "surrogateescape") + b"\n"
        lines += b"\n".join(
            line for line in header.split(b"\n") if not line.lower().startswith(b"from")
        )
        forged = Message(lines + blank + body)
        author = author_of(forged)
        failed = Authentication(dmarc=DmarcCheck(AuthResult.FAIL, author.domain if author else ""))
        assert not points(one, failed, bytes(forged.data))[1]
        gets, symbols = points(one, None, bytes(forged.data))
        figures.forged += 1
        figures.forged_known += bool(symbols)
        for threshold in (LABEL, QUARANTINE):
            figures.forged_saved[threshold] += one.points + gets < threshold <= one.points


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpora", nargs="+", help="conversations, honest mail")
    parser.add_argument("--spam", nargs="*", default=[], help="corpora whose spam comes as well")
    parser.add_argument("--models", type=Path, default=Path("/nonexistent"), help="of bayes")
    parser.add_argument("--people", type=int, default=20, help="sites: so many people of a corpus")
    parser.add_argument("--most", type=int, default=500, help="spam messages, evenly taken")
    options = parser.parse_args()
    bayes = Bayes(BayesSettings(models=options.models))
    bayes.prepare()
    spam = read(options.spam, True, bayes) if options.spam else []
    spam = spam[:: max(len(spam) // options.most, 1)][: options.most]
    chance = random.Random(3)
    kinds = makers(chance)
    pool = [one.data for one in spam]

    def harder(one: Mail) -> list[Mail]:
        if not pool:
            return []
        kind = chance.choice([kind for kind in kinds if kind not in NOT_ONE_LETTER])
        data = kinds[kind]([one.data], pool)
        points = bayes.score(bayes.opinion(Message(data)))
        return [replace(one, data=data, points=points, hard=True)]

    for path in options.corpora:
        mail = read([path], False, bayes)
        authors = Counter(str(one.author) for one in mail if one.author is not None)
        figures = Figures()
        for person, _count in authors.most_common(options.people):
            play(person, mail, spam, harder, figures)
        show(Path(path).parent.name, min(options.people, len(authors)), figures)


def show(name: str, people: int, found: Figures) -> None:
    """The table of a corpus."""
    print(f"\n{name}, {people} people: {found.sent} messages sent, {found.received} received\n")
    print("| | messages | of |\n|---|---|---|")
    for symbol in ("KNOWN_SENDER", "KNOWN_REPLY", "either"):
        print(f"| honest mail with {symbol} | {found.symbols[symbol]} | {found.received} |")
    for hard, threshold in itertools.product((False, True), (LABEL, QUARANTINE)):
        over = found.over[hard, threshold]
        what = f"honest mail with spam in it ({found.hard} messages)" if hard else "honest mail"
        for how in ("proven", "without auth"):
            print(
                f"| {what}, of {threshold:g} points or more, that falls below, {how} | "
                f"{found.saved[hard, how, threshold]} | {over} |"
            )
    print(f"| spam with a symbol, as it is | {found.spam_known} | {found.spam} |")
    print(
        f"| forged in the name of a friend, without auth: a symbol | {found.forged_known} | "
        f"{found.forged} |"
    )
    for threshold in (LABEL, QUARANTINE):
        print(
            f"| the same: falls below {threshold:g} points | {found.forged_saved[threshold]} | "
            f"{found.forged} |"
        )


if __name__ == "__main__":
    main()
