"""Rule files made by chance: the reader takes each in bounded time, and never raises.

    python -m tests.fuzz.rules SECONDS [SEED]

Lines of a file with every construct are cut, doubled, mixed and spoiled. It prints what it did at
the end, and the file for which something went wrong.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from filterd.rules.conf.definitions import DEFINITIONS
from filterd.rules.conf.meta import compile_meta
from filterd.rules.conf.option_names import OPTIONS
from filterd.rules.conf.read import read
from filterd.rules.conf.rule import MetaTest, RulePattern, RuleSet
from filterd.rules.overview import as_line, doubtful, kind_of, undefined

LINES = (Path(__file__).parents[1] / "helpers/every_construct.cf").read_bytes().split(b"\n")

WORDS = [word.encode() for word in (*DEFINITIONS, *OPTIONS)]

PIECES = [
    *(
        b"/",
        b"\\",
        b"(",
        b")",
        b"'",
        b'"',
        b"#",
        b" ",
        b"\t",
        b"\r",
        b"\0",
        b"\xff",
        b"!",
        b"~",
        b"=",
    ),
    *(
        b"<",
        b">",
        b"&&",
        b"||",
        b"rules_matching(*)",
        b"eval:",
        b"exists:",
        b"[if-unset: x]",
        b"::",
    ),
    *(
        b"if ",
        b"else",
        b"endif",
        b"lang de ",
        b"include x",
        b"-1",
        b"1e9",
        b"%{A}",
        b"(?<A>x)",
        b"\n",
    ),
]

SECONDS_PER_FILE = 10.0


def line(chance: random.Random) -> bytes:
    """One line, spoiled now and then."""
    text = chance.choice(LINES)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 5))):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(7):
            case 0:
                text = text[:at] + chance.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + text[at + chance.randrange(8) :]
            case 2:
                text = text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :]
            case 3:
                other = chance.choice(LINES)
                text = text[:at] + other[chance.randrange(len(other) + 1) :]
            case 4:
                text = chance.choice(WORDS) + b" " + text.partition(b" ")[2]
            case 5:
                end = min(len(text), at + chance.randrange(1, 12))
                text = text[:at] + text[at:end] * chance.randrange(2, 400) + text[end:]
            case 6:
                text = text.replace(chance.choice(PIECES), chance.choice(PIECES))
    return text


def looked_at(found: RuleSet) -> None:
    """What commands and the checker do with a rule set."""
    for rule in found.rules.values():
        as_line(rule.test)
        kind_of(rule.test)
        if isinstance(rule.test, MetaTest):
            compile_meta(rule.test.expression).value(lambda _: 1)
    for problem in (*found.problems, *doubtful(found)):
        assert "\n" not in str(problem), problem
    undefined(found)


def main(seconds: float, seed: int) -> None:
    """Make files until the time is over."""
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    data = b""
    files = rules = problems = 0
    slowest = 0.0

    def include(name: str, file: str) -> tuple[str, bytes] | None:
        return (name, data[: len(data) // 2]) if len(name) < 9 else None

    def wrong(pattern: RulePattern) -> str:
        return "by chance" if len(pattern.source) % 7 == 3 else ""

    while time.monotonic() < end:
        data = b"\n".join(line(chance) for _ in range(chance.randrange(1, 120)))
        start = time.process_time()
        try:
            found = read(
                [("x.cf", data)],
                include=include,
                pattern_error=wrong if chance.random() < 0.2 else None,
                evals=("html_eval", "check_rbl") if chance.random() < 0.3 else None,
            )
            looked_at(found)
            took = time.process_time() - start
            assert took < SECONDS_PER_FILE, f"{took} s"
        except BaseException:
            Path("fuzz-rules.cf").write_bytes(data)
            print(f"seed {seed}, file {files}: written to fuzz-rules.cf", file=sys.stderr)
            raise
        files, rules = files + 1, rules + len(found.rules)
        problems, slowest = problems + len(found.problems), max(slowest, took)
    print(f"{files} files, {rules} rules, {problems} problems, slowest {slowest:.2f} s of CPU")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
