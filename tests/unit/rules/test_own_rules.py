"""filterd's own rules: each hits what it is for, and not an honest message much like it."""

from __future__ import annotations

from pathlib import Path

import pytest

import filterd.rules
from filterd.message import Message
from filterd.rules.checker import CompiledRules
from filterd.rules.conf.read import read
from filterd.rules.conf.rule import RuleSet
from filterd.rules.evals.gathered import functions
from filterd.rules.view.view import View
from tests.unit.rules.own_mail import CASES, mail

pytestmark = pytest.mark.slow

FILE = Path(filterd.rules.__file__).with_name("own.cf")


@pytest.fixture(scope="module")
def rule_set() -> RuleSet:
    return read([(FILE.name, FILE.read_bytes())], evals=functions().keys())


@pytest.fixture(scope="module")
def rules(rule_set: RuleSet) -> CompiledRules:
    return CompiledRules.of(rule_set, functions(), use_bayes=False, use_network=False)


def hits(rules: CompiledRules, message: bytes) -> set[str]:
    return {hit.name for hit in rules.check(View(Message(message)))}


def test_the_file_is_read_whole(rule_set: RuleSet, rules: CompiledRules) -> None:
    assert rule_set.problems == ()
    assert rules.problems == ()
    assert rule_set.unsupported == {}


def test_every_rule_has_its_messages(rule_set: RuleSet) -> None:
    scored = {name for name, rule in rule_set.rules.items() if not rule.is_part}
    assert scored == set(CASES)


def test_every_rule_is_described_and_weighed(rule_set: RuleSet) -> None:
    for name, rule in rule_set.rules.items():
        if not rule.is_part:
            assert name.startswith("FD_")
            assert rule.description, name
            assert 0 < rule.scores[0] <= 3, name


@pytest.mark.parametrize("name", CASES)
def test_it_hits_what_it_is_for(rules: CompiledRules, name: str) -> None:
    assert name in hits(rules, CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_it_leaves_honest_mail_alone(rules: CompiledRules, name: str) -> None:
    assert name not in hits(rules, CASES[name][1])


def test_usual_mail_hits_nothing(rules: CompiledRules) -> None:
    assert {name for name in hits(rules, mail()) if not name.startswith("__")} == set()
