"""`filterd quarantine`: what is kept, why, and what is to become of it."""

# Importing them is what registers the commands, in the order in which the help shows them.
from filterd.cli.quarantine import look  # isort: skip
from filterd.cli.quarantine import actions  # isort: skip
from filterd.cli.quarantine import service  # isort: skip
from filterd.cli.quarantine.common import app

__all__ = ["actions", "app", "look", "service"]
