"""Alembic's migrations of the quarantine's index."""
