"""`filterd train`, `explain`: making a model, and asking it why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from filterd.bayes.corpora import CorpusError, read_messages
from filterd.bayes.explain import clues
from filterd.bayes.folder import ModelFolder
from filterd.bayes.online import OnlineModel
from filterd.bayes.store import Card, ModelFileError, StoredModel, save
from filterd.bayes.tokens import Hasher
from filterd.bayes.train import Source, no_progress
from filterd.bayes.train import train as train_model
from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, reported, settings
from filterd.config import Settings
from filterd.filters.bayes import Bayes
from filterd.message import Message

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
    folder = ModelFolder(bayes_filter(settings(config)).models)
    card = Card.new("starter" if starter else "site", about)
    model = OnlineModel.empty()
    with reported(Exit.NO_INPUT, CorpusError, OSError), _progress("training") as progress:
        report = train_model(sources, model, Hasher(card.salt), progress)
    with reported(Exit.CANNOT_CREATE, OSError, ModelFileError):
        if output is not None:
            path = output
            save(path, StoredModel(card, model), packed=starter)
        else:
            path = folder.add(StoredModel(card, model))
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


def explain(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="as for scan")],
    config: ConfigOption = None,
    shown: Annotated[int, typer.Option("--words", min=1, help="words shown on each side")] = 12,
    as_json: JsonOption = False,
) -> int:
    """Show why a message gets its score: the strongest words for spam and for ham."""
    bayes = bayes_filter(settings(config))
    with reported(Exit.UNAVAILABLE, ModelFileError, ValueError, OSError):
        bayes.prepare()
    with reported(Exit.NO_INPUT, CorpusError, OSError):
        for path in paths:
            for _label, name, data in read_messages(path):
                value = explanation(bayes, name, data, shown)
                if as_json:
                    emit(value)
                else:
                    _print_explanation(value)
    return Exit.OK


def explanation(bayes: Bayes, name: str, data: bytes, shown: int) -> dict[str, Any]:
    """Why a message gets its score, as a plain value. The weights under `spam`, `ham` and
    `rest` add up to `log_odds`."""
    opinion = bayes.opinion(Message(data))
    found = clues(opinion)
    spam = [clue for clue in found if clue.weight > 0][:shown]
    ham = [clue for clue in found if clue.weight < 0][:shown]
    rest = opinion.total - sum(c.weight for c in spam) - sum(c.weight for c in ham)
    return {
        "file": name,
        "probability": opinion.probability,
        "log_odds": opinion.total,
        "points": round(bayes.score(opinion), 2),
        "learned": {"spam": opinion.learned.spam, "ham": opinion.learned.ham},
        "models": [
            {
                "name": voice.name,
                "share": voice.share,
                "linear": voice.score.linear,
                "counts": voice.score.counts,
            }
            for voice in opinion.voices
        ],
        "spam": [{"where": c.origin, "word": c.word, "weight": c.weight} for c in spam],
        "ham": [{"where": c.origin, "word": c.word, "weight": c.weight} for c in ham],
        "rest": rest,
    }


def _print_explanation(value: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(
        f"[bold]{value['file']}[/]: probability {value['probability']:.4f}, "
        f"{value['points']:+.2f} points, log-odds {value['log_odds']:+.3f}"
    )
    for model in value["models"]:
        console.print(
            f"  {model['name']} model, share {model['share']:.2f}: "
            f"linear {model['linear']:+.3f}, counts {model['counts']:+.3f}"
        )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("weight", "where", "word"):
        table.add_column(column, justify="right" if column == "weight" else "left")
    for clue in value["spam"] + value["ham"]:
        table.add_row(f"{clue['weight']:+.3f}", clue["where"], clue["word"])
    table.add_row(f"{value['rest']:+.3f}", "", "(everything else)")
    console.print(table)


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int], None]]:
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
