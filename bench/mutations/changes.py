"""What is changed in a module: one place at a time, in its syntax tree."""

from __future__ import annotations

import ast
import contextlib
import copy
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

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
class Change:
    """One change of one module, compiled.

    text: the change, for people. code: of the module as it is then. swaps: code objects of the
    unchanged module and what takes their place, the outermost first; empty for what runs when the
    module is imported. lines: of the statement, first and last.
    """

    path: Path
    line: int
    text: str
    code: CodeType
    swaps: tuple[tuple[CodeType, CodeType], ...]
    lines: tuple[int, int]


def changes(path: Path) -> Iterator[Change]:
    """All changes of a module, but for those that Python does not take."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    unchanged = _compiled(tree, path)
    left_alone = _texts_and_types(tree)
    above = {id(below): node for node in ast.walk(tree) for below in ast.iter_child_nodes(node)}
    for place, node in enumerate(list(ast.walk(tree))):
        if id(node) in left_alone:
            continue
        lines, runs_on_call = _place(node, above)
        for new in _changed(node, left_alone):
            line, text = _described(node, new)
            with contextlib.suppress(SyntaxError, ValueError):
                code = _compiled(_with(source, place, new), path)
                swaps = tuple(_swaps(unchanged, code)) if runs_on_call else ()
                yield Change(path, line, text, code, swaps, lines)


def _compiled(tree: ast.Module, path: Path) -> CodeType:
    return compile(tree, str(path), "exec", dont_inherit=True)


def _with(source: str, place: int, new: ast.AST | None) -> ast.Module:
    """The tree of the source with another node at that place of `ast.walk`; None: `pass`."""
    tree = ast.parse(source)
    old = next(node for index, node in enumerate(ast.walk(tree)) if index == place)
    changed: ast.Module = ast.fix_missing_locations(_Put(old, new).visit(tree))
    return changed


class _Put(ast.NodeTransformer):
    """Puts something in a node's place."""

    def __init__(self, place: ast.AST, new: ast.AST | None) -> None:
        self._place = place
        self._new = new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._place:
            return ast.Pass() if self._new is None else self._new
        return self.generic_visit(node)


def _place(node: ast.AST, above: Mapping[int, ast.AST]) -> tuple[tuple[int, int], bool]:
    """The lines of the statement around a node, and whether it runs when a function is called."""
    lines: tuple[int, int] | None = None
    runs_on_call = False
    while True:
        if lines is None and isinstance(node, ast.stmt):
            lines = node.lineno, node.end_lineno or node.lineno
        if id(node) not in above:
            return lines or (0, 0), runs_on_call
        parent = above[id(node)]
        match parent:
            # Not what stands in front of the body: defaults are made once.
            case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body):
                runs_on_call |= node in body
            case ast.Lambda(body=body):
                runs_on_call |= node is body
        node = parent


def _swaps(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """The functions that differ, with those around them; where one within is
    added or gone there are none."""
    before, after = _functions(old), _functions(new)
    if [one.co_qualname for one in before] == [one.co_qualname for one in after]:
        for one, other in zip(before, after, strict=True):
            if one != other and one.co_freevars == other.co_freevars:
                yield one, other


def _functions(code: CodeType) -> list[CodeType]:
    found = [code]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += _functions(constant)
    return found


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else text[:97] + "..."


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
            case ast.Assign(value=ast.Call(func=ast.Name("TypeVar"))):
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
