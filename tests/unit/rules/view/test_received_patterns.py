"""A Received field takes twice the time for twice the text, whichever form it begins like.

tests/unit/test_patterns.py does not look into the table of forms.
"""

from __future__ import annotations

import time

import pytest

from filterd.rules.view.received import read

pytestmark = pytest.mark.slow

SIZE = 1000
SUPERLINEAR = 3.0
"""Times as long for twice the text: 2 is linear, 4 quadratic."""

NOTHING = 0.01
"""Seconds below which no ratio is believed."""

BEGINNINGS = (
    *(
        "",
        "a (",
        "a [",
        "[1.2.3.4] (",
        "([1.2.3.4] ",
        "a (b [1.2.3.4]",
        "a (EHLO b) (c@",
        "a by b ",
    ),
    *("a (b@1.2.3.4) ", "a(1.2.3.4", "a (b [1.2.3.4]) by c with ", "Exim (SquirrelMail "),
)
REPEATED = (
    *("a", ".", "@", "(", "[", ") ", "] ", "a.", "@::", "::", "1.2.3.4 ", " by a", " with ", "(a "),
    *(" (authenticated ", "SMTP ", "helo=", "\\(", "-", ") by a (b) with "),
)


def seconds(beginning: str, repeated: str, count: int) -> float:
    text = f"from {beginning}{repeated * count}"
    start = time.process_time()
    read(text)
    return time.process_time() - start


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_it_is_linear(beginning: str) -> None:
    steep = []
    for repeated in REPEATED:
        for _attempt in range(3):  # the machine may have been busy just then
            one, two = (seconds(beginning, repeated, count) for count in (SIZE, 2 * SIZE))
            if two < NOTHING or two / one < SUPERLINEAR:
                break
        else:
            steep.append((repeated, one, two))
    assert steep == []
