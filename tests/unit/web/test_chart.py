"""The chart's columns say what the numbers say."""

from __future__ import annotations

import re

import pytest

from filterd.web.chart import HEIGHT, flow_chart


def heights(svg: str) -> list[tuple[str, float]]:
    found = re.findall(r'class="bar (\w+)"[^>]* height="([\d.]+)"', svg)
    return [(name, float(height)) for name, height in found]


def test_columns_are_stacked_from_accept_upwards() -> None:
    flow = [(0.0, "reject", 25), (0.0, "accept", 50), (3600.0, "quarantine", 5)]
    chart = flow_chart(flow, 0.0, 7200.0, 3600.0)
    assert chart.top == 80
    assert heights(chart.svg) == [
        ("accept", 62.5),
        ("reject", 31.25),
        ("quarantine", 6.25),
    ]
    assert 'y="37.50"' in chart.svg, "accept stands on the ground"
    assert chart.totals == (("accept", 50), ("quarantine", 5), ("reject", 25))
    assert f'viewBox="0 0 2 {HEIGHT}"' in chart.svg


def test_what_is_outside_of_the_time_is_left_out() -> None:
    chart = flow_chart([(-1.0, "accept", 9), (7200.0, "accept", 9)], 0.0, 7200.0, 3600.0)
    assert (chart.totals, heights(chart.svg)) == ((), [])


def test_an_unknown_action_is_shown_and_cannot_break_out() -> None:
    chart = flow_chart([(0.0, '"><script>', 1)], 0.0, 3600.0, 3600.0)
    assert heights(chart.svg) == [("other", 100.0)]
    assert "<script>" not in chart.svg


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, 1), (1, 1), (7, 8), (9, 10), (11, 15), (120, 150), (160, 200), (801, 1000), (8000, 8000)],
)
def test_the_scale_ends_with_a_round_number(most: int, top: int) -> None:
    assert flow_chart([(0.0, "accept", most)], 0.0, 3600.0, 3600.0).top == top
