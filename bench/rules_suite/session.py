"""What both stand-ins do: rules out of SpamAssassin's folders, a message checked by them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from filterd.message import Message
from filterd.rules.checker import CompiledRules
from filterd.rules.conf.read import read
from filterd.rules.conf.rule import RuleProblem, RuleSet
from filterd.rules.evals.gathered import functions
from filterd.rules.view.relays import networks_left_out
from filterd.rules.view.view import View


@dataclass(frozen=True)
class Sources:
    """Where the rules are: `-C`, `--siteconfigpath`, `-p` of spamassassin(1). text: lines that are
    read last; alone: lines that are read in place of all files."""

    rules: str = ""
    site: str = ""
    preferences: str = ""
    text: bytes = b""
    alone: bytes = b""
    is_local: bool = True

    def files(self) -> Iterator[tuple[str, bytes]]:
        """All files in SpamAssassin's order."""
        if self.alone:
            yield "text", self.alone
        else:
            for folder, ending in (
                (self.site, ".pre"),
                (self.rules, ".pre"),
                (self.rules, ".cf"),
                (self.site, ".cf"),
            ):
                yield from _folder(folder, ending)
            if self.preferences:
                yield from _file(Path(self.preferences))
        yield "more text", self.text


def _folder(name: str, ending: str) -> Iterator[tuple[str, bytes]]:
    path = Path(name) if name else None
    if path is None:
        return
    if path.is_dir():
        for file in sorted(path.glob(f"*{ending}")):
            yield from _file(file)
    elif path.name.endswith(ending):
        yield from _file(path)


def _file(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_file():
        yield str(path), path.read_bytes()


def _include(name: str, file: str) -> tuple[str, bytes] | None:
    path = Path(file).parent / name
    return str(path), path.read_bytes()


@dataclass(frozen=True)
class Outcome:
    """What the rules find in a message. hits: points by name, in the order of the report."""

    view: View
    hits: Mapping[str, float]
    rule_set: RuleSet
    sources: Sources

    @property
    def score(self) -> float:
        """Points together."""
        return sum(self.hits.values())


@dataclass(frozen=True)
class Rules:
    """Rules as they were read, and compiled."""

    rule_set: RuleSet
    compiled: CompiledRules

    @property
    def problems(self) -> tuple[RuleProblem, ...]:
        """Lines and patterns that could not be used."""
        left_out = networks_left_out(self.rule_set.options)
        return (*self.rule_set.problems, *self.compiled.problems, *left_out)


@lru_cache(4)
def _compiled(files: tuple[tuple[str, bytes], ...], is_local: bool) -> Rules:
    rule_set = read(files, include=_include, evals=functions().keys(), use_network=not is_local)
    return Rules(
        rule_set,
        CompiledRules.of(rule_set, functions(), use_bayes=False, use_network=not is_local),
    )


def compiled(sources: Sources) -> Rules:
    """The rules, compiled; kept while the files stay the same."""
    return _compiled(tuple(sources.files()), sources.is_local)


def view_of(sources: Sources, message: bytes) -> View:
    """A message as the rules see it."""
    return View(Message(message), compiled(sources).rule_set.options)


def outcome(sources: Sources, message: bytes) -> Outcome:
    """What the rules find."""
    rules = compiled(sources)
    view = View(Message(message), rules.rule_set.options)
    hits = {
        hit.name: hit.score for hit in rules.compiled.check(view) if not hit.name.startswith("__")
    }
    return Outcome(view, hits, rules.rule_set, sources)


def report(found: Outcome, message: bytes) -> bytes:
    """The message as `spamassassin -t` prints it: the fields, the message, the table of hits."""
    names = ",".join(sorted(found.hits)) or "none"
    verdict = "Yes" if found.score >= 5 else "No"
    lines = [
        f"X-Spam-Status: {verdict}, score={found.score:.1f} required=5.0 tests={names}"
        " autolearn=no autolearn_force=no version=4.0.2"
    ]
    if verdict == "Yes":
        lines[:0] = ["X-Spam-Flag: YES", "X-Spam-Level: " + "*" * int(found.score)]
    lines.insert(0, "X-Spam-Checker-Version: filterd")
    lines += [f"X-Spam-{name}: {text}" for name, text in added_fields(found)]
    head = "\n".join(lines).encode("utf-8", "surrogateescape")
    table = "\n".join(_rows(found)).encode("utf-8", "replace")
    return head + b"\n" + message + b"\n" + table + b"\n"


def _rows(found: Outcome) -> Iterator[str]:
    yield f"Content analysis details:   ({found.score:.1f} points, 5.0 required)"
    yield ""
    yield " pts rule name              description"
    yield "---- ---------------------- --------------------------------------------------"
    for name in sorted(found.hits):
        rule = found.rule_set.rules[name]
        # Of a rule that hits several times each hit stands by itself there.
        points = rule.scores[0 if found.sources.is_local else 1]
        shown = f"{points:4.1f}"
        shown = shown if len(shown) <= 4 else f"{points:4.0f}"
        yield f"{shown} {name:<22} {rule.description or 'No description available.'}"


def added_fields(found: Outcome) -> Iterator[tuple[str, str]]:
    """Fields that lines `add_header` ask for, with the tags that are known here: filterd adds
    fields of its own, and passes over these lines."""
    for _name, content in found.sources.files():
        for line in content.decode("latin-1").splitlines():
            if line.split(None, 1)[:1] == ["add_header"]:
                _word, _kind, name, text = [*line.split(None, 3), "", ""][:4]
                for tag, value in _tags(found.view).items():
                    text = text.replace(f"_{tag}_", value)
                yield name, text.strip("\"'")


def _tags(view: View) -> Mapping[str, str]:
    names: Sequence[tuple[str, str]] = (
        ("RELAYSTRUSTED", "X-Spam-Relays-Trusted"),
        ("RELAYSUNTRUSTED", "X-Spam-Relays-Untrusted"),
        ("RELAYSINTERNAL", "X-Spam-Relays-Internal"),
        ("RELAYSEXTERNAL", "X-Spam-Relays-External"),
    )
    return {tag: (view.header(name) or b"").decode("latin-1").strip() for tag, name in names}
