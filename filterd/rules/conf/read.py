"""Reading SpamAssassin's configuration files into a `RuleSet`.

    files = [("local.cf", Path("local.cf").read_bytes())]
    rule_set = read(files)

No line can spoil more than itself: each that cannot be used is left out and named in `problems`.
Source: Mail::SpamAssassin::Conf(3), SpamAssassin 4.0.2.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType

from filterd.rules.conf import conditions
from filterd.rules.conf.conditions import Conditions, Facts, plugin_name
from filterd.rules.conf.definitions import DEFINITIONS, PLUGIN_OF, definition
from filterd.rules.conf.eval_names import DEFAULT_PLUGINS, KNOWN_PLUGINS, PLUGINS, TESTS
from filterd.rules.conf.finish import Drafts, finished
from filterd.rules.conf.lines import LineError, RuleLine, lines_of, quoted, text_of, words_of
from filterd.rules.conf.option_names import option_name
from filterd.rules.conf.options import Options, checked
from filterd.rules.conf.regexp import CAPTURE
from filterd.rules.conf.replace import Tags
from filterd.rules.conf.rule import EvalTest, Origin, RulePattern, RuleProblem, RuleSet, patterns_of

INCLUDES = 16
"""How many files may include each other."""

FILES = 10_000
"""How many files one rule set may have, with those that are included."""

RULES = 200_000
"""How many rules there may be. SpamAssassin's own are about 2,500."""

PROBLEMS = 10_000
"""As many lines that cannot be used are named; the others are counted."""

CAPTURE_PRIORITY = -10000
"""Priority of a rule whose groups others use."""

SHORTCIRCUIT_PRIORITY = -200
"""Priority that `shortcircuit NAME ham` or `spam` gives where no other is set."""

PatternTrouble = Callable[[RulePattern], str]
"""Says what is wrong with a pattern; "" if nothing is."""

Loader = Callable[[str, str], tuple[str, bytes] | None]
"""What reads an included file: its name as the line has it, and the name of the file with the line;
gives name and content, None for one that was read before. Raises OSError or ValueError."""

_SCORE = re.compile(rb"\(?(-?\d++(?:\.\d++)?)\)?\Z")
_PRIORITY = re.compile(rb"-?\d{1,9}\Z")
_RULE_NAME = re.compile(rb"[_a-zA-Z][_a-zA-Z0-9]{0,127}\Z")
_PLUGIN = re.compile(rb"((?:\w++::){0,10}\w++)(?:\s++(\S+\.pm))?\Z", re.IGNORECASE)
_COMPATIBLE = re.compile(rb"[a-zA-Z0-9_]{1,128}\Z")
_LOADS = re.compile(rb"(?im)^[ \t]*+(?:load|try)plugin[ \t]")


def read(
    files: Iterable[tuple[str, bytes]],
    *,
    include: Loader | None = None,
    language: str = "en_US",
    version: str = conditions.VERSION,
    plugins: Collection[str] | None = None,
    evals: Collection[str] | None = None,
    missing: Mapping[str, str] = MappingProxyType({}),
    pattern_error: PatternTrouble | None = None,
    use_network: bool = False,
) -> RuleSet:
    """The rules of some files, read in order.

    files: name and content. include: reads what an `include` line names; without it, such lines are
    problems. language: for lines `lang xx`. version: as in `4.000002`. plugins: full names of those
    that are loaded at the beginning; None: none if a file loads some, else those that SpamAssassin
    loads by default. evals: the eval tests that can be run; rules with others are `unsupported`;
    None: all. missing: why some of the others cannot. pattern_error: lines with a pattern that it
    finds wrong are left out. use_network: for `local_tests_only`.

    Never raises for what is in the files.
    """
    found = list(files)
    if plugins is None:
        loads = any(_LOADS.search(data) for _, data in found)
        plugins = () if loads else DEFAULT_PLUGINS
    facts = Facts(version, plugins, use_network=use_network)
    reader = _RuleFileReader(facts, language, include, pattern_error)
    for name, data in found:
        reader.file(name, data)
    return reader.result(evals, missing)


class _RuleFileReader:
    def __init__(
        self,
        facts: Facts,
        language: str,
        include: Loader | None,
        pattern_error: PatternTrouble | None,
    ) -> None:
        self._facts = facts
        self._language = language
        self._include = include
        self._pattern_error = pattern_error
        self._drafts = Drafts({}, {}, {}, {}, {}, Tags())
        self._options = Options()
        self._ignored: Counter[str] = Counter()
        self._problems: list[RuleProblem] = []
        self._more = 0
        self._files = 0
        self._words: dict[str, Callable[[RuleLine], None]] = {
            "score": self._score,
            "describe": self._describe,
            "tflags": self._tflags,
            "priority": self._priority,
            "loadplugin": self._plugin,
            "tryplugin": self._plugin,
            "enable_compat": self._enable_compat,
            "replace_tag": self._replace,
            "replace_pre": self._replace,
            "replace_inter": self._replace,
            "replace_post": self._replace,
            "replace_rules": self._replace_rules,
            "replace_start": self._replace_mark,
            "replace_end": self._replace_mark,
            **dict.fromkeys(DEFINITIONS, self._define),
        }

    def file(self, name: str, data: bytes, depth: int = 0) -> None:
        """All lines of one file."""
        self._files += 1
        if self._files > FILES:
            self._problem(Origin(name), f"more than {FILES} files: the file is left out")
            return
        seen = Conditions(self._facts)
        for line in lines_of(name, data, self._language):
            if isinstance(line, RuleProblem):
                # What stands in a part that does not count does not matter.
                if not seen.skipping:
                    self._problem(line.origin, line.text)
                continue
            try:
                if line.key in conditions.WORDS:
                    seen.take(line)
                elif seen.skipping:
                    continue
                elif line.key == "require_version":
                    seen.require(text_of(line.value))
                elif line.key == "include":
                    self._included(line, name, depth)
                else:
                    self._line(line)
            except LineError as error:
                self._problem(line.origin, str(error))
        for origin, word in seen.unclosed():
            self._problem(origin, f"'{word}' without an 'endif' in this file")

    def result(self, evals: Collection[str] | None, missing: Mapping[str, str]) -> RuleSet:
        """What has been read."""
        rules, problems = finished(self._drafts, self._pattern_error)
        for problem in problems:
            self._problem(problem.origin, problem.text)
        unsupported: dict[str, str] = {}
        for name, rule in list(rules.items()):
            if evals is None or not isinstance(rule.test, EvalTest):
                continue
            function = rule.test.function
            if function not in evals:
                reason = (
                    ""
                    if function in TESTS or function == "askdns"
                    else "SpamAssassin does not know it either"
                )
                reason = missing.get(function, reason) or "filterd does not have it"
                unsupported[name] = f"{function}(): {reason}"
                del rules[name]
        if self._more:
            text = f"{self._more} more lines cannot be used"
            self._problems.append(RuleProblem(Origin("(all files)"), text))
        return RuleSet(
            rules,
            self._options.result(),
            tuple(self._problems),
            dict(self._ignored),
            unsupported,
        )

    def _problem(self, origin: Origin, text: str) -> None:
        if len(self._problems) < PROBLEMS:
            self._problems.append(RuleProblem(origin, text))
        else:
            self._more += 1

    def _included(self, line: RuleLine, name: str, depth: int) -> None:
        if not line.value:
            raise LineError("'include' without the name of a file")
        if self._include is None:
            raise LineError("'include' is not possible here")
        if depth >= INCLUDES:
            raise LineError(f"more than {INCLUDES} files include each other")
        try:
            found = self._include(text_of(line.value), name)
        except OSError as error:
            raise LineError(f"{quoted(line.value)}: {error.strerror or error}") from None
        except ValueError as error:
            raise LineError(f"{quoted(line.value)}: {error}") from None
        if found is not None:
            self.file(*found, depth + 1)

    def _line(self, line: RuleLine) -> None:
        do = self._words.get(line.key)
        if do is not None:
            self._needs(line.key, PLUGIN_OF.get(line.key, ""))
            if line.key.startswith("replace_"):
                self._needs(line.key, PLUGINS + "ReplaceTags")
            do(line)
            return
        option = option_name(line.key)
        if option is None:
            raise LineError(f"{quoted(line.key)!r} is unknown: {quoted(line.value)}")
        self._needs(line.key, option.plugin and PLUGINS + option.plugin)
        checked(option, line.value)
        if option.name == "shortcircuit":
            self._shortcircuit(line)
        if option.used:
            self._options.add(option.name, line.value, line.origin)
        else:
            self._ignored[option.name] += 1

    def _needs(self, word: str, plugin: str) -> None:
        if plugin and plugin not in self._facts.plugins:
            raise LineError(f"{word!r} needs the plugin {plugin}, which is not loaded")

    def _define(self, line: RuleLine) -> None:
        name, test = definition(line.key, line.value)
        patterns = patterns_of(test)
        if self._pattern_error is not None:
            for pattern in patterns:
                wrong = self._pattern_error(pattern)
                if wrong:
                    raise LineError(f"{name}: {wrong}: {quoted(pattern.source)}")
        tests = self._drafts.tests
        if name not in tests and len(tests) >= RULES:
            raise LineError(f"more than {RULES} rules")
        tests[name] = (test, line.origin)
        if any(CAPTURE.search(pattern.source) for pattern in patterns):
            self._drafts.priorities[name] = CAPTURE_PRIORITY

    def _score(self, line: RuleLine) -> None:
        name, *written = line.value.split()[:6] or [b""]
        if not name or len(written) not in (1, 4):
            raise LineError(f"'score' expects a rule, and 1 or 4 numbers: {quoted(line.value)}")
        numbers, relative = [], False
        for one in written:
            number = _SCORE.match(one)
            if not number or one.startswith(b"(") is not one.endswith(b")"):
                raise LineError(f"a score is a number, as in 1.5 or (1.5): {quoted(one)!r}")
            relative = relative or one.startswith(b"(")
            numbers.append(float(number[1]))
        scores = self._drafts.scores
        key = text_of(name)
        before = (0.0, 0.0, 0.0, 0.0)
        if relative:
            if key not in scores:
                raise LineError(
                    f"'score' adds to {quoted(name)}, which no line before gave a score"
                )
            before = scores[key]
        a, b, c, d = numbers if len(numbers) == 4 else numbers * 4
        scores[key] = (before[0] + a, before[1] + b, before[2] + c, before[3] + d)

    def _pair(self, line: RuleLine) -> tuple[str, bytes]:
        words = line.value.split(None, 1)
        if len(words) < 2:
            raise LineError(f"'{line.key}' expects a name and more: {quoted(line.value)}")
        return text_of(words[0]), words[1]

    def _describe(self, line: RuleLine) -> None:
        name, text = self._pair(line)
        self._drafts.descriptions[name] = words_of(text)

    def _tflags(self, line: RuleLine) -> None:
        name, text = self._pair(line)
        self._drafts.flags[name] = text_of(text)

    def _priority(self, line: RuleLine) -> None:
        name, text = self._pair(line)
        if not _RULE_NAME.match(name.encode("latin-1")) or not _PRIORITY.match(text):
            raise LineError(f"'priority' expects a rule and a number: {quoted(line.value)}")
        self._drafts.priorities[name] = int(text)

    def _shortcircuit(self, line: RuleLine) -> None:
        name, what = map(text_of, line.value.split())
        if what in ("ham", "spam"):
            drafts = self._drafts
            drafts.priorities[name] = drafts.priorities.get(name) or SHORTCIRCUIT_PRIORITY
            words = [drafts.flags.get(name, ""), "nice" if what == "ham" else "", "noautolearn"]
            drafts.flags[name] = " ".join(filter(None, words))

    def _plugin(self, line: RuleLine) -> None:
        found = _PLUGIN.match(line.value)
        if not found:
            raise LineError(f"'{line.key}' expects the name of a plugin: {quoted(line.value)}")
        name = plugin_name(text_of(found[1]))
        if name in KNOWN_PLUGINS:
            self._facts.load(name)
        elif line.key == "loadplugin":
            raise LineError(f"the plugin {quoted(name)} is not one of SpamAssassin's own")

    def _enable_compat(self, line: RuleLine) -> None:
        if not _COMPATIBLE.match(line.value):
            raise LineError(f"'enable_compat' expects one word: {quoted(line.value)}")
        self._facts.enable(text_of(line.value))

    def _replace(self, line: RuleLine) -> None:
        name, text = self._pair(line)
        getattr(self._drafts.tags, line.key.removeprefix("replace_"))[name] = text_of(text)

    def _replace_rules(self, line: RuleLine) -> None:
        if not line.value:
            raise LineError("'replace_rules' without a rule")
        self._drafts.tags.rules.update(dict.fromkeys(map(text_of, line.value.split())))

    def _replace_mark(self, line: RuleLine) -> None:
        if not line.value:
            raise LineError(f"'{line.key}' without a value")
        setattr(self._drafts.tags, line.key.removeprefix("replace_"), text_of(line.value))
