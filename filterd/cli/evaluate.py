"""`filterd evaluate`: measuring classifiers on labelled mail."""

from __future__ import annotations

import resource
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer
from rich.console import Console
from rich.table import Table

from filterd.bayes.lab.evaluate import (
    DEFAULT_LAG,
    EvaluationPlan,
    Examined,
    Ours,
    ProtocolName,
    Run,
)
from filterd.bayes.lab.evaluate import evaluate as evaluate_sources
from filterd.bayes.lab.evaluate import suggest as suggest_thresholds
from filterd.bayes.lab.measures import Measures
from filterd.bayes.lab.parallel import ClusterError, Readers
from filterd.bayes.lab.train import Source
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.store import ModelFileError, StoredModel, load
from filterd.bayes.site.folder import starter_path
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
from filterd.cli.learn import progress_bar
from filterd.config.assembly import model_folder
from filterd.mailfiles.mail_file import CorpusError
from filterd.system import privileges

_FRESH = "fresh"
_SALT = b"filterd evaluate"
"""Fixed, so that a run can be repeated to the last digit."""


def evaluate(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="index, or folders named spam and ham")
    ],
    protocol: Annotated[str, typer.Option(help="immediate, delayed, batch or fixed")] = "immediate",
    train_first: Annotated[
        int | None,
        typer.Option(min=1, help="learn only the first N messages and measure on the rest"),
    ] = None,
    lag: Annotated[
        int, typer.Option(min=1, help="delayed: messages until a label arrives")
    ] = DEFAULT_LAG,
    shuffle: Annotated[
        int | None, typer.Option(metavar="SEED", help="shuffle the messages with this seed")
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="fresh|site|starter|FILE", help="the model to start with")
    ] = _FRESH,
    starter: Annotated[
        bool, typer.Option("--starter", help="use the starter model too, as the filter does")
    ] = False,
    baseline: Annotated[
        str, typer.Option(metavar="NAME,...", help="run beside it: nb, complement, logreg")
    ] = "",
    scores: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="write one line `path label score` for each message"),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="draw the result")] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="print thresholds and what they would cost")
    ] = False,
    jobs: JobsOption = 1,
    cluster: ClusterOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> int:
    """Measure the classifier on labelled mail as the TREC spam track did; nothing is changed."""
    plan = EvaluationPlan(_protocol(protocol, model), train_first, lag, shuffle)
    if plan.protocol == "fixed" and model == "starter":
        # As it speaks in the filter of a site that has taught nothing.
        model, starter = _FRESH, True
    examined: dict[str, Examined] = {"filterd": ours(model, config, with_starter=starter)}
    for name in filter(None, baseline.split(",")):
        examined[name] = _baseline(name)
    sources = [Source(path) for path in paths]
    runs: dict[str, Run] = {}
    measured: dict[str, Measures] = {}
    readers = Readers(jobs, cluster)
    with (
        reported(Exit.NO_INPUT, CorpusError),
        reported(Exit.DATA, ValueError),
        reported(Exit.UNAVAILABLE, ClusterError),
    ):
        for name, one in examined.items():
            with progress_bar(name) as progress:
                runs[name] = evaluate_sources(sources, plan, one, progress, readers)
            measured[name] = runs[name].measures()
    with reported(Exit.CANNOT_CREATE, OSError), privileges.as_caller():
        if scores is not None:
            _write_scores(scores, runs["filterd"])
        if plot is not None:
            _draw(runs, plot, " ".join(paths))
    rows = [row(name, runs[name], measured[name]) for name in runs]
    if suggest:
        rows[0]["suggest"] = [
            dict(zip(("action", "probability", "hm", "sm"), each, strict=True))
            for each in suggest_thresholds(runs["filterd"])
        ]
    if as_json:
        for each in rows:
            emit(each)
    else:
        print_rows(rows)
    return Exit.OK


def _protocol(name: str, model: str) -> ProtocolName:
    if name == "fixed" and model == _FRESH:
        fail("--protocol fixed learns nothing: it needs --model site or a FILE", Exit.USAGE)
    if name not in get_args(ProtocolName):
        fail(f"--protocol {name}: there are {', '.join(get_args(ProtocolName))}", Exit.USAGE)
    return cast(ProtocolName, name)


def ours(model: str, config: Path | None, *, with_starter: bool = False) -> Ours:
    """Our classifier with the model that the option names, or the end of the command."""
    starter = _starter() if with_starter else None
    if model == _FRESH:
        return Ours(OnlineModel.empty(), _SALT, starter)
    with reported(Exit.UNAVAILABLE, ModelFileError):
        if model == "site":
            stored = model_folder(settings(config, models_first)).load_current()
            if stored is None:
                fail("the site has no model yet: create one with `filterd train`", Exit.UNAVAILABLE)
        else:
            stored = _starter() if model == "starter" else load(Path(model))
    return Ours(stored.model.copy(), stored.card.salt, starter)


def _starter() -> StoredModel:
    path = starter_path()
    if path is None:
        fail("no starter model found", Exit.UNAVAILABLE)
    with reported(Exit.UNAVAILABLE, ModelFileError):
        return load(path)


def _baseline(name: str) -> Examined:
    from filterd.bayes.lab.baselines import NAMES, Baseline  # noqa: PLC0415  # slow to import

    if name not in NAMES:
        fail(f"--baseline {name}: there are {', '.join(NAMES)}", Exit.USAGE)
    return Baseline(name)


def _draw(runs: dict[str, Run], path: Path, title: str) -> None:
    from filterd.bayes.lab.plot import plot  # noqa: PLC0415  # needs the optional matplotlib

    try:
        plot(runs, path, title)
    except ImportError:
        fail("--plot needs matplotlib: pip install 'filterd[plot]'", Exit.UNAVAILABLE)


def _write_scores(path: Path, run: Run) -> None:
    with path.open("w", encoding="utf-8", errors="surrogateescape") as file:
        for name, label, score in zip(run.names, run.labels, run.scores, strict=True):
            file.write(f"{name} {'spam' if label else 'ham'} {score:.6f}\n")


def row(name: str, run: Run, measures: Measures) -> dict[str, Any]:
    """One run as a plain value."""
    return {
        "classifier": name,
        "messages": len(run.scores),
        "learned": run.total_learned,
        "left_out": dict(run.skips.reasons),
        **asdict(measures),
        "classify_per_second": len(run.scores) / max(run.classify_seconds, 1e-9),
        "learn_per_second": run.total_learned / max(run.learn_seconds, 1e-9)
        if run.total_learned
        else None,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Print runs side by side."""
    console = Console(highlight=False)
    first = rows[0]
    console.print(
        f"{first['messages']} messages measured ({first['spam']} spam, {first['ham']} ham), "
        f"{first['learned']} learned"
    )
    for reason, count in first["left_out"].items():
        console.print(f"{count} left out: {reason}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", *(each["classifier"] for each in rows)):
        table.add_column(column, justify="right" if column else "left")
    lines: list[tuple[str, list[str]]] = [
        (
            "(1-ROCA)%",
            [
                f"{r['roca']['value']:.4f} ({r['roca']['low']:.4f}-{r['roca']['high']:.4f})"
                for r in rows
            ],
        ),
        *(
            (f"hm% at sm% {limit}", [f"{r['hm_at_sm'][limit]:.2f}" for r in rows])
            for limit in first["hm_at_sm"]
        ),
        ("sm% at hm% 0.1", [f"{r['sm_at_hm']:.2f}" for r in rows]),
        ("lam%", [f"{r['lam']:.3f}" for r in rows]),
        ("Brier", [f"{r['brier']:.4f}" for r in rows]),
        ("ECE", [f"{r['ece']:.4f}" for r in rows]),
        *(
            (
                f"hm/sm% at p>={first['thresholds'][i]['probability']}",
                [f"{r['thresholds'][i]['hm']:.2f} / {r['thresholds'][i]['sm']:.2f}" for r in rows],
            )
            for i in range(len(first["thresholds"]))
        ),
        ("classified/s", [f"{r['classify_per_second']:.0f}" for r in rows]),
        (
            "learned/s",
            [f"{r['learn_per_second']:.0f}" if r["learn_per_second"] else "-" for r in rows],
        ),
    ]
    for title, cells in lines:
        table.add_row(title, *cells)
    console.print(table)
    console.print(f"peak memory {first['peak_memory_mib']:.0f} MiB")
    for entry in first.get("suggest", ()):
        console.print(
            f"{entry['action']} from probability {entry['probability']:.4f}: "
            f"{entry['hm']:.2f}% of ham lost, {entry['sm']:.2f}% of spam passed"
        )
