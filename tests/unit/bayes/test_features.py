"""From message to features: what is read, what never is, and within which bounds."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.bayes.model.html import visible_text, without_invisible
from filterd.bayes.model.leaks import is_leak
from filterd.bayes.model.text import TEXT_LIMIT, text_of
from filterd.bayes.model.tokens import TABLE, Features, Hasher
from filterd.message import Message
from tests.helpers.growth import is_linear
from tests.helpers.training_mail import mail

HASHER = Hasher(b"a test's own salt")


def words(data: bytes, hasher: Hasher = HASHER) -> list[tuple[str, bytes]]:
    """Every word that is read, with its section's origin."""
    sections = text_of(Message(data)).words
    found = hasher.words_of(sections)
    return [
        (sections[section].origin, found.joined[start:end])
        for section, start, end in zip(found.section, found.starts, found.ends, strict=True)
    ]


def equal(a: Features, b: Features) -> bool:
    return all(
        np.array_equal(np.sort(x), np.sort(y))
        for x, y in ((a.grams, b.grams), (a.words, b.words), (a.skips, b.skips))
    )


def features(data: bytes, hasher: Hasher = HASHER) -> Features:
    return hasher.features(Message(data))


@pytest.mark.parametrize(
    "name",
    "X-Spam-Status X-Spam-Flag Status X-UIDL Content-Length Lines Return-Path Delivered-To "
    "X-Virus-Scanned X-Quarantine-ID Authentication-Results X-Bogosity X-Rspamd-Score "
    "X-Microsoft-Antispam X-MS-Exchange-Organization-SCL Date Received-SPF".split(),
)
def test_verdicts_and_deliveries_are_never_seen(name: str) -> None:
    data = mail(1, spam=True)
    leaking = f"{name}: YES, score=99 required=5\r\n".encode() + data
    assert is_leak(name.lower())
    assert equal(features(leaking), features(data))


@pytest.mark.parametrize("name", ["from", "subject", "received", "list-id", "x-mailer", "to"])
def test_fields_of_the_sender_are_read(name: str) -> None:
    assert not is_leak(name)


def test_line_ends_make_no_difference() -> None:
    data = mail(1, spam=True)
    assert equal(features(data), features(data.replace(b"\n", b"\r\n")))


def test_words_carry_where_they_stand() -> None:
    found = words(b"Subject: free pills\nFrom: a@b.example\n\nfree beer\n")
    assert ("subject", b"free") in found
    assert ("text", b"free") in found
    subject, text = (
        features(b"Subject: free\n\n").words,
        features(b"X-Other: free\n\n").words,
    )
    assert not np.intersect1d(subject, text).size


@pytest.mark.parametrize(
    ("name", "header", "body"),
    [
        ("plain", b"", b"cheap pills\n"),
        ("base64", b"Content-Transfer-Encoding: base64\n", base64.encodebytes(b"cheap pills\n")),
        (
            "quoted-printable",
            b"Content-Transfer-Encoding: quoted-printable\n",
            b"ch=65ap p=\nills\n",
        ),
        (
            "html",
            b"Content-Type: text/html\n",
            b"<p>ch<!-- meeting -->e<b></b>ap&nbsp;pi&#108;ls</p>",
        ),
        (
            "invisible characters",
            b"Content-Type: text/plain; charset=utf-8\n",
            "ch\u200beap pi\u00adlls\n".encode(),
        ),
        (
            "utf-16",
            b"Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64\n",
            base64.encodebytes("cheap pills".encode("utf-16")),
        ),
        (
            "second part",
            b'Content-Type: multipart/mixed; boundary="x"\n',
            b"--x\n\nhello\n--x\nContent-Transfer-Encoding: base64\nContent-Type: text/plain\n\n"
            + base64.encodebytes(b"cheap pills\n")
            + b"--x--\n",
        ),
    ],
)
def test_text_is_found_however_it_is_wrapped(name: str, header: bytes, body: bytes) -> None:
    found = words(b"Subject: x\n" + header + b"\n" + body)
    assert ("text", b"cheap") in found, name
    assert ("text", b"pills") in found, name


def test_encoded_words_are_decoded() -> None:
    found = words(b"Subject: =?utf-8?B?Y2hlYXA=?= =?iso-8859-1?q?_pills?=\n\n")
    assert [word for origin, word in found if origin == "subject"] == [b"cheap", b"pills"]


def test_a_browsers_text() -> None:
    assert visible_text(b"<p>a</p><script>no()</script>b<style>no</style>").split() == [b"a", b"b"]
    assert visible_text(b"5 < 6 &amp; &#x41;") == b"5 < 6 & A"
    assert visible_text(b"before<!-- never closed") == b"before"
    assert without_invisible("a\ufeffb".encode()) == b"ab"


def test_other_salt_other_numbers() -> None:
    a, b = features(mail(1, spam=True)), features(mail(1, spam=True), Hasher(b"other"))
    assert len(np.intersect1d(a.words, b.words)) < len(a.words) // 10
    assert len(np.intersect1d(a.grams, b.grams)) < len(a.grams) // 10


def test_the_mapping_is_the_same_for_ever() -> None:
    """A model means something only with the features that it was made of: if this fails, raise
    FEATURE_VERSION."""
    found = features(b"Subject: hello world\n\nOne two three four\n")
    assert (len(found.grams), len(found.words), len(found.skips)) == (37, 11, 7)
    assert (int(found.grams.sum()), int(found.words.sum()), int(found.skips.sum())) == FROZEN_SUMS


FROZEN_SUMS = (21121569, 17812089, 18362044)


@settings(max_examples=150)
@given(st.binary(max_size=3000))
def test_any_octets_give_features_within_the_table(data: bytes) -> None:
    found = features(data)
    assert len(np.unique(found.grams)) == len(found.grams)
    assert len(np.unique(found.words)) == len(found.words)
    for numbers, low, high in (
        (found.grams, 0, TABLE),
        (found.words, TABLE, 2 * TABLE),
        (found.skips, 2 * TABLE, 3 * TABLE),
    ):
        assert not len(numbers) or low <= numbers.min() <= numbers.max() < high


@pytest.mark.parametrize(
    ("name", "piece", "count"),
    [
        ("one huge line", b"x", 30_000_000),
        ("30 MB of words", b"good morning ", 2_300_000),
        ("unclosed comments", b"<!--", 200_000),
        ("unclosed tags", b"<a ", 300_000),
        ("entities", b"&#", 500_000),
        ("ampersands", b"&a", 500_000),
    ],
)
def test_hostile_bodies_cost_in_proportion(name: str, piece: bytes, count: int) -> None:
    body = piece * count

    def features(body: bytes) -> int:
        message = Message(b"Subject: x\nContent-Type: text/html\n\n" + body)
        return len(HASHER.features(message))

    assert features(body) < 3 * TEXT_LIMIT
    assert is_linear(features, lambda size: body[:size], len(body) // 4, at_least=0.02), name
