"""`spamassassin` as SpamAssassin's tests call it: options, a message, its report.

python -m bench.rules_suite.program -C FOLDER --siteconfigpath FOLDER -p FILE -L -t < MESSAGE
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.rules_suite.session import Sources, compiled, outcome, report

_WITH_VALUE = {"-C", "--siteconfigpath", "-p", "--cf", "--progress"}


def main(arguments: list[str]) -> int:
    """Check one message, or the rules; the exit status."""
    values: dict[str, list[str]] = {}
    files: list[str] = []
    # `-D check`: what to print while debugging is not a file; nothing is printed here.
    topics = [at + 1 for at, word in enumerate(arguments) if word == "-D"]
    rest = iter(
        word for at, word in enumerate(arguments) if at not in topics or word.startswith("-")
    )
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _WITH_VALUE:
            values.setdefault(name, []).append(value if equals else next(rest, ""))
        elif word.startswith("-"):
            values.setdefault(name, []).append(value)
        else:
            files.append(word)
    sources = Sources(
        rules=values.get("-C", [""])[-1],
        site=values.get("--siteconfigpath", [""])[-1],
        preferences=values.get("-p", [""])[-1],
        text="\n".join(values.get("--cf", [])).encode(),
        is_local="-L" in values or "--local" in values,
    )
    if "--lint" in values:
        rules = compiled(sources)
        for problem in rules.problems:
            print(f"warn: lint: {problem}", file=sys.stderr)
        return 1 if rules.problems else 0
    message = Path(files[0]).read_bytes() if files else sys.stdin.buffer.read()
    rules = compiled(sources)
    for problem in rules.problems:
        print(f"warn: config: {problem}", file=sys.stderr)
    sys.stderr.flush()
    sys.stdout.buffer.write(report(outcome(sources, message), message))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
