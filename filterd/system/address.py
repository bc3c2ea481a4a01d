"""Where the daemon listens: `unix:/path`, `inet:port@host`, `inet6:port@host`, as in libmilter."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import socket
from dataclasses import dataclass
from pathlib import Path

UNIX_PATH_LIMIT = 107
"""Octets of a unix socket's path on Linux (sockaddr_un, less its NUL)."""


class AddressError(ValueError):
    """Not a valid address, or nothing can listen there. The text says what was expected."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A checked address. path: of a unix socket, else None. text: for libmilter."""

    text: str
    path: Path | None = None
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> ListenAddress:
        """Read an address. Raises AddressError."""
        kind, colon, rest = text.partition(":")
        if not colon and text.startswith("/"):
            kind, rest = "unix", text
        if kind in ("unix", "local") and rest.startswith("/"):
            if len(os.fsencode(rest)) > UNIX_PATH_LIMIT:
                raise AddressError(f"{rest}: longer than {UNIX_PATH_LIMIT} bytes")
            return cls(f"unix:{rest}", Path(rest))
        if kind in ("inet", "inet6"):
            port, _, host = rest.partition("@")
            if port.isdigit() and 0 < int(port) < 65536:
                host = host or ("127.0.0.1" if kind == "inet" else "::1")
                return cls(f"{kind}:{port}@{host}", None, host, int(port))
        hint = ""
        if kind == "inet" and rest.rpartition(":")[2].isdigit():
            host, _, port = rest.rpartition(":")
            hint = f"; Postfix writes it that way, here it is inet:{port}@{host}"
        raise AddressError(
            f"{text!r} is not a socket; expected unix:/path, inet:port@host or inet6:port@host"
            + hint
        )

    def clear(self) -> None:
        """Remove the socket file of a daemon that is gone.

        Raises AddressError if somebody answers there, if it is not a socket, or has no folder.
        """
        if self.path is None:
            return
        if not self.path.parent.is_dir():
            raise AddressError(f"{self.path}: no such folder: {self.path.parent}; make it first")
        if not self.path.exists():
            return
        if not self.path.is_socket():
            raise AddressError(f"{self.path}: is not a socket; remove it first")
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.path))
            except OSError as error:
                if error.errno != errno.ECONNREFUSED:
                    raise AddressError(f"{self.path}: {error.strerror}") from None
                self.path.unlink()
                return
        raise AddressError(f"{self.path}: a daemon answers there already; stop it first")

    def protect(self, mode: int, group: str) -> None:
        """Give the socket file its group and mode. Raises AddressError."""
        if self.path is None:
            return
        try:
            if group:
                os.chown(self.path, -1, grp.getgrnam(group).gr_gid)
            self.path.chmod(mode)
        except KeyError:
            raise AddressError(f"socket_group: there is no group {group!r}") from None
        except OSError as error:
            raise AddressError(f"{self.path}: {error.strerror}") from None

    def nudge(self) -> None:
        """Connect and hang up at once; a listener that cannot be reached now is left alone."""
        with contextlib.suppress(OSError):
            self.reach(0.0)

    def reach(self, seconds: float) -> None:
        """Connect within that time and hang up. Raises OSError."""
        family = (
            socket.AF_UNIX if self.path else socket.AF_INET6 if ":" in self.host else socket.AF_INET
        )
        with socket.socket(family) as peer:
            peer.settimeout(seconds)
            peer.connect(str(self.path) if self.path else (self.host, self.port))
