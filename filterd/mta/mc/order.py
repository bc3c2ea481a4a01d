"""Directives in the wrong place: read before they are set, set again afterwards.

m4 goes through the file once. A `define` below the feature or mailer that reads it comes too late,
and nothing says so. Which file reads which name is looked up in sendmail's own m4 files; then the
sendmail.cf is made once more with the line in the other place, and only if it differs is there
something to say.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from filterd.mta.mc.macros import KINDS, MacroFiles
from filterd.mta.mc.messages import McMessage
from filterd.mta.mc.run import STDIN, Include
from filterd.mta.mc.scan import Call, Scan, names_in

TRIALS = 150
"""How often the file is made again for this, at some 15 ms each."""

MAILER_ORDER = (("smtp", "procmail"), ("local", "cyrus"))
"""Mailers whose rules use those of another: the one that must come first, and the other.
m4 itself says so for smtp and uucp.
Source: sendmail 8.17 `cf/README`, MAILERS."""

TRIAL_TIME = 20.0
"""Seconds for all of them together."""

Make = Callable[[str], str]
"""Makes a sendmail.cf of the text of an mc file; without comments at its top that hold the time."""


def order(
    text: str, found: Scan, files: MacroFiles, includes: list[Include], make: Make, made: str
) -> Iterator[McMessage]:
    """Yield the mistakes, in no order. made: what `make` gives for the text as it is."""
    yield from _features(found)
    yield from _mailers(found)
    yield from _settings(text, found, files, includes, make, made)


def _top(found: Scan, *names: str) -> list[Call]:
    return [
        call for call in found.named(*names) if not (call.nested or call.spaced or call.commented)
    ]


def _features(found: Scan) -> Iterator[McMessage]:
    first_mailer = next(iter(_top(found, "MAILER")), None)
    features = _top(found, "FEATURE")
    for call in features:
        if first_mailer is not None and call.line > first_mailer.line:
            yield McMessage(
                call.line,
                f"FEATURE(`{call.argument(1)}') is below MAILER on line {first_mailer.line}",
                "every FEATURE above the first MAILER",
            )
    first_feature = next(iter(features), None)
    for call in _top(found, "OSTYPE", "DOMAIN"):
        above = first_mailer if call.name == "DOMAIN" else first_feature or first_mailer
        if above is not None and call.line > above.line:
            yield McMessage(
                call.line,
                f"{call.name}(`{call.argument(1)}') is below {above.name}(`{above.argument(1)}') "
                f"on line {above.line}",
                "VERSIONID, OSTYPE, DOMAIN, FEATURE, define, MAILER in this order",
            )
    system = _top(found, "OSTYPE")
    for call in _top(found, "DOMAIN"):
        if system and call.line < system[0].line:
            yield McMessage(
                call.line,
                f"DOMAIN(`{call.argument(1)}') is above OSTYPE on line {system[0].line}, "
                "which may set the same again",
                "OSTYPE above DOMAIN",
            )


def _mailers(found: Scan) -> Iterator[McMessage]:
    lines: dict[str, int] = {}
    for call in _top(found, "MAILER"):
        lines.setdefault(call.argument(1), call.line)
    for first, second in MAILER_ORDER:
        if second not in lines:
            continue
        if first not in lines:
            yield McMessage(
                lines[second],
                f"MAILER(`{second}') uses the rules of MAILER(`{first}'), and there is none",
                f"MAILER(`{first}') above it",
            )
        elif lines[first] > lines[second]:
            yield McMessage(
                lines[second],
                f"MAILER(`{second}') is above MAILER(`{first}') on line {lines[first]}, "
                "whose rules it uses",
                f"MAILER(`{first}') above it",
            )


def _settings(
    text: str, found: Scan, files: MacroFiles, includes: list[Include], make: Make, made: str
) -> Iterator[McMessage]:
    """`define` and the like below what reads them, or above what sets them again."""
    lines = text.split("\n")
    readers = [(call, _read_by(call, files, includes)) for call in _top(found, *KINDS)]
    trials, end = 0, time.monotonic() + TRIAL_TIME
    for call in _top(found, "define", "MODIFY_MAILER_FLAGS"):
        name = call.argument(1).strip()
        is_define = call.name == "define"
        taken = lines[call.line - 1 : call.end]
        if not re.match(rf"\s*{call.name}\(", taken[0]) or re.search(r"\)\s*[A-Za-z]+\(", taken[0]):
            continue  # shares its line with others
        without = [*lines[: call.line - 1], *[""] * len(taken), *lines[call.end :]]

        def moved(place: int, taken: list[str] = taken, without: list[str] = without) -> str:
            return "\n".join([*without[:place], *taken, *without[place:]])

        reading = [
            (reader, words, setting)
            for reader, (words, setting) in readers
            if (name in words if is_define else reader.name == "MAILER")
        ]
        above = [one for one in reversed(reading) if one[0].end < call.line]
        below = [one for one in reading if one[0].line > call.end and name in one[2]]
        if not above and not below:
            continue
        trials += 2 + len(above)
        if trials > TRIALS or time.monotonic() > end:
            return
        useless = make("\n".join(without)) == made
        for reader, _words, setting in above:
            if not useless and name in setting:
                continue  # it is there to change what that file has set
            if make(moved(reader.line - 1)) != made:
                shown = f"{reader.name}(`{reader.argument(1)}') on line {reader.line}"
                what = f"{call.name}(`{name}', …)"
                yield McMessage(
                    call.line,
                    f"{what} is below {shown}, which reads it: it comes too late",
                    f"it above line {reader.line}",
                )
                break
        else:
            for reader, _words, _setting in below:
                if useless and make(moved(reader.end)) != made:
                    yield McMessage(
                        call.line,
                        f"{reader.name}(`{reader.argument(1)}') on line {reader.line} "
                        f"sets {name} again",
                        f"it below line {reader.line}",
                    )
                    break


def _read_by(
    call: Call, files: MacroFiles, includes: list[Include]
) -> tuple[frozenset[str], frozenset[str]]:
    """The names in the files that a directive includes, and those that they set in any case."""
    waiting = [
        one.path for one in includes if one.file == STDIN and call.line <= one.line <= call.end
    ]
    words: set[str] = set()
    setting: set[str] = set()
    while waiting:
        path = waiting.pop()
        content = _content(path, files)
        words.update(names_in(content))
        setting.update(re.findall(r"^define\(`(\w+)'", content, re.MULTILINE))
        waiting += [one.path for one in includes if one.file == path]
    return frozenset(words), frozenset(setting)


def _content(path: str, files: MacroFiles) -> str:
    folder = str(files.folder)
    plain = re.sub(r"^/+", "/", path)
    # Only sendmail's own files: others may be anything.
    return files.text(files.folder / plain[len(folder) + 1 :]) if plain.startswith(folder) else ""
