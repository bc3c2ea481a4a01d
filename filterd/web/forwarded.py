"""A proxy that the settings do not name: its requests carry X-Forwarded-For and are not believed.

Everybody behind it then counts as one address, and one who fails to log in may lock out others. The
log says so once, and a small file beside the accounts tells `filterd doctor`.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from filterd.config.load import Settings
from filterd.message.matching import Network, is_in_networks, mapped, networks
from filterd.review.principals import accounts_path
from filterd.system.bounded import json_value, read_regular
from filterd.system.durable import write_atomically

log = logging.getLogger(__name__)

SIZE_LIMIT = 4096
"""Octets of the file."""

DAYS = 7.0
"""Days after which a request no longer counts."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that was forwarded by somebody who is not trusted. time: seconds since 1970."""

    address: str
    time: float


def seen_path(settings: Settings) -> Path:
    """The file that doctor reads."""
    return accounts_path(settings).with_name("forwarded.json")


def seen(settings: Settings, now: float) -> Seen | None:
    """What was seen lately of a proxy that is not trusted yet; None if there is nothing."""
    try:
        value = json_value(read_regular(seen_path(settings), SIZE_LIMIT))
        found = Seen(str(value["address"]), float(value["time"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if now - found.time > DAYS * 86400 or is_trusted(settings, found.address):
        return None
    return found


def is_trusted(settings: Settings, address: str) -> bool:
    """Whether what that address says of its clients is believed."""
    return is_in_networks(address, _proxies(settings))


def believed(settings: Settings) -> list[str]:
    """The same for uvicorn, which compares addresses as they stand."""
    found = _proxies(settings)
    return [
        *map(str, found),
        *(str(mapped(network)) for network in found if isinstance(network, IPv4Network)),
    ]


def _proxies(settings: Settings) -> tuple[Network, ...]:
    return networks(settings.web.trusted_proxies, local=False)


class ForwardedNotice:
    """Notes the first request of this process that an untrusted proxy forwards."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if not self._told and scope["type"] == "http":
            self._look(scope)
        await self._app(scope, receive, send)

    def _look(self, scope: Scope) -> None:
        client = scope.get("client")
        names = {name for name, _ in scope["headers"]}
        if client is None or b"x-forwarded-for" not in names:
            return
        address, port = client
        # Where uvicorn believed the proxy, this is the client's address already, with port 0.
        if port == 0 or is_trusted(self._settings, address):
            return
        self._told = True
        log.warning(
            "requests with X-Forwarded-For come from %s, which is not in web.trusted_proxies: "
            "if that is your proxy, all people behind it count as one address",
            address,
        )
        note = json.dumps({"address": address, "time": time.time()}).encode("ascii")
        try:
            write_atomically(seen_path(self._settings), [note, b"\n"])
        except OSError as error:
            log.warning("%s: %s", seen_path(self._settings), error.strerror)
