"""From settings to compiled rules: files read, rules changed as the settings say, the last good
ones where the new ones are broken."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from filterd.filters.rules import last_good
from filterd.filters.rules.last_good import LastGood, RuleTexts
from filterd.filters.rules.settings import USE_BAYES, USE_NETWORK, RulesSettings
from filterd.filters.rules.sources import INCLUDE, paths
from filterd.rules import files
from filterd.rules.checker import CompiledRules
from filterd.rules.conf.read import read
from filterd.rules.conf.rule import Option, Rule, RuleProblem, RuleSet
from filterd.rules.evals import gathered
from filterd.rules.evals.dns_questions import asking
from filterd.rules.evals.missing import MISSING_TESTS
from filterd.rules.view.relays import networks_left_out
from filterd.system.garbage import no_collections

log = logging.getLogger(__name__)

READINGS = 3
"""How often files are read again that change while they are read."""

SHOWN = 5
"""Problems that the log names; `filterd rules check` names all."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rules in force, with their scores of one set. problems: lines that were left out. asking: the
    rules that may ask the DNS. broken: why these are the last good rules, and not those of the
    files; `""` where they are."""

    rules: CompiledRules
    rule_set: RuleSet
    score_set: int
    problems: tuple[RuleProblem, ...]
    asking: tuple[Rule, ...] = ()
    broken: str = ""


def load(settings: RulesSettings, score_set: int, more: Iterable[Option] = ()) -> Loaded:
    """Read and compile the rules.

    A line that cannot be used is left out. Where a file cannot be read, or there are lines that
    cannot be used and that the last good rules did not have, those are taken once more. more:
    options that count where the files have none of that name.
    Raises OSError or ValueError where there are no last good rules, either.
    """
    with no_collections():
        return _loaded(settings, score_set, tuple(more))


def _loaded(settings: RulesSettings, score_set: int, options: tuple[Option, ...]) -> Loaded:
    asked = _asked(settings)
    former: LastGood | None = None
    try:
        texts = _read(settings)
        loaded = _compiled(texts, settings, score_set, options)
    except (OSError, ValueError) as error:
        former = last_good.load(settings.cache, asked)
        if former is None:
            raise
        broken = str(error)
    else:
        # Most often nothing is wrong, and nobody needs to know what was wrong before.
        former = last_good.load(settings.cache, asked) if loaded.problems else None
        found = former.new_among(loaded.problems) if former is not None else []
        if not found or former is None:
            last_good.save(settings.cache, asked, texts, loaded.problems)
            return loaded
        broken = "; ".join(map(str, found[:SHOWN]))
        if len(found) > SHOWN:
            broken += f"; and {len(found) - SHOWN} more"
    log.error("the last good rules stay in force: %s", broken)
    good = _compiled(former.texts, settings, score_set, options)
    return dataclasses.replace(good, broken=broken)


def read_rules(settings: RulesSettings) -> RuleSet:
    """The rules of the files as they are, not compiled. Raises OSError or ValueError."""
    return _rule_set(_read(settings), settings, ())


def summary(rule_set: RuleSet) -> str:
    """What of the files is not used, in one line; `""` if everything is."""
    options = sorted(rule_set.ignored)
    parts = [
        f"{len(rule_set.problems)} lines cannot be used" if rule_set.problems else "",
        f"{len(rule_set.unsupported)} rules are not supported" if rule_set.unsupported else "",
        f"options that are not used: {', '.join(options)}" if options else "",
    ]
    told = "; ".join(filter(None, parts))
    return f"{told} (`filterd rules check` says more)" if told else ""


def _asked(settings: RulesSettings) -> str:
    """The settings that say which files there are."""
    return json.dumps([settings.files, settings.stock, settings.own, settings.language])


def _read(settings: RulesSettings) -> RuleTexts:
    """All files, each as it was at one moment. Raises OSError or ValueError."""
    for _ in range(READINGS):
        names = paths(settings)
        before = files.signature(names)
        found = files.RuleFiles()
        reading = LoadedFiles(found, tuple(found.read(names)))
        if any(INCLUDE.search(content) for _, content in reading.files):
            # Which of the lines that include others count only the reader says.
            read(reading.files, include=reading.include, language=settings.language)
        if files.signature(paths(settings)) == before:
            return RuleTexts(reading.files, reading.included, reading.missing)
    raise OSError("rule files change again and again while they are read")


@dataclass
class LoadedFiles:
    """Files, and what is noted of those that they include."""

    source: files.RuleFiles
    files: tuple[tuple[str, bytes], ...]
    included: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    missing: dict[tuple[str, str], str] = field(default_factory=dict)

    def include(self, name: str, file: str) -> tuple[str, bytes] | None:
        """A `conf.read.Loader`."""
        try:
            one = self.source.include(name, file)
        except (OSError, ValueError) as error:
            self.missing[name, file] = str(error)
            raise
        if one is not None:
            self.included[name, file] = one
        return one


def _rule_set(texts: RuleTexts, settings: RulesSettings, more: Iterable[Option]) -> RuleSet:
    found = read(
        texts.files,
        include=texts.include,
        language=settings.language,
        evals=gathered.functions().keys(),
        missing=MISSING_TESTS,
        use_network=settings.use_network,
    )
    options = dict(found.options)
    for option in more:
        options.setdefault(option.name, (option,))
    problems = (*found.problems, *networks_left_out(options))
    return dataclasses.replace(as_set(found, settings), options=options, problems=problems)


def as_set(found: RuleSet, settings: RulesSettings) -> RuleSet:
    """The rules of files with the scores of the settings, without those that these exclude."""
    rules = {
        name: _changed(rule, settings)
        for name, rule in found.rules.items()
        if not any(fnmatchcase(name, pattern) for pattern in settings.exclude)
    }
    return dataclasses.replace(found, rules=rules)


def _changed(rule: Rule, settings: RulesSettings) -> Rule:
    points = settings.scores.get(rule.name)
    if points is None:
        return rule
    return dataclasses.replace(rule, scores=(points, points, points, points))


def _compiled(
    texts: RuleTexts, settings: RulesSettings, score_set: int, more: Iterable[Option]
) -> Loaded:
    rule_set = _rule_set(texts, settings, more)
    rules = CompiledRules.of(
        rule_set,
        gathered.functions(),
        use_bayes=bool(score_set & USE_BAYES),
        use_network=bool(score_set & USE_NETWORK),
        cache=settings.cache,
    )
    problems = (*rule_set.problems, *rules.problems)
    return Loaded(rules, rule_set, score_set, problems, asking(rule_set.rules.values()))
