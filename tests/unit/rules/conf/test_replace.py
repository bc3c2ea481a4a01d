"""Tags in patterns (`replace_rules`)."""

from __future__ import annotations

import pytest

from filterd.rules.conf.read import read
from filterd.rules.conf.replace import PATTERN_OCTETS

TAGS = r"""
    replace_tag A [a@]
    replace_tag B <A>b
    replace_pre P x
    replace_inter I \s?
    replace_post Q +
"""

PATTERNS = {
    "<A>c<A>": "[a@]c[a@]",
    "<B>": "[a@]b",
    "<N>": "<N>",
    "a < b > c": "a < b > c",
    "<pre P><A><A>": "x[a@]x[a@]",
    "<post Q><A>c<A>": "[a@]+c[a@]+",
    "<inter I>y<A><A><A>": r"y[a@]\s?[a@]\s?[a@]",
    "<inter I><A><A>": r"[a@]\s?[a@]",
    "<pre NONE><A>": "[a@]",
    "(?<NAME>x)<A>": "(?<NAME>x)[a@]",
}


@pytest.mark.parametrize("source", PATTERNS)
def test_tags(source: str) -> None:
    text = f"{TAGS}\nbody R /{source}/i\nreplace_rules R OTHER"
    found = read([("x.cf", text.encode())])
    assert found.problems == ()
    pattern = found.rules["R"].test.pattern  # type: ignore[union-attr]
    assert (pattern.source, pattern.flags) == (PATTERNS[source], "i")


def test_other_marks() -> None:
    text = "replace_start {{\nreplace_end }}\nreplace_tag A b\nuri R /{{A}}<A>/\nreplace_rules R"
    rule = read([("x.cf", text.encode())]).rules["R"]
    assert rule.test.pattern.source == "b<A>"  # type: ignore[union-attr]


def test_tags_that_grow_without_end_stay_as_they_are() -> None:
    many = "<A>" * 100
    text = f"replace_tag A {many}\nbody R /<A>/\nreplace_rules R\nbody S /s/"
    found = read([("x.cf", text.encode())])
    assert f"over {PATTERN_OCTETS} octets" in found.problems[0].text
    assert set(found.rules) == {"R", "S"}
