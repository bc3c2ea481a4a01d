"""`filterd train --sklearn`: fitting a site's own scikit-learn pipeline and storing it."""

from __future__ import annotations

import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from filterd.bayes.lab.train import Progress, Source
from filterd.bayes.lab.train import train as train_from
from filterd.bayes.model.pipelines import save_pipeline, train
from filterd.cli.common import Exit, emit, fail, reported
from filterd.mailfiles.mail_file import CorpusError


def train_pipeline(
    made_by: str, sources: Sequence[Source], output: Path | None, progress: Progress
) -> dict[str, Any]:
    """Fit the pipeline that `FILE.py:FUNCTION` returns to labelled mail, and store it.

    Returns the report as a plain value. Ends the command with one line where something is wrong.
    """
    if output is None:
        fail("train --sklearn needs --output FILE.skops", Exit.USAGE)
    pipeline = _made(made_by)
    # Imported after the caller's file: a mistake there should not wait for scikit-learn.

    messages: list[bytes] = []
    labels: list[bool] = []

    def keep(data: bytes, spam: bool) -> None:
        messages.append(data)
        labels.append(spam)

    with reported(Exit.NO_INPUT, CorpusError):
        report = train_from(sources, bytes, keep, progress)
    with reported(Exit.DATA, ValueError, TypeError), reported(Exit.CANNOT_CREATE, OSError):
        untrusted = save_pipeline(output, train(pipeline, messages, labels))
    return {
        "model": str(output),
        "spam": report.spam,
        "ham": report.ham,
        "unlabelled": report.unlabelled,
        "left_out": dict(report.skips.reasons),
        "untrusted": untrusted,
    }


def show_pipeline(result: dict[str, Any], as_json: bool) -> None:
    """Print what `train_pipeline` returned."""
    if as_json:
        emit(result)
        return
    console = Console(highlight=False)
    console.print(
        f"{result['spam']} spam and {result['ham']} ham learned; "
        f"{result['unlabelled']} had no label\nmodel: {result['model']}"
    )
    for reason, count in result["left_out"].items():
        console.print(f"{count} left out: {reason}")
    if result["untrusted"]:
        names = ", ".join(f'"{name}"' for name in result["untrusted"])
        console.print(f"[filters.sklearn] needs: trusted = [{names}]", markup=False)


def _made(made_by: str) -> Any:
    """The pipeline that a function of a file returns."""
    file, _, function = made_by.rpartition(":")
    if not file or not function:
        fail(f"--sklearn {made_by}: expected FILE.py:FUNCTION", Exit.USAGE)
    if not Path(file).is_file():
        fail(f"--sklearn {made_by}: no such file {file}", Exit.NO_INPUT)
    try:
        names = runpy.run_path(file)
        if not callable(names.get(function)):
            fail(f"--sklearn {made_by}: {file} has no function {function}", Exit.NO_INPUT)
        pipeline = names[function]()
    # The file is a program of the admin's, and may fail in any way.
    except Exception as error:  # noqa: BLE001
        fail(f"--sklearn {made_by}: {type(error).__name__}: {error}", Exit.DATA)
    if not hasattr(pipeline, "fit"):
        fail(f"--sklearn {made_by}: does not return a pipeline (no method fit)", Exit.DATA)
    return pipeline
