"""What a sendmail.cf asks for that the MTA does not do, by line: nothing is ignored in silence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from filterd.mta.cf.lines import logical_lines
from filterd.mta.cf.names import BY_LETTER, OPTIONS
from filterd.mta.cf.ports import equates
from filterd.mta.sendmail import support


@dataclass(frozen=True, slots=True)
class Gap:
    """A line. what: the thing in it that is not carried out; instead: what happens."""

    line: int
    what: str
    instead: str

    def text(self, source: str) -> str:
        return f"{source}:{self.line}: not carried out: {self.what}: {self.instead}"


def gaps(text: str) -> list[Gap]:
    """All of them, by line."""
    found: list[Gap] = []
    for number, line in logical_lines(text):
        reader = _READERS.get(line[:1])
        if reader is not None:
            found += [Gap(number, *one) for one in reader(line[1:])]
    return sorted(found, key=lambda one: one.line)


def _queue_group(rest: str) -> Iterator[tuple[str, str]]:
    name = re.split(r"[,\s]", rest, maxsplit=1)[0]
    yield f"Q{name}", "there is one queue"


def _option(rest: str) -> Iterator[tuple[str, str]]:
    if rest.startswith(" "):
        given, _, value = rest.strip().partition("=")
        name = _known(given.strip())
    else:
        name, value = BY_LETTER.get(rest[:1], ""), rest[1:]
    value = " ".join(value.split())
    shown = f"O {name}={value}" if value else f"O {name}"
    if name == "DaemonPortOptions":
        yield from _ports(name, value, support.DAEMON_KEYS)
    elif name == "ClientPortOptions":
        yield from _ports(name, value, support.CLIENT_KEYS)
    elif name == "PrivacyOptions":
        yield from _privacy(value)
    elif not name or name in _SETTLED or value.lower() in _same(name):
        return
    elif name.startswith("Timeout.") and not _is_carried_out_timeout(name):
        yield shown, support.TIMEOUTS
    elif name in support.NOT_CARRIED_OUT:
        yield shown, support.NOT_CARRIED_OUT[name]


def _ports(name: str, value: str, keys: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for one in filter(None, map(str.strip, value.split(","))):
        for letter, of in equates(one):
            if letter in keys:
                yield f"{one} in {name}", keys[letter]
            elif letter == "F" and of.lower() in ("local", "unix"):
                yield f"{one} in {name}", "unix sockets are left out"


def _privacy(value: str) -> Iterator[tuple[str, str]]:
    flags = re.split(r"[,\s]+", value.lower())
    for flag in dict.fromkeys(flags):
        if flag in support.PRIVACY:
            yield f"{flag} of PrivacyOptions", support.PRIVACY[flag]


def _known(given: str) -> str:
    """The option's own spelling; sendmail knows it in any case."""
    base, dot, sub = given.partition(".")
    spelled = next((one for one in OPTIONS if one.lower() == base.lower()), "")
    return spelled + dot + sub if spelled else ""


_SETTLED = support.CARRIED_OUT | support.WITHOUT_EFFECT


def _same(name: str) -> tuple[str, ...]:
    values = support.AS_ELSEWHERE.get(name, ())
    short = tuple(value[0] for value in values if value in ("true", "false"))
    return (*values, *short)


def _is_carried_out_timeout(name: str) -> bool:
    return any(
        name == one or name.startswith(f"{one}.") for one in _SETTLED if one.startswith("Timeout.")
    )


def _mailer(rest: str) -> Iterator[tuple[str, str]]:
    name, _, tail = rest.replace("\n", " ").partition(",")
    mailer = f"mailer {name.strip()}"
    # A= is the last one and may have commas.
    before = re.split(r"(?:^|[,\s])A\w*\s*=", tail, maxsplit=1)[0]
    for one in filter(None, map(str.strip, before.split(","))):
        key, _, value = one.partition("=")
        letter, value = key.strip()[:1], value.strip()
        if letter == "F":
            for flag in dict.fromkeys(value):
                if flag in support.FLAGS:
                    yield f"F={flag} of {mailer}", support.FLAGS[flag]
        elif letter in support.EQUATES and value:
            yield f"{letter}={value} of {mailer}", support.EQUATES[letter]


_READERS: dict[str, Callable[[str], Iterator[tuple[str, str]]]] = {
    "O": _option,
    "M": _mailer,
    "Q": _queue_group,
}
"""By the first letter of a line: what in it is not carried out, and what happens instead."""
