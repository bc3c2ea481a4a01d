"""The M lines of a sendmail.cf: mailers and their equates. Source: sendmail 8.17 `readcf.c`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from filterd.mta.cf.marks import MACRO, Complain, Names
from filterd.mta.cf.option_values import unit_complaints
from filterd.mta.cf.rulesets import Rulesets

MAX_MAILERS = 25
"""MAXMAILERS."""

DEFAULT_RECIPIENTS = 100
"""Recipients of one envelope if there is no `r=`, DEFAULT_MAX_RCPT."""

SMTP_LINE = 990
"""Octets of a line with the flag `L` and no `L=`, SMTPLINELIM."""

_SAFE_LENGTH = 10
"""Octets of `U=user:group` with which Debian's build of sendmail does not go wrong."""

_SPACES = " \t\n\v\f\r"
_NUMBER = re.compile(r"\s*([+-]?\d+)")
_USER = re.compile(
    r"(?:(?P<number>0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)|(?P<name>[A-Za-z0-9_-]*))"
    r"[ \t\n\v\f\r]*.?"
    r"[ \t\n\v\f\r]*",
    re.DOTALL,
)
_C_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")
_GROUP_NAME = re.compile(r"[A-Za-z0-9._-]*")

_UNDEFINED_IF_EMPTY = {
    "E": "null end-of-line string",
    "D": "null working directory",
    "C": "null charset",
    "/": "null root directory",
    "Q": "null queue",
    "U": "null user name",
}

BUILT_IN = (
    f"prog, P=/bin/sh, F=lsouDq9, T=X-Unix/X-Unix/X-Unix, A=sh -c {MACRO}u",
    f"*file*, P=[FILE], F=lsDFMPEouq9, T=X-Unix/X-Unix/X-Unix, A=FILE {MACRO}u",
    f"*include*, P=/dev/null, F=su, A=INCLUDE {MACRO}u",
)
"""The mailers that sendmail has without a file saying so."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The rulesets of `S=` or `R=`, for envelope and header addresses; 0 for none."""

    envelope: int = 0
    header: int = 0


@dataclass(frozen=True, slots=True)
class MailerLine:
    """An M line. path, argv: the program; `[IPC]` for SMTP. flags: its letters.

    argv is written with `$`, words with marks. types: those of the MTA's name, of addresses and of
    diagnostics, `T=`.
    """

    name: str
    path: str
    argv: str
    flags: str
    max_size: int = 0
    equates: dict[str, str] = field(default_factory=dict)
    number: int = -1
    senders: Paths = Paths()
    recipients: Paths = Paths()
    words: tuple[str, ...] = ()
    end_of_line: str = "\n"
    types: tuple[str, str, str] = ("", "", "")
    charset: str = ""
    line_limit: int = 0
    max_recipients: int = DEFAULT_RECIPIENTS
    user: int = -1
    group: int = -1


class Mailers:
    """By name; upper and lower case are the same."""

    def __init__(self) -> None:
        self._by_name: dict[str, MailerLine] = {}
        self._by_number: dict[int, MailerLine] = {}

    def add(self, mailer: MailerLine) -> None:
        """Add a mailer, or replace the one of that name."""
        self._by_name[mailer.name.lower()] = mailer
        self._by_number[mailer.number] = mailer

    def find(self, name: str) -> MailerLine | None:
        return self._by_name.get(name.lower())

    def complete(self, level: int) -> None:
        """Set the flags that sendmail sets when it has read a file of this level."""
        for name in ("local", "prog", "*file*"):
            mailer = self.find(name)
            if mailer is None:
                continue
            flags = set(mailer.flags) - (set() if name == "local" else {"m"})
            if level < 6:
                flags |= set("Aw5:|/@" if name == "local" else "o")
            if level < 7:
                flags.add("q")
            listed = self._by_number[mailer.number]
            self.add(replace(mailer, flags="".join(sorted(flags))))
            if listed is not mailer:
                self._by_number[mailer.number] = listed

    def __len__(self) -> int:
        return len(self._by_name)

    def numbered(self) -> list[MailerLine]:
        """In the order of their numbers, one for each, as sendmail lists them."""
        return [self._by_number[number] for number in sorted(self._by_number)]


@dataclass(slots=True)
class MailerReader:
    """Reads the text behind the M. Text has marks.

    notice: takes what is said without a place. tell: what is said with the line, but is not a
    mistake.
    """

    names: Names
    rulesets: Rulesets
    mailers: Mailers
    users: Users
    notice: Complain
    tell: Complain
    level: int = 0
    next_number: int = 0
    queues: set[str] = field(default_factory=lambda: {"mqueue"})

    def read(self, text: str, complain: Complain) -> MailerLine | None:
        name, rest = _name(text)
        if not name:
            complain("name required for mailer")
            return None
        values = _Values(name)
        while rest:
            rest = rest.lstrip(_SPACES + ",")
            letter = rest[:1]
            key = re.split("[=,]", rest, maxsplit=1)[0]
            if not rest.startswith("=", len(key)):
                complain(f"mailer {name}: `=' expected")
                return None
            value, rest = unquoted(rest[len(key) + 1 :].lstrip(_SPACES), ",")
            if not self._set(values, letter, value, complain):
                return None
        return self._checked(values, complain)

    def _set(self, values: _Values, letter: str, value: str, complain: Complain) -> bool:
        """Take one equate. False if sendmail drops the whole line."""
        if letter in "SR":
            envelope, rest = self.rulesets.enter(value, complain)
            header = envelope
            if envelope >= 0 and rest.startswith("/"):
                header = self.rulesets.enter(rest[1:], complain)[0]
            if envelope < 0 or header < 0:
                return False
            values.paths[letter] = Paths(envelope, header)
        elif letter in _UNDEFINED_IF_EMPTY and not value:
            complain(f"mailer {values.name}: {_UNDEFINED_IF_EMPTY[letter]}")
        elif letter == "Q" and value.lower() not in self.queues:
            complain(f"mailer {values.name}: unknown queue {value}")
        elif letter == "U":
            values.user, values.group = self._user(values, value, complain)
        elif letter not in "PFEAMmrLNDCQTW/":
            complain(f"M{values.name}: unknown mailer equate {letter}=")
        elif letter == "F":
            values.flags |= set(value) - set(_SPACES)
        elif letter == "W":
            for told in unit_complaints(value):
                self.tell(told)
            values.equates[letter] = value
        elif value or letter not in "PA":
            values.equates[letter] = value
        return True

    def _user(self, values: _Values, value: str, complain: Complain) -> tuple[int, int]:
        """`U=user:group` by name or number; the character between them may be any."""
        user, group = values.user, values.group
        found = _USER.match(value)
        assert found is not None
        if found["number"] is not None:
            user = _id(found["number"])
        elif not found["name"]:
            complain(f"mailer {values.name}: null user name")
            return user, group
        else:
            ids = self.users.user(found["name"])
            if ids is None:
                complain(f"readcf: mailer U= flag: unknown user {found['name']}")
                return user, group
            user, group = ids
        rest = value[found.end() :]
        if rest[:1].isdecimal() and rest.isascii():
            return user, _id(rest)
        if rest:
            group = self._group(values, value, found.end(), group, complain)
        return user, group

    def _group(
        self, values: _Values, value: str, start: int, known: int, complain: Complain
    ) -> int:
        found = _GROUP_NAME.match(value, start)
        assert found is not None
        if found.end() == len(value) > _SAFE_LENGTH:
            # Debian's sendmail 8.17.1.9 writes past a buffer here and counts from 0 again.
            self.next_number = 0
        if not found[0]:
            complain(f"mailer {values.name}: null group name")
            return known
        number = self.users.group(found[0])
        if number is None:
            complain(f"readcf: mailer U= flag: unknown group {found[0]}")
            return known
        return number

    def _number(self, known: MailerLine | None) -> int:
        if known is not None:
            return known.number
        self.next_number += 1
        return self.next_number - 1

    def _checked(self, values: _Values, complain: Complain) -> MailerLine | None:
        name, given = values.name, values.equates
        for letter in "AP":
            if letter not in given:
                complain(f"M{name}: {letter}= argument required")
                return None
        known = self.mailers.find(name)
        if self.next_number >= MAX_MAILERS:
            # Also of a line that would replace a mailer.
            complain(f"too many mailers defined ({MAX_MAILERS} max)")
            return None
        words = tuple(given["A"].split())
        path = given["P"]
        trouble = _program_trouble(name, path, words)
        if trouble:
            complain(trouble)
            return None
        if path == "[IPC]" and words[0] not in ("TCP", "FILE"):
            self.notice(f"M{name}: Warning: first argument in {path} mailer must be TCP or FILE\n")
        limit = max(_int(given.get("L", "")), 0)
        if "L" in values.flags and self.level < 2:
            values.flags.add("7")
        mailer = MailerLine(
            name,
            path,
            self.names.dollars(given["A"]),
            "".join(sorted(values.flags)),
            _int(given.get("M", "")),
            {key: self.names.dollars(value) for key, value in given.items()},
            self._number(known),
            values.paths.get("S", Paths()),
            values.paths.get("R", Paths()),
            words,
            given.get("E") or ("\n" if any(f"{MACRO}u" in word for word in words) else "\r\n"),
            _types(given.get("T"), path, words),
            given.get("C", ""),
            SMTP_LINE if not limit and "L" in values.flags else limit,
            max(_int(given.get("r", "")), 0) or DEFAULT_RECIPIENTS,
            values.user,
            values.group,
        )
        self.mailers.add(mailer)
        return mailer


class Users:
    """Who is who on this machine; here nobody is known."""

    def user(self, name: str) -> tuple[int, int] | None:
        """The ids of a user and of the user's group."""
        del name
        return None

    def group(self, name: str) -> int | None:
        del name
        return None

    def has_host(self, name: str, family: str) -> bool:
        """Whether a host has an address of the family `inet` or `inet6`."""
        del name, family
        return True


@dataclass(slots=True)
class _Values:
    name: str
    equates: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    paths: dict[str, Paths] = field(default_factory=dict)
    user: int = -1
    group: int = -1


def _name(text: str) -> tuple[str, str]:
    name = re.split(f"[,{_SPACES}]", text, maxsplit=1)[0]
    return name, text[len(name) + 1 :]


def unquoted(text: str, delimiter: str = "") -> tuple[str, str]:
    """The text up to a delimiter outside of quotes, and the rest; `\\n` and such are characters."""
    out: list[str] = []
    quoted = False
    at = 0
    while at < len(text):
        one = text[at]
        at += 1
        if one == "\\":
            escaped = text[at : at + 1]
            out.append({"r": "\r", "n": "\n", "f": "\f", "b": "\b"}.get(escaped, escaped))
            at += 1
        elif one == '"':
            quoted = not quoted
        elif one == delimiter and not quoted:
            at -= 1
            break
        else:
            out.append(one)
    return "".join(out), text[at:]


def _program_trouble(name: str, path: str, words: tuple[str, ...]) -> str:
    if path == "[TCP]":
        return f"M{name}: P=[TCP] must be replaced by P=[IPC]"
    if path == "[IPC]" and len(words) < 2:
        return f"M{name}: too few parameters for {path} mailer"
    if path == "[FILE]":
        if len(words) != 2:
            amount = "few" if len(words) < 2 else "many"
            return f"M{name}: too {amount} parameters for [FILE] mailer"
        if words[0] != "FILE":
            return f"M{name}: first argument in [FILE] mailer must be FILE"
    return ""


def _types(value: str | None, path: str, words: tuple[str, ...]) -> tuple[str, str, str]:
    if value is not None:
        first, _, rest = value.partition("/")
        second, _, third = rest.partition("/")
        return first or "dns", second or "rfc822", third or "smtp"
    if path == "[IPC]":
        return "dns", "rfc822", "x-unix" if words[:1] == ("FILE",) else "smtp"
    return "", "", ""


def _id(text: str) -> int:
    """The number that a text begins with, as C's `strtol` has it, as an id of 32 bits."""
    found = _C_NUMBER.match(text)
    if found is None:
        return 0
    base = 16 if found[0][1:2] in ("x", "X") else 8 if found[0].startswith("0") else 10
    number = min(int(found[0][:32], base), (1 << 63) - 1) & 0xFFFFFFFF
    return number - (1 << 32) if number >> 31 else number


def _int(text: str) -> int:
    found = _NUMBER.match(text)
    return int(found[1][:18]) if found else 0
