"""`if`, `ifplugin`, `else`, `endif` and `require_version`: which lines of a file count.

Source: Mail::SpamAssassin::Conf(3), "PREPROCESSING OPTIONS".
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from filterd.rules.conf.eval_names import FEATURES, PLUGINS, TESTS
from filterd.rules.conf.expression import VERSION_NUMBER, Node, Parser, tokens_of
from filterd.rules.conf.lines import LineError, RuleLine, quoted, text_of
from filterd.rules.conf.rule import Origin

VERSION = "4.000002"
"""The version of SpamAssassin whose configuration is read."""

PERL_VERSION = 5.036
"""What `perl_version` is: Perl's patterns are read as of this version."""

WORDS = frozenset(("if", "ifplugin", "else", "endif"))

_RENAMED = {
    PLUGINS + "Dmarc": PLUGINS + "DMARC",
    PLUGINS + "WhiteListSubject": PLUGINS + "WelcomeListSubject",
}

_GONE = PLUGINS + "RaciallyCharged"
"""A plugin that SpamAssassin no longer has, and that it says is loaded."""


def plugin_name(name: str) -> str:
    """A plugin's name; that of today for one that was renamed."""
    return _RENAMED.get(name, name)


class Facts:
    """What conditions may ask.

    plugins: those loaded; more are added while files are read. compatible: words of
    `enable_compat`. use_network: the opposite of `local_tests_only`.
    """

    def __init__(self, version: str, plugins: Collection[str], *, use_network: bool) -> None:
        self.version = version
        self.plugins = set(plugins)
        self.compatible: set[str] = set()
        self.use_network = use_network
        self._known: dict[str, bool] = {}

    def load(self, plugin: str) -> None:
        """From now on the plugin is loaded."""
        self.plugins.add(plugin)
        self._known.clear()

    def enable(self, word: str) -> None:
        """From now on `compat_word` is there."""
        self.compatible.add(word)
        self._known.clear()

    def holds(self, condition: str) -> bool:
        """Whether a condition holds. Raises LineError."""
        known = self._known.get(condition)
        if known is None:
            tokens = tokens_of(condition, VERSION_NUMBER)
            try:
                known = bool(Parser(tokens, self._operand).whole()(lambda _: 0))
            except (ZeroDivisionError, OverflowError):
                raise LineError("the condition divides by zero") from None
            self._known[condition] = known
        return known

    def _operand(self, parser: Parser, word: str) -> Node:
        if word in ("plugin", "can", "has"):
            parser.take("(")
            name = parser.take()
            parser.take(")")
            found = self._loaded(name) if word == "plugin" else self._feature(word, name)
            return lambda _: 1 if found else 0
        values = {
            "version": float(self.version),
            "perl_version": PERL_VERSION,
            "local_tests_only": 0 if self.use_network else 1,
        }
        if word not in values:
            expected = "plugin(...), can(...), has(...), version, perl_version, local_tests_only"
            raise LineError(f"expected {expected}, and not {quoted(word)!r}")
        value = values[word]
        return lambda _: value

    def _loaded(self, name: str) -> bool:
        return plugin_name(name) in self.plugins or name == _GONE

    def _feature(self, word: str, name: str) -> bool:
        module, colons, function = name.rpartition("::")
        if not colons:
            raise LineError(f"expected {word}(Module::function), and not {quoted(name)!r}")
        if function.startswith("compat_"):
            return function.removeprefix("compat_") in self.compatible
        module = plugin_name(module)
        if module.startswith(PLUGINS) and module not in self.plugins:
            return False
        if f"{module}::{function}" in FEATURES:
            return True
        return word == "has" and TESTS.get(function, ("", ""))[0] == module


@dataclass(slots=True)
class _Open:
    """An `if` whose `endif` has not come. was_skipping: before it. has_else: seen."""

    origin: Origin
    word: str
    was_skipping: bool
    has_else: bool = False


class Conditions:
    """The conditions of one file. skipping: whether the line being read does not count."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._open: list[_Open] = []
        self.skipping = False

    def take(self, line: RuleLine) -> None:
        """One of the lines in WORDS. Raises LineError for a mistake in it; a condition with a
        mistake does not hold, and its block ends at its `endif` all the same."""
        if line.key in ("else", "endif"):
            if line.value:
                raise LineError(f"'{line.key}' stands alone; make a comment of the rest with #")
            if not self._open:
                raise LineError(f"'{line.key}' without an 'if' before it in this file")
            if line.key == "endif":
                self.skipping = self._open.pop().was_skipping
            else:
                self._turn(self._open[-1])
            return
        self._open.append(_Open(line.origin, line.key, self.skipping))
        if self.skipping:
            return
        self.skipping = True
        if not line.value:
            raise LineError(f"'{line.key}' without a condition")
        condition = text_of(line.value)
        if line.key == "ifplugin":
            condition = f"plugin ({condition})"
        self.skipping = not self._facts.holds(condition)

    def _turn(self, last: _Open) -> None:
        self.skipping = last.was_skipping or not self.skipping
        if last.has_else:
            raise LineError("a second 'else' for the same 'if'")
        last.has_else = True

    def require(self, version: str) -> None:
        """`require_version`. Raises LineError when the version is another: the rest of the file, or
        up to the next `endif`, does not count."""
        ours = self._facts.version
        if not version:
            raise LineError("'require_version' without a version")
        if version in ("@@VERSION@@", ours) or (
            version.startswith("4.0000") and version <= ours and len(version) == len(ours)
        ):
            return
        self.skipping = True
        raise LineError(
            f"requires version {quoted(version)} of SpamAssassin, and {ours} is what filterd "
            "reads: the rest of the file is left out"
        )

    def unclosed(self) -> list[tuple[Origin, str]]:
        """Where each `if` without an `endif` stands, with its word. For the end of the file."""
        return [(one.origin, one.word) for one in self._open]
