"""The filter `rules` beside the real SpamAssassin: which rule hits in which message.

    python -m bench.rules_peers ANSWERS.tsv... [--out FILE] [--rules PATH...] [--limit N]
    python -m bench.rules_peers --ask OUT.tsv MESSAGE...

`--ask` has SpamAssassin (its Perl modules, local tests only, without Bayes) say what hits in each
message, at about eight messages a second; a line is path, points, rules, and parts of rules, with
tabs between. The comparison reads such files, examines the same messages with the same stock rules
(score set 0), and prints what is missing and what is too much: in all, by kind of rule, by rule.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from filterd.filters.rules.loading import Loaded, load
from filterd.filters.rules.settings import RulesSettings
from filterd.message import Message
from filterd.rules.conf.rule import EvalTest, HeaderExists, MetaTest, Rule, TextTest
from filterd.rules.view.view import View

ASK = r"""
use strict; use Mail::SpamAssassin; use Mail::SpamAssassin::PerMsgStatus;
my $sa = Mail::SpamAssassin->new({local_tests_only => 1, dont_copy_prefs => 1,
  userprefs_filename => '/dev/null', home_dir_for_helpers => '/tmp', post_config_text =>
  "use_bayes 0\nuse_auto_welcomelist 0\nuse_txrep 0\ntime_limit 300\n"});
$sa->init(1); $sa->compile_now(0, 0); $| = 1;
while (my $path = <STDIN>) {
  chomp $path; open my $file, '<:raw', $path or next;
  my $text = do { local $/; <$file> };
  my $message = $sa->parse(\$text, 0); my $status = $sa->check($message);
  print join("\t", $path, $status->get_score, $status->get_names_of_tests_hit,
    $status->get_names_of_subtests_hit), "\n";
  $status->finish; $message->finish;
}
"""
"""Written for this comparison, against Mail::SpamAssassin(3)."""

EXAMPLES = 3
"""Messages that are named for each difference."""


@dataclass
class Difference:
    """What is different about one rule. hits: SpamAssassin's messages. missing, extra: messages in
    which only SpamAssassin, or only filterd, says that it hits."""

    hits: int = 0
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


@dataclass
class Comparison:
    """All differences over the same messages."""

    messages: int = 0
    seconds: float = 0.0
    same_points: int = 0
    rules: dict[str, Difference] = field(default_factory=lambda: defaultdict(Difference))

    def note(self, path: str, theirs: frozenset[str], ours: frozenset[str]) -> None:
        """Count one message."""
        self.messages += 1
        for name in theirs:
            self.rules[name].hits += 1
        for name in theirs - ours:
            self.rules[name].missing.append(path)
        for name in ours - theirs:
            self.rules[name].extra.append(path)


def ask(out: Path, messages: Iterable[str]) -> None:
    """Add SpamAssassin's answers to a file."""
    with out.open("ab") as file:
        subprocess.run(
            ["perl", "-e", ASK], input="\n".join(messages).encode(), stdout=file, check=True
        )


def answers(paths: Iterable[str]) -> Iterator[tuple[str, float, frozenset[str]]]:
    """(path, points, names of rules and parts of rules) of each message, once."""
    seen = set()
    for path in paths:
        for line in Path(path).read_text("utf-8", "surrogateescape").splitlines():
            words = line.split("\t")
            if len(words) == 4 and words[0] not in seen:
                seen.add(words[0])
                names = frozenset(f"{words[2]},{words[3]}".split(",")) - {"", "none"}
                yield words[0], float(words[1]), names


def kind(rule: Rule | None) -> str:
    """How the table calls what a rule looks at."""
    if rule is None:
        return "not read"
    test = rule.test
    if isinstance(test, EvalTest):
        return f"{test.kind} eval"
    if isinstance(test, MetaTest):
        return "meta"
    if isinstance(test, TextTest):
        return str(test.kind)
    if isinstance(test, HeaderExists):
        return "header exists"
    return type(test).__name__.removesuffix("Test").lower()


def compare(loaded: Loaded, told: Iterable[tuple[str, float, frozenset[str]]]) -> Comparison:
    """Examine the messages, and count what is different."""
    found = Comparison()
    for path, points, theirs in told:
        try:
            data = Path(path).read_bytes()
        except OSError:
            continue
        begin = time.process_time()
        hits = loaded.rules.check(View(Message(data), loaded.rule_set.options))
        found.seconds += time.process_time() - begin
        found.note(path, theirs, frozenset(hit.name for hit in hits))
        # Its points are rounded to three digits, rule by rule.
        ours = sum(hit.score for hit in hits if not hit.name.startswith("__"))
        found.same_points += abs(ours - points) < 0.01
    return found


def share(part: int, whole: int) -> str:
    """In percent."""
    return f"{100.0 * part / whole:.3f}" if whole else "-"


def report(loaded: Loaded, found: Comparison, out: TextIO) -> None:
    """Write the tables."""
    known = loaded.rule_set.rules
    by_kind: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for name, one in found.rules.items():
        for key in (kind(known.get(name)), "all"):
            counts = by_kind[key]
            counts[0] += one.hits
            counts[1] += len(one.missing)
            counts[2] += len(one.extra)
    rate = found.messages / max(found.seconds, 1e-9)
    print(
        f"{found.messages} messages, {rate:.0f}/s; the same points in {found.same_points}", file=out
    )
    print(f"{'kind':16} {'hits':>9} {'missing':>8} {'%':>8} {'extra':>8} {'%':>8}", file=out)
    for name, (hits, missing, extra) in sorted(by_kind.items()):
        print(
            f"{name:16} {hits:9} {missing:8} {share(missing, hits):>8} {extra:8} "
            f"{share(extra, hits):>8}",
            file=out,
        )
    print("\nrule, kind, where, hits, missing, extra, examples", file=out)
    worst = sorted(
        ((name, one) for name, one in found.rules.items() if one.missing or one.extra),
        key=lambda pair: -len(pair[1].missing) - len(pair[1].extra),
    )
    for name, one in worst:
        rule = known.get(name)
        told = rule.test.function if rule and isinstance(rule.test, EvalTest) else ""
        where = str(rule.origin) if rule else loaded.rule_set.unsupported.get(name, "not read")
        print(
            f"{name}  {kind(rule)} {told} {where}  {one.hits} -{len(one.missing)} "
            f"+{len(one.extra)}"
            + "".join(f"\n    - {path}" for path in one.missing[:EXAMPLES])
            + "".join(f"\n    + {path}" for path in one.extra[:EXAMPLES]),
            file=out,
        )
    unsupported = Counter(loaded.rule_set.unsupported.values())
    print(f"\n{sum(unsupported.values())} rules are not supported, {len(known)} are", file=out)
    for reason, count in unsupported.most_common():
        print(f"{count:6} {reason}", file=out)
    print(f"\n{len(loaded.problems)} lines cannot be used", file=out)
    for problem in loaded.problems:
        print(f"  {problem}", file=out)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("paths", nargs="+", help="answers; with --ask messages")
    parser.add_argument("--ask", type=Path, metavar="OUT.tsv")
    parser.add_argument("--out", type=Path, help="where the tables go, else standard output")
    parser.add_argument("--rules", nargs="*", default=(), help="more rule files")
    parser.add_argument("--limit", type=int, help="only so many messages")
    parser.add_argument("--cache", type=Path, default=RulesSettings.cache)
    arguments = parser.parse_args()
    if arguments.ask:
        ask(arguments.ask, arguments.paths)
        return
    settings = RulesSettings(tuple(arguments.rules), own=False, cache=arguments.cache)
    told = list(answers(arguments.paths))[: arguments.limit]
    loaded = load(settings, score_set=0)
    found = compare(loaded, told)
    if arguments.out is None:
        report(loaded, found, sys.stdout)
        return
    with arguments.out.open("w", encoding="utf-8", errors="surrogateescape") as out:
        report(loaded, found, out)


if __name__ == "__main__":
    main()
