"""Settings `[quarantine]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_doc import Doc

from filterd import paths


@dataclass(frozen=True)
class QuarantineSettings:
    """Settings `[quarantine]`."""

    folder: Annotated[
        Path, Doc("where messages are kept, one folder a day; private to the daemon's user")
    ] = paths.QUARANTINE
    database: Annotated[
        str, Doc("URL of the index; empty: an SQLite file in the folder (index.sqlite)")
    ] = ""
