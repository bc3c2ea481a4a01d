"""Alembic's environment: it migrates the connection that it is given."""

from __future__ import annotations

from alembic import context

from filterd.quarantine.schema import meta

context.configure(connection=context.config.attributes["connection"], target_metadata=meta)
with context.begin_transaction():
    context.run_migrations()
