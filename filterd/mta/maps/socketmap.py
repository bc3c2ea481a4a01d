"""Map class socket: a daemon that is asked over a socket, in netstrings.

    > 10:name key,      the map's name, a blank, the key
    < 8:OK value,       or NOTFOUND, TEMP text, TIMEOUT text, PERM text

Source: sendmail 8.17 `doc/op`, "socket map"; https://cr.yp.to/proto/netstrings.txt.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
from collections.abc import Callable, Sequence

from filterd.mta.cf.lookup import EX_NOTFOUND, EX_TEMPFAIL, MapAnswer
from filterd.mta.cf.map_options import MapOptions
from filterd.mta.maps.base import (
    EX_UNAVAILABLE,
    NO_COMPLAINT,
    BaseMap,
    MapError,
    MapValue,
    octets,
    text_of,
)
from filterd.mta.maps.safety import Check, Owner, trouble_with

TIMEOUT = 30.0
"""Seconds for an answer, unless `-d` says otherwise."""

REPLY_LIMIT = 100_000
"""Octets of a reply, SOCKETMAP_MAXL."""

EX_PROTOCOL = 76

_STATUSES = {b"TEMP": EX_TEMPFAIL, b"TIMEOUT": EX_TEMPFAIL, b"PERM": EX_UNAVAILABLE}
_FAMILIES = {
    "": socket.AF_UNIX,
    "unix": socket.AF_UNIX,
    "local": socket.AF_UNIX,
    "inet": socket.AF_INET,
    "inet6": socket.AF_INET6,
}
_log = logging.getLogger(__name__)


class SocketMap(BaseMap):
    """One connection, made when it is needed and again after a failure."""

    def __init__(self, options: MapOptions, owner: Callable[[], Owner]) -> None:
        super().__init__(options)
        self._owner = owner
        self._socket: socket.socket | None = None
        self._received = b""

    def __del__(self) -> None:
        if getattr(self, "_socket", None) is not None:
            self._close()

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._received = None, b""

    def _open(self) -> tuple[str, int]:
        family, address = self._address()
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.options.timeout or TIMEOUT)
            connection.connect(address)
        except OSError as error:
            connection.close()
            _log.warning("socket map %s: cannot connect: %s", self.options.name, error)
            # sendmail says nothing to the person who asks.
            raise MapError("") from None
        self._socket, self._received = connection, b""
        return NO_COMPLAINT

    def _address(self) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
        what = f'socket map "{self.options.name}":'
        type, colon, place = self.options.file.partition(":")
        if not colon:
            type, place = "", type
        family = _FAMILIES.get(type.lower())
        if family is None:
            raise MapError(f"{what} unknown socket type {type}", errno.EPROTONOSUPPORT)
        if family == socket.AF_UNIX:
            if len(octets(place)) >= 108:
                raise MapError(f"{what} local socket name {place} too long")
            checks = Check.SAFE_FOLDERS | Check.NO_SYMLINK | Check.NO_HARDLINK
            owner = self._owner()
            if trouble := trouble_with(place, owner, checks, stat.S_IRUSR | stat.S_IWUSR):
                raise MapError(f"{what} local socket name {place} unsafe", trouble)
            return family, place
        port, at, host = place.partition("@")
        if not at:
            raise MapError(f"{what} bad address {place} (expected port@host)")
        try:
            number = int(port) if port.isdecimal() else socket.getservbyname(port, "tcp")
        except OSError:
            raise MapError(f"{what} unknown port name {port}") from None
        if host.startswith("["):
            numeric = host[1:].partition("]")[0]
            try:
                socket.inet_pton(family, numeric)
            except OSError:
                raise MapError(f'{what} Invalid numeric domain spec "{host}"') from None
            return family, (numeric, number)
        try:
            found = socket.getaddrinfo(host, number, family, socket.SOCK_STREAM)[0][4]
        except (OSError, UnicodeError, IndexError, OverflowError):
            raise MapError(f"{what} Unknown host name {host}") from None
        return family, (str(found[0]), number)

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        with self._lock:
            if self._socket is None:
                self._open()
            raw = self._folded(key)
            try:
                reply = self._asked(octets(self.options.name) + b" " + raw)
            except MapError:
                self._close()
                raise
        word, _, value = reply.partition(b" ")
        if word == b"OK":
            shown = text_of(raw)
            return self._value(shown, arguments, MapValue(value))
        if word == b"NOTFOUND":
            return MapAnswer(None, EX_NOTFOUND)
        return MapAnswer(None, _STATUSES.get(word, EX_PROTOCOL))

    def _asked(self, question: bytes) -> bytes:
        assert self._socket is not None
        what = f"socket_map_lookup({self.options.name}): "
        try:
            self._socket.sendall(b"%d:%s," % (len(question), question))
        except OSError:
            raise MapError(what + "failed to send lookup request") from None
        length = b""
        while (one := self._read(1, what)) != b":":
            if not one.isdigit() or len(length) > 8:
                raise MapError(what + "missing ':' in reply")
            length += one
        if not length:
            raise MapError(what + "failed to read length parameter of reply")
        size = int(length)
        if size > REPLY_LIMIT:
            raise MapError(f"{what}reply too long: {size}")
        reply = self._read(size, what)
        if self._read(1, what) != b",":
            raise MapError(what + "missing ',' in reply")
        return reply

    def _read(self, size: int, what: str) -> bytes:
        assert self._socket is not None
        while len(self._received) < size:
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise MapError(what + "read timeout") from None
            except OSError as error:
                raise MapError(what + "read error", error.strerror or os.strerror(5)) from None
            if not data:
                raise MapError(
                    f"{what}received only {len(self._received)} of {size} reply characters"
                )
            self._received += data
        found, self._received = self._received[:size], self._received[size:]
        return found
