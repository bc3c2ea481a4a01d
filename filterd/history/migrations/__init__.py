"""Alembic's migrations of the history."""
