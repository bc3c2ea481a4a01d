"""`filterd train` and `filterd learn`: making a model, and teaching it more."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from filterd.bayes.classifier import Learned
from filterd.bayes.corpora import CorpusError, find_messages
from filterd.bayes.folder import ModelFolder
from filterd.bayes.journal import JournalError
from filterd.bayes.learner import Learner, Outcome
from filterd.bayes.online import OnlineModel
from filterd.bayes.store import STARTER_SALT, Card, ModelFileError, StoredModel, load, save
from filterd.bayes.tokens import Hasher
from filterd.bayes.train import Source, no_progress
from filterd.bayes.train import train as train_from
from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, reported, settings
from filterd.config import Settings
from filterd.filters.bayes import Bayes
from filterd.message import Message

_TROUBLE = (OSError, ModelFileError, JournalError)
_PROGRESS_STRIDE = 50  # messages between two updates of the bar


def bayes_filter(loaded: Settings) -> Bayes:
    """The classifier filter as the settings describe it, with defaults where they do not."""
    entry = loaded.filters.get("bayes")
    return entry.own if entry is not None else Bayes()


def train(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...", help="index file, or folder with an index or folders spam and ham"
        ),
    ] = None,
    spam: Annotated[
        list[str] | None, typer.Option("--spam", metavar="PATH", help="spam; may be repeated")
    ] = None,
    ham: Annotated[
        list[str] | None, typer.Option("--ham", metavar="PATH", help="ham; may be repeated")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="write one model file; activate nothing"
        ),
    ] = None,
    starter: Annotated[
        bool, typer.Option("--starter", help="with --output: make a packed starter model")
    ] = False,
    salt_of: Annotated[
        Path | None,
        typer.Option(
            "--salt-of", metavar="MODEL", help="with --output: take its salt, to merge both later"
        ),
    ] = None,
    about: Annotated[str, typer.Option(help="a line about the model, kept in its file")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Train a new model from labelled mail and put it in force."""
    sources = [Source(path) for path in paths or ()]
    sources += [Source(path, spam=True) for path in spam or ()]
    sources += [Source(path, spam=False) for path in ham or ()]
    if not sources:
        sys.stderr.write("filterd train: name an index, a folder, or --spam and --ham paths\n")
        return Exit.USAGE
    with reported(Exit.NO_INPUT, CorpusError), reported(Exit.CANNOT_CREATE, *_TROUBLE):
        if output is not None:
            card = Card(STARTER_SALT, "starter", about=about) if starter else Card.new(about=about)
            if salt_of is not None:
                card = replace(card, salt=load(salt_of).card.salt)
            model, hasher = OnlineModel.empty(), Hasher(card.salt)
            with progress_bar("training") as progress:
                report = train_from(
                    sources,
                    lambda message, spam: model.learn(hasher.features(message), spam=spam),
                    progress,
                )
            save(output, StoredModel(card, model), packed=starter)
            path = output
        else:
            folder = ModelFolder(bayes_filter(settings(config)).models)
            learner = Learner(folder, who(), about or "train", fresh=True)
            with learner, progress_bar("training") as progress:
                report = train_from(
                    sources,
                    lambda message, spam: learner.learn(message, spam=spam),
                    progress,
                )
            path = folder.version_path(learner.stored.card.generation)
    result = {
        "model": str(path),
        "spam": report.spam,
        "ham": report.ham,
        "unlabelled": report.unlabelled,
        "seconds": round(report.seconds, 3),
        "messages_per_second": round((report.spam + report.ham) / max(report.seconds, 1e-9), 1),
    }
    if as_json:
        emit(result)
    else:
        Console().print(
            f"{report.spam} spam and {report.ham} ham learned in {report.seconds:.1f} s "
            f"({result['messages_per_second']:.0f} messages/s); {report.unlabelled} had no label\n"
            f"model: {path}",
            highlight=False,
        )
    return Exit.OK


learn_app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Teach the site's model single messages, or let it forget them.",
)

_PATHS = typer.Argument(
    metavar="PATH...", help="message, folder, mbox, Maildir, index, archive, or - (stdin)"
)
_SOURCE = typer.Option("--source", help="who teaches; `auto:...` never overrules a person")


@learn_app.command("spam")
def learn_spam(
    paths: Annotated[list[str], _PATHS],
    source: Annotated[str, _SOURCE] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """These messages are spam. Learning one twice changes nothing; ham becomes spam."""
    _teach(
        paths, lambda learner, message: learner.learn(message, spam=True), source, config, as_json
    )


@learn_app.command("ham")
def learn_ham(
    paths: Annotated[list[str], _PATHS],
    source: Annotated[str, _SOURCE] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """These messages are ham. Learning one twice changes nothing; spam becomes ham."""
    _teach(
        paths, lambda learner, message: learner.learn(message, spam=False), source, config, as_json
    )


@learn_app.command("forget")
def learn_forget(
    paths: Annotated[list[str], _PATHS],
    source: Annotated[str, _SOURCE] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take these messages out of the model."""
    _teach(paths, lambda learner, message: learner.forget(message), source, config, as_json)


def _teach(
    paths: list[str],
    teach: Callable[[Learner, Message], Outcome],
    source: str,
    config: Path | None,
    as_json: bool,
) -> None:
    folder = ModelFolder(bayes_filter(settings(config)).models)
    with (
        reported(Exit.NO_INPUT, CorpusError),
        reported(Exit.CANNOT_CREATE, *_TROUBLE),
        ExitStack() as stack,
        Learner(folder, source or who(), " ".join(paths)[:200]) as learner,
        progress_bar("learning") as progress,
    ):
        items = [item for path in paths for item in find_messages(path, stack)]
        for done, item in enumerate(items, 1):
            teach(learner, Message(item.read()))
            progress(done, len(items))
    counts = {outcome.value: learner.outcomes[outcome] for outcome in Outcome}
    if as_json:
        emit({"model": str(folder.path), "generation": learner.stored.card.generation, **counts})
        return
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    Console(highlight=False).print(told or "no message there")
    missing = Learned(learner.stored.model.spam, learner.stored.model.ham).missing
    if any(missing):
        Console(highlight=False).print(
            f"{missing[0]} spam and {missing[1]} ham are missing until the site's own model speaks"
        )


def who() -> str:
    """The person at the command line, as the journal names them."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return f"cli:{os.getuid()}"


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with rate and remaining time on a terminal, silence elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield no_progress
        return
    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} messages/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None, rate="")

        def update(done: int, total: int) -> None:
            if done % _PROGRESS_STRIDE and done != total:
                return
            speed = bar.tasks[task].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:.0f}" if speed else "")

        yield update
