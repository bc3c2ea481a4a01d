"""Settings `[quarantine]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_doc import Doc
from annotated_types import Ge, Gt

from filterd.message.matching import networks
from filterd.system import paths
from filterd.system.mistakes import mistakes

ADDRESS = re.compile(r"[!#-'*+./0-9=?A-Z^-~-]{1,64}@[0-9A-Za-z.-]{1,255}")
"""An address that may stand in a header field as it is (RFC 5322, 3.4.1)."""


@dataclass(frozen=True)
class QuarantineSettings:
    """Settings `[quarantine]`."""

    folder: Annotated[
        Path, Doc("where messages are kept, one folder a day; private to the daemon's user")
    ] = paths.QUARANTINE
    database: Annotated[
        str, Doc("URL of the index; empty: an SQLite file in the folder (index.sqlite)")
    ] = ""
    keep_days: Annotated[float, Ge(0), Doc("days after which a message expires; 0: never")] = 30.0
    keep_megabytes: Annotated[
        int, Ge(0), Doc("MiB of messages that are kept, the oldest are deleted first; 0: no limit")
    ] = 0
    keep_messages: Annotated[
        int, Ge(0), Doc("messages that are kept, the oldest are deleted first; 0: no limit")
    ] = 0
    undelete_hours: Annotated[
        float,
        Ge(0),
        Doc("hours for which a message that somebody deletes can be brought back; 0: not at all"),
    ] = 24.0
    forget_days: Annotated[
        float,
        Ge(0),
        Doc("days after which the description of a deleted message is removed; 0: never"),
    ] = 90.0
    release_host: Annotated[str, Doc("MTA that released mail is sent to, by SMTP")] = "127.0.0.1"
    release_port: Annotated[int, Gt(0), Doc("its port")] = 25
    release_from: Annotated[
        str,
        Doc(
            "From and envelope sender of a message with a kept one attached; empty: "
            "postmaster at this host"
        ),
    ] = ""
    release_timeout: Annotated[
        float, Gt(0), Doc("seconds that the MTA may take for one reply; RFC 5321 asks for 600")
    ] = 600.0
    release_attempts: Annotated[
        int, Gt(0), Doc("how often a release is tried while the MTA says 4xx or does not answer")
    ] = 12
    release_clients: Annotated[
        tuple[str, ...], Doc("networks from which the mark of a released message is honoured")
    ] = ("127.0.0.0/8", "::1/128")

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for index, text in enumerate(self.release_clients):
                with wrong.at("release_clients", index):
                    networks([text])
            with wrong.at("release_from"):
                if self.release_from and not ADDRESS.fullmatch(self.release_from):
                    raise ValueError(
                        f'{self.release_from!r} is not an address; expected "postmaster@mx.example"'
                    )
