"""Lessons that weigh less: of labels that are probably wrong, or that no person gave.

In a heap of labelled mail some labels are wrong, and a learner that believes each is led far astray
by few. A label is *doubted* when the model, once it has learned enough of both classes to speak, is
sure of the other class: then the lesson moves the weights a quarter as far and leaves the counts
alone. It is what a robust loss does to a gradient (P. Huber, "Robust Statistics"). Figures:
docs/figures/accuracy.md, wrong labels.

Not for a person's correction of one message: that one must be believed in full.
"""

from __future__ import annotations

from dataclasses import replace

from filterd.bayes.model.classifier import Learned
from filterd.bayes.model.online import STEP, Lesson, OnlineModel
from filterd.bayes.model.tokens import Features

SURE = 0.98
"""Probability of the other class from which a label is doubted. .95 and .99 were tried: the lower
doubts more right labels where mail changes with time, the higher believes more wrong ones."""

DOUBTED_SHARE = 0.25
"""Weight of a doubted lesson. Not 0: a person who is right after all gets there with a few more."""


def is_doubted(model: OnlineModel, features: Features, *, spam: bool) -> bool:
    """Return True if the model has learned enough to speak and is sure of the other class."""
    if any(Learned(model.spam, model.ham).missing):
        return False
    p = model.score(features).probability
    return (1.0 - p if spam else p) > SURE


def learn(model: OnlineModel, features: Features, *, spam: bool) -> tuple[Lesson, bool]:
    """Learn a message, with less weight if its label is doubted. Returns the lesson, which is what
    to hand to `forget`, and whether it was."""
    lesson = model.learn(features, spam=spam)
    # Where there was no step the linear learner is sure of this label itself: most messages.
    if not lesson.moves:
        return lesson, False
    model.forget(features, lesson)
    doubted = is_doubted(model, features, spam=spam)
    if doubted:
        lesson = softened(lesson, DOUBTED_SHARE, counted=False)
    model.apply(features, lesson, 1)
    return lesson, doubted


def soften(model: OnlineModel, features: Features, lesson: Lesson, share: float) -> Lesson:
    """Take a lesson that was just learned back and give it again with that share of its weight."""
    model.forget(features, lesson)
    less = softened(lesson, share)
    model.apply(features, less, 1)
    return less


def softened(lesson: Lesson, share: float, *, counted: bool = True) -> Lesson:
    """A lesson with that share of its weight; exact, for steps stay multiples of STEP.

    counted: False takes it out of the counts too.
    """
    window = lesson.window
    if window is not None:
        window = replace(window, step=_share(window.step, share))
    return replace(
        lesson,
        step=_share(lesson.step, share),
        counted=lesson.counted and counted,
        window=window,
    )


def _share(step: float, share: float) -> float:
    return round(step * share / STEP) * STEP
