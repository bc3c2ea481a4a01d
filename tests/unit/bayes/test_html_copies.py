"""Honest mail that a starter model learns once more as HTML."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.bayes.lab.html_copies import (
    EVERY,
    STYLES,
    TEXT_LIMIT,
    html_copy,
    with_html_copies,
)
from filterd.bayes.lab.parallel import ONE_READER
from filterd.bayes.lab.runs import card_for, train_file
from filterd.bayes.lab.train import Source, no_progress
from filterd.bayes.model.classifier import Classifier
from filterd.bayes.model.store import load
from filterd.bayes.model.text import text_of
from filterd.bayes.site.folder import starter_path
from filterd.filters.bayes.filter import STARTER_POINTS, Bayes
from filterd.filters.bayes.settings import BayesSettings
from filterd.mailfiles.items import MailItem
from filterd.message import Message
from tests.helpers.training_mail import mail

LETTER = b"""Received: from mail.example.net (mail.example.net [192.0.2.7]) by mx.example.org;
\tMon, 2 Nov 2026 10:00:00 +0000
From: Ann Fischer <ann@example.net>
To: Joe <joe@example.org>
Subject: Offer for the second floor
Message-ID: <1@example.net>
MIME-Version: 1.0
Content-Type: text/plain;
\tcharset=utf-8
Content-Transfer-Encoding: 8bit

Dear Joe,

please find below what the carpenters ask for the second floor; the price has
risen by 300 EUR since May & they can begin in <week 47>.

We would have to confirm it by Friday. Please tell me what you think, and
whether the account of the house or of the office is to be billed.

Best regards
Ann
"""


def words(data: bytes) -> list[bytes]:
    """What a reader sees."""
    text = text_of(Message(data))
    return text.words[text.visible_section].text.split()


def fields(data: bytes) -> list[tuple[str, str]]:
    """Name and value of each header field."""
    message = Message(data)
    found = (data[f.start : f.end].decode().strip() for f in message.header_fields)
    return [(name.lower(), value) for name, _, value in (one.partition(":") for one in found)]


@pytest.mark.parametrize("seed", range(40))
def test_a_copy_reads_as_the_letter_does(seed: int) -> None:
    copy = html_copy(LETTER, random.Random(seed))
    message = Message(copy)
    leaves = [entity.content_type for entity in message.leaves()]
    assert leaves in (["text/html"], ["text/plain", "text/html"])
    assert words(copy) == words(LETTER) * len(leaves)
    kept = [one for one in fields(LETTER) if not one[0].startswith(("content-", "mime-"))]
    assert fields(copy)[: len(kept)] == kept
    assert len(fields(copy)) == len(kept) + 2
    assert b"\r" not in copy
    assert html_copy(LETTER, random.Random(seed)) == copy
    assert html_copy(LETTER.replace(b"\n", b"\r\n"), random.Random(seed)) == copy


def test_every_style_is_used() -> None:
    assert len({random.Random(n * EVERY).choice(STYLES) for n in range(1, 60)}) == len(STYLES)


@given(st.binary(max_size=400), st.integers(0, 50))
def test_whatever_a_message_is_it_has_a_copy(data: bytes, seed: int) -> None:
    copy = html_copy(data, random.Random(seed))
    assert b"text/html" in copy
    assert len(copy) < 100 * (TEXT_LIMIT + len(data))


def test_every_tenth_honest_message_has_one_and_no_spam() -> None:
    items = [
        MailItem(n % 2 == 0, str(n), lambda n=n: mail(n, spam=n % 2 == 0))  # type: ignore[misc]
        for n in range(4 * EVERY)
    ]
    found = with_html_copies(items)
    assert [one for one in found if one in items] == items
    copies = [one for one in found if one not in items]
    assert [one.name for one in copies] == ["19 as HTML", "39 as HTML"]
    assert not any(one.label for one in copies)
    assert found.index(copies[0]) == 20
    assert [b"text/html" in one.read() for one in copies] == [True, True]


@pytest.mark.parametrize(("starter", "ham"), [(True, 22), (False, 20)])
def test_only_a_starter_learns_them(tmp_path: Path, starter: bool, ham: int) -> None:
    for n in range(20):
        for spam in (True, False):
            file = tmp_path / "mail" / ("spam" if spam else "ham") / f"{n}.eml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(mail(n, spam=spam))
    output = tmp_path / "model.fdm"
    card = card_for("test", starter=starter)
    sources = [Source(str(tmp_path / "mail"))]
    report = train_file(output, card, sources, no_progress, ONE_READER, doubting=False)
    model = load(output).model
    assert (model.spam, model.ham) == (report.spam, report.ham) == (20, ham)


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__.strip("_"))
def test_the_starter_does_not_label_a_letter_for_its_html(style: object) -> None:
    """In the corpus that it was trained on most HTML is spam."""
    path = starter_path()
    assert path is not None
    classifier, bayes = Classifier(None, load(path)), Bayes(BayesSettings())
    seeds = (n for n in range(200) if random.Random(n).choice(STYLES) is style)
    for seed in (next(seeds), next(seeds), next(seeds)):
        copy = html_copy(LETTER, random.Random(seed))
        assert bayes.points_at(classifier.judge(Message(copy)).total) < STARTER_POINTS
