"""The classifier: two learners over the same features, and their fusion.

*Linear* is online logistic regression over grams and words: score Σw/√n, one gradient step a
message while its error is above `MARGIN`. Dividing by √n lets features of different kinds mix.
Where a window of an honest message looks like spam, the window takes a step of its own.
*Counts* is a Bayes learner over words, pairs and skips in the manner of OSBF-Lua: a feature's
evidence is weighted by a confidence factor that is near 0 unless the feature was seen several times
and almost always in one class, and it learns only from errors and near errors.
The sum of the linear score and a logarithm of the counts' score is the log-odds of spam:
the logarithm keeps a few extreme counts from outvoting everything else.

Sources: J. Goodman, W. Yih, "Online Discriminative Spam Filter Training" (CEAS 2006); F. Assis,
"OSBF-Lua, a Text Classification Module for Lua" (TREC 2006); T. Lynam, G. Cormack, "On-line Spam
Filter Fusion" (SIGIR 2006). Constants: docs/figures/accuracy.md.

No import here is heavier than numpy: this is what runs in the workers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from filterd.bayes.model import windows
from filterd.bayes.model.tokens import COMPILED, TABLE, Features, Indices

if COMPILED:
    from filterd.bayes.model import _kernel

RATE = 8.0
WINDOW_RATE = 4.0
"""The same for a window that an honest message is taught by. With 8, a sixth more of the spam that
is padded with honest text is missed."""
MARGIN = 0.02
STEP = 2.0**-18
"""Every step is a multiple of this, so that sums of steps are exact in float32 while the weight
stays below 64: forgetting a message restores the weights bit for bit, in any order."""

COUNT_MARGIN = 60.0  # log-odds on the right side above which a message teaches the counts nothing
COUNT_MAX = np.uint16(0xFFFF)
COUNT_SCALE = 4.0
COUNT_WEIGHT = 0.75
EVIDENCE_BOUND = np.float32(
    1.0 - 2e-6
)  # no single feature is more certain: p from 0.000001 to 0.999999

HAM, SPAM = 0, 1  # columns of the counts

Weights = NDArray[np.float32]
Counts = NDArray[np.uint16]
Strongest = list[tuple[float, int]]


@dataclass(frozen=True, slots=True)
class WindowStep:
    """What was added to each weight of one window and the header fields, a multiple of STEP.

    start, end: the window's first word and the word after its last.
    """

    start: int
    end: int
    step: float


@dataclass(frozen=True, slots=True)
class Lesson:
    """What learning one message did to the model, so that it can be taken back.

    step: what was added to each weight, a multiple of STEP, 0.0 if nothing. counted: whether the
    counts of its class went up. window: what one window was taught besides, if it was.
    """

    spam: bool
    step: float
    counted: bool
    window: WindowStep | None = None

    @property
    def moves(self) -> bool:
        """Whether any weight changed."""
        return bool(self.step or self.window)


@dataclass(frozen=True, slots=True)
class Score:
    """The classifier's opinion of one message, in log-odds of spam.

    linear, counts: the two learners' parts, of the whole message or of the window that decided.
    size: how many features the linear part is of. window: that window's first word and the word
    after its last; None if the whole decided.
    """

    linear: float
    counts: float
    size: int = 0
    window: tuple[int, int] | None = None

    @property
    def margin(self) -> float:
        """What is taken off because only a window of the message decided."""
        return windows.MARGIN if self.window else 0.0

    @property
    def total(self) -> float:
        """The log-odds of spam that count."""
        return self.linear + self.counts - self.margin

    @property
    def probability(self) -> float:
        """That the message is spam, from 0.0 to 1.0."""
        return logistic(self.total)


@dataclass(frozen=True, slots=True)
class WeighedFeatures:
    """What the model knows of each feature of one message: the weights of its grams and of its
    words and pairs, and the counts' log-odds of its words and pairs, then of its skips."""

    grams: NDArray[np.float64]
    words: NDArray[np.float64]
    evidence: NDArray[np.float64]


@dataclass(slots=True)
class OnlineModel:
    """Weights and counts. The arrays may be read-only (mapped from a file): then `score` works and
    `learn` raises ValueError, as numpy does.

    weights: one for each gram, word and pair. counts: how many messages of ham and of spam had each
    word and pair (the first TABLE rows) and skip (the others), side by side, so that one look-up
    finds both. spam, ham: messages learned of each class. spam_counted, ham_counted: those of them
    that went into the counts.
    """

    weights: Weights
    counts: Counts
    spam: int = 0
    ham: int = 0
    spam_counted: int = 0
    ham_counted: int = 0
    _settled: NDArray[np.float32] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @classmethod
    def empty(cls) -> OnlineModel:
        """A model that has learned nothing (16 MiB of zeros)."""
        return cls(
            np.zeros(2 * TABLE, np.float32),
            np.zeros((2 * TABLE, 2), np.uint16),
        )

    def copy(self) -> OnlineModel:
        """An independent, writable copy."""
        return OnlineModel(
            self.weights.copy(),
            self.counts.copy(),
            self.spam,
            self.ham,
            self.spam_counted,
            self.ham_counted,
        )

    def score(self, features: Features) -> Score:
        """Return the opinion of a message with these features; 0.0 for one without any."""
        return self.opinions(features)[1]

    def weigh(self, features: Features) -> WeighedFeatures:
        """Look up every feature of a message."""
        return WeighedFeatures(
            self.weights.take(features.grams).astype(np.float64),
            self.weights.take(features.words).astype(np.float64),
            self.evidence(features),
        )

    def strongest(
        self, features: Features, score: Score, shown: int, *, compiled: bool = COMPILED
    ) -> tuple[Strongest, Strongest]:
        """The words and pairs that add most to this score of theirs, and those that take most off:
        (log-odds, where it stands in `Features.word_at`'s sense), the strongest first."""
        words, word_at, total = features.words, features.word_at, features.total_words
        start, end = score.window or (0, total)
        per_weight = 1.0 / math.sqrt(max(score.size, 1))
        per_evidence = score.counts / unfused(score.counts) if score.counts else 0.0
        evidence = self._evidence_at(words - TABLE) if self._settled is None else self._settled
        if compiled:
            return _kernel.strongest(
                self.weights,
                evidence,
                words,
                word_at,
                total,
                features.header_words,
                start,
                end,
                per_weight,
                per_evidence,
                shown,
            )
        if self._settled is not None:
            evidence = self._settled.take(words - TABLE)
        shares = per_weight * self.weights.take(words) + per_evidence * evidence
        place = np.where(word_at < total, word_at, word_at - total)
        inside = (place < features.header_words) | ((place >= start) & (place < end))
        order = np.argsort(-np.abs(shares), kind="stable")
        order = order[inside[order]]
        spam, ham = (
            [(float(shares[i]), int(word_at[i])) for i in order[sign * shares[order] > 0.0][:shown]]
            for sign in (1.0, -1.0)
        )
        return spam, ham

    def opinions(self, features: Features, *, compiled: bool = COMPILED) -> tuple[Score, Score]:
        """The score of the whole message, and the one that counts: the whole's or a window's."""
        if not len(features):
            return Score(0.0, 0.0), Score(0.0, 0.0)
        if compiled:
            return self._opinions_compiled(features)
        known = self.weigh(features)
        grams, words, evidence = known.grams, known.words, known.evidence
        size = len(features)
        linear = float(grams.sum() + words.sum()) / math.sqrt(size)
        whole = Score(linear, fused(float(evidence.sum())), size)
        if not windows.is_long(features):
            return whole, whole
        parts = windows.window_sums(features, grams, words, evidence)
        linears = parts.weight / np.sqrt(np.maximum(parts.size, 1.0))
        counts = COUNT_WEIGHT * np.copysign(
            np.log1p(np.abs(parts.evidence) / COUNT_SCALE), parts.evidence
        )
        worst = int(np.argmax(linears + counts))
        window = Score(
            float(linears[worst]),
            float(counts[worst]),
            int(parts.size[worst]),
            (int(parts.starts[worst]), int(parts.ends[worst])),
        )
        return whole, window if window.total > whole.total else whole

    def _opinions_compiled(self, features: Features) -> tuple[Score, Score]:
        settled = self._settled
        weight, evidence, worst = _kernel.score(
            self.weights,
            self._evidence_at(_counted(features)) if settled is None else settled,
            features.grams,
            features.words,
            features.skips,
            features.word_at,
            features.skip_at,
            features.total_words,
            features.header_words,
            windows.header_grams(features),
            windows.WIDTH if windows.is_long(features) else 0,
            windows.STRIDE,
            COUNT_SCALE,
            COUNT_WEIGHT,
        )
        count = len(features)
        whole = Score(weight / math.sqrt(count), fused(evidence), count)
        if worst is None:
            return whole, whole
        start, end, weight, size, evidence = worst
        linear = weight / math.sqrt(max(size, 1.0))
        window = Score(linear, fused(evidence), int(size), (start, end))
        return whole, window if window.total > whole.total else whole

    def evidence(self, features: Features) -> NDArray[np.float64]:
        """The counts' log-odds of each word and pair, then of each skip."""
        return self._evidence_at(_counted(features)).astype(np.float64)

    def _evidence_at(self, rows: Indices) -> NDArray[np.float32]:
        if self._settled is not None:
            return self._settled.take(rows)
        return self._evidence_of(self.counts.view(np.uint32).ravel().take(rows))

    def settle(self) -> None:
        """Work out the evidence of everything beforehand (8 MiB, some milliseconds).

        For a model that only judges: a message then costs one look-up. Learning undoes it.
        """
        self._settled = self._evidence_of(self.counts.view(np.uint32).ravel())

    def _evidence_of(self, both: NDArray[np.uint32]) -> NDArray[np.float32]:
        """The log-odds of features. both: the two counts of each, side by side."""
        result = np.zeros(len(both), np.float32)
        if not (self.spam_counted and self.ham_counted):
            return result  # the counts have no opinion until they have seen both classes
        seen = np.flatnonzero(both)
        counts = both[seen].view(np.uint16).reshape(-1, 2)
        # Counts as if both classes had been learned equally often (as often as the more frequent
        # one), or the class that was learned more often would always win.
        most = max(self.spam_counted, self.ham_counted)
        spam = counts[:, SPAM] * np.float32(most / self.spam_counted)
        ham = counts[:, HAM] * np.float32(most / self.ham_counted)
        n = spam + ham
        share = (spam - ham) / n
        x = share * share
        x -= np.float32(0.25) / (n * n * n)
        # Not 0: the 12th power of less than this is nothing, and denormal numbers are slow.
        np.maximum(x, np.float32(0.01), out=x)
        x *= x * x  # to the 12th power, by multiplications
        x *= x
        x *= x
        # 2p - 1, the share of one class over the other's, times the confidence.
        lean = x * share * n / (n + np.float32(8.0))
        np.clip(lean, -EVIDENCE_BOUND, EVIDENCE_BOUND, out=lean)
        result[seen] = np.log((np.float32(1.0) + lean) / (np.float32(1.0) - lean))
        return result

    def learn(self, features: Features, *, spam: bool) -> Lesson:
        """Learn one message; return what to hand to `forget` to take it back."""
        whole, deciding = self.opinions(features)
        step = _step((1.0 if spam else 0.0) - logistic(whole.linear), len(features))
        window = None
        if not spam and deciding.window and deciding.probability > logistic(whole.linear):
            # The whole may look like ham and a window still call it spam: without this no amount
            # of telling would change that. The rest of the message is not to blame.
            start, end = deciding.window
            size = windows.part_of(features, start, end).size
            if moved := _step(-deciding.probability, size, WINDOW_RATE):
                window = WindowStep(start, end, moved)
        evidence = unfused(whole.counts)
        counted = (evidence if spam else -evidence) < COUNT_MARGIN
        lesson = Lesson(spam, step, counted, window)
        self.apply(features, lesson, 1)
        return lesson

    def forget(self, features: Features, lesson: Lesson) -> None:
        """Take back what `learn` did for these features. Right after it the model is bit for bit
        what it was; later, what other messages learned in between stays."""
        self.apply(features, lesson, -1)

    def apply(self, features: Features, lesson: Lesson, sign: int) -> None:
        """Add a lesson (sign 1) or take it back (sign -1)."""
        self._settled = None
        if lesson.step:
            step = np.float32(sign * lesson.step)
            self.weights[features.grams] += step
            self.weights[features.words] += step
        if lesson.window:
            part = windows.part_of(features, lesson.window.start, lesson.window.end)
            step = np.float32(sign * lesson.window.step)
            self.weights[part.grams] += step
            self.weights[part.words] += step
        if lesson.counted:
            words = _counted(features)
            table = self.counts[:, SPAM if lesson.spam else HAM]
            now = table[words]
            if sign > 0:
                table[words] = now + (now < COUNT_MAX)
            else:
                table[words] = now - (now > 0)
        if lesson.spam:
            self.spam += sign
            self.spam_counted += sign * lesson.counted
        else:
            self.ham += sign
            self.ham_counted += sign * lesson.counted


def _step(error: float, size: int, rate: float = RATE) -> float:
    """The gradient step for each of that many features, 0.0 for an error that is small enough."""
    if abs(error) <= MARGIN or not size:
        return 0.0
    return round(rate * error / math.sqrt(size) / STEP) * STEP


def unfused(log_odds: float) -> float:
    """The inverse of `fused`."""
    return math.copysign(COUNT_SCALE * math.expm1(abs(log_odds) / COUNT_WEIGHT), log_odds)


def _counted(features: Features) -> Indices:
    """Where the counts keep the features that they use."""
    return np.concatenate((features.words, features.skips)) - TABLE


def merged(models: Sequence[OnlineModel]) -> OnlineModel:
    """One model out of several that were trained apart, under the same salt, from nothing.

    Counts add up: that part is what training on all the mail with the same choices of what to count
    would have made. Weights are averaged by messages learned, as their sum would be too sure of
    itself. A lesson cannot be forgotten from the result. Raises ValueError for no models.
    """
    if not models:
        raise ValueError("at least one model is needed to merge")
    total = max(sum(m.spam + m.ham for m in models), 1)
    weights = np.zeros(2 * TABLE, np.float64)
    counts = np.zeros((2 * TABLE, 2), np.uint32)
    for model in models:
        weights += model.weights * ((model.spam + model.ham) / total)
        counts += model.counts
    return OnlineModel(
        weights.astype(np.float32),
        np.minimum(counts, COUNT_MAX).astype(np.uint16),
        sum(m.spam for m in models),
        sum(m.ham for m in models),
        sum(m.spam_counted for m in models),
        sum(m.ham_counted for m in models),
    )


def fused(evidence: float) -> float:
    """The counts' log-odds as they enter the sum."""
    return math.copysign(COUNT_WEIGHT * math.log1p(abs(evidence) / COUNT_SCALE), evidence)


def logistic(x: float) -> float:
    """1 / (1 + e^-x) without overflow."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)
