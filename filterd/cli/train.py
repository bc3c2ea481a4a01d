"""`filterd train`: making a model from labelled mail."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from filterd.bayes.lab.parallel import ClusterError, Readers
from filterd.bayes.lab.shards import train_parts
from filterd.bayes.lab.train import Source, TrainReport
from filterd.bayes.lab.train import train as train_from
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.reading import FeatureReader
from filterd.bayes.model.store import STARTER_SALT, Card, ModelFileError, StoredModel, load, save
from filterd.bayes.model.tokens import Features
from filterd.bayes.site import doubt
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.journal import JournalError
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
)
from filterd.cli.jobs import ClusterOption, JobsOption
from filterd.cli.learn import bayes_filter, progress_bar, show_skips, who
from filterd.cli.pipeline import show_pipeline, train_pipeline
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
            "--salt-of", metavar="MODEL", help="with --output: take its salt, to merge both later"
        ),
    ] = None,
    about: Annotated[str, typer.Option(help="a line about the model, kept in its file")] = "",
    sklearn: Annotated[
        str | None,
        typer.Option(
            "--sklearn",
            metavar="FILE.py:FUNCTION",
            help="with --output: fit the scikit-learn pipeline that the function returns",
        ),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="believe every label, even unlikely ones")
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
    """Train a new model from labelled mail and put it in force."""
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
            card = Card(STARTER_SALT, "starter", about=about) if starter else Card.new(about=about)
            if salt_of is not None:
                card = replace(card, salt=load(salt_of).card.salt)
            doubting = not (trust or starter)
            model, report = _trained(sources, card.salt, shards, readers, doubting)
            save(output, StoredModel(card, model), packed=starter)
            path = output
        else:
            folder = ModelFolder(bayes_filter(settings(config, models_first)).models)
            learner = Learner(folder, who(), about or "train", fresh=True, doubting=not trust)

            def teach(seen: tuple[bytes, Features], spam: bool) -> bool:
                before = learner.doubted
                learner.learn_read(seen, spam=spam)
                return learner.doubted > before

            with learner, progress_bar("training") as progress:
                report = train_from(sources, learner.read, teach, progress, readers)
            path = folder.version_path(learner.stored.card.generation)
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


def _trained(
    sources: list[Source], salt: bytes, shards: int, readers: Readers, doubting: bool
) -> tuple[OnlineModel, TrainReport]:
    """A new model of all the mail, in order or in parts."""
    with progress_bar("training") as progress:
        if shards > 1:
            return train_parts(sources, salt, shards, readers)
        model = OnlineModel.empty()

        def teach(seen: tuple[Features, Features | None], spam: bool) -> bool:
            features, _theirs = seen
            if doubting:
                return doubt.learn(model, features, spam=spam)[1]
            model.learn(features, spam=spam)
            return False

        report = train_from(sources, FeatureReader(salt), teach, progress, readers)
    return model, report


def _write_doubted(path: Path, report: TrainReport) -> None:
    with (
        privileges.as_caller(),
        path.open("w", encoding="utf-8", errors="surrogateescape") as file,
    ):
        for spam, name in report.doubted:
            file.write(f"{'spam' if spam else 'ham'} {name}\n")
