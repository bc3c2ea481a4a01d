"""`filterd learn`: teaching the site's model messages, and letting it forget them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from filterd.bayes.model.classifier import Learned
from filterd.bayes.model.store import ModelFileError
from filterd.bayes.site.autolearn import Queue
from filterd.bayes.site.autolearn_learning import learn_queued
from filterd.bayes.site.learned import JournalError
from filterd.bayes.site.learner import Learner, LearnOutcome
from filterd.bayes.site.recipient_learner import RecipientLearner
from filterd.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    emit,
    models_first,
    reported,
    settings,
    who,
)
from filterd.config.assembly import model_folder
from filterd.filters.bayes.settings import BayesSettings
from filterd.mailfiles.corpora import find_messages
from filterd.mailfiles.mail_file import CorpusError
from filterd.mailfiles.selection import Skips, messages_of
from filterd.message import Message

_TROUBLE = (OSError, ModelFileError, JournalError)
_PROGRESS_STRIDE = 50  # messages between two updates of the bar


learn_app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Teach the site's model spam and ham, or make it forget messages.",
)

_PATHS = typer.Argument(
    metavar="PATH...", help="message, folder, mbox, Maildir, index, archive, or - (stdin)"
)
_SOURCE = typer.Option("--source", help="who teaches; `auto:...` never overrides a person")
_OWNER = typer.Option(
    "--for",
    metavar="ADDRESS",
    help="teach this recipient's own model, or with @DOMAIN a domain's, not the site's",
)
_UNWRAP = typer.Option(
    "--unwrap",
    help="learn the attached messages, as people forward them, not the message around them",
)


@learn_app.command("spam")
def learn_spam(
    paths: Annotated[list[str], _PATHS],
    source: Annotated[str, _SOURCE] = "",
    owner: Annotated[str, _OWNER] = "",
    unwrap: Annotated[bool, _UNWRAP] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn messages as spam. Learned twice, one counts once; ham becomes spam."""
    lesson = _Lesson(
        lambda learner, message: learner.learn(message, spam=True), source, unwrap, owner
    )
    _teach(paths, lesson, config, as_json)


@learn_app.command("ham")
def learn_ham(
    paths: Annotated[list[str], _PATHS],
    source: Annotated[str, _SOURCE] = "",
    owner: Annotated[str, _OWNER] = "",
    unwrap: Annotated[bool, _UNWRAP] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn messages as ham. Learned twice, one counts once; spam becomes ham."""
    lesson = _Lesson(
        lambda learner, message: learner.learn(message, spam=False), source, unwrap, owner
    )
    _teach(paths, lesson, config, as_json)


@learn_app.command("forget")
def learn_forget(
    paths: Annotated[list[str], _PATHS],
    source: Annotated[str, _SOURCE] = "",
    owner: Annotated[str, _OWNER] = "",
    unwrap: Annotated[bool, _UNWRAP] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take these messages out of the model."""
    _teach(paths, _Lesson(_forgotten, source, unwrap, owner), config, as_json)


@learn_app.command("auto")
def learn_auto(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Learn what autolearn has queued; for cron or a timer. Does nothing where it is off."""
    loaded = settings(config, models_first)
    folder = model_folder(loaded)
    queue = Queue(folder.path, loaded.autolearn)
    outcomes: Counter[str] = Counter()
    if loaded.autolearn.enabled:
        with reported(Exit.CANNOT_CREATE, *_TROUBLE):
            outcomes = learn_queued(folder, queue)
    if as_json:
        emit(dict(outcomes))
    elif outcomes:
        told = ", ".join(f"{count} {name}" for name, count in outcomes.items())
        Console(highlight=False).print(told)


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What to do with each message, in whose name, whether with those attached to it, and whose
    model learns it, if not the site's."""

    teach: Callable[[Learner | RecipientLearner, Message], LearnOutcome]
    source: str
    unwrap: bool
    owner: str


def _as_spam(learner: Learner | RecipientLearner, message: Message) -> LearnOutcome:
    return learner.learn(message, spam=True)


def _as_ham(learner: Learner | RecipientLearner, message: Message) -> LearnOutcome:
    return learner.learn(message, spam=False)


def _forgotten(learner: Learner | RecipientLearner, message: Message) -> LearnOutcome:
    return learner.forget(message)


def _teach(paths: list[str], lesson: _Lesson, config: Path | None, as_json: bool) -> None:
    loaded = settings(config, models_first)
    folder = model_folder(loaded)
    learner: Learner | RecipientLearner = Learner(
        folder, lesson.source or who(), " ".join(paths)[:200]
    )
    if lesson.owner:
        starter = loaded.of_filter(BayesSettings).starter
        with reported(Exit.USAGE, ValueError):
            learner = RecipientLearner(folder, lesson.owner, starter=starter)
    skips = Skips()
    with (
        reported(Exit.NO_INPUT, CorpusError),
        reported(Exit.CANNOT_CREATE, *_TROUBLE),
        ExitStack() as stack,
        learner,
        progress_bar("learning") as progress,
    ):
        items = [item for path in paths for item in find_messages(path, stack)]
        for done, item in enumerate(items, 1):
            for data in messages_of(item, unwrap=lesson.unwrap, skips=skips):
                lesson.teach(learner, Message(data))
            progress(done, len(items))
    counts = {outcome.value: learner.outcomes[outcome] for outcome in LearnOutcome}
    if as_json:
        whose = (
            {"for": learner.owner}
            if isinstance(learner, RecipientLearner)
            else {"generation": learner.stored.card.generation}
        )
        emit({"model": str(folder.path), **whose, **counts, "left_out": dict(skips.reasons)})
        return
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    Console(highlight=False).print(told or "no messages found there")
    show_skips(skips)
    if isinstance(learner, RecipientLearner):
        return
    missing = Learned(learner.stored.model.spam, learner.stored.model.ham).missing
    if any(missing):
        Console(highlight=False).print(
            f"{missing[0]} spam and {missing[1]} ham are needed until the site's own model is used"
        )


def show_skips(skips: Skips) -> None:
    """Say what was left out, a line for each reason."""
    for line in skips.lines():
        Console(highlight=False, soft_wrap=True).print(line, markup=False)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with rate and remaining time on a terminal, silence elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _done, _total: None
        return
    from rich import progress  # noqa: PLC0415  (a hook that learns one message needs none)

    columns = (
        progress.TextColumn(title),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]} messages/s"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None, rate="")

        def update(done: int, total: int) -> None:
            if done % _PROGRESS_STRIDE and done != total:
                return
            speed = bar.tasks[task].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:.0f}" if speed else "")

        yield update
