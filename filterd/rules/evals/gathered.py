"""All eval tests together: which there are, which plugins and options they make known.

A module of this folder that has a `PLUGIN` is one of SpamAssassin's plugins. They are read when
the first question is asked, which is before the workers are forked; the heavy libraries behind
some of them only when a message needs them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import filterd.rules.evals as package
from filterd.rules.evals.missing import MISSING_PLUGINS
from filterd.rules.evals.registry import Function, Plugin

_PREFIX = "Mail::SpamAssassin::Plugin::"

WITHOUT_TESTS = frozenset(
    _PREFIX + name
    for name in "BodyRuleBaseExtractor Check MIMEHeader OneLineBodyRuleType ReplaceTags"
    " Rule2XSBody URIDetail".split()
)
"""Plugins that bring a kind of line or speed, not eval tests: filterd does what they do."""


@cache
def plugins() -> tuple[Plugin, ...]:
    """All plugins with eval tests, by the order of their modules' names."""
    found: list[Plugin] = []
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        plugin = getattr(importlib.import_module(f"{package.__name__}.{module}"), "PLUGIN", None)
        if isinstance(plugin, Plugin):
            found.append(plugin)
    return tuple(found)


@cache
def functions() -> Mapping[str, Function]:
    """The eval tests by the name that rules call them with."""
    return MappingProxyType(
        {name: test for plugin in plugins() for name, test in plugin.tests.items()}
    )


@cache
def plugin_names() -> frozenset[str]:
    """Perl modules for which `ifplugin` holds, if the site loads them."""
    return WITHOUT_TESTS | {plugin.name for plugin in plugins()}


@cache
def option_names() -> frozenset[str]:
    """Configuration lines that eval tests read, in lower case."""
    return frozenset(option for plugin in plugins() for option in plugin.options)


def is_known_plugin(name: str) -> bool:
    """True for plugins of SpamAssassin's own: those here, and those with a reason why not."""
    return name in plugin_names() or name in MISSING_PLUGINS
