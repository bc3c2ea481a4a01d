"""`filterd rules`: the rules in SpamAssassin's language, what is wrong with them, fresh ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from filterd.cli import rules_measure
from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, reported, settings
from filterd.cli.listing import WIDE, shown
from filterd.filters.rules import sources
from filterd.filters.rules.loading import as_set
from filterd.filters.rules.settings import RulesSettings
from filterd.rules import files, overview, update
from filterd.rules.conf.lines import words_of
from filterd.rules.conf.rule import MetaTest, Rule, RulePattern, RuleProblem, RuleSet
from filterd.rules.evals.gathered import functions
from filterd.rules.evals.missing import MISSING_TESTS
from filterd.rules.patterns import PatternError, compile_pattern
from filterd.system.display import count, printable

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Rules in SpamAssassin's language: check, list and show them, fetch fresh ones.",
)

for _command in (rules_measure.test, rules_measure.stats, rules_measure.weigh):
    app.command()(_command)

LISTED = 20
"""As many names as one line of `check` has."""

SCORE_SETS = ("neither", "network", "classifier", "both")
"""What the four scores of a rule are for."""

PathsArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[PATH]...", help="rule files, folders (default: as [filters.rules])"),
]
StockOption = Annotated[
    bool, typer.Option("--stock", help="read this system's rules before those of PATH, too")
]


@dataclass(frozen=True)
class LoadedRules:
    """What was read, and the files."""

    rules: RuleSet
    paths: Sequence[Path]


@app.command()
def check(
    paths: PathsArgument = None,
    stock: StockOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read all rules and name each line that cannot be used, with the reason.

    Exit status 65 if there is such a line.
    """
    found = _read(paths, stock, config, pattern_error=_pattern_error)
    rule_set = found.rules
    doubts = list(overview.doubtful(rule_set))
    if as_json:
        emit(
            {
                "files": [str(path) for path in found.paths],
                "rules": len(rule_set.rules),
                "kinds": overview.counted(rule_set.rules),
                "problems": [_problem(one) for one in rule_set.problems],
                "doubtful": [_problem(one) for one in doubts],
                "unsupported": dict(rule_set.unsupported),
                "ignored": dict(rule_set.ignored),
                "undefined": dict(overview.undefined(rule_set)),
            }
        )
    else:
        _report(found, doubts)
    if rule_set.problems:
        raise typer.Exit(Exit.DATA)


@app.command("list")
def list_(
    paths: PathsArgument = None,
    name: Annotated[str, typer.Option(metavar="PATTERN", help="names like FORGED_*")] = "*",
    kind: Annotated[str, typer.Option(help="header, body, rawbody, full, uri, meta ...")] = "",
    parts: Annotated[
        bool, typer.Option("--all", help="also parts of other rules, whose names begin with __")
    ] = False,
    stock: StockOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rules: name, kind, scores, description.

    The four scores are for: neither network nor classifier, network, classifier, both.
    """
    rules = [
        rule
        for rule in _read(paths, stock, config).rules.rules.values()
        if fnmatchcase(rule.name, name)
        and kind in ("", overview.kind_of(rule.test))
        and (parts or not rule.is_part)
    ]
    if as_json:
        for rule in rules:
            emit(_as_json(rule))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    if not rules:
        console.print("no matching rules")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "kind", "scores", "description"):
        table.add_column(column, no_wrap=column != "description", overflow="fold")
    for rule in rules:
        table.add_row(
            shown(rule.name),
            overview.kind_of(rule.test),
            _scores(rule),
            shown(rule.description),
        )
    console.print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    paths: PathsArgument = None,
    stock: StockOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of one rule.

    Exit status 66 if there is no such rule.
    """
    rule_set = _read(paths, stock, config).rules
    rule = rule_set.rules.get(name)
    if rule is None:
        reason = rule_set.unsupported.get(name)
        fail(
            f"{name} is left out: {reason}" if reason else f"no rule is called {printable(name)}",
            Exit.NO_INPUT,
        )
    used_by = overview.used_by(rule_set, name)
    if as_json:
        emit({**_as_json(rule), "used_by": used_by})
        return
    lines = [
        (rule.name, f"{overview.kind_of(rule.test)} {overview.as_line(rule.test)}"),
        ("description", rule.description or "none"),
        ("where", str(rule.origin)),
        (
            "scores",
            ", ".join(
                f"{one:g} ({what})" for one, what in zip(rule.scores, SCORE_SETS, strict=True)
            ),
        ),
        (
            "flags",
            " ".join(f"{one}={value}" if value else one for one, value in rule.flags.items()),
        ),
        ("priority", str(rule.priority)),
        ("needs", " ".join(sorted(_needs(rule)))),
        ("used by", " ".join(used_by)),
    ]
    for title, text in lines:
        if text:
            sys.stdout.write(f"{title}: {printable(words_of(_octets(text)))}\n")


@app.command()
def fetch(
    channel: Annotated[
        list[str] | None, typer.Option(help="a channel of sa-update (default: SpamAssassin's own)")
    ] = None,
    check_only: Annotated[
        bool, typer.Option("--check-only", help="only say whether there are newer rules")
    ] = False,
) -> None:
    """Fetch SpamAssassin's newest rules with this system's `sa-update`.

    It checks their signatures, and its folder belongs to its owner: root acts as that. Exit status
    69 where sa-update is not installed or does not succeed.
    """
    program = update.program()
    if program is None:
        fail(
            "sa-update is not installed: install SpamAssassin's package "
            "(Debian and Ubuntu: apt-get install --no-install-recommends spamassassin; "
            "Fedora and Red Hat: dnf install spamassassin)",
            Exit.UNAVAILABLE,
        )
    command = [str(program), "-v", *(f"--channel={one}" for one in channel or ())]
    if check_only:
        command.append("--checkonly")
    with reported(Exit.UNAVAILABLE, OSError):
        status = update.run(command, Path("/") / files.UPDATES)
    if status == update.UPDATED:
        said = "there are newer rules" if check_only else "fetched; a running daemon reads them"
    elif status == update.NOTHING_NEW:
        said = "the rules are the newest"
    else:
        fail(f"{' '.join(command)} ended with exit status {status}", Exit.UNAVAILABLE)
    sys.stdout.write(said + "\n")


def _pattern_error(pattern: RulePattern) -> str:
    try:
        compile_pattern(pattern)
    except PatternError as error:
        return str(error)
    return ""


def _read(
    paths: list[Path] | None,
    stock: bool,
    config: Path | None,
    *,
    pattern_error: Callable[[RulePattern], str] | None = None,
) -> LoadedRules:
    """The rules of the files that are named, or of those that the settings name."""
    named = bool(paths or stock)
    chosen = RulesSettings() if named else settings(config).of_filter(RulesSettings)
    with reported(Exit.NO_INPUT, OSError, ValueError):
        found = files.find(paths or (), use_stock=stock) if named else sources.paths(chosen)
        if not found:
            fail(
                "there are no rules here: name files, or install SpamAssassin's package",
                Exit.NO_INPUT,
            )
        rule_set, read = files.load(
            found,
            evals=functions(),
            missing=MISSING_TESTS,
            pattern_error=pattern_error,
            language=chosen.language,
            use_network=chosen.use_network,
        )
    return LoadedRules(as_set(rule_set, chosen), read)


def _report(found: LoadedRules, doubts: Sequence[RuleProblem]) -> None:
    rule_set = found.rules
    kinds = ", ".join(
        f"{number:,} {kind}" for kind, number in overview.counted(rule_set.rules).items()
    )
    write = sys.stdout.write
    for problem in rule_set.problems:
        write(f"{printable(str(problem))}\n")
    for problem in doubts:
        write(f"{printable(str(problem))} (it is used)\n")
    write(f"{count(len(rule_set.rules), 'rule')} of {count(len(found.paths), 'file')}: {kinds}\n")
    reasons: dict[str, list[str]] = {}
    for name, why in rule_set.unsupported.items():
        reasons.setdefault(why.partition(": ")[2], []).append(name)
    for reason, names in sorted(reasons.items(), key=lambda one: -len(one[1])):
        left_out = count(len(names), "rule is", "rules are")
        write(f"{left_out} left out, {printable(reason)}: {_some(names)}\n")
    if rule_set.ignored:
        write(f"filterd has other settings for: {_some(sorted(rule_set.ignored))}\n")
    missing = overview.undefined(rule_set)
    if missing:
        write(f"meta rules name what no line defines (it counts 0): {_some(list(missing))}\n")
    left = len(rule_set.problems)
    write(f"{count(left, 'line')} cannot be used\n" if left else "every line can be used\n")


def _some(names: Sequence[str]) -> str:
    rest = len(names) - LISTED
    listed = printable(", ".join(names[:LISTED]))
    return f"{listed} and {rest} more" if rest > 0 else listed


def _scores(rule: Rule) -> str:
    if len(set(rule.scores)) == 1:
        return f"{rule.scores[0]:g}"
    return " ".join(f"{one:g}" for one in rule.scores)


def _needs(rule: Rule) -> frozenset[str]:
    return rule.test.names if isinstance(rule.test, MetaTest) else frozenset()


def _octets(text: str) -> bytes:
    """Text of a rule, which is octets, or a description, which may be anything."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _problem(problem: RuleProblem) -> dict[str, str | int]:
    return {"file": problem.origin.file, "line": problem.origin.line, "text": problem.text}


def _as_json(rule: Rule) -> dict[str, object]:
    return {
        "name": rule.name,
        "kind": overview.kind_of(rule.test),
        "test": words_of(_octets(overview.as_line(rule.test))),
        "scores": rule.scores,
        "description": rule.description,
        "flags": dict(rule.flags),
        "priority": rule.priority,
        "file": rule.origin.file,
        "line": rule.origin.line,
        "needs": sorted(_needs(rule)),
    }
