"""main.cf and master.cf as far as milters need them: values with `$name` in them, continued lines,
`-o` options of smtpd services, their chroot column.

Source: postconf(5), master(5), MILTER_README of Postfix 3.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filterd.mta.milters.settings import parse_time
from filterd.system.bounded import open_regular

__all__ = ["DEFAULTS", "Member", "PostfixFiles", "PostfixService", "expanded", "parse_time"]

SIZE_LIMIT = 4 << 20
"""Octets of a configuration file that are read; thousands of lines are some hundred KiB."""

EXPANSIONS = 20
"""Values within values; Postfix itself stops at a loop."""

DEFAULTS = {
    "queue_directory": "/var/spool/postfix",
    "mail_owner": "postfix",
    "smtpd_milters": "",
    "non_smtpd_milters": "",
    "milter_default_action": "tempfail",
    "milter_content_timeout": "300s",
    "milter_connect_timeout": "30s",
    "milter_command_timeout": "30s",
    "compatibility_level": "0",
}

_NAME = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\((\w+)\))")
_MEMBER = re.compile(r"\{[^}]*+(?:\}|\Z)|[^\s,{}]++")
_OPTION = re.compile(r"-o\s++(?:\{\s*+)?(\w++)\s*+=\s*+(\{[^}]*+(?:\}|\Z)|[^\s}]*+)")


@dataclass(frozen=True, slots=True)
class PostfixService:
    """One smtpd in master.cf. options: its `-o`."""

    name: str
    chrooted: bool
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """One filter in a list of milters. socket: as Postfix spells it."""

    socket: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PostfixFiles:
    """values: of main.cf, and the defaults. services: the SMTP servers of master.cf."""

    values: Mapping[str, str]
    services: tuple[PostfixService, ...]

    @classmethod
    def read(cls, main: Path) -> PostfixFiles:
        """main.cf, and the master.cf beside it. Raises OSError."""
        values = {**DEFAULTS, **_main(_lines(main))}
        return cls(values, tuple(_services(main.with_name("master.cf"), values)))

    def expanded(self, name: str) -> str:
        """A parameter's value; what is not known becomes nothing, as in Postfix."""
        return expanded(name, self.values)

    def members(self) -> list[Member]:
        """The filters that every service asks."""
        return members(self.expanded("smtpd_milters"))


def _lines(path: Path) -> Iterator[str]:
    """Logical lines: a blank first continues the line before, also behind comments."""
    with open_regular(path) as file:
        text = file.read(SIZE_LIMIT).decode("utf-8", "replace")
    current = ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0] in " \t":
            current += " " + line.strip()
            continue
        if current:
            yield current
        current = line.rstrip()
    if current:
        yield current


def _main(lines: Iterator[str]) -> dict[str, str]:
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def expanded(name: str, values: Mapping[str, str]) -> str:
    """A parameter's value; what is not known becomes nothing, as in Postfix."""
    text = values.get(name, "")
    for _ in range(EXPANSIONS):
        if "$" not in text:
            break
        text = _NAME.sub(lambda m: values.get(m[1] or m[2] or m[3], ""), text)
    return text.strip()


def members(text: str) -> list[Member]:
    found = []
    for one in _MEMBER.findall(text):
        socket, *rest = re.split(r"[\s,]+", one.strip("{} \t"))
        pairs = (word.partition("=") for word in rest)
        found.append(Member(socket, {key.strip(): value.strip() for key, _, value in pairs}))
    return found


def _services(master: Path, values: Mapping[str, str]) -> list[PostfixService]:
    """The smtpd services. Without a master.cf: one as Postfix has it by default."""
    if not master.exists():
        return [PostfixService("smtpd", False)]
    # Before level 1, a chroot is what `-` means (master(5)).
    by_default = values["compatibility_level"].split(".")[0] in ("", "0")
    found = []
    for line in _lines(master):
        words = line.split()
        if len(words) < 8 or words[7] != "smtpd":
            continue
        chrooted = words[4] == "y" or (words[4] == "-" and by_default)
        text = line.split(None, 7)[7]
        options = dict(_OPTION.findall(text))
        found.append(PostfixService(words[0], chrooted, options))
    return found
