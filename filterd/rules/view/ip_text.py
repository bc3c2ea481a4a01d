"""IP addresses in header fields, as SpamAssassin finds them there.

Source: RFC 4291 §2.2, RFC 5321 §4.1.3 (the tag `IPv6:`), RFC 6890.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_GROUP = "[A-Fa-f0-9]{1,4}"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]\d|\d)"
IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
"""An IPv4 address, without regard for what stands around it; a source for patterns."""


def _compressed(groups: int, more: str) -> list[str]:
    """Forms of an IPv6 address with `::`, of which `groups` can be written out at most; what
    follows them: `more`, that has a colon before it where it is not empty."""
    forms = [f":(?::{_GROUP}){{1,{groups}}}{more}"]
    forms += [f"(?:{_GROUP}:){{1,{groups}}}:{more.removeprefix(':')}"]
    forms += [
        f"(?:{_GROUP}:){{{before}}}(?::{_GROUP}){{1,{groups - before}}}{more}"
        for before in range(1, groups)
    ]
    return forms


_WITH_IPV4 = [f"(?:{_GROUP}:){{6}}{IPV4}", f"::{IPV4}", *_compressed(5, f":{IPV4}")]
_WITHOUT = [f"(?:{_GROUP}:){{7}}{_GROUP}", *_compressed(7, ""), "::"]
_IPV6 = (
    rf"(?:[Ii][Pp][Vv]6:|(?<![a-fA-F0-9:]))(?:{'|'.join(_WITH_IPV4 + _WITHOUT)})(?![a-fA-F0-9:])"
)

IP = rf"(?:\b(?<!:){IPV4}\b|{_IPV6})"
"""An IPv4 or IPv6 address that stands alone; a source for patterns."""

_ZONE = re.compile(r"%[A-Za-z0-9._~-]*\Z")
_MAPPED = re.compile(r"0{0,4}:0{0,4}:(?:0{0,4}:){0,4}ffff:(\d+\.\d+\.\d+\.\d+)", re.I)

_PRIVATE_IPV4 = re.compile(
    r"(?:10|127|169\.254|172\.(?:1[6-9]|2\d|3[01])|192\.168"
    r"|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\."
)
_LINK_LOCAL = ip_network("fe80::/10")
_LOOPBACK = IPv6Address("::1")


def plain(text: str) -> str:
    """An address as it stands in a field without its tag, brackets and zone (RFC 4007 §11); an
    IPv4-mapped one (RFC 4291 §2.5.5.2) as the IPv4 address that it is."""
    if text[:5].lower() == "ipv6:":
        text = text[5:]
    text = _ZONE.sub("", text.removeprefix("[").removesuffix("]"))
    mapped = _MAPPED.fullmatch(text)
    return mapped[1] if mapped is not None else text


def is_private(text: str) -> bool:
    """True for an address of a host or site of its own (RFC 1918, RFC 6598, loopback, link-local);
    unique local ones of IPv6 do not count."""
    if _PRIVATE_IPV4.match(text):
        return True
    if ":" not in text:
        return False
    try:
        found = ip_address(text)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return False
    return found in _LINK_LOCAL or found == _LOOPBACK


def reverse(text: str) -> str:
    """The address as DNS lists are asked for it (RFC 5782 §2.1, §2.4); `""` for what is none."""
    try:
        found = ip_address(text)
    except ValueError:
        return ""
    if isinstance(found, IPv4Address):
        return ".".join(reversed(text.split(".")))
    return ".".join(reversed(found.exploded.replace(":", "")))
