"""Every regular expression of the package, strings that make it work hard, and how its work grows.

Patterns are found by walking the modules' values, and those that are written at the place of their
use by reading the sources, so that a new one is covered by itself. The strings come from the
pattern's own structure: what it begins with, over and over, and what its repetitions take, before
something that they do not.
"""

from __future__ import annotations

import ast
import heapq
import importlib
import pkgutil
import re
import re._constants as op  # type: ignore[import-untyped]
import re._parser as parser  # type: ignore[import-untyped]
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import filterd

PACKAGE = Path(filterd.__file__).parent

_AT_ONE_PLACE = frozenset({"match", "fullmatch"})
_METHODS = _AT_ONE_PLACE | {"search", "finditer", "findall", "split", "sub", "subn", "scanner"}


@dataclass(frozen=True)
class Used:
    """One pattern. name: module and variable, or line. at_one_place: it is only tried where the
    text begins, never searched for."""

    name: str
    pattern: re.Pattern[Any]
    at_one_place: bool

    def run(self, text: str | bytes) -> None:
        """Do with the text what the package does."""
        if self.at_one_place:
            self.pattern.match(text)
            self.pattern.fullmatch(text)
        else:
            for _ in self.pattern.finditer(text):
                pass


def modules() -> Iterator[ModuleType]:
    """All modules of the package but those that only run: the entry, and the index's migrations."""
    for found in pkgutil.walk_packages([str(PACKAGE)], "filterd."):
        if not found.name.endswith("__main__") and ".migrations." not in found.name:
            yield importlib.import_module(found.name)


def used() -> list[Used]:
    """Every pattern of the package, each once."""
    held = [
        (module.__name__, name, pattern)
        for module in modules()
        for name, value in vars(module).items()
        for pattern in _patterns(value, 3)
    ]
    methods, written_in_place = _read_sources({name for _module, name, _pattern in held})
    found: dict[tuple[Any, int], Used] = {}
    for module, name, pattern in held:
        key = (pattern.pattern, pattern.flags)
        if key in found and not found[key].at_one_place:
            continue
        found[key] = Used(f"{module}.{name}", pattern, methods.at_one_place(module, name))
    for where, method, pattern in written_in_place:
        key = (pattern.pattern, pattern.flags)
        if key not in found or found[key].at_one_place > (method in _AT_ONE_PLACE):
            found[key] = Used(where, pattern, method in _AT_ONE_PLACE)
    return sorted(found.values(), key=lambda one: one.name)


def _patterns(value: object, depth: int) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, Mapping):
        for one in (*value.keys(), *value.values()):
            yield from _patterns(one, depth - 1)
    elif depth and isinstance(value, (tuple, list, set, frozenset)):
        for one in value:
            yield from _patterns(one, depth - 1)
    elif depth and isinstance(value, type) and value.__module__.startswith("filterd."):
        for one in vars(value).values():
            yield from _patterns(one, depth - 1)


def _read_sources(
    names: Set[str],
) -> tuple[_Methods, list[tuple[str, str, re.Pattern[Any]]]]:
    """What is called on each of these variables; and the patterns that are written at the place of
    their use, with place and method."""
    methods = _Methods()
    written_in_place: list[tuple[str, str, re.Pattern[Any]]] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        words = set(re.findall(r"\w+", source))
        if not (words & names or ("re" in words and words & _METHODS)):
            continue
        nodes = list(ast.walk(ast.parse(source)))
        where = str(path.relative_to(PACKAGE))
        methods.read("filterd." + where.removesuffix(".py").replace("/", "."), nodes)
        written_in_place += _written_in_place(where, nodes)
    return methods, written_in_place


class _Methods:
    """What is called on each variable; handing one on counts as searching."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], set[str]] = defaultdict(set)

    def read(self, where: str, nodes: Iterable[ast.AST]) -> None:
        """Note what one module does. where: its name."""
        called: set[int] = set()
        variables = [node for node in nodes if isinstance(node, (ast.Name, ast.Attribute))]
        for node in variables:
            if isinstance(node, ast.Attribute) and node.attr in _METHODS:
                called.add(id(node.value))
                self._found[self._key(where, node.value)].add(node.attr)
            elif isinstance(node, ast.Attribute) and node.attr == "pattern":
                called.add(id(node.value))  # a part of another one
        for node in variables:
            if id(node) not in called and isinstance(node.ctx, ast.Load):
                self._found[self._key(where, node)].add("search")

    @staticmethod
    def _key(where: str, node: ast.expr) -> tuple[str, str]:
        name = _last_name(node)
        return (where if name.startswith("_") else "", name)

    def at_one_place(self, module: str, name: str) -> bool:
        found = self._found[(module.removesuffix(".__init__") if name[0] == "_" else "", name)]
        return bool(found) and found <= _AT_ONE_PLACE


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _written_in_place(
    where: str, nodes: Iterable[ast.AST]
) -> Iterator[tuple[str, str, re.Pattern[Any]]]:
    for node in nodes:
        if not (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in _METHODS
            and isinstance(node.args[0], ast.Constant)
        ):
            continue
        flags = next((k.value for k in node.keywords if k.arg == "flags"), None)
        compiled = re.compile(node.args[0].value, _flags(flags))
        yield f"{where}:{node.lineno}", node.func.attr, compiled


def _flags(node: ast.expr | None) -> int:
    return 0 if node is None else int(eval(ast.unparse(node), {"re": re}))


# What strings a pattern is tried with.

Maker = Callable[[int], str | bytes]
"""Makes a string of about so many characters."""

_FILLERS = "a0 \n\r\t<>=\"';:,.(){}[]-_/\\%&#@!~\0"


def attacks(pattern: re.Pattern[Any]) -> list[Maker]:
    """Makers of strings of about so many characters, each hard in another way."""
    is_text = isinstance(pattern.pattern, str)
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE if not is_text else 0)
    examples = list(dict.fromkeys(_example(tree, n, times) for n in range(4) for times in (1, 0)))
    letters = _alphabet(tree)
    pieces: dict[tuple[str, str, str], None] = {}
    for example in (whole[:40] for whole in examples):
        for stop in range(len(example) + 1):
            head = example[:stop]
            pieces[("", head, "")] = None
            for letter in letters:
                pieces[(head, letter, "")] = None
                pieces[("", head + letter, "")] = None
                pieces[(head, letter, "\x01")] = None
            for start in range(max(0, stop - 6), stop):
                pieces[(example[:start], example[start:stop], "\x01")] = None
    for one in letters:
        for other in letters:
            pieces[("", one + other, "")] = None
    return [Pumped(*piece, is_text) for piece in pieces if piece[1]]


class Pumped(NamedTuple):
    """Makes a head, one piece as often as there is room, and a tail."""

    head: str
    pump: str
    tail: str
    is_text: bool

    def __call__(self, size: int) -> str | bytes:
        head, pump, tail, is_text = self
        text = head + pump * max(1, (size - len(head)) // len(pump)) + tail
        return text if is_text else text.encode("latin-1", "replace")

    def __str__(self) -> str:
        return f"{self.head!r} + {self.pump!r} * n + {self.tail!r}"


def _told(make: Maker) -> str:
    """What it makes, in words."""
    return str(make) if isinstance(make, Pumped) else make.__doc__ or make.__name__


def _alphabet(tree: Any) -> list[str]:
    """Letters that matter to the pattern, and some that most classes take."""
    found = dict.fromkeys(_literals(tree))
    return [*list(found)[:10], *[c for c in _FILLERS if c not in found]][:22]


def _literals(tree: Any) -> Iterator[str]:
    for code, argument in tree:
        if code in (op.LITERAL, op.NOT_LITERAL):
            yield chr(argument)
        elif code is op.IN:
            yield from (_member(argument) or "",) if _member(argument) else ()
        for below in _below(argument):
            yield from _literals(below)


def _below(argument: Any) -> Iterator[Any]:
    if isinstance(argument, parser.SubPattern):
        yield argument
    elif isinstance(argument, (tuple, list)):
        for one in argument:
            if isinstance(one, (parser.SubPattern, tuple, list)):
                yield from _below(one)


def _example(tree: Any, choice: int, times: int) -> str:
    """A string that the pattern takes, or nearly. choice: which way is gone where there are
    several. times: of what may be left out."""
    out: list[str] = []
    for code, argument in tree:
        if code is op.LITERAL:
            out.append(chr(argument))
        elif code is op.NOT_LITERAL:
            out.append("b" if argument == ord("a") else "a")
        elif code is op.ANY:
            out.append("a")
        elif code is op.IN:
            out.append(_member(argument, choice))
        elif code is op.BRANCH:
            branches = argument[1]
            out.append(_example(branches[choice % len(branches)], choice, times))
        elif code is op.SUBPATTERN:
            out.append(_example(argument[3], choice, times))
        elif code is op.ATOMIC_GROUP:
            out.append(_example(argument, choice, times))
        elif code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            least, most, what = argument
            count = max(least, min(times, most))
            out.append(_example(what, choice, times) * min(count, 20))
    return "".join(out)


_CATEGORIES = {
    op.CATEGORY_DIGIT: "0",
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_WORD: "a",
    op.CATEGORY_NOT_DIGIT: "a",
    op.CATEGORY_NOT_SPACE: "a",
    op.CATEGORY_NOT_WORD: "-",
}


def _member(argument: Any, choice: int = 0) -> str:
    """A character of a class."""
    if argument[0][0] is op.NEGATE:
        taken = {value for code, value in argument if code is op.LITERAL}
        return next(c for c in "ab 0-\n" if ord(c) not in taken)
    members: list[str] = []
    for code, value in argument:
        if code is op.LITERAL:
            members.append(chr(value))
        elif code is op.RANGE:
            members.append(chr(value[0]))
        elif code is op.CATEGORY:
            members.append(_CATEGORIES[value])
    return members[choice % len(members)]


# How the work grows.

TINY_SIZE = 24
"""Characters on which a pattern shows that takes twice the time for one more."""

SCREENS = ((300, 60), (6000, 4))
"""Characters of a string when the worst ones are looked for, and how many stay: among many short
runs the slowest may be so by chance."""

SIZES = (2_000, 10_000)
"""Characters of a string whose growth is measured, each against twice as many: the longer where the
shorter takes no time to speak of, and beyond any repetition that the package bounds."""

ENOUGH_SECONDS = 0.01
"""CPU time at which a growth is told from noise."""

ROUNDS = 5

LONG_SECONDS = 0.1
"""CPU time at which one round is enough."""


@dataclass(frozen=True)
class Growth:
    """The worst string of a pattern. size: in characters. seconds: for that many. ratio: for twice
    as many, how many times as long."""

    attack: str
    size: int
    seconds: float
    ratio: float

    @property
    def per_character(self) -> float:
        """Seconds at twice the size."""
        return self.seconds * self.ratio / (2 * self.size)


def worst(one: Used, hand_made: Iterable[Maker] = (), floor: float = 0.0) -> Growth:
    """The string on which the pattern's work grows most. floor: seconds; growth is not measured of
    strings whose longest takes less, and may be so small that nobody would believe its ratio."""
    makers = [*attacks(one.pattern), *hand_made]
    for make in makers:
        seconds = _roughly_timed(one.run, make(TINY_SIZE))
        if seconds > ENOUGH_SECONDS * 5:
            return Growth(_told(make), TINY_SIZE, seconds, float("inf"))
    for size, count in SCREENS:
        makers = _slowest(one, makers, size, count)
    found = []
    for make in makers:
        found.append(growth(one.run, make, floor))
        if found[-1].ratio > 3 and found[-1].seconds > ENOUGH_SECONDS:
            break
    return max(found, key=lambda growth: growth.per_character)


def _slowest(one: Used, makers: Iterable[Maker], size: int, count: int) -> list[Maker]:
    seconds: dict[Maker, float] = {}
    for make in makers:
        seconds[make] = _roughly_timed(one.run, make(size))
        if seconds[make] > ENOUGH_SECONDS:
            return [make]
    return heapq.nlargest(count, seconds, key=lambda make: seconds[make])


def growth(run: Callable[[Any], object], make: Maker, floor: float = 0.0) -> Growth:
    """How the time of `run` grows on such strings, by medians of CPU time."""
    if floor:
        size = SIZES[-1]
        seconds = _timed(run, make(2 * size))
        if seconds < floor:
            return Growth(_told(make), size, seconds / 2, 2.0)
    for size in SIZES:
        small, large = make(size), make(2 * size)
        pairs = [(_timed(run, small), _timed(run, large))]
        while len(pairs) < ROUNDS and pairs[0][0] < LONG_SECONDS:
            pairs.append((_timed(run, small), _timed(run, large)))
        seconds = max(statistics.median(first for first, _second in pairs), 1e-9)
        found = Growth(
            _told(make),
            size,
            seconds,
            statistics.median(second for _first, second in pairs) / seconds,
        )
        if seconds > ENOUGH_SECONDS:
            break
    return found


def _roughly_timed(run: Callable[[Any], object], text: str | bytes) -> float:
    """The same where it is enough to matter; else by the clock on the wall. To read the one of CPU
    time may take longer than a pattern for a short string."""
    started = time.perf_counter_ns()
    run(text)
    seconds = (time.perf_counter_ns() - started) / 1e9
    return seconds if seconds < ENOUGH_SECONDS else _timed(run, text)


def _timed(run: Callable[[Any], object], text: str | bytes) -> float:
    """CPU time, so that a busy machine changes little."""
    started = time.thread_time_ns()
    run(text)
    return (time.thread_time_ns() - started) / 1e9
