"""A file of five hundred rules with every construct is read without complaint, and each of its
rules hits where it should."""

from __future__ import annotations

import pytest

from filterd.message import Message
from filterd.rules.checker import CompiledRules
from filterd.rules.conf.read import read
from filterd.rules.evals.gathered import functions
from filterd.rules.view.view import View
from tests.helpers.rule_file import rule_file

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("count", "seed"), [(21, 2), (500, 1)])
def test_all_rules_do_what_they_say(count: int, seed: int) -> None:
    file = rule_file(count, seed)
    rule_set = read([("sample.cf", file.content)], evals=functions().keys())
    assert rule_set.problems == ()
    assert rule_set.unsupported == {}
    assert len([name for name in rule_set.rules if name.startswith("SAMPLE_")]) >= file.rules
    rules = CompiledRules.of(rule_set, functions(), use_bayes=False, use_network=False)
    assert rules.problems == ()
    found = rules.check(View(Message(file.message), rule_set.options))
    assert {hit.name for hit in found if not hit.name.startswith("__")} == file.hits


def test_the_same_seed_gives_the_same_file() -> None:
    assert rule_file(42).content == rule_file(42).content
    assert rule_file(42, 2).content != rule_file(42).content
