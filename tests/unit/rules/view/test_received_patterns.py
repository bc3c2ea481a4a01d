"""The patterns of all forms of Received fields take twice the time for twice the text."""

from __future__ import annotations

import re

import pytest

from filterd.rules.view import received_forms as forms
from tests.helpers.patterns import Used, worst

pytestmark = pytest.mark.slow

SUPERLINEAR, NOTHING = 3.0, 0.002
"""As in tests/unit/test_patterns.py, which does not look into tables."""


def patterns() -> list[re.Pattern[str]]:
    tables = [value for value in vars(forms).values() if isinstance(value, tuple)]
    single = [form for table in tables for form in table if isinstance(form, forms.Form)]
    families = [form for family in forms.FAMILIES for form in family.forms]
    return [form.pattern for form in (*single, *families, forms.UPPER_CASE)]


def test_they_are_found() -> None:
    assert len(patterns()) > 80


@pytest.mark.timeout(600)
def test_each_is_linear() -> None:
    steep = []
    for pattern in patterns():
        one = Used("form", pattern, at_one_place=True)
        found = worst(one)
        if found.ratio > SUPERLINEAR and found.seconds > NOTHING:
            found = worst(one)  # the machine may have been busy just then
            if found.ratio > SUPERLINEAR and found.seconds > NOTHING:
                steep.append((pattern.pattern, found))
    assert steep == []
