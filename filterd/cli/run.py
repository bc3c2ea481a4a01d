"""`filterd run`: the daemon, in the foreground."""

from __future__ import annotations

from filterd.cli.common import ConfigOption, settings
from filterd.system import privileges


def run(config: ConfigOption = None) -> int:
    """Run the filter daemon in the foreground, until SIGTERM. SIGHUP reloads the settings."""
    from filterd.daemon.server import run as serve  # noqa: PLC0415  (needs libmilter)

    privileges.give_up_root(settings(config).source)
    return serve(config)
