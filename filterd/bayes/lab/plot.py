"""One page of plots of an evaluation: ROC, scores by class, calibration, learning curve.

matplotlib is an optional extra (`filterd[plot]`); nothing else imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from filterd.bayes.lab.evaluate import Run
from filterd.bayes.lab.measures import CALIBRATION_BINS, probabilities, tradeoff

_COLOURS = ("#0b6e99", "#d9730d", "#4f7942", "#8b5a99", "#777777")
_SPAM, _HAM = "#c44536", "#2e7d5b"
_SMALLEST = 0.01  # percent; where a log axis puts "none"
_CURVE_POINTS = 60
_DPI = 160


def plot(runs: Mapping[str, Run], path: Path, title: str = "") -> None:
    """Draw the runs into a file of matplotlib's formats (.png, .pdf, .svg); the first is ours.

    Raises ImportError where matplotlib is missing, OSError.
    """
    import matplotlib as mpl  # noqa: PLC0415  # optional, slow to import

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    style: Any = {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "legend.frameon": False,
    }
    with plt.rc_context(style):
        figure, axes = plt.subplots(2, 2, figsize=(9.5, 7.5), constrained_layout=True)
        _roc(axes[0, 0], runs)
        ours = next(iter(runs.values()))
        _histogram(axes[0, 1], ours)
        _calibration(axes[1, 0], runs)
        _learning(axes[1, 1], runs)
        if title:
            figure.suptitle(title, fontsize=11)
        figure.savefig(path, dpi=_DPI)
        plt.close(figure)


def _roc(axes: Any, runs: Mapping[str, Run]) -> None:
    for colour, (name, run) in zip(_COLOURS, runs.items(), strict=False):
        hm, sm = tradeoff(*run.arrays)
        axes.step(
            np.maximum(hm, _SMALLEST), np.maximum(sm, _SMALLEST), color=colour, label=name, lw=1.4
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(_SMALLEST, 100),
        ylim=(100, _SMALLEST),
        xlabel="ham called spam, %",
        ylabel="spam called ham, % (upwards is better)",
        title="ROC",
    )
    axes.legend(loc="lower right")


def _histogram(axes: Any, run: Run) -> None:
    scores, labels = run.arrays
    edges = np.linspace(scores.min(), scores.max() + 1e-9, 60).tolist()
    axes.hist(scores[~labels], edges, color=_HAM, alpha=0.6, label="ham", log=True)
    axes.hist(scores[labels], edges, color=_SPAM, alpha=0.6, label="spam", log=True)
    axes.set(xlabel="log-odds of spam", ylabel="messages", title="Scores by class")
    axes.legend()


def _calibration(axes: Any, runs: Mapping[str, Run]) -> None:
    axes.plot([0, 1], [0, 1], color="#aaaaaa", lw=1, ls="--")
    for colour, (name, run) in zip(_COLOURS, runs.items(), strict=False):
        scores, labels = run.arrays
        p = probabilities(scores)
        place = np.minimum((p * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)
        total = np.bincount(place, minlength=CALIBRATION_BINS)
        some = total > 0
        x = np.bincount(place, p, CALIBRATION_BINS)[some] / total[some]
        y = np.bincount(place, labels, CALIBRATION_BINS)[some] / total[some]
        axes.plot(x, y, marker="o", ms=3.5, color=colour, label=name, lw=1.2)
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="probability that was given",
        ylabel="share of spam",
        title="Calibration",
    )
    axes.legend()


def _learning(axes: Any, runs: Mapping[str, Run]) -> None:
    for colour, (name, run) in zip(_COLOURS, runs.items(), strict=False):
        scores, labels = run.arrays
        wrong = np.cumsum((scores >= 0) != labels)
        count = np.arange(1, len(wrong) + 1)
        window = max(len(wrong) // _CURVE_POINTS, 1)
        at = np.arange(window, len(wrong), max(window // 2, 1))
        rate = 100.0 * (wrong[at] - wrong[at - window]) / window
        axes.plot(count[at], np.maximum(rate, _SMALLEST), color=colour, label=name, lw=1.2)
    axes.set(
        xlabel="messages",
        ylabel="errors in a window, %",
        yscale="log",
        title="Learning curve (cut at log-odds 0)",
    )
    axes.legend()
