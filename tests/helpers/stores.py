"""Empty stores on each kind of database."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from filterd.quarantine import QuarantineSettings, Store


def empty_store(request: pytest.FixtureRequest, folder: Path) -> Store:
    """A store in the folder `q`, for a fixture whose parameter is `sqlite` or `postgresql`."""
    if request.param == "sqlite":
        return Store(QuarantineSettings(folder / "q"))
    url = request.getfixturevalue("postgresql")
    empty(url)
    return Store(QuarantineSettings(folder / "q", database=url))


def empty(url: str) -> None:
    """Take everything out of a PostgreSQL database."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
