"""Eval tests are gathered from their modules, each once, or are named with the reason why not."""

from __future__ import annotations

import pytest

from filterd.rules.evals.gathered import (
    functions,
    is_known_plugin,
    option_names,
    plugin_names,
    plugins,
)
from filterd.rules.evals.missing import MISSING_PLUGINS, MISSING_TESTS, why_missing
from filterd.rules.evals.registry import Plugin


def test_a_test_is_found_by_the_name_that_rules_use() -> None:
    plugin = Plugin("Mail::SpamAssassin::Plugin::Example", "example_option")

    @plugin.test("check_old_name")
    @plugin.test("check_name")
    def check(_view: object) -> bool:
        return True

    assert plugin.tests == {"check_name": check, "check_old_name": check}
    assert plugin.options == {"example_option"}


def test_no_name_is_used_twice() -> None:
    names = [name for plugin in plugins() for name in plugin.tests]
    assert sorted(names) == sorted(set(names))


def test_what_is_there_is_not_missing() -> None:
    assert set(functions()) & set(MISSING_TESTS) == set()
    assert plugin_names() & set(MISSING_PLUGINS) == set()


def test_options_are_in_lower_case() -> None:
    assert {name for name in option_names() if name != name.lower()} == set()


@pytest.mark.parametrize("name", ["MIMEHeader", "ReplaceTags", "URIDetail"])
def test_plugins_without_eval_tests_are_there(name: str) -> None:
    assert f"Mail::SpamAssassin::Plugin::{name}" in plugin_names()


def test_a_missing_test_has_a_reason() -> None:
    assert "over HTTP" in why_missing("short_url")
    assert why_missing("check_of_somebody") == "filterd does not know this eval test"
    assert is_known_plugin("Mail::SpamAssassin::Plugin::Razor2")
    assert not is_known_plugin("Mail::SpamAssassin::Plugin::OfSomebody")
