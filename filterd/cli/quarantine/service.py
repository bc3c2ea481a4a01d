"""`filterd quarantine release-service`: releases for the pages."""

from __future__ import annotations

import logging
import os
import signal
import sys

from filterd.cli.common import ConfigOption, Exit, fail, reported, settings
from filterd.cli.quarantine.common import command
from filterd.config.load import ConfigError
from filterd.ops.folders import check_folders
from filterd.review.release_service import ReleaseService
from filterd.system import privileges
from filterd.system.address import AddressError
from filterd.system.sockets import given_socket

ENDS = (signal.SIGTERM, signal.SIGINT)

STOP_SECONDS = 20.0
"""Seconds that a release may still take after SIGTERM. It may be waiting for its 250."""


@command("release-service")
def release_service(config: ConfigOption = None) -> None:
    """Release for the pages, so that they need no network: listen on `release_socket` of [web],
    until SIGTERM.
    """
    loaded = settings(config)
    path = loaded.web.release_socket
    if path is None:
        fail(
            "release_socket of [web] is not set; expected the path of the socket at which the "
            "pages ask for releases",
            Exit.CONFIG,
        )
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    privileges.give_up_root(loaded.source)
    with reported(Exit.CONFIG, ConfigError):
        check_folders(loaded)
    os.umask(0o077)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    with reported(Exit.UNAVAILABLE, OSError, AddressError):
        service = ReleaseService(loaded, path, given_socket(path, "release_socket of [web]"))
        service.start()
    sys.stdout.write(f"filterd quarantine release-service: {path}\n")
    sys.stdout.flush()
    signal.sigwait(ENDS)
    service.stop(STOP_SECONDS)
