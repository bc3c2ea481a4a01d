"""DMARC policy records, as domains publish them.

Source: RFC 9989 §4.5 to §4.8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar
from urllib.parse import unquote

from filterd.message.authentication import DmarcPolicy

RECORD_LIMIT = 65_535
"""Octets of a record; a TXT record cannot hold more (RFC 1035 §3.2.1)."""

REMEMBERED = 1024
"""Records that are remembered as they were read: one message asks for the same ones several times,
and so does the next."""

REMEMBERED_LIMIT = 1024
"""Octets of a record that is remembered; those in use have 50 to 500."""

URIS_LIMIT = 20
"""URIs of one tag; reports go to two or three."""

_VERSION = re.compile(rb"[vV][ \t]*+=[ \t]*+DMARC1[ \t]*+(?:;|\Z)")
_TAG = re.compile(r"([A-Za-z]++)[ \t]*+=[ \t]*+([ -:<-~]++)")
_URI = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*+):((?:[A-Za-z0-9._~:/?#\[\]@$&'()*+=-]|%[0-9A-Fa-f]{2})++)"
)
_SIZE = re.compile(r"!([0-9]{1,15}+)([kmgtKMGT]?+)\Z")
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_AUTHORITY = re.compile(r"[^:]++://(?:[^/?#@]*+@)?+([^/?#:@\[\]]++)")
_FO = frozenset("01ds")


class Alignment(StrEnum):
    """How close two domains have to be (RFC 9989 §3.2.10)."""

    RELAXED = "r"
    """They have one organizational domain."""
    STRICT = "s"
    """They are the same."""


class Psd(StrEnum):
    """What a record says of its domain (RFC 9989 §4.7)."""

    YES = "y"
    """Others register names below it."""
    NO = "n"
    """It is the organizational domain of itself and all below."""
    UNKNOWN = "u"


@dataclass(frozen=True, slots=True)
class ReportUri:
    """Where reports go (RFC 9989 §4.6). uri: as published, without the obsolete size behind it.
    limit: that size, in octets, None without one (RFC 7489 §6.2); RFC 9989 §4.8 ignores it."""

    uri: str
    limit: int | None = None

    @property
    def scheme(self) -> str:
        """In lower case: `mailto`."""
        return self.uri.partition(":")[0].lower()

    @property
    def address(self) -> str:
        """The mail address of a `mailto:` URI (RFC 6068 §2), decoded, printable ASCII; "" of any
        other URI, and where several addresses or none stand there."""
        if self.scheme != "mailto":
            return ""
        address = unquote(self.uri.partition(":")[2].partition("?")[0])
        local, at, domain = address.rpartition("@")
        if not (local and at and domain) or not address.isascii() or not address.isprintable():
            return ""
        return "" if set(address) & set(' ,;<>"()\\[]') or "@" in local else address

    @property
    def host(self) -> str:
        """The domain that the report goes to, "" if it has none."""
        if self.scheme == "mailto":
            return self.address.rpartition("@")[2]
        authority = _AUTHORITY.match(self.uri)
        return authority[1] if authority else ""


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """One record. What is damaged has its default, or is left out (RFC 9989 §4.8).

    text: as published. p, sp, np: None where the tag is absent or damaged. damaged: names of the
    tags of this RFC that cannot be used, because of their value or because they stand there with
    several values. fo: of "0", "1", "d", "s"; counts only together with ruf. rua, ruf: the URIs
    that are one, at most `URIS_LIMIT`.
    """

    text: str
    p: DmarcPolicy | None = None
    sp: DmarcPolicy | None = None
    np: DmarcPolicy | None = None
    testing: bool = False
    psd: Psd = Psd.UNKNOWN
    adkim: Alignment = Alignment.RELAXED
    aspf: Alignment = Alignment.RELAXED
    fo: tuple[str, ...] = ("0",)
    rua: tuple[ReportUri, ...] = ()
    ruf: tuple[ReportUri, ...] = ()
    damaged: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, record: bytes | str) -> DmarcRecord | None:
        """The record, or None if it is not a DMARC record: its first tag is not `v=DMARC1`.

        Never raises. record: the strings of a TXT record, joined (RFC 9989 §4.5).
        """
        octets = record.encode("utf-8", "replace") if isinstance(record, str) else record
        return _parsed(octets) if len(octets) <= REMEMBERED_LIMIT else cls._parse(octets)

    @classmethod
    def _parse(cls, octets: bytes) -> DmarcRecord | None:
        begin = _VERSION.match(octets)
        if begin is None or len(octets) > RECORD_LIMIT:
            return None
        # Octets outside of ASCII fit into no value: their tag is damaged, and no other.
        text = octets.decode("latin-1")
        tags, damaged = _tags(text[begin.end() :])
        values = _RecordValues(tags, damaged)
        return cls(
            text,
            p=values.one("p", DmarcPolicy),
            sp=values.one("sp", DmarcPolicy),
            np=values.one("np", DmarcPolicy),
            testing=values.one("t", _YesOrNo) is _YesOrNo.YES,
            psd=values.one("psd", Psd) or Psd.UNKNOWN,
            adkim=values.one("adkim", Alignment) or Alignment.RELAXED,
            aspf=values.one("aspf", Alignment) or Alignment.RELAXED,
            fo=values.options(),
            rua=values.uris("rua"),
            ruf=values.uris("ruf"),
            damaged=frozenset(values.damaged),
        )

    @property
    def is_usable(self) -> bool:
        """Whether it says what to do: p, sp and np are in order, or somebody wants reports at least
        and the policy is none (RFC 9989 §4.10.1)."""
        return self._is_clear or bool(self.rua)

    @property
    def _is_clear(self) -> bool:
        return self.p is not None and not self.damaged & {"sp", "np"}

    def policy(self, *, subdomain: bool = False, exists: bool = True) -> DmarcPolicy | None:
        """What it asks for (RFC 9989 §4.7, §4.10.1); None where it is not usable.

        subdomain: the author domain is not the one that publishes the record, but below it.
        exists: the author domain exists in the DNS. What `t=y` asks for is left to the caller.
        """
        if not self._is_clear:
            return DmarcPolicy.NONE if self.is_usable else None
        if not subdomain:
            return self.p
        if not exists and self.np is not None:
            return self.np
        return self.sp if self.sp is not None else self.p


@lru_cache(REMEMBERED)
def _parsed(octets: bytes) -> DmarcRecord | None:
    return DmarcRecord._parse(octets)


class _YesOrNo(StrEnum):
    YES = "y"
    NO = "n"


_KNOWN = frozenset({"p", "sp", "np", "t", "psd", "adkim", "aspf", "fo", "rua", "ruf"})


def _tags(text: str) -> tuple[dict[str, str], set[str]]:
    """The tags of this RFC by their names, and the names of those that are damaged.

    Names and values are compared without regard to case, as the ABNF does (RFC 5234 §2.3).
    """
    tags: dict[str, str] = {}
    damaged: set[str] = set()
    for part in text.split(";"):
        name = part.partition("=")[0].strip(" \t").lower()
        if name not in _KNOWN:
            continue
        found = _TAG.fullmatch(part.strip(" \t"))
        value = found[2] if found else ""
        # RFC 6376 §3.2: no tag stands there twice. Which of them counts, nobody can know.
        if not value or tags.setdefault(name, value).lower() != value.lower():
            damaged.add(name)
    return tags, damaged


_Value = TypeVar("_Value", bound=StrEnum)


class _RecordValues:
    """Reads values, and notes which are damaged."""

    def __init__(self, tags: dict[str, str], damaged: set[str]) -> None:
        self._tags = {name: value for name, value in tags.items() if name not in damaged}
        self.damaged = damaged

    def one(self, name: str, values: type[_Value]) -> _Value | None:
        text = self._tags.get(name)
        if text is None:
            return None
        try:
            return values(text.lower())
        except ValueError:
            self.damaged.add(name)
            return None

    def options(self) -> tuple[str, ...]:
        """`fo`: each at most once, and not both 0 and 1."""
        text = self._tags.get("fo", "0").lower()
        found = tuple(one.strip(" \t") for one in text.split(":", len(_FO)))
        if not _FO.issuperset(found) or len(set(found)) < len(found) or {"0", "1"} <= set(found):
            self.damaged.add("fo")
            return ("0",)
        return found

    def uris(self, name: str) -> tuple[ReportUri, ...]:
        text = self._tags.get(name)
        if text is None:
            return ()
        found = [_uri(one) for one in text.split(",")]
        if not all(found):
            self.damaged.add(name)
        by_uri: dict[str, ReportUri] = {}
        for one in filter(None, found):
            by_uri.setdefault(one.uri, one)
        return tuple(by_uri.values())[:URIS_LIMIT]


def _uri(text: str) -> ReportUri | None:
    uri = text.strip(" \t")
    limit = None
    if size := _SIZE.search(uri):
        uri = uri[: size.start()]
        limit = int(size[1]) << 10 * _UNITS[size[2].lower()]
    return ReportUri(uri, limit) if _URI.fullmatch(uri) else None
