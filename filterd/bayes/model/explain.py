"""Why a message has its score: each word's share, adding up to the log-odds.

The linear score is a sum over features, so a feature's share is its weight over √n. The counts'
score enters through a logarithm; its share is dealt out in proportion to each word's evidence.
A feature counts for the first place where it stands, a 4-gram for the word that it overlaps there.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from filterd.bayes.model.classifier import Opinion, WeightedModel
from filterd.bayes.model.text import GRAM_BODY_LIMIT, GRAM_HEADER_LIMIT, Text
from filterd.bayes.model.tokens import Features
from filterd.bayes.model.windows import word_of

SHOWN_WORDS = 3  # on each side, in a verdict's detail
WORD_WIDTH = 40  # characters of a word that are shown
BETWEEN_WORDS = "(signs)"
"""Stands for 4-grams that overlap no word: runs of punctuation, blanks, markup."""

WINDOW = ("", "(subtracted: only a window of the message decided)")

_WORD = re.compile(rb"[A-Za-z0-9$'!%_\x80-\xff-]+")
_FIELD_LINE = re.compile(rb"(?<![!-9;-~])([!-9;-~]++):[^\n]*+\n?")

Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Clue:
    """One word's part of the log-odds. origin: the header field, `text` or `part`."""

    origin: str
    word: str
    weight: float


def clues(opinion: Opinion) -> list[Clue]:
    """Every word and pair of words with its share, the strongest first; the shares' sum is
    `opinion.total`, but for the last digits of floating point."""
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for one in opinion.models:
        features, shares = one.features, _shares(one)
        names = _Names(opinion.text, one.features)
        for at, share in zip(features.word_at.tolist(), shares.words.tolist(), strict=True):
            if share:
                sums[names.word(at)] += one.share * share
        for at, share in zip(features.skip_at.tolist(), shares.skips.tolist(), strict=True):
            if share:
                sums[names.skip(at)] += one.share * share
        grams = _gram_words(opinion.text)
        for at, share in zip(features.gram_at.tolist(), shares.grams.tolist(), strict=True):
            sums[grams[at]] += one.share * share
        if one.score.window:
            sums[WINDOW] -= one.share * one.score.margin
    found = [Clue(origin, word, weight) for (origin, word), weight in sums.items() if weight]
    return sorted(found, key=lambda clue: -abs(clue.weight))


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the classifier scores a message as it does. probability: of spam, 0.0 to 1.0. The weights
    of spam, ham (the strongest words on each side) and rest add up to `log_odds`."""

    probability: float
    log_odds: float
    spam: tuple[Clue, ...]
    ham: tuple[Clue, ...]
    rest: float


def explain(opinion: Opinion, shown: int) -> Explanation:
    """An opinion with so many words on each side."""
    found = clues(opinion)
    spam = tuple(clue for clue in found if clue.weight > 0)[:shown]
    ham = tuple(clue for clue in found if clue.weight < 0)[:shown]
    rest = opinion.total - sum(clue.weight for clue in (*spam, *ham))
    return Explanation(opinion.probability, opinion.total, spam, ham, rest)


def strongest(opinion: Opinion, shown: int = SHOWN_WORDS) -> Iterator[str]:
    """The strongest words and pairs for spam and for ham, by the model with the larger share.

    A quick view for a verdict's detail: 4-grams and skips are left out.
    """
    one = max(opinion.models, key=lambda v: v.share)
    names = _Names(opinion.text, one.features)
    sides = one.stored.model.strongest(one.features, one.score, shown)
    for side, found in zip(("spam", "ham"), sides, strict=True):
        if found:
            told = ("{}:{}({:+.2f})".format(*names.word(at), one.share * w) for w, at in found)
            yield f"{side}: {', '.join(told)}"


def words_at(
    text: Text, features: Features, found: Iterable[tuple[float, int]]
) -> Iterator[tuple[str, str, float]]:
    """Origin, word and weight of what stands at these places of `Features.word_at`."""
    names = _Names(text, features)
    for weight, at in found:
        yield *names.word(at), weight


class _Shares(NamedTuple):
    """What each feature adds to one model's log-odds."""

    words: Shares
    skips: Shares
    grams: Shares


def _shares(one: WeightedModel) -> _Shares:
    features, weighed = one.features, one.weigh()
    grams, words, evidence = weighed.grams, weighed.words, weighed.evidence
    many = len(features.words)
    size = len(features)
    if one.score.window:
        start, end = one.score.window
        word_at, skip_at = word_of(features)
        inside = [
            features.gram_at < features.header_octets,
            *(
                (at < features.header_words) | ((at >= start) & (at < end))
                for at in (word_at, skip_at)
            ),
        ]
        size = int(inside[0].sum() + inside[1].sum())
        grams *= inside[0]
        words *= inside[1]
        evidence *= np.concatenate(inside[1:])
    root = math.sqrt(max(size, 1))
    total = float(evidence.sum())
    if total:
        evidence *= one.score.counts / total
    return _Shares(words / root + evidence[:many], evidence[many:], grams / root)


class _Names:
    """Where features stand and what they read, by their place in `Words`."""

    def __init__(self, text: Text, features: Features) -> None:
        self._sections = text.words
        self._words = features.source
        self._many = len(self._words.starts)

    def word(self, at: int) -> tuple[str, str]:
        """A word, or a pair."""
        if at < self._many:
            return self._origin(at), self._read(at)
        at -= self._many
        return self._origin(at + 1), f"{self._read(at)} {self._read(at + 1)}"

    def skip(self, at: int) -> tuple[str, str]:
        """Two words with others between them."""
        near = max(self._many - 2, 0)
        distance = 2 if at < near else 3
        at = at if at < near else at - near
        return self._origin(at + distance), f"{self._read(at)} … {self._read(at + distance)}"

    def _origin(self, place: int) -> str:
        return self._sections[int(self._words.section[place])].origin

    def _read(self, place: int) -> str:
        start, end = int(self._words.starts[place]), int(self._words.ends[place])
        return _shown(self._words.joined[start:end])


def _gram_words(text: Text) -> list[tuple[str, str]]:
    """The origin and the word that the 4-gram at each octet overlaps."""
    header, body = text.header[:GRAM_HEADER_LIMIT], text.body[:GRAM_BODY_LIMIT]
    octets = header + body
    origins = ["text"] * len(octets)
    for line in _FIELD_LINE.finditer(header):
        origin = line[1].decode("ascii").lower()
        origins[line.start() : line.end()] = [origin] * (line.end() - line.start())
    words = [BETWEEN_WORDS] * len(octets)
    done = 0
    for match in _WORD.finditer(octets):
        # A gram that begins up to three octets before a word overlaps it.
        begin = max(done, match.start() - 3)
        done = match.end()
        words[begin:done] = [_shown(match[0])] * (done - begin)
    return list(zip(origins, words, strict=True))


def _shown(word: bytes) -> str:
    text = word.decode("utf-8", "replace")
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return text if len(text) <= WORD_WIDTH else f"{text[: WORD_WIDTH - 1]}…"
