"""The settings of one filter, and INPUT_MAIL_FILTER: `Xname, S=socket, F=flags, T=timeouts`.

The grammar is exactly sendmail's: the name ends at the first comma or blank, only the first letter
of a key counts, the last `S=` wins, letters of `F=` add up, and a comma ends an equate even inside
`T=`. Source: sendmail 8.17 `milter.c` (milter_setup,
milter_parse_timeouts, milter_open).
"""

from __future__ import annotations

import re
import socket as sockets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_doc import Doc

EX_SOFTWARE, EX_OSERR, EX_CONFIG = 70, 71, 78

LOCAL_PATH_LIMIT = 108
"""Octets in `sockaddr_un.sun_path` on Linux, its NUL included."""

UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
"""Seconds in each unit of a time, convtime() in sendmail's `convtime.c`."""

Action = Literal["accept", "reject", "tempfail", "quarantine", "shutdown"]


class FilterSyntaxError(ValueError):
    """A filter's line that sendmail refuses.

    problems: sendmail's error messages, without file and line. status: sendmail's exit status.
    hint: what was probably meant.
    """

    def __init__(self, problems: list[str], status: int, hint: str = "") -> None:
        super().__init__("; ".join(problems) + (f" ({hint})" if hint else ""))
        self.problems = problems
        self.status = status
        self.hint = hint


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """Where a filter listens. family: `unix` (host is the path, port 0), `inet` or `inet6`."""

    family: Literal["unix", "inet", "inet6"]
    host: str
    port: int = 0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for connecting, one write, one read, and the whole end of message; 0 for no limit."""

    connect: float = 300.0
    write: float = 10.0
    read: float = 10.0
    eom: float = 300.0


@dataclass(frozen=True)
class InputMailFilter:
    """One filter of the MTA, `[[mta.filters]]`.

    Raises FilterSyntaxError for an invalid socket or invalid timeouts.
    """

    name: Annotated[str, Doc("name of the filter, for the log")]
    socket: Annotated[
        str, Doc("where it listens: unix:/path, inet:port@host or inet6:port@host (sendmail's S=)")
    ]
    flags: Annotated[
        str,
        Doc(
            "if the filter fails: T answers 451, R refuses, 4 closes with 421; none: go on without"
        ),
    ] = ""
    timeouts: Annotated[
        str, Doc("connect (C), write (S), read (R), whole end of message (E), as in sendmail's T=")
    ] = "C:5m;S:10s;R:10s;E:5m"
    default_action: Annotated[
        Action, Doc("if the filter fails, in the Postfix flavour: milter_default_action")
    ] = "tempfail"
    connect_timeout: Annotated[float, Doc("seconds; Postfix flavour only")] = 30.0
    command_timeout: Annotated[float, Doc("seconds; Postfix flavour only")] = 30.0
    content_timeout: Annotated[float, Doc("seconds; Postfix flavour only")] = 300.0

    def __post_init__(self) -> None:
        problems: list[str] = []
        status = 0
        _timeouts(self.timeouts, self.name, problems)
        if problems:
            status = EX_SOFTWARE
        address, problem, socket_status = parse_socket(self.socket)
        if address is None:
            problems.append(f"X{self.name}: {problem}")
            status = socket_status
        if problems:
            raise FilterSyntaxError(problems, status)

    @cached_property
    def address(self) -> SocketAddress:
        """The parsed socket."""
        address = parse_socket(self.socket)[0]
        assert address is not None, "checked when the filter was made"
        return address

    @cached_property
    def time_limits(self) -> Timeouts:
        """The timeouts in seconds."""
        return _timeouts(self.timeouts, self.name, [])

    @property
    def on_failure(self) -> Literal["", "T", "4", "R"]:
        """The flag that counts: of several, T beats 4 beats R (MILTER_SET_STATE)."""
        flags: tuple[Literal["T", "4", "R"], ...] = ("T", "4", "R")
        return next((flag for flag in flags if flag in self.flags), "")

    @classmethod
    def parse(cls, text: str) -> InputMailFilter:
        """Read `name, S=unix:/path, F=T, T=C:5m;S:10s;R:10s;E:5m`, what follows the `X` of a line.

        Raises FilterSyntaxError with every problem, in sendmail's words.
        """
        match = re.match(r"[^,\s]*", text)
        assert match is not None
        name, rest = match[0], text[match.end() :]
        if not name:
            raise FilterSyntaxError(["name required for mail filter"], EX_SOFTWARE)
        problems: list[str] = []
        values = {"S": "", "F": "", "T": ""}
        for field in _equates(rest):
            key, equals, value = field.partition("=")
            letter = key.strip()[:1]
            if not equals:
                # sendmail drops the whole filter here, so that its name in InputMailFilters is
                # unknown.
                hint = ""
                if re.match(r"T\s*\+", field):
                    hint = f"expected T={field.partition('+')[2].strip()}"
                raise FilterSyntaxError([*problems, f"X{name}: `=' expected"], EX_CONFIG, hint)
            if letter not in values:
                problems.append(f"X{name}: unknown filter equate {letter}=")
            elif letter == "F":
                values["F"] += value.strip()
            else:
                values[letter] = value.strip()
        try:
            made = cls(name, values["S"], values["F"], values["T"])
        except FilterSyntaxError as error:
            raise FilterSyntaxError(problems + error.problems, error.status) from None
        if problems:
            raise FilterSyntaxError(problems, EX_SOFTWARE)
        return made

    @classmethod
    def parse_postfix(cls, name: str, text: str) -> InputMailFilter:
        """Read one member of `smtpd_milters`: `{ unix:/path, default_action=accept, … }`, or the
        socket alone. Raises FilterSyntaxError."""
        socket, *arguments = (
            one.strip() for one in re.split(r"[,\s]+", text.strip().strip("{}").strip())
        )
        given: dict[str, Any] = {}
        for argument in arguments:
            key, _, value = argument.partition("=")
            if key.strip() not in _POSTFIX_ARGUMENTS:
                raise FilterSyntaxError([f"{name}: unknown argument {argument!r}"], EX_CONFIG)
            if key.strip().endswith("_timeout"):
                given[key.strip()] = parse_time(value)
            elif key.strip() == "default_action":
                given["default_action"] = value.strip()
        return cls(name, socket, **given)


_POSTFIX_ARGUMENTS = {
    "default_action",
    "connect_timeout",
    "command_timeout",
    "content_timeout",
    "protocol",
}


def _equates(text: str) -> list[str]:
    """The fields between commas; empty ones are dropped."""
    fields = (field.strip() for field in text.split(","))
    return [field for field in fields if field]


def _timeouts(text: str, name: str, problems: list[str]) -> Timeouts:
    """T=: `C:`, `S:`, `R:`, `E:` between semicolons."""
    seconds: dict[str, float] = {}
    for field in text.split(";") if text else []:
        code, colon, value = field.strip().partition(":")
        if not colon:
            problems.append(f"X{name}, T=: `:' expected")
            break
        if code[:1] not in "CSRE" or not code:
            problems.append(f"X{name}: unknown filter timeout {code[:1]}")
            continue
        seconds[code[:1]] = parse_time(value)
    default = Timeouts()
    return Timeouts(
        seconds.get("C", default.connect),
        seconds.get("S", default.write),
        seconds.get("R", default.read),
        seconds.get("E", default.eom),
    )


def parse_time(text: str) -> float:
    """Seconds of `1w2d3h4m5s`; a number without a unit, or of an unknown one, is seconds."""
    return sum(
        float(number) * UNITS.get(unit or "s", 1.0)
        for number, unit in re.findall(r"(\d+)\s*([a-z]?)", text.lower())
    )


def parse_socket(text: str) -> tuple[SocketAddress | None, str, int]:
    """Read S=. Returns the address, or None with what is wrong and sendmail's exit status."""
    if not text:
        return None, "empty or missing socket information", EX_SOFTWARE
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not colon:
        scheme, rest = "unix", text
    if scheme in ("", "unix", "local"):
        if not rest:
            return None, "empty or missing socket information", EX_SOFTWARE
        if len(rest.encode()) >= LOCAL_PATH_LIMIT:
            return None, f"local socket name {rest} too long: Invalid argument", EX_OSERR
        return SocketAddress("unix", rest), "", 0
    families: dict[str, Literal["inet", "inet6"]] = {"inet": "inet", "inet6": "inet6"}
    if scheme not in families:
        return None, f"unknown socket type {scheme}: Protocol not supported", EX_OSERR
    port_text, at, host = rest.partition("@")
    if not at:
        return None, f"bad address {rest} (expected port@host)", EX_OSERR
    port = _port(port_text)
    if port is None:
        return None, f"unknown port name {port_text}", EX_OSERR
    if host.startswith("[") and not host.endswith("]"):
        return None, f'Invalid numeric domain spec "{host}"', EX_SOFTWARE
    return SocketAddress(families[scheme], host.removeprefix("[").removesuffix("]"), port), "", 0


def _port(text: str) -> int | None:
    if text.isdecimal():
        return int(text) if 0 < int(text) < 65536 else None
    try:
        return sockets.getservbyname(text, "tcp")
    except OSError:
        return None


def missing_sockets(filters: tuple[InputMailFilter, ...]) -> list[str]:
    """sendmail's warnings for local sockets that do not exist (yet)."""
    return [
        f"WARNING: X{one.name}: local socket name {one.address.host} missing"
        for one in filters
        if one.address.family == "unix" and not Path(one.address.host).exists()
    ]
