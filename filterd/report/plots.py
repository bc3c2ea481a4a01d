"""Pictures of a report, as PNG.

matplotlib is an optional extra (`filterd[plot]`) that takes a second to load; nothing else of the
report imports it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from filterd.quarantine.words import ACTIONS
from filterd.report.gathering import SiteReport
from filterd.system import zone

COLOURS = {
    "accept": "#2e7d5b",
    "quarantine": "#d9730d",
    "reject": "#c44536",
    "discard": "#8b5a99",
    "tempfail": "#777777",
}

_SIZE = (7.5, 3.0)
_DPI = 110
_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def pictures(report: SiteReport) -> dict[str, bytes]:
    """PNG by name: `flow`, and `filters` where there are any. Raises ImportError."""
    import matplotlib as mpl  # noqa: PLC0415  # optional, slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    found = {}
    with mpl.rc_context(_STYLE):
        # Without pyplot, which keeps every figure and chooses a screen.
        figure = Figure(figsize=_SIZE, layout="constrained")
        _flow(figure.subplots(), report)
        found["flow"] = _png(figure)
        filters = [one for one in report.now.filters if one.milliseconds][:12]
        if filters:
            figure = Figure(figsize=(_SIZE[0], 0.6 + 0.25 * len(filters)), layout="constrained")
            axes = figure.subplots()
            axes.barh([one.name for one in filters], [one.mean for one in filters], color="#0b6e99")
            axes.invert_yaxis()
            axes.set(xlabel="mean time of a message, ms")
            found["filters"] = _png(figure)
    return found


def _flow(axes: Any, report: SiteReport) -> None:
    columns = max(1, round((report.now.until - report.now.since) / report.step))
    bottom = [0] * columns
    for action in _actions(report.flow):
        heights = [0] * columns
        for start, own, number in report.flow:
            at = int((start - report.now.since) // report.step)
            if own == action and 0 <= at < columns:
                heights[at] += number
        colour = COLOURS.get(action, "#444444")
        axes.bar(range(columns), heights, bottom=bottom, color=colour, label=action, width=0.85)
        bottom = [low + high for low, high in zip(bottom, heights, strict=True)]
    stride = max(1, columns // 8)
    places = list(range(0, columns, stride))
    form = "%H:%M" if report.days == 1 else "%a %d" if report.days <= 7 else "%d %b"
    axes.set_xticks(
        places, [f"{zone.local(report.now.since + at * report.step):{form}}" for at in places]
    )
    axes.set(ylabel="messages")
    if any(bottom):
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _actions(flow: Sequence[tuple[float, str, int]]) -> list[str]:
    there = {action for _, action, _ in flow}
    return [*(one for one in ACTIONS if one in there), *sorted(there - {*ACTIONS})]


def _png(figure: Any) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=_DPI, metadata={"Software": None})
    return target.getvalue()
