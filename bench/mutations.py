"""Do the tests notice it when the code is wrong? `python -m bench.mutations [ROOM ...]`

Every module of a room is changed in one place at a time: a comparison, a condition, a constant, an
argument, a return value, a statement. The room's own tests must fail for each change; one that they
do not notice has survived and is listed. Some change nothing that anybody could notice; the others
are gaps in the tests. By hand, not in CI: a room takes minutes.

The change is made in memory, in a process that is forked for it and runs pytest there; what the
tests import from others is loaded before the fork, so that a change takes about a second.
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
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import pytest

ROOT = Path(__file__).resolve().parents[1]

ROOMS = {
    "policy": (
        "filterd/chain/policy.py",
        "tests/unit/test_policy.py tests/unit/test_pipeline.py",
    ),
    "chain": (
        "filterd/chain/chain.py",
        "tests/unit/test_chain.py tests/unit/test_pipeline.py tests/unit/test_marks.py",
    ),
    "pipeline": ("filterd/chain/pipeline.py", "tests/unit/test_pipeline.py"),
    "codec": ("filterd/workers/codec.py", "tests/unit/daemon/test_codec.py"),
    "access": ("filterd/review/access.py", "tests/unit/review"),
    "rights": ("filterd/review/rights.py", "tests/unit/review"),
}
"""What is changed, and the tests that must notice it: folders and files of a second or two."""

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
    for nothing (of a statement: `pass`)."""

    place: int
    line: int
    old: str
    new: ast.AST | None

    @property
    def text(self) -> str:
        new = "nothing" if self.new is None else _short(self.new)
        return f"`{self.old}` → `{new}`"


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else text[:97] + "..."


def mutations(tree: ast.Module) -> Iterator[Mutation]:
    """All changes of a module."""
    left_alone = _texts_and_types(tree)
    for place, node in enumerate(ast.walk(tree)):
        if id(node) not in left_alone:
            for new in _changed(node):
                yield Mutation(place, getattr(node, "lineno", 0), _short(node), new)


def _texts_and_types(tree: ast.Module) -> set[int]:
    """Ids of the nodes that are annotations, decorators, docstrings, texts of log lines and of
    errors, or alone in a case pattern."""
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
            case ast.Expr(ast.Constant()) | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
                roots.append(node)
            case ast.Expr(ast.Call(func)) if ast.unparse(func).startswith("log."):
                roots.append(node)
            case ast.pattern():
                roots.append(node)
            case ast.If() if ast.unparse(node.test) == "TYPE_CHECKING":
                roots.append(node)
            case ast.Assign() if ast.unparse(node.targets[0]) == "__all__":
                roots.append(node)
    return {id(below) for root in roots if root is not None for below in ast.walk(root)}


def _changed(node: ast.AST) -> Iterator[ast.AST | None]:
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
            for index in range(len(node.args)):
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


def _tested(path: Path, code: CodeType | None, tests: Sequence[str], seen: Path | None) -> int:
    """Run the tests in this process, with the module's code instead of its file. pytest's status.

    seen: a file for the names of the modules that were loaded, for `_preloaded`.
    """
    original = importlib.machinery.SourceFileLoader.get_code

    def get_code(loader: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
        ours = code is not None and loader.get_filename(name) == str(path)
        return code if ours else original(loader, name)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign]
    options = "-x -q -p no:xdist -p no:cacheprovider --hypothesis-seed=0".split()
    status = int(pytest.main([*options, *tests]))
    if seen is not None:
        seen.write_text(json.dumps(sorted(sys.modules)))
    return status


def _start(
    path: Path, code: CodeType | None, tests: Sequence[str], seen: Path | None = None
) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.setpgid(0, 0)
        status = _tested(path, code, tests, seen)
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


def survivors(room: str) -> tuple[int, list[Mutation]]:
    """How many changes of a room were tried, and those that its tests did not notice."""
    file, tests = ROOMS[room][0], ROOMS[room][1].split()
    path = ROOT / file
    source = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        seen = Path(folder) / "modules"
        if _end(_start(path, None, tests, seen), 600) != "passed":
            raise SystemExit(f"{room}: its tests fail without a change: {' '.join(tests)}")
        _preloaded(json.loads(seen.read_text()))
    started = time.monotonic()
    if _end(_start(path, None, tests), 600) != "passed":
        raise SystemExit(f"{room}: its tests fail the second time")
    limit = max(TIME_FACTOR * (time.monotonic() - started), TIME_LEAST)
    tried, found = 0, []
    for mutation in mutations(ast.parse(source)):
        code = mutated(source, mutation, path)
        if code is None:
            continue
        tried += 1
        if _end(_start(path, code, tests), limit) == "passed":
            found.append(mutation)
            print(f"{file}:{mutation.line}: {mutation.text}", flush=True)
    return tried, found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.mutations", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(ROOMS)}")
    for room in parser.parse_args().rooms or ROOMS:
        if room not in ROOMS:
            parser.error(f"{room}: expected one of {', '.join(ROOMS)}")
        started = time.monotonic()
        tried, found = survivors(room)
        seconds = time.monotonic() - started
        print(f"{room}: {tried} changes, {len(found)} not noticed, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
