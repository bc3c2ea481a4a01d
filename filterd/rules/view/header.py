"""The header as `header` rules ask for it: fields, parts of them, and fields that are made up.

Source: Mail::SpamAssassin::Conf(3), `header SYMBOLIC_TEST_NAME header op /pattern/modifiers`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from filterd.message.lazy import lazy
from filterd.rules.view.addresses import parse_addresses, tidy_name
from filterd.rules.view.domains import Domains, is_host_name
from filterd.rules.view.header_words import decode_header
from filterd.rules.view.ip_text import IP, reverse

SIZE_LIMIT = 65536
"""Octets of all fields together that `ALL` has."""

_LINE_END = re.compile(rb"\r?\n\s+")
_ADDRESS = re.compile(rf"(?<!\.)\b({IP})\b(?!\.)", re.ASCII)
_AT_HOST = re.compile(r"@(\S+)", re.ASCII)
_PRISTINE_LINE = re.compile(rb"^[^ \t\n][^\n]*+\n(?:[ \t][^\n]*+\n)*+", re.MULTILINE)

MODIFIERS = frozenset("raw addr name host domain ip revip first last".split())

MESSAGE_IDS = (b"x-message-id", b"resent-message-id", b"x-original-message-id", b"message-id")

ONE_VALUE = frozenset("addr name host domain ip revip".split())
"""Modifiers that give parts of a field, without a line end."""


class HeaderView:
    """The fields of a message in order, top first.

    fields: (name, value) as they stand there, value from behind the colon, LF line ends. pristine:
    the header as it came.
    """

    def __init__(self, fields: Sequence[tuple[bytes, bytes]], pristine: bytes) -> None:
        self.fields = tuple(fields)
        self.pristine = pristine

    @lazy
    def _by_name(self) -> dict[bytes, list[int]]:
        found: dict[bytes, list[int]] = {}
        for number, (name, _value) in enumerate(self.fields):
            found.setdefault(name.lower(), []).append(number)
        return found

    @property
    def names(self) -> Collection[bytes]:
        """The names of all fields in lower case, each once."""
        return self._by_name.keys()

    @lazy
    def _decoded(self) -> dict[int, bytes]:
        return {}

    def _value(self, number: int) -> bytes:
        value = self._decoded.get(number)
        if value is None:
            name, raw = self.fields[number]
            value = self._decoded[number] = decode_header(raw, name) + b"\n"
        return value

    def raw(self, name: bytes) -> list[bytes]:
        """The values of all fields of that name (lower case) as they stand there."""
        return [self.fields[number][1] for number in self._by_name.get(name, ())]

    def unfolded(self, name: bytes) -> list[bytes]:
        """The same in one line each, not decoded."""
        return [_LINE_END.sub(b" ", value) for value in self.raw(name)]

    def values(self, name: bytes) -> list[bytes]:
        """The values of all fields of that name (lower case), decoded, with a line end."""
        return [self._value(number) for number in self._by_name.get(name, ())]

    def first(self, name: bytes) -> bytes:
        """The first value, decoded, without its line end; `b""` if there is none."""
        numbers = self._by_name.get(name)
        return self._value(numbers[0])[:-1] if numbers else b""

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @lazy
    def lines(self) -> tuple[bytes, ...]:
        """All fields with their names, decoded, a line each; without those beyond the limit."""
        kept: dict[int, bytes] = {}
        size = 0
        # Those of one name count together, in the order in which the names come first.
        for numbers in self._by_name.values():
            for number in numbers:
                name, value = self.fields[number][0], self._value(number)
                size += len(name) + len(value) + 2
                if size > SIZE_LIMIT:
                    return tuple(kept[number] for number in sorted(kept))
                kept[number] = name + b": " + value
        return tuple(kept[number] for number in sorted(kept))

    @lazy
    def pristine_lines(self) -> tuple[bytes, ...]:
        """All fields as they came, folded, and lines among them that cannot be read."""
        return tuple(_PRISTINE_LINE.findall(self.pristine))


def reduced(
    values: Sequence[bytes], modifiers: frozenset[str], domains: Domains, name: bytes
) -> tuple[bytes, ...]:
    """What the modifiers leave of a field's values. With `addr` and `name` they are those as they
    stand in the message, else the decoded ones."""
    found = list(values)
    if "first" in modifiers:
        found = found[:1]
    elif "last" in modifiers:
        found = found[-1:]
    if "addr" in modifiers:
        found = [
            one.address
            for value in found
            for one in parse_addresses(value)
            if one.address is not None
        ]
    elif "name" in modifiers:
        phrases = [
            one.phrase
            for value in found
            for one in parse_addresses(value)
            if one.phrase is not None
        ]
        if "raw" in modifiers:
            found = phrases
        else:
            found = [tidy_name(decode_phrase(phrase, name)) for phrase in phrases]
    if "host" in modifiers or "domain" in modifiers:
        hosts = _hosts(found, domains, is_address="addr" in modifiers)
        if "domain" in modifiers:
            hosts = (domains.registered(host) for host in hosts)
        return tuple(host.encode("latin-1") for host in hosts)
    if "ip" in modifiers or "revip" in modifiers:
        addresses = (_ADDRESS.search(value.decode("latin-1")) for value in found)
        texts = [match[1] for match in addresses if match is not None]
        if "revip" in modifiers:
            texts = [reversed_ for text in texts if (reversed_ := reverse(text))]
        return tuple(text.encode("latin-1") for text in texts)
    return tuple(found)


def decode_phrase(phrase: bytes, name: bytes) -> bytes:
    """A display name, decoded; blanks at its ends stay."""
    decoded = decode_header(phrase, name)
    return decoded if decoded or not phrase else phrase


def _hosts(values: Sequence[bytes], domains: Domains, *, is_address: bool) -> Iterator[str]:
    for value in values:
        text = value.decode("latin-1")
        host = _host_of_address(text) if is_address else _host(text, domains)
        if host:
            yield host


def _host_of_address(text: str) -> str:
    at = text.rfind("@")
    match = _AT_HOST.match(text, at) if at >= 0 else None
    return match[1] if match is not None else ""


def _host(text: str, domains: Domains) -> str:
    """The host of the last address in a line, else the first host."""
    end = text.find("\n")
    line_end = end if end >= 0 else len(text)
    at = text.rfind("@", 0, line_end)
    while at >= 0:
        if host := domains.host_at(text, at + 1, line_end):
            if is_host_name(host):
                return host
            break
        at = text.rfind("@", 0, at)
    position = 0
    while (found := domains.host_in(text, position)) is not None:
        host = text[found[0] : found[1]]
        if is_host_name(host):
            return host
        position = found[1]
    return ""
