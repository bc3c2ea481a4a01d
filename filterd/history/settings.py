"""Settings `[history]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_doc import Doc
from annotated_types import Ge, Gt


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
