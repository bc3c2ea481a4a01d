"""Options of commands that work on several cores or on a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

JobsOption = Annotated[
    int,
    typer.Option("--jobs", "-j", min=1, help="processes that read mail; the result is the same"),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(metavar="tcp://HOST:PORT", help="a Dask scheduler whose workers read instead"),
]
