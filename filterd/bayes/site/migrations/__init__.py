"""Alembic's migrations of the training journal."""
