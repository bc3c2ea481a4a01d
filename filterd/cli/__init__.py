"""The command line: front doors without logic of their own."""

from filterd.cli.app import main

__all__ = ["main"]
