"""A PostgreSQL server of our own, on a unix socket, for as long as somebody needs it."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

_numbers = itertools.count()


class AbsentError(Exception):
    """There is none to be started; the text says what is missing."""


@contextmanager
def postgresql(*, fsync: bool = False) -> Iterator[str]:
    """URL of a fresh database. fsync: as in real life. Raises AbsentError."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        raise AbsentError("no PostgreSQL here; apt-get install postgresql")
    user: str | None = None
    if os.geteuid() == 0:
        # PostgreSQL does not run as root.
        try:
            user = pwd.getpwnam("postgres").pw_name
        except KeyError:
            raise AbsentError("run as root, and there is no user postgres") from None
    folder = Path(tempfile.mkdtemp(prefix="filterd-pg-", dir="/tmp"))
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    options = f"-c listen_addresses='' -k {folder} -c fsync={'on' if fsync else 'off'}"

    def run(program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [found[-1].with_name(program), *arguments],
            check=True,
            user=user,
            cwd=folder,
            capture_output=True,
            timeout=60,
        )

    try:
        run("initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C", "-U", "filterd")
        run("pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            yield f"postgresql+psycopg://filterd@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def emptied(url: str) -> str:
    """The URL of that database, without tables. Another each time: a process that has used a
    database believes that its tables stay."""
    aside = run(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'filterd_broken_%'")
    for name in ["public", *(row[0] for row in aside)]:
        run(url, f"DROP SCHEMA {name} CASCADE")
    run(url, "CREATE SCHEMA public")
    return f"{url}&application_name=test{next(_numbers)}"


def run(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements in one transaction; the rows of the last one."""
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                done = connection.execute(sa.text(statement))
            return [tuple(row) for row in done] if done.returns_rows else []
    finally:
        engine.dispose()
