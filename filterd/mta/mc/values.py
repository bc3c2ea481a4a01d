"""Mistakes in the values of filters and daemons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from filterd.mta.cf.ports import names
from filterd.mta.mc.messages import McMessage
from filterd.mta.mc.scan import Call, Scan
from filterd.mta.mc.writing import OTHER_QUOTES, misquoted
from filterd.mta.milters.settings import FilterSyntaxError, InputMailFilter

FILTERS = ("INPUT_MAIL_FILTER", "MAIL_FILTER")

LIST = "confINPUT_MAIL_FILTERS"

DAEMON_KEYS = {
    "A": "Addr",
    "C": "children",
    "D": "DeliveryMode",
    "F": "Family",
    "I": "InputMailFilters",
    "L": "Listen",
    "M": "Modifiers",
    "N": "Name",
    "P": "Port",
    "R": "ReceiveSize",
    "S": "SendSize",
    "T": "TLS",
    "d": "delayLA",
    "q": "queueLA",
    "r": "refuseLA",
}
"""What an equate of DAEMON_OPTIONS is told by: its first letter."""

MODIFIERS = frozenset("abcdfhrsuACEOS")
"""Letters of `M=`, sendmail's `doc/op`, DaemonPortOptions."""

_TIMEOUT = re.compile(r"[CSRE]\w*+:\s*+(?:\d++[smhdw]?+)++")

FLAGS = frozenset("TR4")
"""Letters of a filter's `F=`."""


def values(found: Scan) -> Iterator[McMessage]:
    """Yield the mistakes, in no order."""
    yield from _filters(found)
    yield from _daemons(found)


@dataclass(slots=True)
class _Filters:
    """The filters as the file goes on. defined: names and lines; asked: the list so far."""

    defined: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    list_line: int = 0

    def define(self, call: Call) -> Iterator[McMessage]:
        name = call.argument(1)
        yield from _filter(call)
        if name in self.defined:
            what = f"the filter {name} is defined on line {self.defined[name]} already"
            yield McMessage(call.line, what, "another name", "error")
        self.defined.setdefault(name, call.line)
        if call.name == "INPUT_MAIL_FILTER":
            self.asked.append(name)

    def replace(self, call: Call) -> Iterator[McMessage]:
        """The list is set by hand."""
        value = call.argument(2).strip("`'")
        lost = [one for one in self.asked if one not in names(value)]
        if lost and LIST not in value:
            yield McMessage(
                call.line,
                "this list is in the place of what INPUT_MAIL_FILTER noted: "
                f"{', '.join(lost)} would not be asked",
                "every filter in it",
            )
        self.asked, self.list_line = list(names(value)), call.line

    def finish(self, daemons: str) -> Iterator[McMessage]:
        """daemons: the options of all daemons, which may name filters too."""
        for name in dict.fromkeys(self.asked):
            if name in self.defined:
                continue
            if " " in name and set(name.split()) <= set(self.defined):
                expected = "commas between the names"
            else:
                expected = _one_of(self.defined)
            what = f"there is no filter {name}: sendmail does not start"
            yield McMessage(self.list_line, what, expected, "error")
        for name, line in self.defined.items():
            used = name in self.asked or re.search(rf"\b{re.escape(name)}\b", daemons)
            if name and not used:
                what = f"the filter {name} is never asked"
                yield McMessage(line, what, f"INPUT_MAIL_FILTER, or its name in {LIST}")


def _one_of(defined: Iterable[str]) -> str:
    known = ", ".join(sorted(defined))
    return f"one of {known}" if known else "MAIL_FILTER for it"


def _filters(found: Scan) -> Iterator[McMessage]:
    filters = _Filters()
    for call in found.calls:
        if call.spaced or call.nested:
            continue
        if call.name in FILTERS and misquoted(call):
            filters.asked.append(call.argument(1).strip(OTHER_QUOTES))
            filters.defined.setdefault(filters.asked[-1], call.line)
        elif call.name in FILTERS:
            yield from filters.define(call)
        elif call.name == "define" and call.argument(1) == LIST:
            yield from filters.replace(call)
    yield from filters.finish(" ".join(call.argument(1) for call in found.named("DAEMON_OPTIONS")))


def _filter(call: Call) -> Iterator[McMessage]:
    name, equates = call.argument(1), call.argument(2)
    line = call.arguments[1].line if len(call.arguments) > 1 else call.line
    if len(call.arguments) < 2:
        if re.search(r"'\s+`", call.arguments[0].raw if call.arguments else ""):
            return  # the comma is missing
        if re.search(r"S\s*=", name):
            yield McMessage(
                call.line,
                f"{call.name} has one argument",
                "(`{}', `{}')".format(*(part.strip() for part in name.split(",", 1))),
                "error",
            )
        else:
            yield McMessage(call.line, f"{call.name} has no socket", "`S=unix:/path'", "error")
        return
    if re.search(r"[\s,]", name.strip()):
        yield McMessage(call.line, f"the filter's name is {name!r}", "one word", "error")
        return
    fields = [one.strip() for one in equates.replace("\n", " ").split(",")]
    hint = next(filter(None, map(_hint, fields)), None)
    try:
        InputMailFilter.parse(f"{name}, {equates}".replace("\n", " "))
    except FilterSyntaxError as error:
        what, expected = hint or ("; ".join(error.problems), error.hint or "S=…, F=…, T=…")
        yield McMessage(line, what, expected, "error")
    else:
        # sendmail takes it, for something else than what was meant.
        if hint:
            yield McMessage(line, *hint)


def _hint(text: str) -> tuple[str, str] | None:
    """What was meant by a field that mixes several: what is wrong, and what was expected."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        if re.match(r"[CSRE]:\d", text):
            return f"{text} stands behind a comma", f"a semicolon: T=…;{text}"
        if (match := re.match(r"([SFT])\s*[:+]\s*(.+)", text)) is not None:
            return f"{text} has no equals sign", f"{match[1]}={match[2]}"
        return None
    reader = {"F": _flags_hint, "S": _socket_hint, "T": _timeouts_hint}.get(key[:1])
    return reader(text, value) if reader else None


def _flags_hint(text: str, value: str) -> tuple[str, str] | None:
    if re.search(r"[CSRE]:\d|T=", value):
        flags, _sign, times = re.split(r"([+;]|$)", value, maxsplit=1)
        times = re.sub(r"^T[=+]", "", times.strip())
        flags = flags if set(flags) <= FLAGS else "T"
        return f"{text} has flags and timeouts in one", f"F={flags}, T={times}"
    unknown = sorted(set(value) - FLAGS)
    if unknown:
        return f"F={value}: {' '.join(unknown)} is not a flag", "T, R or 4, or none"
    return None


def _socket_hint(text: str, value: str) -> tuple[str, str] | None:
    if (match := re.search(r"(?:[;+]|(?<!\s) )\s*+([FT])\s*+=", value)) is not None:
        return f"{text} has {match[1]}= in the socket", f"a comma before {match[1]}="
    return None


def _timeouts_hint(text: str, value: str) -> tuple[str, str] | None:
    if re.search(r"(?:\+|(?<!\s)\s)\s*+[CSRE]:", value):
        return f"{text} has timeouts without a semicolon between", "T=S:…;R:…"
    if (match := re.search(r"(?:[;+]|(?<!\s)\s)\s*+([FS])\s*+=", value)) is not None:
        return f"{text} has {match[1]}= in the timeouts", f"a comma before {match[1]}="
    for one in value.split(";") if value else ():
        if not _TIMEOUT.fullmatch(one.strip()):
            return (
                f"T=: {one.strip() or 'nothing'} is not a timeout",
                "C:, S:, R: or E: and a time, as in E:5m",
            )
    return None


def _daemons(found: Scan) -> Iterator[McMessage]:
    calls = [
        one
        for one in found.named("DAEMON_OPTIONS")
        if not (one.spaced or one.nested or misquoted(one))
    ]
    msa = any(one.argument(1) == "no_default_msa" for one in found.named("FEATURE"))
    filters = {one.argument(1) for one in found.named(*FILTERS)}
    places: dict[tuple[str, str, str], int] = {}
    for call in calls:
        given: dict[str, str] = {}
        yield from _daemon(call, given)
        unknown = sorted(set(given.get("M", "")) - MODIFIERS - set(" "))
        if unknown:
            what = f"M={given['M']}: {' '.join(unknown)} is not a modifier"
            yield McMessage(call.line, what, f"letters of {''.join(sorted(MODIFIERS))}")
        for name in names(given.get("I", "")):
            if name not in filters:
                what = f"there is no filter {name}: sendmail does not start"
                yield McMessage(call.line, what, _one_of(filters), "error")
        port = given.get("P", "smtp")
        port = {"25": "smtp", "587": "submission", "465": "smtps"}.get(port, port)
        place = (port, given.get("A", ""), given.get("F", "inet"))
        if place in places:
            what = f"line {places[place]} listens on the same address and port"
            yield McMessage(call.line, what, "another Port= or Addr=")
        places.setdefault(place, call.line)
        if port == "submission" and not msa:
            what = "sendmail listens on port 587 without this line already"
            yield McMessage(call.line, what, "FEATURE(`no_default_msa') above it")


def _daemon(call: Call, given: dict[str, str]) -> Iterator[McMessage]:
    """The equates of one daemon, by their letters."""
    for one in filter(None, map(str.strip, call.argument(1).split(","))):
        key, equals, value = one.partition("=")
        letter = key.strip()[:1]
        if not equals:
            yield McMessage(call.line, f"{one} in DAEMON_OPTIONS has no value", "key=value")
        elif letter not in DAEMON_KEYS:
            meant = DAEMON_KEYS.get(letter.upper())
            yield McMessage(
                call.line,
                f"DAEMON_OPTIONS does not know {key.strip()}=",
                f"{meant}=" if meant else f"one of {', '.join(DAEMON_KEYS.values())}",
            )
        else:
            if (match := re.search(r"\s(\w+)\s*=", value)) is not None:
                what = f"{one} has {match[1]}= in the value"
                yield McMessage(call.line, what, f"a comma before {match[1]}=")
            given[letter] = value.strip()
