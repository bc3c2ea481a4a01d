"""Looks at clamd before there is a message."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from filterd.scanners.clamd.server import ClamdError, ClamdServer

log = logging.getLogger(__name__)

CONNECT_SECONDS = 2.0
"""Seconds for one clamd to accept a connection when somebody only wants to know whether it does."""


def warn_of_sizes(
    filter: str, servers: Iterable[ClamdServer], size_limit: int, patience: float
) -> None:
    """Log which clamd takes less than `size_limit` octets or cannot be asked."""
    for server in servers:
        try:
            if not server.takes(size_limit, patience):
                log.warning(
                    "%s: %s takes less than size_limit = %d octets; raise clamd's "
                    "StreamMaxLength or lower size_limit",
                    filter,
                    server,
                    size_limit,
                )
        except ClamdError as error:
            log.warning("%s: %s; it will be asked again for each message", filter, error)


def unreachable(servers: Iterable[ClamdServer], patience: float) -> str:
    """Why no server can be connected to now, `""` if one can."""
    troubles = []
    for server in servers:
        try:
            server.connects(min(patience, CONNECT_SECONDS))
        except ClamdError as error:
            troubles.append(str(error))
        else:
            return ""
    return "; ".join(troubles)
