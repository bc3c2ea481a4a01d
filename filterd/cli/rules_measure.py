"""`filterd rules test|stats|weigh`: what rules match, what they tell, and scores for them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from filterd.bayes.lab.train import Source
from filterd.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    emit,
    fail,
    left_out,
    reported,
    settings,
)
from filterd.cli.evaluate import ours
from filterd.cli.learn import progress_bar, show_skips
from filterd.cli.scan import ClientOption, HeloOption, LoginOption, SenderOption, assumed
from filterd.config.assembly import site_services
from filterd.config.load import Settings
from filterd.filters.rules.filter import Rules
from filterd.filters.rules.loading import Loaded
from filterd.filters.rules.settings import RulesSettings
from filterd.mailfiles.corpora import read_messages
from filterd.mailfiles.mail_file import CorpusError
from filterd.mailfiles.selection import Skips
from filterd.message import Message
from filterd.message.line_ends import with_crlf
from filterd.rules.conf.rule import MetaTest
from filterd.rules.lab.observations import Observation, observe
from filterd.rules.lab.statistics import by_worth, statistics
from filterd.rules.view.view import View
from filterd.system import privileges
from filterd.system.display import printable

SHOWN_TEXT = 120
"""Characters of a matching text that are shown."""

SAMPLE = 200
"""Messages with which each rule is timed alone."""

_Corpus = Annotated[
    list[str], typer.Argument(metavar="PATH...", help="index, or folders named spam and ham")
]


def test(
    paths: Annotated[list[str], typer.Argument(metavar="FILE...", help="as for scan")],
    names: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="NAME", help="only this rule; may be repeated"),
    ] = None,
    config: ConfigOption = None,
    sender: SenderOption = "",
    client: ClientOption = "",
    helo: HeloOption = "",
    login: LoginOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show which rules hit in a message, and with --rule where and what they match.

    Exit status 1 if a rule named with --rule hits in none of the messages.
    """
    loaded = loaded_rules(settings(config))
    wanted = names or []
    _check_names(loaded, wanted)
    envelope = assumed(sender, None, client, login, helo)
    silent = set(wanted)
    with reported(Exit.NO_INPUT, CorpusError, OSError):
        for path in paths:
            for _label, name, data in read_messages(path, left_out):
                view = View(Message(with_crlf(data), envelope), loaded.rule_set.options)
                found = _tested(loaded, view, wanted)
                silent -= {one["rule"] for one in found if one["hits"]}
                if as_json:
                    emit({"file": name, "rules": found})
                else:
                    _print_tested(name, found)
    if silent:
        raise typer.Exit(1)


def _tested(loaded: Loaded, view: View, wanted: list[str]) -> list[dict[str, Any]]:
    """What each rule that hits, or is asked for, has found."""
    hits = {hit.name: hit for hit in loaded.rules.check(view)}
    rules = loaded.rule_set.rules
    # TIME_LIMIT_EXCEEDED is not a rule; a warning has said it.
    shown = wanted or [name for name in hits if name in rules and not rules[name].is_part]
    found = []
    for name in shown:
        rule = rules[name]
        one: dict[str, Any] = {
            "rule": name,
            "hits": hits[name].count if name in hits else 0,
            "points": hits[name].score if name in hits else 0.0,
            "description": rule.description,
            "defined": str(rule.origin),
        }
        if isinstance(rule.test, MetaTest):
            one["parts"] = {
                part: hits[part].count if part in hits else 0 for part in sorted(rule.test.names)
            }
        if wanted:
            one["where"] = [
                {"where": where, "text": _text(text)}
                for where, text in loaded.rules.where(view, name)
            ]
        found.append(one)
    return found


def _text(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _print_tested(name: str, found: Iterable[dict[str, Any]]) -> None:
    write = sys.stdout.write
    write(f"{printable(name)}\n")
    for one in found:
        often = f"{one['hits']} times" if one["hits"] > 1 else "hits" if one["hits"] else "no hit"
        write(f"  {one['rule']} {one['points']:g} points, {often}: {one['description']}\n")
        for part, count in one.get("parts", {}).items():
            write(f"    {part} = {count}\n")
        for match in one.get("where", ()):
            write(f"    {match['where']}: {printable(match['text'][:SHOWN_TEXT])}\n")


def stats(
    paths: _Corpus,
    parts: Annotated[bool, typer.Option("--parts", help="also rules that only others use")] = False,
    slow: Annotated[
        int, typer.Option(min=0, metavar="N", help="the N rules that take most time, each alone")
    ] = 0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure each rule on labelled mail, as SpamAssassin's STATISTICS files do.

    S/O is the share of spam among a rule's hits if there was as much spam as ham.
    """
    loaded = loaded_rules(settings(config))
    timing = Timing(loaded) if slow else None
    observations = observed(loaded, paths, timing)
    rules = loaded.rule_set.rules
    found = [
        one
        for one in by_worth(statistics(observations).values())
        if parts or not rules[one.name].is_part
    ]
    rows = [
        {
            "rule": one.name,
            "overall_percent": round(one.overall_percent, 3),
            "spam_percent": round(one.spam_percent, 3),
            "ham_percent": round(one.ham_percent, 3),
            "s_o": round(one.s_o, 3),
            "points": rules[one.name].scores[loaded.score_set],
        }
        for one in found
    ]
    spam = sum(one.spam for one in observations)
    slowest = timing.slowest(slow) if timing else []
    if as_json:
        emit(
            {
                "messages": len(observations),
                "spam": spam,
                "rules": rows,
                "slow": [{"rule": name, "microseconds": each} for name, each in slowest],
            }
        )
        return
    ham = len(observations) - spam
    sys.stdout.write(f"{len(observations)} messages: {spam} spam, {ham} ham\n")
    _print_table(("OVERALL%", "SPAM%", "HAM%", "S/O", "SCORE", "NAME"), map(_cells, rows))
    if timing is not None:
        sys.stdout.write(f"\nMicroseconds a message, each rule alone, {timing.messages} messages\n")
        _print_table(("TIME", "NAME"), ([f"{each:.1f}", name] for name, each in slowest))


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        *(f"{row[key]:.3f}" for key in ("overall_percent", "spam_percent", "ham_percent", "s_o")),
        f"{row['points']:.3f}",
        row["rule"],
    ]


def _print_table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, justify="left" if head == "NAME" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


def weigh(
    paths: _Corpus,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="write the scores there")
    ] = None,
    ham: Annotated[
        float, typer.Option(min=0.0, max=50.0, help="percent of the ham that may be labelled")
    ] = 0.1,
    most: Annotated[float, typer.Option(min=0.1, help="points that one rule gives at most")] = 4.5,
    bayes: Annotated[
        bool,
        typer.Option("--bayes", help="beside a classifier that learns each message after it"),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Make scores for all rules, and points for the classifier with --bayes, from labelled mail.

    The result is a file for `files` of [filters.rules]. Rules that are not `nice` get no points
    below zero; of ham no more than allowed gets the points from which mail is labelled.
    """
    from filterd.rules.lab import weighing  # noqa: PLC0415  (scikit-learn)

    current = settings(config)
    loaded = loaded_rules(current)
    rules = loaded.rule_set.rules
    observations = observed(loaded, paths, bayes=bayes, used=lambda name: not rules[name].is_part)
    nice = {name for name, rule in rules.items() if "nice" in rule.flags}
    wanted = weighing.Wanted(current.policy.label, ham, most)
    with reported(Exit.DATA, weighing.WeighingError):
        found = weighing.weigh(observations, nice, wanted)
    text = weighing.as_local_cf(found, ", ".join(paths))
    if out is None:
        sys.stdout.write(text)
        return
    with reported(Exit.CANNOT_CREATE, OSError), privileges.as_caller():
        out.write_text(text, encoding="utf-8")


class Timing:
    """How long each rule takes alone: patterns are asked together otherwise, and no one of them has
    a time of its own. messages: with which they were timed."""

    def __init__(self, loaded: Loaded) -> None:
        self._rules = loaded.rules
        self._names = [
            name
            for name, rule in loaded.rule_set.rules.items()
            if not isinstance(rule.test, MetaTest)
        ]
        self._seconds = dict.fromkeys(self._names, 0.0)
        self.messages = 0

    def note(self, view: View) -> None:
        """Time all rules with a message, unless there were enough."""
        if self.messages >= SAMPLE:
            return
        self.messages += 1
        for name in self._names:
            begin = time.perf_counter()
            self._rules.where(view, name)
            self._seconds[name] += time.perf_counter() - begin

    def slowest(self, count: int) -> list[tuple[str, float]]:
        """Rule and microseconds a message, the slowest first."""
        slow = sorted(self._seconds.items(), key=lambda pair: -pair[1])[:count]
        return [(name, 1e6 * seconds / max(self.messages, 1)) for name, seconds in slow]


def loaded_rules(current: Settings) -> Loaded:
    """The rules of the settings, compiled, whether the filter is in the chain or not."""
    rules = Rules(current.of_filter(RulesSettings), site_services(current))
    with reported(Exit.UNAVAILABLE, OSError, ValueError):
        rules.prepare()
    return rules.loaded


def observed(
    loaded: Loaded,
    paths: Iterable[str],
    timing: Timing | None = None,
    *,
    bayes: bool = False,
    used: Callable[[str], bool] = lambda _name: True,
) -> list[Observation]:
    """What hits in labelled mail. used: which rules are looked at."""

    def check(data: bytes) -> list[str]:
        view = View(Message(with_crlf(data)), loaded.rule_set.options)
        hits = [
            hit.name
            for hit in loaded.rules.check(view)
            if hit.name in loaded.rule_set.rules and used(hit.name)
        ]
        if timing is not None:
            timing.note(view)
        return hits

    classifier = ours("fresh", None) if bayes else None
    skips = Skips()
    with reported(Exit.NO_INPUT, CorpusError, OSError), progress_bar("checking") as progress:
        found = observe(map(Source, paths), check, classifier, progress, skips)
    show_skips(skips)
    return found


def _check_names(loaded: Loaded, names: Iterable[str]) -> None:
    """End the command for a rule that is not there."""
    known = loaded.rule_set.rules
    missing = [name for name in names if name not in known]
    if missing:
        why = (loaded.rule_set.unsupported.get(name, "no such rule") for name in missing)
        fail("\n".join(f"{n}: {w}" for n, w in zip(missing, why, strict=True)), Exit.USAGE)
