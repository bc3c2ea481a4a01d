"""A copy of the rule files that were good last, for the day when somebody breaks one.

One JSON file in the cache folder, with a checksum: what was damaged, or made for other settings, is
as good as none.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filterd.rules.conf.rule import RuleProblem
from filterd.system.bounded import json_value, read_regular
from filterd.system.durable import make_folder, write_atomically

log = logging.getLogger(__name__)

NAME = "last-good.json"
VERSION = 1

SIZE_LIMIT = 256 << 20
"""Octets of the copy; JSON makes more of text that is not ASCII."""


@dataclass(frozen=True, slots=True)
class RuleTexts:
    """Rule files in the order in which they are read: name and content. included: by the name in
    the line, and the file with the line. missing: why others could not be read."""

    files: tuple[tuple[str, bytes], ...]
    included: Mapping[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    missing: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def include(self, name: str, file: str) -> tuple[str, bytes] | None:
        """A `conf.read.Loader`: None for a file that was read before. Raises OSError."""
        if why := self.missing.get((name, file)):
            raise OSError(why)
        return self.included.get((name, file))


@dataclass(frozen=True, slots=True)
class LastGood:
    """What was used last.

    asked: the settings it was made for, as text. problems: how often each (file, text) was told;
    without lines, which change with every edit above them.
    """

    asked: str
    texts: RuleTexts
    problems: Counter[tuple[str, str]]

    def new_among(self, problems: Iterable[RuleProblem]) -> list[RuleProblem]:
        """Those of the problems that were not there then."""
        left = self.problems.copy()
        found = []
        for problem in problems:
            key = problem.origin.file, problem.text
            if left[key] > 0:
                left[key] -= 1
            else:
                found.append(problem)
        return found


def load(folder: Path, asked: str) -> LastGood | None:
    """The copy that was made for these settings; None without a usable one."""
    try:
        head, _, body = read_regular(folder / NAME, SIZE_LIMIT).partition(b"\n")
        if head.rpartition(b" ")[0] != _checksum(body):
            raise ValueError("its checksum is wrong")
        value = json_value(body)
        if value["version"] != VERSION or value["asked"] != asked:
            return None
        return LastGood(
            asked,
            RuleTexts(
                tuple((name, text.encode("latin-1")) for name, text in value["files"]),
                {
                    (name, file): (found, text.encode("latin-1"))
                    for name, file, found, text in value["included"]
                },
                {(name, file): why for name, file, why in value["missing"]},
            ),
            Counter({(file, text): count for file, text, count in value["problems"]}),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s is not used: %s", folder / NAME, error)
        return None


def save(folder: Path, asked: str, texts: RuleTexts, problems: Sequence[RuleProblem]) -> None:
    """Keep a copy, unless the same is there. Where it cannot be written, a warning says so."""
    counts = Counter((problem.origin.file, problem.text) for problem in problems)
    path = folder / NAME
    mark = _mark(asked, texts, counts)
    try:
        with path.open("rb") as file:
            if file.readline(200).split()[-1:] == [mark]:
                return
    except OSError:
        pass
    body = json.dumps(
        {
            "version": VERSION,
            "asked": asked,
            "files": [(name, text.decode("latin-1")) for name, text in texts.files],
            "included": [
                (name, file, found, text.decode("latin-1"))
                for (name, file), (found, text) in texts.included.items()
            ],
            "missing": [(name, file, why) for (name, file), why in texts.missing.items()],
            "problems": [(file, text, count) for (file, text), count in counts.items()],
        }
    ).encode()
    try:
        make_folder(folder)
        write_atomically(path, [_checksum(body), b" ", mark, b"\n", body])
    except OSError as error:
        log.warning("no copy of the last good rules is kept: %s", error)


def _checksum(body: bytes) -> bytes:
    return b"filterd last good rules, sha256 " + hashlib.sha256(body).hexdigest().encode()


def _mark(asked: str, texts: RuleTexts, problems: Mapping[tuple[str, str], int]) -> bytes:
    """What tells whether the copy is of the same; the text of all files is not made JSON for it."""
    found = hashlib.sha256(json.dumps([asked, sorted(map(str, problems.items()))]).encode())
    contents = [*texts.files, *texts.included.values()]
    for name, content in contents:
        found.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
        found.update(content)
    return found.hexdigest().encode()
