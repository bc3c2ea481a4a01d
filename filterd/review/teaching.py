"""A reviewer's judgement for the site's model, or a user's for its own. Loads numpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from filterd.bayes.model.store import ModelFileError
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.learned import JournalError
from filterd.bayes.site.learner import Learner, LearnOutcome
from filterd.bayes.site.recipient_learner import RecipientLearner
from filterd.message import Message


class TeachingError(ValueError):
    """The model or its journal cannot be used; the text says why."""


def teach(
    folder: ModelFolder, messages: Mapping[str, Message], who: str, source: str, *, spam: bool
) -> dict[str, tuple[str, str]]:
    """Learn messages as spam or ham; return what each did to the model, in a word and a sentence.

    Raises TeachingError, OSError if the model cannot be taught.
    """
    try:
        with Learner(folder, who, source) as learner:
            outcomes = {id: learner.learn(m, spam=spam) for id, m in messages.items()}
    except (JournalError, ModelFileError) as error:
        raise TeachingError(str(error)) from error
    return _told(outcomes, spam)


def teach_own(
    folder: ModelFolder,
    messages: Mapping[str, Message],
    owners: Iterable[str],
    *,
    spam: bool,
    starter: bool,
) -> dict[str, tuple[str, str]]:
    """Teach the models of these recipients and domains; return what each message did to the first
    that it changed.

    Raises TeachingError, OSError if a model cannot be taught, ValueError for what is neither a
    mailbox nor a domain.
    """
    outcomes: dict[str, LearnOutcome] = {}
    try:
        for owner in owners:
            with RecipientLearner(folder, owner, starter=starter) as learner:
                for id, message in messages.items():
                    outcome = learner.learn(message, spam=spam)
                    if outcomes.get(id, LearnOutcome.KNOWN) is LearnOutcome.KNOWN:
                        outcomes[id] = outcome
    except ModelFileError as error:
        raise TeachingError(str(error)) from error
    return _told(outcomes, spam)


def _told(outcomes: Mapping[str, LearnOutcome], spam: bool) -> dict[str, tuple[str, str]]:
    kind, other = ("spam", "ham") if spam else ("ham", "spam")
    sentences = {
        LearnOutcome.KNOWN: f"already learned as {kind}",
        LearnOutcome.MOVED: f"learned as {kind}, and no longer as {other}",
    }
    return {
        id: (outcome.value, sentences.get(outcome, f"{outcome.value} as {kind}"))
        for id, outcome in outcomes.items()
    }
