"""Settings `[daemon]` and `[workers]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le
from pydantic import BeforeValidator

from filterd.system.address import ListenAddress
from filterd.system.mistakes import mistakes

BODY_IN_MEMORY = 1 << 20
"""Octets of a body that the daemon holds in memory; more goes to a spool file."""

HEADER_SIZE_LIMIT = 4 << 20
"""Octets of a message's header section; a larger one is answered with 552. It is held in memory.
Sendmail takes 32 KiB unless told otherwise (MaxHeadersLength), and one field may have
1 MiB here."""

HEADER_FIELDS_LIMIT = 8000
"""Header fields of a message; with more it gets 552. One that crossed many lists has 200, and from
1000 on the filter `parts` has the symbol HEADER_LIMIT. So a field is never one too many to edit."""

RECIPIENTS_LIMIT = 100_000
"""Recipients of a message, which are held in memory; with more it gets 552. Postfix takes 1000
unless told otherwise (smtpd_recipient_limit)."""

ENVELOPE_SIZE_LIMIT = 8 << 20
"""Octets of all addresses and parameters of a message's envelope; with more it gets 552. That is 80
for each of a hundred thousand recipients."""


@dataclass(frozen=True, slots=True)
class Octal:
    """Marks a setting that people read and write in octal."""


def permissions(value: object) -> int:
    """The permissions that a setting means. TOML has octal as 0o660; a text may have no prefix.

    Raises ValueError for other values; most often a number that was meant to be octal.
    """
    if isinstance(value, str):
        if re.fullmatch(r"(0o?)?[0-7]{3}", value):
            return int(value.removeprefix("0o"), 8)
        raise ValueError(f'{value!r} is not a file mode, expected 0o660 or "0660"')
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f'{value!r} is not a file mode, expected 0o660 or "0660"')
    if value > 0o777:
        digits = str(value)
        meant = f"0o{digits}" if re.fullmatch("[0-7]{3}", digits) else "0o660"
        raise ValueError(f"{value} is decimal, a file mode is octal: expected {meant}")
    return value


@dataclass(frozen=True)
class DaemonSettings:
    """Settings `[daemon]`."""

    socket: Annotated[
        str,
        Doc("where the MTA finds the daemon: unix:/path, inet:port@host or inet6:port@host"),
    ] = "unix:/run/filterd/filterd.sock"
    socket_mode: Annotated[
        int,
        BeforeValidator(permissions),
        Octal(),
        Doc('permissions of the unix socket, in octal: 0o660, or "0660"'),
    ] = 0o660
    socket_group: Annotated[
        str, Doc("group of the unix socket, the MTA's: smmsp, mail or postfix; empty: the daemon's")
    ] = ""
    sendmail_cf: Annotated[
        Path | None,
        Doc(
            "configuration of sendmail, whose timeouts `run`, `check` and `doctor` compare with "
            "filterd's; unset: /etc/mail/sendmail.cf if it exists"
        ),
    ] = None
    main_cf: Annotated[
        Path | None, Doc("the same for Postfix; unset: /etc/postfix/main.cf if it exists")
    ] = None
    spool: Annotated[
        Path, Doc("folder for bodies over 1 MiB while they are scanned; private to the daemon")
    ] = Path("/var/spool/filterd/tmp")
    log_to: Annotated[
        Literal["stderr", "syslog"],
        Doc("stderr (systemd's journal takes it) or syslog, facility mail"),
    ] = "stderr"
    log_format: Annotated[
        Literal["keyvalue", "json"], Doc("one line a message: key=value pairs or a JSON object")
    ] = "keyvalue"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Doc("the least important line that is logged")
    ] = "info"
    progress_interval: Annotated[
        float,
        Gt(0),
        Doc(
            "seconds between PROGRESS packets while a message waits for its verdict; "
            "must be below the MTA's T=R:"
        ),
    ] = 3.0
    max_message_size: Annotated[int, Gt(0), Doc("bytes; a larger message gets 552 5.3.4")] = (
        256 << 20
    )
    shutdown_grace: Annotated[
        float, Gt(0), Doc("seconds that messages in flight have to finish after SIGTERM")
    ] = 30.0

    def __post_init__(self) -> None:
        with mistakes() as wrong, wrong.at("socket"):
            ListenAddress.parse(self.socket)

    @property
    def address(self) -> ListenAddress:
        """Where the daemon listens."""
        return ListenAddress.parse(self.socket)


@dataclass(frozen=True)
class WorkerSettings:
    """Settings `[workers]`."""

    count: Annotated[
        int,
        Ge(0),
        Le(1024),
        Doc(
            "worker processes; 0: one for each core, and 12 more if a filter waits for other hosts "
            "(DNS, a scanner there); more of them help if they wait for clamd"
        ),
    ] = 0
    queue: Annotated[
        int, Ge(0), Doc("messages that may wait for a worker; further ones get 451 at once")
    ] = 64
    memory: Annotated[
        int, Ge(64), Doc("MiB of address space that a worker may use above what it starts with")
    ] = 1024
    recycle: Annotated[int, Ge(0), Doc("messages after which a worker is replaced; 0: never")] = (
        5000
    )
    grace: Annotated[
        float, Gt(0), Doc("seconds over the chain's timeout after which a worker is killed")
    ] = 2.0


@dataclass(frozen=True)
class StageSettings:
    """Settings `[stages]`: filters that are asked while the SMTP session goes on."""

    timeout: Annotated[
        float,
        Gt(0),
        Doc(
            "seconds that all filters together may take at one stage of a session, such as RCPT; "
            "the MTA must wait more than twice as long"
        ),
    ] = 4.0
    sessions: Annotated[
        int,
        Ge(1),
        Le(2000),
        Doc("sessions that may wait for an answer at a time; further ones wait for one of these"),
    ] = 200


@dataclass(frozen=True)
class MetricsSettings:
    """Settings `[metrics]`."""

    listen: Annotated[
        str,
        Doc(
            "host:port where Prometheus can fetch metrics by HTTP, 127.0.0.1:9108 for example; "
            "empty: nowhere. There is no password: only the monitor should be able to reach it"
        ),
    ] = ""

    def __post_init__(self) -> None:
        host, _, port = self.listen.rpartition(":")
        with mistakes() as wrong, wrong.at("listen"):
            if self.listen and not (host and port.isdecimal() and 0 < int(port) < 65536):
                raise ValueError(f"{self.listen!r} is not host:port; expected 127.0.0.1:9108")

    @property
    def address(self) -> tuple[str, int]:
        """Host, without the brackets of IPv6, and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)
