"""Mailboxes in their canonical form, and the patterns that stand for them.

All of filterd compares addresses here: rules, the senders list, reviewers, digests, searches and
releases. One mailbox has many spellings: `"team"@mx.example`, `<@relay.example:team@mx.example>`,
`TEAM@MX.example.`, `jürgen@müller.example` as text, as octets or with an A-label. They are one
here. A pattern without `+` also covers the mailbox with any `+detail`, a pattern with one only
that.

Sources: RFC 5321 §2.3.11, §4.1.2, §4.1.3, appendix C; RFC 6531 §3.3; RFC 5890; UTS 46; subaddresses
RFC 5233.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import idna

from filterd.message.envelope import ip

DOMAIN_LIMIT = 255
"""Characters of a domain that are converted; RFC 5321 §4.5.3.1.2 has no longer ones."""

LABEL_LIMIT = 63
"""Octets of a label, RFC 1035 §2.3.4."""

CACHED_DOMAINS = 4096
"""Domains whose canonical form is remembered; some hundred octets each."""

REMEMBERED_MAILBOXES = 4096
"""Addresses whose mailbox is remembered; up to a kilobyte each."""

REMEMBERED_LENGTH = 320
"""Characters of one: 64 of a local part, @, and 255 of a domain (RFC 5321 §4.5.3.1)."""

DELIMITER = "+"
"""Between a mailbox and its detail, as in sendmail and, by `recipient_delimiter`, in Postfix."""

EXPECTED = 'expected "ann@mx.example", "mx.example", or ".mx.example" for it and all below it'

_HOP = r"@(?:\[[^\[\]]*+\]|[^,:\[\]\"<>]++)"
_ROUTE = re.compile(rf"{_HOP}(?:,\s*+{_HOP})*+:")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"|\\(.)', re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_DOT_STRING = re.compile(r"[^\s\"(),:;<>@\[\\\]]++")
_QUOTED_STRING = re.compile(r'(?<!\\)"(?:[^"\\\r\n]|\\[^\r\n])*+"')
_XN = re.compile(r"\bxn--[a-z0-9-]{1,59}+", re.IGNORECASE)
_BRACKETED = re.compile(r"<([^<>]*+)>")


class AddressPatternError(ValueError):
    """A pattern that no address could match; the text says what was expected.

    what: the text without that. key: where it stands among the settings of a section, if that is
    known.
    """

    key: tuple[str | int, ...] = ()

    def __init__(self, what: str, expected: str = EXPECTED) -> None:
        super().__init__(f"{what}; {expected}")
        self.what = what


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox. local: unquoted, lower case, `""` for the null reverse-path. domain: in A-labels
    and lower case, an address literal in brackets, `""` for a bare `<postmaster>`."""

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Mailbox:
        """The mailbox of an address in any spelling; never raises."""
        # Filters look at the same few of a message again and again; what is longer would fill the
        # memory.
        return _known(text) if len(text) <= REMEMBERED_LENGTH else _mailbox(text)

    @property
    def base(self) -> str:
        """The local part without its detail."""
        end = self.local.find(DELIMITER, 1)
        return self.local if end < 0 else self.local[:end]

    def covered_by(self) -> Iterator[str]:
        """Every key of a pattern that covers this mailbox, the closest first."""
        if not self.domain:
            # Of which domain is not said: of any that is named with this local part.
            yield f"{self.local}@"
            if self.base != self.local:
                yield f"{self.base}@"
            return
        yield f"{self.local}@{self.domain}"
        if self.base != self.local:
            yield f"{self.base}@{self.domain}"
        yield f"@{self.domain}"
        if self.domain.startswith("["):
            return
        below = self.domain[-DOMAIN_LIMIT:]
        while below:
            yield f".{below}"
            below = below.partition(".")[2]

    def __str__(self) -> str:
        """The mailbox as people read it: a local part quoted only where it must be, U-labels."""
        local = self.local
        if local and not _DOT_STRING.fullmatch(local):
            local = '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'
        return f"{local}@{readable_domain(self.domain)}" if self.domain else local


def _mailbox(text: str) -> Mailbox:
    address = _path(as_text(text))
    at = address.rfind("@")
    if at < 0 or '"' in address[at:]:
        return Mailbox(_local(address), "")
    return Mailbox(_local(address[:at]), canonical_domain(address[at + 1 :]))


_known = lru_cache(REMEMBERED_MAILBOXES)(_mailbox)


def as_text(address: str) -> str:
    """The address as text, where it is ASCII with surrogate escapes for octets of UTF-8."""
    if address.isascii():
        return address
    try:
        return address.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return address


def readable(address: str) -> str:
    """The one spelling of a mailbox in which lists and searches show it."""
    return str(Mailbox.parse(address))


def same(one: str, other: str) -> bool:
    """True if both are spellings of one mailbox, detail included."""
    return one == other or Mailbox.parse(one) == Mailbox.parse(other)


def readable_part(text: str) -> str:
    """A part of an address that somebody looks for, as `readable` spells such."""
    wanted = as_text(text)
    if "@" in wanted and wanted.strip("<> ") and set(wanted) & set('"<>\\:'):
        return readable(wanted)
    wanted = _XN.sub(lambda found: _u_label(found[0].lower()), wanted)
    return unicodedata.normalize("NFC", wanted).lower()


def reaches(recipients: Container[str], domains: Container[str], address: str) -> bool:
    """True for an address of one of these mailboxes, with any detail, or domains; both as
    `readable` and `readable_domain` spell them."""
    mailbox = Mailbox.parse(address)
    if not mailbox.domain:
        return False
    without = Mailbox(mailbox.base, mailbox.domain)
    return (
        readable_domain(mailbox.domain) in domains
        or str(mailbox) in recipients
        or str(without) in recipients
    )


def _path(text: str) -> str:
    """The address in a path: no brackets, no source route (RFC 5321 §4.1.2, `A-d-l`)."""
    address = text.strip()
    if address.startswith("<") and address.endswith(">"):
        address = address[1:-1].strip()
    route = _ROUTE.match(address) if address.startswith("@") else None
    return address[route.end() :].strip() if route else address


def _local(text: str) -> str:
    """A local part without quotes; compared without regard to case, as every MTA in use does."""
    if '"' in text or "\\" in text:
        text = _QUOTED.sub(lambda m: m[2] if m[1] is None else _PAIR.sub(r"\1", m[1]), text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return text.lower()


def canonical_domain(text: str) -> str:
    """A domain in lower case and A-labels, without a dot at its end; an address literal in the form
    of its address. What is neither stays as it is, in lower case; never raises."""
    # What is longer than a domain would fill the memory: header fields have it in any length.
    return _remembered(text) if len(text) <= DOMAIN_LIMIT else _canonical(text)


def _canonical(text: str) -> str:
    domain = as_text(text.strip())
    if domain.startswith("["):
        return _literal(domain)
    if not domain.isascii() and len(domain) <= DOMAIN_LIMIT:
        try:
            domain = idna.uts46_remap(domain, std3_rules=False)
        except (idna.IDNAError, UnicodeError):
            domain = unicodedata.normalize("NFKC", domain).lower()
        domain = ".".join(map(_a_label, domain.split(".")))
    # What was mapped may begin or end with blanks, and end with a dot.
    domain = domain.lower().strip()
    if not domain.endswith(".") or domain[-2:-1] == "." or domain[-2:-1].isspace():
        return domain
    return domain[:-1]


_remembered = lru_cache(CACHED_DOMAINS)(_canonical)


def readable_domain(domain: str) -> str:
    """A canonical domain in U-labels, as far as it has such."""
    if "xn--" not in domain or len(domain) > DOMAIN_LIMIT:
        return domain
    return ".".join(map(_u_label, domain.split(".")))


def listed_domain(text: str) -> str:
    """A domain in any spelling, `mx.example` or `@mx.example`, as lists and searches show it."""
    return readable_domain(canonical_domain(text.removeprefix("@")))


def _a_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        # Not of IDNA 2008 (a symbol, say), and registered all the same.
        try:
            return "xn--" + label.encode("punycode").decode("ascii")
        except UnicodeError:
            return label


def _u_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        found = label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label
    # Only what comes back the same: a label must not pass for another one.
    return found if found.isprintable() and canonical_domain(found) == label else label


def _literal(domain: str) -> str:
    """`[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3)."""
    inner = domain.removesuffix(".").lower().removeprefix("[").removesuffix("]")
    address = ip(inner.removeprefix("ipv6:"))
    if address is None:
        return domain.lower()
    return f"[{address}]" if address.version == 4 else f"[ipv6:{address}]"


def pattern_keys(pattern: str) -> tuple[str, ...]:
    """The keys that a pattern stands for, as `Mailbox.covered_by` has them.

    `user@domain`: that mailbox. `domain`, `@domain`, `*@domain`: all mailboxes of the domain.
    `.domain`: of the domain and of all below it. Raises AddressPatternError for anything else.
    """
    text = as_text(pattern)
    if not text.strip():
        raise AddressPatternError(f"{pattern!r} is empty")
    shape = _QUOTED_STRING.sub("", text)
    if "," in shape or ";" in shape:
        raise AddressPatternError(f"{pattern!r} has several addresses", "write one entry for each")
    inside = _BRACKETED.search(shape)
    if inside:
        raise AddressPatternError(
            f"{pattern!r} is more than an address", f'expected "{inside[1].strip()}"'
        )
    if any(c.isspace() or not c.isprintable() for c in shape if not "\udc80" <= c <= "\udcff"):
        raise AddressPatternError(f"{pattern!r} has spaces or control characters")
    if shape.startswith("*."):
        raise AddressPatternError(
            f"{pattern!r}: there are no wildcards",
            f'a domain and all below it is written ".{shape[2:]}"',
        )
    text = text.removeprefix("*") if text.startswith("*@") else text
    if "*" in _QUOTED_STRING.sub("", text):
        raise AddressPatternError(f"{pattern!r}: there are no wildcards")
    at = text.rfind("@")
    if at > 0 and '"' not in text[at:]:
        local, domain = text[:at], _checked_domain(pattern, text[at + 1 :])
        if not (_DOT_STRING.fullmatch(local) or _QUOTED_STRING.fullmatch(local)):
            raise AddressPatternError(f"{pattern!r} is not an address")
        mailbox = Mailbox(_local(local), domain)
        return f"{mailbox.local}@{domain}", f"{mailbox.local}@"
    if text.startswith("."):
        return ("." + _checked_domain(pattern, text[1:]),)
    return ("@" + _checked_domain(pattern, text.removeprefix("@")),)


def patterns(texts: Iterable[str], *where: str | int) -> frozenset[str]:
    """The keys of all these patterns. where: the setting that has them.

    Raises AddressPatternError for the first that is not a pattern, with its `key`.
    """
    found: set[str] = set()
    for index, text in enumerate(texts):
        try:
            found.update(pattern_keys(text))
        except AddressPatternError as error:
            error.key = (*where, index)
            raise
    return frozenset(found)


def checked_mailbox(text: str) -> str:
    """The address as it was typed, if mail can be sent there. Raises AddressPatternError."""
    expected = 'expected an address such as "ann@mx.example"'
    try:
        key = pattern_keys(text)[0]
    except AddressPatternError as error:
        raise AddressPatternError(error.what, expected) from None
    if key.startswith(("@", ".")):
        raise AddressPatternError(f"{text!r} is not an address", expected)
    return text


def checked_domains(texts: Iterable[str], *where: str | int) -> frozenset[str]:
    """Domains, `mx.example` or `@mx.example`, in their canonical form. Raises
    AddressPatternError."""
    found = set()
    for index, text in enumerate(texts):
        expected = 'expected a domain such as "mx.example"'
        try:
            key = pattern_keys(text)[0]
            if not key.startswith("@"):
                domain = key.rpartition("@")[2].lstrip(".")
                expected = f'expected "{domain}"'
                raise AddressPatternError(f"{text!r} is more than a domain")
        except AddressPatternError as error:
            wrong = AddressPatternError(error.what, expected)
            wrong.key = (*where, index)
            raise wrong from None
        found.add(key[1:])
    return frozenset(found)


def _checked_domain(pattern: str, text: str) -> str:
    domain = canonical_domain(text)
    if domain.startswith("[") and domain.endswith("]"):
        if ip(domain[1:-1].removeprefix("ipv6:")) is None:
            raise AddressPatternError(
                f"{pattern!r} is not an address literal",
                'expected "[192.0.2.1]" or "[IPv6:2001:db8::1]"',
            )
        return domain
    labels = domain.split(".")
    if (
        len(domain) > DOMAIN_LIMIT
        or not all(re.fullmatch(r"[a-z0-9_](?:[a-z0-9_-]*+)", label) for label in labels)
        or any(len(label) > LABEL_LIMIT for label in labels)
    ):
        raise AddressPatternError(f"{pattern!r} is not an address or a domain")
    if labels[-1].isdigit():
        raise AddressPatternError(
            f"{pattern!r} is an IP address", f'as a domain of mail it is written "[{domain}]"'
        )
    return domain
