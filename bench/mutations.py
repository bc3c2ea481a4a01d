"""Do the tests notice it when the code is wrong? `python -m bench.mutations [ROOM ...]`

Every module of a room is changed in one place at a time: a comparison, a condition, a constant, an
argument, a return value, a statement. The room's own tests must fail for each change; one that they
do not notice has survived and is listed. Some change nothing that anybody could notice; the others
are gaps in the tests. By hand, not in CI: a room takes minutes.

The change is made in memory, in a process that is forked for it and runs pytest there, up to the
first test that fails; what the tests import from others is loaded before the fork, so that a change
takes about a second. Of a large room a sample is tried, which `--all` and `--seed` change. It runs
with low priority.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib
import importlib.machinery
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import pytest

ROOT = Path(__file__).resolve().parents[1]

ROOMS = {
    "policy": (
        "filterd/chain/policy.py filterd/chain/policy_settings.py",
        "tests/unit/chain/test_policy.py tests/unit/chain/test_pipeline.py"
        " tests/unit/config/test_reference.py",
    ),
    "chain": (
        "filterd/chain/chain.py",
        "tests/unit/chain/test_chain.py tests/unit/chain/test_pipeline.py"
        " tests/unit/chain/test_marks.py"
        " tests/unit/config/test_reference.py",
    ),
    "pipeline": ("filterd/chain/pipeline.py", "tests/unit/chain/test_pipeline.py"),
    "codec": (
        "filterd/workers/codec.py filterd/workers/framing.py filterd/chain/report_codec.py",
        "tests/unit/workers/test_codec.py tests/unit/workers/test_framing.py",
    ),
    "access": (
        "filterd/review/access.py filterd/review/rights.py filterd/review/reviewer.py",
        "tests/unit/review/test_reviewer.py tests/unit/review/test_access.py",
    ),
}
"""What is changed, and the tests that must notice it: modules, and files of a second or two."""

SAMPLE = 150
"""Changes of a room that are tried where nobody asks for all: some minutes."""

SEED = 1
"""Of the choice among them, the same each time."""

TIME_FACTOR = 10.0
"""Times as long as the tests take unchanged, until a change counts as noticed: it hangs."""

TIME_LEAST = 20.0
"""Seconds that the tests have in any case, on a busy machine."""

COMPARISONS = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.BitOr: ast.BitAnd}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change. place: the number of the node in `ast.walk`; new: what stands there then, None
    for nothing (of a statement: `pass`); text: the change, for people."""

    place: int
    line: int
    text: str
    new: ast.AST | None


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else text[:97] + "..."


def mutations(tree: ast.Module) -> Iterator[Mutation]:
    """All changes of a module."""
    left_alone = _texts_and_types(tree)
    for place, node in enumerate(ast.walk(tree)):
        if id(node) not in left_alone:
            for new in _changed(node, left_alone):
                yield Mutation(place, *_described(node, new), new)


def _described(old: ast.AST, new: ast.AST | None) -> tuple[int, str]:
    """The line, and what changes."""
    line: int = getattr(old, "lineno", 0)
    if isinstance(old, ast.comprehension):
        line = old.target.lineno
    if isinstance(old, ast.Call) and isinstance(new, ast.Call):
        before, after = [*old.args, *old.keywords], [*new.args, *new.keywords]
        (dropped,) = (one for one in before if one not in after)
        return dropped.lineno, f"`{_short(old.func)}(…)` without `{_short(dropped)}`"
    return line, f"`{_short(old)}` → `{'nothing' if new is None else _short(new)}`"


def _texts_and_types(tree: ast.Module) -> set[int]:
    """Ids of the nodes that are annotations, decorators, docstrings, named limits, texts of log
    lines and of errors, or alone in a case pattern."""
    roots: list[ast.AST | None] = []
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign():
                roots.append(node.annotation)
            case ast.arg():
                roots.append(node.annotation)
            case ast.FunctionDef():
                roots += [node.returns, *node.decorator_list]
            case ast.ClassDef():
                roots += node.decorator_list
            case ast.Expr(ast.Constant()) | ast.Import() | ast.ImportFrom():
                roots.append(node)
            case ast.JoinedStr():
                # What is put into a text is left alone; that there is one is not.
                roots += node.values
            case ast.Subscript() if ast.unparse(node.value) in ("Literal", "Callable"):
                roots.append(node)
            case ast.Call() if ast.unparse(node) == "logging.getLogger(__name__)":
                roots.append(node)
            case ast.Assign() if ast.unparse(node.targets[0]).isupper() and _is_number(node.value):
                roots.append(node)
            case ast.BinOp(op=ast.BitOr(), left=ast.Name() | ast.BinOp(), right=ast.Name()):
                # Of types: `bytes | bytearray`.
                roots.append(node)
            case ast.Expr(ast.Call(func)) if ast.unparse(func).startswith("log."):
                roots.append(node)
            case ast.Raise(ast.Call(args=args)) | ast.Expr(ast.Yield(ast.Call(args=args))):
                roots += [one for one in args if isinstance(one, ast.Constant | ast.JoinedStr)]
            case ast.pattern():
                roots.append(node)
            case ast.If() if ast.unparse(node.test) == "TYPE_CHECKING":
                roots.append(node)
            case ast.Assign() if ast.unparse(node.targets[0]) == "__all__":
                roots.append(node)
    return {id(below) for root in roots if root is not None for below in ast.walk(root)}


def _is_number(node: ast.AST) -> bool:
    """A number as a named limit has it: `500`, `16 << 20`."""
    kinds = (ast.Constant, ast.BinOp, ast.operator)
    return all(isinstance(below, kinds) for below in ast.walk(node))


def _changed(node: ast.AST, left_alone: Container[int]) -> Iterator[ast.AST | None]:
    match node:
        case ast.Compare():
            for index, op in enumerate(node.ops):
                if type(op) in COMPARISONS:
                    new = copy.deepcopy(node)
                    new.ops[index] = COMPARISONS[type(op)]()
                    yield new
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield ast.BoolOp(other, node.values)
            for index in range(len(node.values)):
                rest = node.values[:index] + node.values[index + 1 :]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        case ast.UnaryOp(ast.Not()):
            yield node.operand
        case ast.If() | ast.While() | ast.IfExp():
            if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
                new = copy.copy(node)
                new.test = ast.UnaryOp(ast.Not(), node.test)
                yield new
        case ast.comprehension() if node.ifs:
            new = copy.copy(node)
            new.ifs = []
            yield new
        case ast.BinOp() if type(node.op) in OPERATORS:
            yield node.left
            yield node.right
        case ast.Constant(bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(int() | float()):
            yield ast.Constant(node.value + 1)
        case ast.Constant(str()) if node.value:
            yield ast.Constant("")
        case ast.Return(ast.expr()) if not isinstance(node.value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case ast.Call():
            for index in range(len(node.keywords)):
                new = copy.copy(node)
                new.keywords = node.keywords[:index] + node.keywords[index + 1 :]
                yield new
            if ast.unparse(node.func) in ("bool", "tuple", "set", "frozenset", "sorted", "min"):
                return
            for index, argument in enumerate(node.args):
                is_text = isinstance(argument, ast.Constant | ast.JoinedStr)
                if not (is_text and id(argument) in left_alone):
                    new = copy.copy(node)
                    new.args = node.args[:index] + node.args[index + 1 :]
                    yield new
        case ast.Expr(ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            yield None


class _Put(ast.NodeTransformer):
    """Puts something in a node's place."""

    def __init__(self, place: ast.AST, new: ast.AST | None) -> None:
        self._place = place
        self._new = new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._place:
            return ast.Pass() if self._new is None else self._new
        return self.generic_visit(node)


def mutated(source: str, mutation: Mutation, path: Path) -> CodeType | None:
    """The module with one change; None where Python does not take it."""
    tree = ast.parse(source)
    place = next(node for index, node in enumerate(ast.walk(tree)) if index == mutation.place)
    tree = ast.fix_missing_locations(_Put(place, mutation.new).visit(tree))
    with contextlib.suppress(SyntaxError, ValueError):
        return compile(tree, str(path), "exec")
    return None


MODULES = "modules.json"


def _tested(path: Path, code: CodeType | None, tests: Sequence[str], folder: Path) -> int:
    """Run the tests in this process, with the module's code instead of its file. pytest's status.

    folder: for the tests' files (another run of pytest would clear a shared one), and without a
    change for the names of the modules that were loaded, for `_preloaded`.
    """
    original = importlib.machinery.SourceFileLoader.get_code

    def get_code(loader: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
        ours = code is not None and loader.get_filename(name) == str(path)
        return code if ours else original(loader, name)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign]
    options = "-x -q -p no:xdist -p no:cacheprovider".split()
    options += ["--hypothesis-profile=quick", "--hypothesis-seed=0", f"--basetemp={folder}/tests"]
    status = int(pytest.main([*options, *tests]))
    if code is None:
        (folder / MODULES).write_text(json.dumps(sorted(sys.modules)))
    return status


def _start(path: Path, code: CodeType | None, tests: Sequence[str], folder: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.setpgid(0, 0)
        status = _tested(path, code, tests, folder)
    finally:
        os._exit(status)


def _end(pid: int, limit: float) -> str:
    """Wait for it: `passed`, `noticed`, or `hangs`."""
    end = time.monotonic() + limit
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return "passed" if status == 0 else "noticed"
        if time.monotonic() > end:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return "hangs"
        time.sleep(0.01)


def _preloaded(names: Sequence[str]) -> None:
    """Import what is neither ours nor pytest's, for the children."""
    for name in names:
        if name.split(".")[0] not in ("filterd", "tests", "bench", "conftest", "__main__"):
            with contextlib.suppress(Exception):
                importlib.import_module(name)


@dataclass(frozen=True, slots=True)
class Change:
    """One mutation of one module, compiled."""

    path: Path
    mutation: Mutation
    code: CodeType

    @property
    def text(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.mutation.line}: {self.mutation.text}"


def changes(paths: Sequence[Path]) -> Iterator[Change]:
    """All changes of the modules that Python takes."""
    for path in paths:
        source = path.read_text(encoding="utf-8")
        for mutation in mutations(ast.parse(source)):
            code = mutated(source, mutation, path)
            if code is not None:
                yield Change(path, mutation, code)


def survivors(room: str, size: int | None, seed: int) -> Iterator[Change | None]:
    """The changes of a room that its tests did not notice, and None for each that they did.

    size: how many are tried; None for all.
    """
    files, tests = (words.split() for words in ROOMS[room])
    wanted = list(changes([ROOT / file for file in files]))
    print(f"{room}: {len(wanted)} changes", flush=True)
    if size is not None and len(wanted) > size:
        chosen = sorted(random.Random(seed).sample(range(len(wanted)), size))
        wanted = [wanted[index] for index in chosen]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(2):
            # The second time as quick as it will be.
            started = time.monotonic()
            if _end(_start(ROOT, None, tests, folder), 600) != "passed":
                raise SystemExit(f"{room}: its tests fail without a change: {' '.join(tests)}")
            _preloaded(json.loads((folder / MODULES).read_text()))
        limit = max(TIME_FACTOR * (time.monotonic() - started), TIME_LEAST)
        for change in wanted:
            ended = _end(_start(change.path, change.code, tests, folder), limit)
            yield change if ended == "passed" else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.mutations", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(ROOMS)}")
    parser.add_argument("--all", action="store_true", help=f"all changes, not {SAMPLE} of a room")
    parser.add_argument("--seed", type=int, default=SEED, help="another sample (%(default)s)")
    wanted = parser.parse_args()
    os.nice(10)
    for room in wanted.rooms or ROOMS:
        if room not in ROOMS:
            parser.error(f"{room}: expected one of {', '.join(ROOMS)}")
        started, tried, found = time.monotonic(), 0, 0
        for change in survivors(room, None if wanted.all else SAMPLE, wanted.seed):
            tried += 1
            if change is not None:
                found += 1
                print(change.text, flush=True)
        seconds = time.monotonic() - started
        print(f"{room}: {tried} tried, {found} not noticed, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
