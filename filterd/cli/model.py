"""`filterd model`: what the site's model has learned, from whom, and taking it back."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from filterd.bayes.lab.evaluate import EvaluationPlan, evaluate
from filterd.bayes.lab.train import Source
from filterd.bayes.model.classifier import Learned
from filterd.bayes.model.online import merged
from filterd.bayes.model.store import Card, ModelFileError, StoredModel, load, save
from filterd.bayes.site.folder import ModelFolder, starter_path
from filterd.bayes.site.learned import Batch, JournalError
from filterd.bayes.site.learner import Learner
from filterd.bayes.site.recipient_folder import RecipientFolder, owner_of, read
from filterd.bayes.site.recipient_learner import delete_model
from filterd.bayes.site.shadow import clear_candidate, set_candidate, shadow_path
from filterd.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    emit,
    fail,
    left_out,
    models_first,
    reported,
    settings,
    who,
)
from filterd.cli.learn import progress_bar
from filterd.config.assembly import model_folder
from filterd.mailfiles.mail_file import CorpusError

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="List, show, undo and roll back what the classifier learned.",
)


def _folder(config: Path | None) -> ModelFolder:
    return model_folder(settings(config, models_first))


def _batches(folder: ModelFolder) -> list[Batch]:
    from filterd.bayes.site.journal_folder import open_to_read  # noqa: PLC0415  (SQLAlchemy)

    with reported(Exit.UNAVAILABLE, JournalError, ModelFileError, OSError):
        journal = open_to_read(folder)
        if journal is None:
            fail(
                f"{folder.path}: nothing was learned yet; start with `filterd train` or `learn`",
                Exit.NO_INPUT,
            )
        with closing(journal):
            return journal.batches()


@app.command("list")
def list_batches(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the batches of training, newest first."""
    batches = _batches(_folder(config))
    if as_json:
        for batch in batches:
            emit(asdict(batch))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("batch", "started", "by", "state", "spam", "ham", "versions", "what"):
        table.add_column(column, justify="right" if column in ("batch", "spam", "ham") else "left")
    for batch in batches:
        versions = ", ".join(map(str, batch.generations))
        table.add_row(
            str(batch.id),
            batch.started,
            batch.source,
            batch.state,
            str(batch.spam),
            str(batch.ham),
            versions,
            batch.about,
        )
    Console(highlight=False).print(table)


@app.command("show")
def show(
    file: Annotated[
        Path | None, typer.Argument(help="a model file (default: the model in force)")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a model has learned, and what it lacks to be used without the starter model."""
    if file is None:
        folder = _folder(config)
        with reported(Exit.UNAVAILABLE, ModelFileError):
            current = folder.current()
        found = starter_path() if current is None else folder.version_path(current)
        if found is None:
            fail("no model found: create one with `filterd train`", Exit.NO_INPUT)
        file = found
    with reported(Exit.DATA, ModelFileError):
        stored = load(file)
    card, model = stored.card, stored.model
    missing = Learned(model.spam, model.ham).missing if card.origin == "site" else (50, 50)
    value = {
        "file": str(file),
        "origin": card.origin,
        "generation": card.generation,
        "created": card.created,
        "about": card.about,
        "spam": model.spam,
        "ham": model.ham,
        "missing": {"spam": missing[0], "ham": missing[1]},
        "octets": file.stat().st_size,
    }
    if as_json:
        emit(value)
        return
    for name, entry in value.items():
        Console(highlight=False).print(f"{name:<10} {entry}")


@app.command("recipients")
def recipients(
    delete: Annotated[
        str, typer.Option(metavar="ADDRESS", help="delete this recipient's or @DOMAIN's model")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the models of recipients and domains, which `filterd learn --for` teaches."""
    folder = _folder(config)
    if delete:
        with reported(Exit.USAGE, ValueError):
            owner = owner_of(delete)
        with reported(Exit.CANNOT_CREATE, OSError):
            found = delete_model(folder, owner)
        if not found:
            fail(f"{owner} has no model", Exit.NO_INPUT)
        Console(highlight=False).print(f"deleted: the model of {owner}", markup=False)
        return
    rows = []
    for file in RecipientFolder(folder.path).files():
        try:
            stored = read(file)
        except FileNotFoundError:
            continue  # deleted meanwhile
        except (ModelFileError, OSError) as error:
            left_out(error)
            continue
        taught = datetime.fromtimestamp(stored.taught, UTC).isoformat(timespec="seconds")
        rows.append(
            {
                "for": stored.owner,
                "spam": stored.model.spam,
                "ham": stored.model.ham,
                "taught": taught,
                "file": str(file),
            }
        )
    rows.sort(key=lambda row: str(row["for"]))
    if as_json:
        for row in rows:
            emit(row)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("for", "spam", "ham", "taught"):
        table.add_column(column, justify="right" if column in ("spam", "ham") else "left")
    for row in rows:
        table.add_row(*(escape(str(row[name])) for name in ("for", "spam", "ham", "taught")))
    Console(highlight=False).print(table if rows else "no recipient has a model")


@app.command("compare")
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="number of a version, or a file")],
    second: Annotated[str, typer.Argument(metavar="B", help="another")],
    paths: Annotated[list[str], typer.Argument(metavar="INDEX...", help="labelled mail")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure two models on the same labelled mail, learning nothing."""
    from filterd.cli.evaluate import ours, print_rows, row  # noqa: PLC0415  # slow to import

    rows = []
    folder = _folder(config)
    with reported(Exit.NO_INPUT, CorpusError), reported(Exit.DATA, ValueError):
        for name, version in (("A", first), ("B", second)):
            examined = ours(str(_model_file(folder, version)), config)
            with progress_bar(name) as progress:
                found = evaluate(
                    [Source(path) for path in paths],
                    EvaluationPlan("fixed"),
                    examined,
                    progress,
                )
            rows.append(row(name, found, found.measures()))
    if as_json:
        for each in rows:
            emit(each)
    else:
        print_rows(rows)


@app.command("merge")
def merge(
    files: Annotated[
        list[Path], typer.Argument(metavar="MODEL...", help="models trained with the same salt")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="the new model")],
) -> None:
    """Make one model out of several that were trained apart (`train --output --salt-of`)."""
    with reported(Exit.DATA, ModelFileError):
        stored = [load(file) for file in files]
    if len({each.card.salt for each in stored}) != 1:
        fail("the models have different salts; train with `train --salt-of`", Exit.DATA)
    about = f"merged from {len(files)}"
    with reported(Exit.CANNOT_CREATE, OSError):
        save(
            output,
            StoredModel(Card(stored[0].card.salt, about=about), merged([s.model for s in stored])),
        )
    Console(highlight=False).print(f"{output}: {about}")


@app.command("activate")
def activate(
    version: Annotated[str, typer.Argument(metavar="VERSION|FILE", help="a number, or a file")],
    config: ConfigOption = None,
) -> None:
    """Put a version, or a model file made elsewhere, in force.

    The journal knows what an earlier version learned: activating it is the same as `rollback`. It
    does not know what a file learned, so none of that can be forgotten or undone.
    """
    folder = _folder(config)
    trouble = reported(Exit.UNAVAILABLE, JournalError, ModelFileError, OSError)
    with trouble, Learner(folder, who(), f"activate {version}") as learner:
        path = _model_file(folder, version)
        if version.isdecimal() and learner.is_live(int(version)):
            learner.go_back(int(version))
            known = ""
        else:
            learner.adopt(load(path))
            known = "; the journal does not know what it learned"
    now = learner.stored.card.generation
    Console(highlight=False, soft_wrap=True).print(f"version {now} is in force{known}")


@app.command("shadow")
def shadow(
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION|FILE|off", help="(default: show the candidate)")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Let a candidate score live mail as well; the log shows where it differs."""
    folder = _folder(config)
    path = shadow_path(folder)
    with reported(Exit.UNAVAILABLE, ModelFileError, OSError):
        if version is None:
            told = f"candidate: {_described(load(path))}" if path.exists() else "no candidate"
        elif version == "off":
            told = "candidate removed" if clear_candidate(folder) else "no candidate was set"
        else:
            told = f"candidate: {_described(set_candidate(folder, _model_file(folder, version)))}"
    Console(highlight=False, soft_wrap=True).print(told)


def _model_file(folder: ModelFolder, version: str) -> Path:
    return folder.version_path(int(version)) if version.isdecimal() else Path(version)


def _described(stored: StoredModel) -> str:
    card, model = stored.card, stored.model
    about = f", {card.about}" if card.about else ""
    return (
        f"version {card.generation} of {card.created}, "
        f"{model.spam} spam and {model.ham} ham learned{about}"
    )


@app.command("undo")
def undo(
    batch: Annotated[int, typer.Argument(help="number, as `filterd model list` shows it")],
    config: ConfigOption = None,
) -> None:
    """Take one batch of training out of the model; what was learned since stays."""
    folder = _folder(config)
    trouble = reported(Exit.UNAVAILABLE, JournalError, ModelFileError, OSError)
    with trouble, Learner(folder, who(), f"undo of batch {batch}") as learner:
        undone = learner.undo(batch)
    Console(highlight=False).print(
        f"batch {batch} undone: {undone.spam} spam and {undone.ham} ham removed; "
        f"version {learner.stored.card.generation} is in force"
    )


@app.command("rollback")
def rollback(
    version: Annotated[
        int | None, typer.Argument(help="version to go back to (default: the one before)")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Go back to an earlier version; what was learned after it no longer counts."""
    folder = _folder(config)
    trouble = reported(Exit.UNAVAILABLE, JournalError, ModelFileError, OSError)
    with trouble, Learner(folder, who(), "rollback") as learner:
        target = version if version is not None else learner.version_before()
        learner.go_back(target)
    Console(highlight=False).print(f"version {target} is in force")
