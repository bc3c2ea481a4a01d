"""Settings `[history]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_doc import Doc
from annotated_types import Ge, Gt

from filterd.system.mistakes import mistakes


@dataclass(frozen=True)
class HistorySettings:
    """Settings `[history]`."""

    enabled: Annotated[
        bool, Doc("record every message's envelope, Subject, action, score and symbols")
    ] = True
    file: Annotated[
        Path | None,
        Doc("SQLite file with the records; unset: history.sqlite3 in the quarantine's folder"),
    ] = None
    database: Annotated[
        str, Doc("URL of a database that holds the records; empty: the SQLite file `file`")
    ] = ""
    keep_days: Annotated[float, Gt(0), Doc("days after which a record is deleted")] = 14.0
    keep_messages: Annotated[
        int,
        Ge(1),
        Doc("records that are kept at most, the oldest are deleted first; about 1 KiB each"),
    ] = 1_000_000
    mail_hours: Annotated[
        float,
        Ge(0),
        Doc(
            "hours for which there is a copy of each message that is not quarantined, delivered "
            "mail too, to be looked at and learned; 0: no copies"
        ),
    ] = 0.0
    mail_megabytes: Annotated[
        int, Gt(0), Doc("MiB of these copies, compressed; the oldest hour is deleted first")
    ] = 2048
    mail_message_megabytes: Annotated[
        int, Gt(0), Doc("MiB; of larger messages no copy is made")
    ] = 4
    mail_key: Annotated[
        Path | None,
        Doc(
            "file with the key that encrypts the copies, made where it is missing; keep it out of "
            "the quarantine's folder and of backups"
        ),
    ] = None

    def __post_init__(self) -> None:
        with mistakes() as wrong, wrong.at("mail_key"):
            if self.mail_hours and self.mail_key is None:
                raise ValueError(
                    "mail_hours needs a file for the key, such as "
                    '"/var/lib/filterd/recent-mail.key"'
                )
