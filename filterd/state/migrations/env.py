"""Alembic's environment: it migrates the connection that it is given."""

from __future__ import annotations

from filterd.database.schema import run_migrations

run_migrations()
