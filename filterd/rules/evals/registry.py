"""Which eval tests there are: by the name that rules call them with.

A module of this folder makes a `Plugin` and decorates its tests:

    PLUGIN = Plugin("Mail::SpamAssassin::Plugin::MIMEEval")

    @PLUGIN.test("check_for_mime")
    def check_for_mime(view: View, kind: str) -> bool: ...

`plugin.options` names the configuration lines that are the plugin's own; a test finds them in
`view.options`. It gets its arguments as text; it returns whether it hits, or how often.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)


class Plugin:
    """The eval tests and options of one of SpamAssassin's plugins.

    name: its Perl module, as in `ifplugin`. options: names of its configuration lines, lower case.
    tests: function by name.
    """

    def __init__(self, name: str, *options: str) -> None:
        self.name = name
        self.options = frozenset(options)
        self.tests: dict[str, Function] = {}

    def test(self, name: str) -> Callable[[F], F]:
        """Decorates the function that rules call by that name."""

        def register(function: F) -> F:
            self.tests[name] = function
            return function

        return register
