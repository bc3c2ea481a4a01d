"""The dashboard's chart: stacked columns of messages by action, as inline SVG.

Colours come from the style sheet by class, and labels stand beside it in HTML: the picture may be
stretched to any width, letters may not. Its Content-Security-Policy forbids inline style.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from filterd.quarantine.words import ACTIONS
from filterd.system import zone

HEIGHT = 100
GAP = 0.18
"""The part of a column's width that stays empty."""

LABELS = 6
"""Times below the chart."""


@dataclass(frozen=True, slots=True)
class Chart:
    """svg: the columns. top: messages that the full height stands for. labels: times from left to
    right. totals: messages by action."""

    svg: Markup
    top: int
    labels: tuple[str, ...]
    totals: tuple[tuple[str, int], ...]


def flow_chart(
    flow: Iterable[tuple[float, str, int]], since: float, until: float, step: float
) -> Chart:
    """The chart of (start of bin, action, messages); times in seconds since 1970."""
    bins: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    totals: dict[str, int] = defaultdict(int)
    columns = max(1, round((until - since) / step))
    for start, action, number in flow:
        at = int((start - since) // step)
        if 0 <= at < columns:
            bins[at][action] += number
            totals[action] += number
    top = _rounded(max((sum(one.values()) for one in bins.values()), default=0))
    # From the bottom of a column upwards; actions of other versions are on top of them.
    order = [*ACTIONS, *sorted(set(totals) - set(ACTIONS))]
    parts = []
    for at in sorted(bins):
        height = 0.0
        for action in order:
            number = bins[at].get(action, 0)
            if not number:
                continue
            own = number / top * HEIGHT
            height += own
            name = action if action in ACTIONS else "other"
            told = f"{_hour(since + at * step)}: {number} {action}"
            parts.append(
                Markup(
                    '<rect class="bar {}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}">'
                    "<title>{}</title></rect>"
                ).format(name, at + GAP / 2, HEIGHT - height, 1 - GAP, own, told)
            )
    svg = Markup(
        '<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" '
        'aria-label="{}">{}</svg>'
    ).format(columns, HEIGHT, "messages by time and action", Markup("").join(parts))
    stride = (until - since) / LABELS
    labels = tuple(_hour(since + stride * at) for at in range(LABELS))
    shown = tuple((action, totals[action]) for action in order if totals.get(action))
    return Chart(svg, top, labels, shown)


def _rounded(number: int) -> int:
    """The next number that makes a round top of a scale: ... 8, 10, 15, 20, 30, 40, 50 ..."""
    step = 1
    while True:
        for tenths in (10, 15, 20, 30, 40, 50, 60, 80):
            top = tenths * step // 10
            if top >= number:
                return top
        step *= 10


def _hour(seconds: float) -> str:
    return f"{zone.local(seconds):%d %b %H:%M}"
