"""How the time of every regular expression of the package grows: `python -m bench.patterns`.

For each pattern the text that is hardest for it, of those that its own structure suggests, and the
time for so many characters and for twice as many. Prints a table in Markdown, the slowest first.
Some minutes.
"""

from __future__ import annotations

import argparse
import sys

from tests.helpers.patterns import used, worst


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only patterns that have one of these in the name")
    arguments = parser.parse_args()
    rows = []
    for one in used():
        if arguments.words and not any(word in one.name for word in arguments.words):
            continue
        growth = worst(one)
        use = "at one place" if one.at_one_place else "searched for"
        rows.append((growth.per_character * 1e9, growth.ratio, one.name, use, growth.attack))
        sys.stderr.write(f"\r{len(rows)} patterns")
    rows.sort(reverse=True)
    print("| pattern | used | ns for a character | time for twice the text | hardest text |")
    print("|---|---|---|---|---|")
    for nanoseconds, ratio, name, use, attack in rows:
        shown = attack[:60].replace("|", "\\|")
        print(f"| `{name}` | {use} | {nanoseconds:.1f} | {ratio:.2f} | `{shown}` |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
