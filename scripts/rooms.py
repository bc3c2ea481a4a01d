#!/usr/bin/env python3
"""The rooms of the package and the arrows between them, read from the code.

    scripts/rooms.py                 rooms, arrows, arrows within circles; what rooms.toml forbids
    scripts/rooms.py --arrows        every arrow, with the number of imports behind it
    scripts/rooms.py --modules ROOM  the imports behind the arrows that leave a room
    scripts/rooms.py --design        write the table of rooms into docs/design.md
    scripts/rooms.py --package DIR   another tree (without rooms.toml: a room is a folder or module)

An *arrow* stands for all imports of one room by another, wherever in a file they are.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_suffix(".toml")
DESIGN = ROOT / "docs" / "design.md"
BEGIN, END = "<!-- rooms -->", "<!-- /rooms -->"


@dataclass(frozen=True)
class Room:
    """A line of rooms.toml."""

    name: str
    purpose: str
    imports: tuple[str, ...]
    io: bool = True
    never: tuple[str, ...] = ()


@dataclass(frozen=True)
class Import:
    """One module imports another."""

    module: str
    line: int
    target: str


def table(path: Path = TABLE) -> dict[str, Room]:
    """The rooms in their order, lowest first. Raises ValueError where an arrow points up."""
    rooms: dict[str, Room] = {}
    for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
        room = Room(
            name,
            entry["purpose"],
            tuple(entry["imports"]),
            entry.get("io", True),
            tuple(entry.get("never", ())),
        )
        for target in room.imports:
            if target not in rooms:
                raise ValueError(f"{path.name}: [{name}] imports {target}, which is not above it")
        rooms[name] = room
    return rooms


def modules(package: Path) -> dict[str, Path]:
    """Dotted names of a package's modules and their files; a package has its folder's name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(package: Path) -> Iterator[Import]:
    """Every import of a module of the package in another, in functions too.

    Raises ValueError for a relative import: names are written in full here.
    """
    known = modules(package)
    for module, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                if node.level or node.module is None:
                    raise ValueError(f"{path}:{node.lineno}: relative import")
                full = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name if name in known else node.module for name in full]
            else:
                continue
            for name in names:
                if name.split(".")[0] == package.name:
                    yield Import(module, node.lineno, name)


def room_of(module: str, rooms: dict[str, Room]) -> str:
    """The room of a module: the longest folder that is one.

    "" is for the package's own modules and for a folder that only holds rooms (`bayes`).
    """
    parts = module.split(".")[1:]
    for length in range(len(parts), 0, -1):
        name = "/".join(parts[:length])
        if name in rooms:
            return name
    holds_rooms = len(parts) == 1 and any(name.startswith(f"{parts[0]}/") for name in rooms)
    return "" if not parts or parts == ["__main__"] or holds_rooms else parts[0]


def arrows(package: Path, rooms: dict[str, Room]) -> dict[tuple[str, str], list[Import]]:
    """(room, room it imports) → the imports. The package's own modules (version) do not count."""
    found: dict[tuple[str, str], list[Import]] = defaultdict(list)
    for one in imports(package):
        source, target = room_of(one.module, rooms), room_of(one.target, rooms)
        if source and target and source != target:
            found[source, target].append(one)
    return dict(found)


def reachable(start: str, edges: set[tuple[str, str]]) -> set[str]:
    """All rooms that arrows lead to from one."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        source = waiting.pop()
        for here, there in edges:
            if here == source and there not in seen:
                seen.add(there)
                waiting.append(there)
    return seen


def circular(edges: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows that are part of a circle of rooms."""
    return sorted((a, b) for a, b in edges if a in reachable(b, edges))


def module_circles(package: Path) -> list[tuple[str, str]]:
    """The same of modules."""
    return circular({(one.module, one.target) for one in imports(package)})


def forbidden(package: Path, rooms: dict[str, Room]) -> list[str]:
    """What the code does and the table does not allow, one line each."""
    found = []
    for (source, target), lines in arrows(package, rooms).items():
        if source not in rooms:
            found.append(f"{lines[0].module}: {source} is not a room of {TABLE.name}")
        elif target not in rooms[source].imports:
            found += [f"{one.module}:{one.line}: {source} may not import {target}" for one in lines]
    edges = {(room.name, target) for room in rooms.values() for target in room.imports}
    for room in rooms.values():
        for target in sorted(reachable(room.name, edges) & set(room.never)):
            found.append(f"{TABLE.name}: [{room.name}] must not load {target}, but reaches it")
    return found


def unused(package: Path, rooms: dict[str, Room]) -> list[str]:
    """Arrows of the table that nothing in the code needs."""
    there = arrows(package, rooms)
    return [
        f"[{room.name}] names {target}"
        for room in rooms.values()
        for target in room.imports
        if (room.name, target) not in there
    ]


def design(rooms: dict[str, Room]) -> str:
    """The table of rooms, in Markdown."""
    lines = ["| room | what it is for | imports |", "| --- | --- | --- |"]
    for room in rooms.values():
        targets = ", ".join(f"`{target}`" for target in room.imports) or "nothing of filterd"
        lines.append(f"| `{room.name}` | {room.purpose} | {targets} |")
    return "\n".join(lines)


def with_table(text: str, rooms: dict[str, Room]) -> str:
    """docs/design.md with the table of today between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{design(rooms)}\n\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description="rooms of the package, read from the code")
    parser.add_argument("--package", type=Path, default=ROOT / "filterd", metavar="DIR")
    parser.add_argument("--arrows", action="store_true", help="every arrow")
    parser.add_argument("--modules", metavar="ROOM", help="the imports that leave a room")
    parser.add_argument("--design", action="store_true", help="write docs/design.md's table")
    options = parser.parse_args()

    package = options.package.resolve()
    rooms = table() if package == ROOT / "filterd" else {}
    if options.design:
        DESIGN.write_text(with_table(DESIGN.read_text(encoding="utf-8"), rooms), encoding="utf-8")
        return
    found = arrows(package, rooms)
    if options.modules:
        for (source, target), lines in sorted(found.items()):
            if source == options.modules:
                for one in lines:
                    print(f"{one.module}:{one.line} -> {one.target}  ({target})")
        return
    if options.arrows:
        for (source, target), lines in sorted(found.items()):
            print(f"{source:>14} -> {target:<14} {len(lines)}")
    names = {name for pair in found for name in pair}
    circles = circular(set(found))
    print(f"{len(names)} rooms, {len(found)} arrows, {len(circles)} of them in circles of rooms")
    print(
        "modules in circles:", " ".join(sorted({a for a, _ in module_circles(package)})) or "none"
    )
    for source, target in circles:
        print(f"circle: {source} -> {target}: {found[source, target][0].module}")
    if rooms:
        wrong = forbidden(package, rooms)
        print("\n".join(wrong + unused(package, rooms)) or f"as {TABLE.name} says")
        sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
