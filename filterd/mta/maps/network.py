"""Maps that ask the DNS: dns, bestmx, host."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence

from filterd.mta.cf.lookup import EX_NOTFOUND, EX_OK, EX_TEMPFAIL, MapAnswer
from filterd.mta.cf.map_options import MapOptions
from filterd.mta.maps.base import EX_UNAVAILABLE, BaseMap, MapError, MapValue, octets
from filterd.mta.maps.hosts import DNS_TIMEOUT, HostNames, search_domains
from filterd.resolver.answer import MX, Record, RecordType

VALUE_LIMIT = 640
"""Octets of a list of records; a longer one is cut at a delimiter (half of PSBUFSIZE)."""

SHOWN_NAME = 33
"""Characters of a name in a message."""


class _Asking(BaseMap):
    def __init__(self, options: MapOptions, names: HostNames) -> None:
        super().__init__(options)
        self._names = names

    @property
    def _seconds(self) -> float:
        """`-d` is the time of one try, `-r` their number."""
        if not self.options.timeout:
            return DNS_TIMEOUT
        return self.options.timeout * max(self.options.retries, 1)


class DnsMap(_Asking):
    """Records of one type."""

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        wanted = self.options.record_type
        if not wanted:
            return MapAnswer(None, EX_NOTFOUND)
        if wanted not in RecordType.__members__:
            name = self.options.name
            raise MapError(f'dns map "{name}": records of type {wanted} are not supported')
        name = f"{key}.{self.options.base_domain}" if self.options.base_domain else key
        end, status = time.monotonic() + self._seconds, EX_NOTFOUND
        for domain in search_domains(name) or [""]:
            full = f"{name}.{domain}" if domain else name.removesuffix(".")
            answer = self._names.ask(full, RecordType(wanted), end - time.monotonic())
            if answer.failed:
                return MapAnswer(None, EX_TEMPFAIL)
            if answer.records:
                return self._value(key, arguments, MapValue(self._list(answer.records)))
        return MapAnswer(None, status)

    def _list(self, records: Sequence[Record]) -> bytes:
        values = [_printable(_text(one)) for one in records]
        delimiter, limit = octets(self.options.delimiter), self.options.value_limit
        if not delimiter or limit == 1:
            return values[0]
        return _cut(delimiter.join(values[: limit or None]), delimiter)


def _text(record: Record) -> bytes:
    if isinstance(record, MX):
        return octets(record.exchange)
    return octets(record) if isinstance(record, str) else record


def _printable(value: bytes) -> bytes:
    return re.sub(rb"[^ -~]", b"X", value)


def _cut(value: bytes, delimiter: bytes) -> bytes:
    if len(value) < VALUE_LIMIT:
        return value
    return value[: VALUE_LIMIT - 5].rpartition(delimiter)[0] + delimiter + b"..."


class BestMxMap(_Asking):
    """The best mail exchanger of a name, or with `-z` all of them."""

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        hosts, status = self._names.mail_exchangers(key, seconds=self._seconds)
        if not hosts:
            return MapAnswer(None, status)
        delimiter = octets(self.options.delimiter)
        value = delimiter.join(map(octets, hosts)) if delimiter else octets(hosts[0])
        while len(value) > VALUE_LIMIT and len(hosts) > 1:
            hosts.pop()
            value = delimiter.join(map(octets, hosts))
        return self._value(key, arguments, MapValue(value))


def _address(text: str) -> str | None:
    """What stands in brackets as an address; of one for IPv4 parts may be missing, octal or
    hexadecimal, as inet_addr(3) takes it. None for other text."""
    if ":" in text:
        return re.sub(r"^ipv6:", "", text, flags=re.IGNORECASE)
    try:
        address = socket.inet_ntoa(socket.inet_aton(text or "0"))
    except (OSError, ValueError):
        return None
    # INADDR_NONE, which inet_addr returns where it finds none.
    return None if address == "255.255.255.255" else address


class HostMap(_Asking):
    """The full name of a host, and with brackets that of an address."""

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        if key.startswith("["):
            inner, bracket, _ = key[1:].partition("]")
            if not bracket:
                return MapAnswer(None, EX_OK)
            address = _address(inner)
            if address is None:
                return MapAnswer(None, EX_UNAVAILABLE)
            found, status = self._names.name_of(address, seconds=self._seconds)
        else:
            found, status = self._names.canonical(key, seconds=self._seconds)
        if found is not None:
            return self._value(key, arguments, MapValue(octets(found)))
        if status == EX_TEMPFAIL and self._names.uses_dns:
            return MapAnswer(None, status, f"{key[:SHOWN_NAME]}: Name server timeout")
        return MapAnswer(None, status)
