"""The texts and URIs that rules see, beside those of the installed SpamAssassin.

    python -m bench.rules_view FOLDER... [--limit N] [--show N] [--dump FILE]

Each file of the folders is a message. `bench/rules_view_dump.pl` asks SpamAssassin (Perl module
Mail::SpamAssassin, with its stock rules for the lists of domains); what it says goes to `--dump`
and is taken from there the next time. Prints for how many messages each text is the same, the
first differences, and the processor time of ours for one message.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filterd.message.message import Message
from filterd.rules.files import find, load
from filterd.rules.view.html import HtmlInfo
from filterd.rules.view.view import View

SIZE_LIMIT = 300_000
"""Octets of a file that is compared: SpamAssassin needs seconds for longer ones."""

DUMP = Path(__file__).with_name("rules_view_dump.pl")


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="so many files, chosen at random")
    parser.add_argument("--show", type=int, default=3, help="differences of each kind to print")
    parser.add_argument("--dump", type=Path, help="where SpamAssassin's answers are kept")
    args = parser.parse_args()
    rule_set, _ = load(find((), use_stock=True))
    same: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    count, seconds = 0, 0.0
    for theirs in _dumped(args):
        path = theirs["path"].encode("latin-1").decode("utf-8", "surrogateescape")
        data = Path(path).read_bytes()
        start = time.process_time()
        view = View(Message(data), rule_set.options)
        asked = (view.body, view.rawbody, view.uris)
        seconds += time.process_time() - start
        assert len(asked) == 3
        ours = described(view)
        count += 1
        for name, value in ours.items():
            expected = _expected(theirs, name)
            same[name] += value == expected
            if value != expected and shown[name] < args.show:
                shown[name] += 1
                print(
                    f"{name}: {path}\n  SpamAssassin {expected!r:.400}\n"
                    f"  filterd      {value!r:.400}"
                )
    for name, number in same.items():
        print(f"{name:12} {number:6} of {count} the same ({100 * number / max(count, 1):.2f} %)")
    print(f"{1000 * seconds / max(count, 1):.2f} ms of processor time for a message")


def _dumped(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    if args.dump is not None and args.dump.exists():
        with args.dump.open("rb") as lines:
            yield from map(json.loads, lines)
        return
    files = sorted(
        path
        for folder in args.folders
        for path in folder.rglob("*")
        if path.is_file() and path.stat().st_size <= SIZE_LIMIT
    )
    if 0 < args.limit < len(files):
        files = random.Random(1).sample(files, args.limit)
    with tempfile.NamedTemporaryFile("w", suffix=".list") as names:
        names.write("".join(f"{path}\n" for path in files))
        names.flush()
        command = ["perl", str(DUMP), names.name]
        found = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    if args.dump is not None:
        args.dump.write_bytes(found)
    yield from map(json.loads, found.splitlines())


def described(view: View) -> dict[str, Any]:
    """What SpamAssassin's answers are compared with; octets as characters of the same number."""
    return {
        "body": _texts(view.body),
        "visible": _texts(view.visible_body),
        "invisible": _texts(view.invisible_body),
        "rawbody": _texts(view.rawbody),
        "uris": sorted(_texts(view.uris)),
        "detail": {
            raw.decode("latin-1"): {
                "types": sorted(detail.types),
                "cleaned": sorted(_texts(detail.cleaned)),
                "text": _texts(detail.anchor_text),
                "domains": sorted(_texts(detail.domains)),
                "hosts": sorted(_texts(detail.hosts)),
            }
            for raw, detail in view.uri_detail.items()
        },
        "html": [_described_html(info) for info in view.html],
        "parts": [
            (part.type, part.is_leaf, len(part.content) if part.is_leaf else None)
            for part in view.parts.walk()
        ],
    }


def _described_html(info: HtmlInfo) -> dict[str, Any]:
    return {
        "numbers": _rounded(info.numbers),
        "inside": info.inside,
        "title": _texts(map(info.octets, info.titles)),
        "comment": _texts(map(info.octets, info.comments)),
        "anchor": _texts(map(info.octets, info.anchors)),
        "script": len(info.scripts),
    }


def _expected(theirs: Mapping[str, Any], name: str) -> Any:
    if name == "html":
        return [
            {
                key: _rounded(value) if key == "numbers" else value
                for key, value in one.items()
                if key not in ("charsets", "uris")
            }
            for one in theirs["html"]
            if one["numbers"].get("html")
        ]
    if name == "parts":
        return [
            (one["type"], bool(one["leaf"]), one["size"] if one["leaf"] else None)
            for one in theirs["parts"]
        ]
    return theirs[name]


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 9) for name, value in numbers.items() if name != "uri_truncated"}


def _texts(octets: Any) -> list[str]:
    return [one.decode("latin-1") for one in octets]


if __name__ == "__main__":
    main()
