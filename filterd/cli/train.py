"""`filterd train`: making a model from labelled mail."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from filterd.bayes.lab.parallel import ClusterError, Readers
from filterd.bayes.lab.runs import card_for, train_file, train_site
from filterd.bayes.lab.train import Source, TrainReport
from filterd.bayes.model.store import ModelFileError
from filterd.bayes.site.learned import JournalError
from filterd.bayes.site.learner import Learner
from filterd.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    emit,
    fail,
    models_first,
    reported,
    settings,
    who,
)
from filterd.cli.jobs import ClusterOption, JobsOption
from filterd.cli.learn import progress_bar, show_skips
from filterd.cli.pipeline import show_pipeline, train_pipeline
from filterd.config.assembly import model_folder
from filterd.mailfiles.mail_file import CorpusError
from filterd.system import privileges

_TROUBLE = (OSError, ModelFileError, JournalError)


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
            "--output", "-o", metavar="FILE", help="write a model file without activating it"
        ),
    ] = None,
    starter: Annotated[
        bool, typer.Option("--starter", help="with --output: write a packed starter model")
    ] = False,
    salt_of: Annotated[
        Path | None,
        typer.Option(
            "--salt-of",
            metavar="MODEL",
            help="with --output: use that model's salt, to merge both later",
        ),
    ] = None,
    about: Annotated[str, typer.Option(help="one line about the model, kept in its file")] = "",
    sklearn: Annotated[
        str | None,
        typer.Option(
            "--sklearn",
            metavar="FILE.py:FUNCTION",
            help="with --output: fit the scikit-learn pipeline that the function returns",
        ),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="trust every label, even unlikely ones")
    ] = False,
    doubted: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="write lines `label path` for labels that are probably wrong"
        ),
    ] = None,
    jobs: JobsOption = 1,
    cluster: ClusterOption = None,
    shards: Annotated[
        int,
        typer.Option(
            min=1, help="with --output: train this many parts of the mail at once and merge them"
        ),
    ] = 1,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Train a new model on labelled mail and activate it."""
    sources = [Source(path) for path in paths or ()]
    sources += [Source(path, spam=True) for path in spam or ()]
    sources += [Source(path, spam=False) for path in ham or ()]
    if not sources:
        sys.stderr.write("filterd train: name an index, a folder, or --spam and --ham paths\n")
        return Exit.USAGE
    if sklearn is not None:
        with progress_bar("reading") as progress:
            fitted = train_pipeline(sklearn, sources, output, progress)
        show_pipeline(fitted, as_json)
        return Exit.OK
    if shards > 1 and output is None:
        fail("train --shards needs --output FILE; `filterd model activate` takes it", Exit.USAGE)
    readers = Readers(jobs, cluster)
    with (
        reported(Exit.NO_INPUT, CorpusError),
        reported(Exit.CANNOT_CREATE, *_TROUBLE),
        reported(Exit.UNAVAILABLE, ClusterError),
    ):
        if output is not None:
            path, card = output, card_for(about, starter=starter, salt_of=salt_of)
            doubting = not (trust or starter)
            with progress_bar("training") as progress:
                report = train_file(
                    path, card, sources, progress, readers, shards=shards, doubting=doubting
                )
        else:
            folder = model_folder(settings(config, models_first))
            learner = Learner(folder, who(), about or "train", fresh=True, doubting=not trust)
            with progress_bar("training") as progress:
                path, report = train_site(folder, learner, sources, progress, readers)
        if doubted is not None:
            _write_doubted(doubted, report)
    result = {
        "model": str(path),
        "spam": report.spam,
        "ham": report.ham,
        "unlabelled": report.unlabelled,
        "doubted": len(report.doubted),
        "left_out": dict(report.skips.reasons),
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
        show_skips(report.skips)
        if report.doubted:
            Console().print(
                f"{len(report.doubted)} labels are probably wrong and weigh less "
                "(--doubted FILE lists them, --trust believes them)",
                highlight=False,
            )
    return Exit.OK


def _write_doubted(path: Path, report: TrainReport) -> None:
    with (
        privileges.as_caller(),
        path.open("w", encoding="utf-8", errors="surrogateescape") as file,
    ):
        for spam, name in report.doubted:
            file.write(f"{'spam' if spam else 'ham'} {name}\n")
