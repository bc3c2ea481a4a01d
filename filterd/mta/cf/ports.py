"""The options DaemonPortOptions and ClientPortOptions: where the MTA listens, and its end of
connections to other hosts.

Source: sendmail 8.17 `daemon.c` (setsockaddroptions); letters and texts observed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SMTP_PORT = 25

FAMILIES = ("inet", "inet6", "local", "unix")

_FAMILY_NUMBERS = {"1": "local", "2": "inet", "10": "inet6"}
"""The system's numbers, which sendmail takes as well."""

_SAME = frozenset("AFILMNPS")
"""Letters of equates whose case does not count; `d` is not `D`, nor `r` `R`."""

_KNOWN = _SAME | frozenset("DRcdqr")

_SERVICES = {
    "smtp": 25,
    "mail": 25,
    "smtps": 465,
    "ssmtp": 465,
    "submissions": 465,
    "submission": 587,
    "lmtp": 24,
}
"""Names of ports on which mail comes in."""


@dataclass(frozen=True, slots=True)
class DaemonPort:
    """`O DaemonPortOptions`. family: `inet`, `inet6`, or `local` for a unix socket. filters: None
    for those of InputMailFilters. modifiers: of `M=`."""

    name: str = "MTA"
    address: str = ""
    port: int = SMTP_PORT
    filters: tuple[str, ...] | None = None
    modifiers: str = ""
    family: str = "inet"


@dataclass(frozen=True, slots=True)
class ClientPort:
    """`O ClientPortOptions`. family: as for `DaemonPort`. port: 0 for any. modifiers: of `M=`."""

    family: str = "inet"
    address: str = ""
    port: int = 0
    modifiers: str = ""


def daemon(text: str, number: int = 0) -> DaemonPort:
    """`Name=MTA, Addr=127.0.0.1, Port=25, InputMailFilters=f2;f1`. number: of the daemon, the
    first one is 0."""
    given = dict(equates(text))
    return DaemonPort(
        given.get("N") or f"Daemon{number}",
        _address(given),
        _port(given, SMTP_PORT),
        names(given["I"]) if "I" in given else None,
        _modifiers(given),
        _family(given),
    )


def client(text: str) -> ClientPort:
    """`Family=inet6, Addr=2001:db8::1, M=h`."""
    given = dict(equates(text))
    return ClientPort(_family(given), _address(given), _port(given, 0), _modifiers(given))


def equates(text: str) -> Iterator[tuple[str, str]]:
    """Letters and values; what has no `=` is ignored."""
    for one in text.split(","):
        key, equals, value = one.strip().partition("=")
        if equals:
            letter = key.strip()[:1]
            yield (letter.upper() if letter.upper() in _SAME else letter), value.strip()


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas or semicolons."""
    return tuple(name.strip() for name in re.split("[,;]", text) if name.strip())


def port_problems(text: str) -> Iterator[str]:
    """What is wrong with the value of one of the options. Names of hosts are not looked up, see
    `host_to_ask`."""
    given = dict[str, str]()
    for one in filter(None, map(str.strip, text.split(","))):
        for letter, value in equates(one):
            if letter not in _KNOWN:
                yield f'PortOptions parameter "{one}" unknown'
            elif letter == "F" and value.lower() not in FAMILIES and not value[:1].isdecimal():
                yield f"Unknown address family {value} in Family=option"
            elif letter == "D" and value[:1] not in DELIVERY_MODES:
                yield f"Unknown delivery mode {value[:1]}"
            else:
                given[letter] = value
    family = _family(given)
    if "A" in given and family in ("inet", "inet6") and not _may_be_host(given["A"], family):
        yield unknown_host(given["A"])
    elif "A" in given and family not in FAMILIES:
        yield f"address= option unsupported for family {family}"
    if "P" in given and not re.match("[0-9]", given["P"]) and given["P"] not in _SERVICES:
        yield f'service "{given["P"]}" unknown'


def unknown_host(name: str) -> str:
    return f'host "{name}" unknown'


def host_to_ask(text: str) -> tuple[str, str]:
    """The name in one of the options that must be looked up, and its family; "" for none."""
    given = dict(equates(text))
    name, family = given.get("A", ""), _family(given)
    is_name = family in ("inet", "inet6") and _may_be_host(name, family)
    return (
        name if is_name and not re.fullmatch("[0-9.]+", name) and ":" not in name else ""
    ), family


DELIVERY_MODES = ("q", "b", "i", "d")
"""First letters: queue, background, interactive, deferred."""


def _may_be_host(text: str, family: str) -> bool:
    if not text or "[" in text:
        return False
    address = text.removeprefix("IPv6:")
    is_ipv4 = re.fullmatch(r"[0-9.]+", address) is not None
    return not is_ipv4 if family == "inet6" else ":" not in address


def _family(given: dict[str, str]) -> str:
    family = given.get("F", "inet").lower()
    if digits := re.match("[0-9]{1,9}", family):
        return _FAMILY_NUMBERS.get(str(int(digits[0])), digits[0])
    return "local" if family == "unix" else family


def _address(given: dict[str, str]) -> str:
    return given.get("A", "").removeprefix("IPv6:")


def _port(given: dict[str, str], default: int) -> int:
    text = given.get("P", "")
    if digits := re.match("[0-9]{1,9}", text):
        # It has 16 bits in a packet.
        return int(digits[0]) & 0xFFFF
    return _SERVICES.get(text, default)


def _modifiers(given: dict[str, str]) -> str:
    return "".join(dict.fromkeys(re.findall("[A-Za-z]", given.get("M", ""))))
