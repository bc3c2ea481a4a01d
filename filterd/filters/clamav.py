"""ClamAV: the whole message is streamed to clamd (INSTREAM), which unpacks and scans it.

A name that clamd finds is a virus and rejects the message, unless its pattern says that it is only
a suspicion (heuristics, unwanted programs): those give points. Trouble with clamd is raised, and
the chain does what `on_error` says. Several servers are tried in order until one answers.
Source: clamd(8), the `clamd` package.
"""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar

import clamd
from annotated_doc import Doc
from annotated_types import Ge, Gt

from filterd.message import Message
from filterd.verdict import NO_OPINION, Action, Reply, Symbol, Verdict

log = logging.getLogger(__name__)

VIRUS_REPLY = Reply(554, "5.7.0", "Message refused, it contains a virus")

TCP_PORT = 3310
"""clamd's registered port."""


class ScanError(OSError):
    """No clamd gave a verdict; the text says what each of them did."""


@dataclass
class ClamAV:
    """Has clamd scan every message; a virus is rejected and a copy kept."""

    name: ClassVar[str] = "clamav"

    server: Annotated[
        tuple[str, ...] | str,
        Doc("clamd's address, unix:/path or tcp:host:port; of several the first that answers"),
    ] = "unix:/run/clamav/clamd.ctl"
    connect_timeout: Annotated[
        float, Gt(0), Doc("seconds that one clamd may be silent before the next is asked")
    ] = 20.0
    suspicions: Annotated[
        tuple[str, ...], Doc("patterns of names that give points instead of a refusal")
    ] = ("Heuristics.*", "PUA.*", "*.UNOFFICIAL.Suspect*")
    suspicion_score: Annotated[float, Ge(0), Doc("points for such a name")] = 3.0

    def __post_init__(self) -> None:
        servers = (self.server,) if isinstance(self.server, str) else self.server
        if not servers:
            raise ValueError("server is empty; right would be unix:/path or tcp:host:port")
        self._servers = tuple(map(_parse, servers))

    def examine(self, message: Message) -> Verdict:
        """Return what clamd says. Raises ScanError if none of the servers can be asked."""
        status, found = self._ask(message)
        if status == "OK":
            return NO_OPINION
        if status != "FOUND":
            raise ScanError(f"clamd: {status} {found}")
        if any(fnmatchcase(found, pattern) for pattern in self.suspicions):
            return Verdict(symbols=(Symbol("CLAM_SUSPICION", self.suspicion_score, found),))
        return Verdict(
            Action.REJECT,
            symbols=(Symbol("CLAM_VIRUS", 0.0, found),),
            virus=found,
            reply=VIRUS_REPLY,
        )

    def _ask(self, message: Message) -> tuple[str, str]:
        troubles: list[str] = []
        for kind, host, port in self._servers:
            try:
                client = self._client(kind, host, port)
                answer = client.instream(io.BytesIO(message.data))["stream"]
            except (clamd.ClamdError, OSError, ValueError, KeyError, TypeError) as error:
                where = f"{host}:{port}" if port else host
                troubles.append(f"{where}: {error or type(error).__name__}")
                log.debug("clamd %s: %s", where, error)
                continue
            status, found = answer
            return str(status), str(found or "")
        raise ScanError("no clamd answered: " + "; ".join(troubles))

    def _client(self, kind: str, host: str, port: int) -> Any:
        if kind == "unix":
            return clamd.ClamdUnixSocket(path=host, timeout=self.connect_timeout)
        return clamd.ClamdNetworkSocket(host=host, port=port, timeout=self.connect_timeout)


def _parse(text: str) -> tuple[str, str, int]:
    kind, _, rest = text.partition(":")
    if kind in ("unix", "local") and rest.startswith("/"):
        return "unix", rest, 0
    if kind == "tcp":
        host, colon, port = rest.rpartition(":")
        if not colon:
            host, port = rest, str(TCP_PORT)
        if host and port.isdigit() and 0 < int(port) < 65536:
            return "tcp", host.strip("[]"), int(port)
    raise ValueError(f"server {text!r} is no address; right would be unix:/path or tcp:host:port")
