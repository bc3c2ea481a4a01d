"""Settings `[filters.recipients]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_doc import Doc
from annotated_types import Ge, Gt

from filterd.chain.filter import Filter, StageFilter
from filterd.chain.services import Services
from filterd.filters.recipients.symbols import DESCRIPTIONS
from filterd.message.address import patterns
from filterd.message.matching import networks
from filterd.system.mistakes import mistakes

PORTS: Mapping[str, int] = {"smtp": 25, "lmtp": 24}
"""Ports by protocol. LMTP has none of its own; 24 is what servers in use listen on."""

_EXPECTED = 'expected "smtp:HOST:25", "lmtp:HOST:24" or "lmtp:unix:/PATH"'


@dataclass(frozen=True)
class ServerAddress:
    """Where a server is. protocol: `smtp` or `lmtp`. host: name, address, or the path of a unix
    socket."""

    protocol: str
    host: str
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> ServerAddress:
        """`smtp:mx.example:25`, `lmtp:[::1]:24`, `lmtp:unix:/run/dovecot/lmtp`. Raises
        ValueError."""
        protocol, _, rest = text.partition(":")
        if protocol not in PORTS:
            raise ValueError(f"{text!r} is not a server; {_EXPECTED}")
        if rest.startswith("unix:"):
            path = rest.removeprefix("unix:")
            if not path.startswith("/"):
                raise ValueError(f"{text!r} has no absolute path; {_EXPECTED}")
            return cls(protocol, path)
        host, port = rest, str(PORTS[protocol])
        if rest.count(":") == 1 or (rest.startswith("[") and not rest.endswith("]")):
            host, _, port = rest.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError(f"{text!r} is not a server; {_EXPECTED}")
        return cls(protocol, host, int(port))

    def __str__(self) -> str:
        where = f"unix:{self.host}" if self.host.startswith("/") else f"{self.host}:{self.port}"
        return f"{self.protocol}:{where}"


@dataclass(frozen=True)
class RecipientServer:
    """A server that delivers, and so knows its recipients."""

    server: Annotated[str, Doc("smtp:HOST:PORT, lmtp:HOST:PORT or lmtp:unix:/PATH")]
    domains: Annotated[
        tuple[str, ...], Doc("whose recipients it knows; empty: all of the filter's `domains`")
    ] = ()
    sender: Annotated[str, Doc("envelope sender of the question; empty: the null sender")] = ""
    seconds: Annotated[float, Gt(0), Doc("seconds until it has answered")] = 5.0


@dataclass(frozen=True)
class RecipientsSettings:
    """Refuses unknown recipients at RCPT, and clients that guess recipients."""

    domains: Annotated[
        tuple[str, ...],
        Doc('domains whose recipients are looked up, as "mx.example" or ".mx.example"'),
    ] = ()
    files: Annotated[
        tuple[Path, ...],
        Doc(
            "files of known recipients: an address or a domain at the beginning of each line; read "
            "again when they change"
        ),
    ] = ()
    command: Annotated[
        tuple[str, ...],
        Doc(
            "program and arguments that read an address from standard input and end with exit "
            "status 0 (known) or 67 (unknown)"
        ),
    ] = ()
    command_seconds: Annotated[float, Gt(0), Doc("seconds that it may take")] = 3.0
    servers: Annotated[
        tuple[RecipientServer, ...], Doc("servers that are asked with MAIL and RCPT")
    ] = ()
    refresh_hours: Annotated[
        float,
        Gt(0),
        Doc("hours after which program or server are asked again whether they know it"),
    ] = 24.0
    keep_days: Annotated[
        float, Gt(0), Doc("days for which a known recipient counts while they do not answer")
    ] = 31.0
    unknown_minutes: Annotated[
        float, Gt(0), Doc("minutes for which an unknown recipient is remembered")
    ] = 60.0
    attack_limit: Annotated[
        int,
        Ge(0),
        Doc(
            "unknown recipients of a client from which all of its recipients are deferred; 0: none"
        ),
    ] = 20
    attack_seconds: Annotated[int, Ge(1), Doc("length of the window, which slides")] = 3600
    except_clients: Annotated[
        tuple[str, ...], Doc('networks that `attack_limit` spares, as "192.0.2.0/24", or "local"')
    ] = ("local",)

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for index, text in enumerate(self.domains):
                with wrong.at("domains", index):
                    _check_domain(text)
            with wrong.at("domains"):
                if not self.domains and (self.files or self.command or self.servers):
                    raise ValueError("is empty, so nothing is looked up")
            for index, path in enumerate(self.files):
                with wrong.at("files", index):
                    if not path.is_absolute():
                        raise ValueError(f"{str(path)!r} is not an absolute path")
            with wrong.at("command"):
                if self.command and not self.command[0].startswith("/"):
                    raise ValueError(f"{self.command[0]!r} is not an absolute path")
            for index, one in enumerate(self.servers):
                with wrong.at("servers", index, "server"):
                    ServerAddress.parse(one.server)
                for number, text in enumerate(one.domains):
                    with wrong.at("servers", index, "domains", number):
                        _check_domain(text)
                with wrong.at("servers", index, "sender"):
                    if one.sender:
                        patterns([one.sender])
            for index, text in enumerate(self.except_clients):
                with wrong.at("except_clients", index):
                    networks([text])

    @property
    def needs_network(self) -> bool:
        """Servers are asked; of a program nobody knows what it does."""
        return bool(self.command or self.servers)

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return DESCRIPTIONS

    def build_with(self, services: Services) -> Filter | StageFilter:
        """The filter, its files not read yet."""
        from filterd.filters.recipients.filter import Recipients  # noqa: PLC0415  (a running filter)

        return Recipients(self, services)


def _check_domain(text: str) -> None:
    if any("@" in key.lstrip("@") for key in patterns([text])):
        raise ValueError(f'{text!r} is an address; expected a domain such as "mx.example"')
