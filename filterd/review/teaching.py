"""A reviewer's judgement for the site's model. Loads numpy."""

from __future__ import annotations

from collections.abc import Mapping

from filterd.bayes.model.store import ModelFileError
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.learned import JournalError
from filterd.bayes.site.learner import Learner, LearnOutcome
from filterd.message import Message


class TeachingError(ValueError):
    """The model or its journal cannot be used; the text says why."""


def teach(
    folder: ModelFolder, messages: Mapping[str, Message], who: str, source: str, *, spam: bool
) -> dict[str, tuple[str, str]]:
    """Learn messages as spam or ham; return what each did to the model, in a word and a sentence.

    Raises TeachingError, OSError if the model cannot be taught.
    """
    kind, other = ("spam", "ham") if spam else ("ham", "spam")
    sentences = {
        LearnOutcome.KNOWN: f"already learned as {kind}",
        LearnOutcome.MOVED: f"learned as {kind}, and no longer as {other}",
    }
    try:
        with Learner(folder, who, source) as learner:
            outcomes = {id: learner.learn(m, spam=spam) for id, m in messages.items()}
    except (JournalError, ModelFileError) as error:
        raise TeachingError(str(error)) from error
    return {
        id: (outcome.value, sentences.get(outcome, f"{outcome.value} as {kind}"))
        for id, outcome in outcomes.items()
    }
