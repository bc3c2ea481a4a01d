"""What test mode asks of this machine: its name, users, the date, the help file, name servers."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Sequence
from pathlib import Path

from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.host import Host
from filterd.mta.cf.lookup import Maps
from filterd.mta.sendmail.macros import sendmail_date
from filterd.resolver.answer import MX, DnsAnswer, DnsStatus, RecordType
from filterd.resolver.resolver import system_resolver
from filterd.system.bounded import open_regular

HELP_LIMIT = 1 << 16
"""Octets of a help file that are read; sendmail's own has 4000."""

DNS_TIMEOUT = 15.0
"""Seconds for one question to the name server."""


def user_name() -> str:
    """The name of the user who runs this."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"Unknown UID {os.getuid()}"


def host(version: str, mode: str) -> Host:
    """The machine before a file is read. mode: sendmail's operation mode, `t` for test mode."""
    name = socket.gethostname() or "localhost"
    names: list[str] = [name]
    if "." not in name:
        try:
            found, others, addresses = socket.gethostbyname_ex(name)
        except OSError:
            found, others, addresses = name, [], []
        dotted = [one for one in (found, *others) if "." in one]
        if dotted:
            name = dotted[0]
            names = [name, *others, *(f"[{address}]" for address in addresses)]
    return named_host(name, version, mode, user_name(), names=names, node=os.uname().nodename)


def named_host(
    name: str, version: str, mode: str, user: str, *, names: Sequence[str] = (), node: str = ""
) -> Host:
    """A machine of this name, about which nobody is asked. names, node: as in `Host`; without them
    the name itself. user: who runs sendmail there."""
    qualified = "." in name
    macros = [
        ("v", version),
        ("w", name),
        ("j", name),
        ("k", node or name),
        ("b", sendmail_date()),
        ("_", f"{user}@localhost"),
        ("opMode", mode),
    ]
    if qualified:
        macros.append(("m", name.partition(".")[2]))
    known = tuple(names) or (name,)
    return Host(tuple(macros), known if qualified else (), node or name, qualified)


class HelpTopics:
    """The lines of `O HelpFile` by topic: the topic, a tab, the line."""

    def __init__(self, cf: SendmailCf) -> None:
        self._path = Path(cf.option("HelpFile", "/etc/mail/helpfile"))

    def __call__(self, topic: str) -> Sequence[str] | None:
        try:
            with open_regular(self._path) as file:
                text = file.read(HELP_LIMIT).decode("ascii", "surrogateescape")
        except (OSError, ValueError):
            return None
        lines = []
        for line in text.split("\n"):
            if line.startswith(topic):
                # Everything behind the first blank or tab.
                positions = [line.find(one) for one in " \t" if one in line]
                lines.append(line[min(positions) + 1 :] if positions else "")
        return lines


class NamesByMaps:
    """Host names by the map `host`, mail exchangers by the name server. Nobody is
    asked about something in brackets."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps

    def canonical(self, name: str) -> str:
        if name.startswith("["):
            return name
        map = self._maps.find("host")
        answer = map.lookup(name) if map is not None else None
        found = answer.value if answer is not None else None
        return found.removesuffix(".") if found else name

    def mail_exchangers(self, name: str) -> Sequence[str] | int | None:
        if name.startswith("["):
            return (name,)
        answer = _asked(name, RecordType.MX)
        if answer.failed and answer.status != DnsStatus.UNREACHABLE:
            return -1
        records = [record for record in answer.records if isinstance(record, MX)]
        if any(not record.exchange for record in records):
            return None
        if records:
            return [f"{one.exchange}." for one in sorted(records, key=lambda one: one.preference)]
        if answer.status != DnsStatus.NODATA:
            return ()
        # A host with an address takes its own mail; an alias does not count.
        host = _asked(name, RecordType.A)
        own = host.canonical.rstrip(".").lower() == name.rstrip(".").lower()
        return (f"{name.rstrip('.')}.",) if host.records and own else ()


def _asked(name: str, kind: RecordType) -> DnsAnswer:
    return system_resolver().ask(name, kind).answer(DNS_TIMEOUT)
