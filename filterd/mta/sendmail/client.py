"""The options of a sendmail.cf for connections to other hosts.

Source: sendmail 8.17 `daemon.c` (makeconnection); observed.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from dataclasses import replace

from filterd.mta.cf.config import SendmailCf
from filterd.mta.delivery.relay import ClientOptions

log = logging.getLogger("filterd.mta")

_ANY = {"inet": "0.0.0.0", "inet6": "::"}  # noqa: S104  # this end, not what is listened on


def client_options(cf: SendmailCf) -> ClientOptions:
    """What holds for all messages."""
    ours = cf.clients()
    return ClientOptions(
        fallback=cf.option("FallbackMXhost").strip(),
        last_resort=cf.option("FallbackSmartHost").strip(),
        only_to=cf.option("ConnectOnlyTo").strip().strip("[]"),
        sources=tuple(
            (one.address or _ANY[one.family], one.port)
            for one in ours
            if one.family in _ANY and (one.address or one.port)
        ),
        naming=interface_name if any("h" in one.modifiers for one in ours) else None,
    )


def for_daemon(options: ClientOptions, modifiers: str, address: str) -> ClientOptions:
    """What holds for a message that came in through a daemon.

    modifiers: of the daemon: `b`: mail goes out from the address that it came in on; `h`: under the
    name of the address that it goes out from. address: that it came in on, "" for a loopback one.
    """
    if "b" in modifiers and address:
        others = (one for one in options.sources if (":" in one[0]) != (":" in address))
        options = replace(options, sources=(*others, (address, _port(options.sources, address))))
    if "h" in modifiers:
        options = replace(options, naming=interface_name)
    return options


def _port(sources: Iterable[tuple[str, int]], address: str) -> int:
    return next((port for ours, port in sources if (":" in ours) == (":" in address)), 0)


def interface_name(address: str) -> str:
    """The name of an address of this machine, "" for one that has none with a dot."""
    if not address:
        return ""
    try:
        name = socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
    except OSError:
        name = ""
    if "." in name:
        return name
    log.warning("%s: no name with a dot for HELO", address)
    return ""
