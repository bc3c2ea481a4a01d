"""Settings `[state]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_doc import Doc
from annotated_types import Ge, Gt

from filterd.system.mistakes import mistakes

SERVER_SCHEMES = ("redis", "rediss", "valkey", "valkeys", "unix")
"""Of URLs that name a server of the Redis protocol; others name a database."""

_EXPECTED = 'expected "redis://HOST:6379/0" or similar'


@dataclass(frozen=True)
class StateSettings:
    """What greylisting, rates, recipients and known senders remember, and which DMARC report was
    sent; without all of these there is none."""

    url: Annotated[
        str,
        Doc(
            "where several hosts share it: redis:// or valkey://HOST:6379/0, rediss:// or "
            "valkeys:// with TLS, unix:///PATH?db=0, or postgresql+psycopg://USER@HOST/NAME; "
            "empty: the SQLite file"
        ),
    ] = ""
    file: Annotated[
        Path | None, Doc("SQLite file; unset: state.sqlite3 in the quarantine's folder")
    ] = None
    prefix: Annotated[
        str, Doc("begins every key in Redis or Valkey; sites that share a server differ by it")
    ] = "filterd"
    timeout: Annotated[
        float, Gt(0), Doc("seconds to wait for a server, or for a lock of the file")
    ] = 1.0
    size_limit: Annotated[
        int,
        Ge(1),
        Doc("MiB that the SQLite file may take; if it is full, each filter does as its on_error"),
    ] = 512

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("url"):
                if self.url and "://" not in self.url:
                    raise ValueError(f"is not a URL; {_EXPECTED}")
            with wrong.at("prefix"):
                if not self.prefix.isascii() or not self.prefix.isidentifier():
                    raise ValueError("is not a word; expected letters, digits and underscores")

    @property
    def is_server(self) -> bool:
        """True for a server of the Redis protocol."""
        return self.url.partition("://")[0] in SERVER_SCHEMES
