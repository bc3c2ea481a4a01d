"""Forms of one URI: what hides in escapes, odd addresses, ports, redirections.

Source: Mail::SpamAssassin::PerMsgStatus(3pm), get_uri_list; the results of SpamAssassin 4.0.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from filterd.rules.view.domains import Domains, ascii_host

REDIRECTIONS = 50
"""URIs within URIs that are taken out."""

ANGLE_BRACKETS = 20
"""Addresses in `<>` that are looked for in one URI."""

HEADS = 4096
"""Schemes with a host whose domain is remembered."""

_HEAD = re.compile(rb"https?://[^/?#]{0,300}(?=[/?#]|\Z)")
_BLANKS = b" \t\n\r\x0b\x0c"
_NO_URI = re.compile(rb"[#?&]|/(?!/)")
_MAIL = re.compile(rb"mailto:|[^:]*@", re.IGNORECASE)
_PARAMETERS = re.compile(rb"[?&]")
_HOST_END = re.compile(rb"[?&%]")
_ANGLE_ADDRESS = re.compile(rb"([^@>]++@[^>]++)>")
_HTTP = re.compile(rb"(https?:)/{0,2}", re.IGNORECASE)
_ESCAPE = re.compile(rb"%[0-9a-fA-F]{2}")
_TO_ESCAPE = re.compile(rb"%[0-9a-fA-F]{2}|[\x00-\x20\x7f-\xff\"%<>]")
_SCHEME = re.compile(rb"[-_a-z0-9]+:", re.IGNORECASE)
_NO_PATH = re.compile(rb"(https?://[^/?#]+)([?#])", re.IGNORECASE)
_DECIMAL = re.compile(rb"&#0*(3[3-9]|[4-9]\d|1[01]\d|12[0-6]);")
_HEXADECIMAL = re.compile(rb"&#x0*(2[1-9]|[3-6][a-fA-F0-9]|7[0-9a-eA-E]);")
_DOT = re.compile(rb"&#(?:x2e|12290|x3002|65294|xff0e|65377|xff61);", re.IGNORECASE)
_WEB = re.compile(rb"(https?://)(?:([^@/?#]*+)@)?([^/?#:]++)((?::(\d*+))?[^\n]*+)", re.IGNORECASE)
_WEB_WITHOUT_USER = re.compile(rb"(https?://)()([^/?#:]++)((?::(\d*+))?[^\n]*+)", re.IGNORECASE)
_PORT_80 = re.compile(rb":80\b")
_PORT_443 = re.compile(rb":443\b")
_INNER = re.compile(rb"https?:/{0,2}[^&#]+", re.IGNORECASE)
_CONTROLS = bytes(range(0x21))
_ODD_END = re.compile(rb"(?<![^0-9A-Za-z])[^0-9A-Za-z]++\Z")
_NUMBER = rb"0x[0-9a-f]{1,64}|\d{1,64}"
_ADDRESS = re.compile(
    rb"(" + rb")\.(".join((_NUMBER,) * 4) + rb")",
    re.IGNORECASE,
)
_HEX_HOST = re.compile(rb"0x([0-9a-f]++)", re.IGNORECASE)
_OCTAL = re.compile(rb"0+([1-3][0-7]{0,2}|[4-7][0-7]?)\b")
_ONE_LABEL = re.compile(rb"(?:www\.)?([^.]+)")

Redirector = Callable[[bytes], bytes | None]
"""Where a URI leads to, if it is one of a known redirector."""


def _no_redirector(_: bytes) -> None:
    return None


class Forms:
    """What is needed to know the forms of URIs, and their domains."""

    def __init__(self, domains: Domains, redirector: Redirector = _no_redirector) -> None:
        self.domains = domains
        self.redirector = redirector
        self._of_head = lru_cache(HEADS)(self._domain_and_host)

    def domain_and_host(self, uri: bytes) -> tuple[bytes, bytes]:
        """(registered domain, host) of a URI; both empty without a host that can be there."""
        head = _HEAD.match(uri)
        return self._of_head(head[0]) if head is not None else self._domain_and_host(uri)

    def _domain_and_host(self, uri: bytes) -> tuple[bytes, bytes]:
        domain, host = self.domains.of_uri(uri.decode("latin-1"))
        return domain.encode("latin-1"), host.encode("latin-1")


def unescaped(uri: bytes) -> bytes:
    """A URI with its escapes of printable ASCII resolved, and other octets escaped."""
    return _TO_ESCAPE.sub(_octet, uri)


def _octet(match: re.Match[bytes]) -> bytes:
    text = match[0]
    if len(text) == 1:
        return b"%%%02x" % text[0]
    code = int(text[1:], 16)
    return bytes((code,)) if 0x20 < code < 0x7F else text


def forms_of(uri: bytes, how: Forms) -> list[bytes]:
    """All forms of a URI, its own first, each once."""
    pending = [uri]
    forms: dict[bytes, None] = {}
    more: dict[bytes, None] = {}
    for written in pending:
        one = written.translate(None, b"\n").strip(_BLANKS).translate(None, b"\r")
        forms[one] = None
        if len(one) <= 1 or _NO_URI.match(one) is not None:
            continue
        if _MAIL.match(one) is not None:
            found, inner = _mail_forms(one), None
        else:
            found, inner = _web_forms(one, how)
        more.update(dict.fromkeys(found))
        if inner is not None and len(pending) < REDIRECTIONS:
            pending.append(inner)
    forms.update(more)
    return list(forms)


def _mail_forms(uri: bytes) -> list[bytes]:
    """What readers may make of an address with parameters, blanks or a name around it."""
    forms: list[bytes] = []
    user, at, rest = uri.partition(b"@")
    if user and at:
        question, either = rest.find(b"?"), _PARAMETERS.search(rest)
        if question > 0:
            forms.append(user + at + rest[:question])
        if either is not None and either.start() > 0 and either[0] == b"&":
            forms.append(user + at + rest[: either.start()])
        if b"%20" in uri:
            forms += _without_blanks(user, rest)
    before = _PARAMETERS.split(uri, maxsplit=1)[0]
    position = len(before)
    for _ in range(ANGLE_BRACKETS):
        position = before.rfind(b"<", 0, position)
        if position < 0:
            break
        address = _ANGLE_ADDRESS.match(uri, position + 1)
        if address is not None:
            forms.append(b"mailto:" + address[1])
            break
    return forms


def _without_blanks(user: bytes, rest: bytes) -> list[bytes]:
    host = _HOST_END.split(rest, maxsplit=1)[0]
    user = user.removeprefix(b"mailto:")
    bare = user
    while bare.startswith(b"%20"):
        bare = bare[3:]
    bare = bare or user[-3:]
    return [b"mailto:" + bare + b"@" + host] if host and bare else []


def _web_forms(uri: bytes, how: Forms) -> tuple[list[bytes], bytes | None]:
    """(other forms of a URI, the one that it leads to)."""
    forms: list[bytes] = []
    form = _cleaned(uri)
    if form != uri:
        forms.append(form)
    match = _WEB.match(form) or _WEB_WITHOUT_USER.match(form)
    if match is None:
        return forms, None
    scheme, user, host, rest, port = match.groups()
    forms += _without_port(scheme, host, rest, port)
    labels = ascii_host(host.decode("latin-1")).encode("utf-8") if not host.isascii() else host
    if labels != host:
        host = labels
        forms.append(scheme + host + rest)
        forms += _without_port(scheme, host, rest, port)
    name = host.lower()
    if len(host.translate(None, _CONTROLS)) < len(host):
        host = host.translate(None, _CONTROLS)
        forms.append(scheme + host + rest)
    inner = _inner(scheme + host + rest, rest, how)
    if host.find(b"@") > 0:
        host = host.partition(b"@")[2]
        forms.append(scheme + host + rest)
    odd = _ODD_END.search(host)
    if odd is not None:
        host = host[: odd.start()]
        forms.append(scheme + host + rest)
    plain = _plain_address(host)
    if plain is not None:
        forms.append(scheme + plain + rest)
    elif scheme == b"http://" and user is None and port in (None, b"", b"80"):
        label = _ONE_LABEL.fullmatch(name)
        if (
            label is not None
            and name != b"localhost"
            and not how.domains.is_valid(name.decode("latin-1"))
        ):
            forms.append(scheme + b"www." + label[1] + b".com" + rest)
    return forms, inner


def _cleaned(uri: bytes) -> bytes:
    form = uri.replace(b"\\", b"/")
    head = _HTTP.match(form)
    if head is not None:
        form = head[1] + b"//" + form[head.end() :]
    if _ESCAPE.search(form) is not None:
        form = unescaped(form)
    if _SCHEME.match(form) is None:
        form = (b"ftp://" if form.startswith(b"ftp.") else b"http://") + form
    head = _NO_PATH.match(form)
    if head is not None:
        form = head[1] + b"/" + form[head.start(2) :]
    if b"&#" in form:
        form = _DECIMAL.sub(lambda match: bytes((int(match[1]),)), form)
        form = _HEXADECIMAL.sub(lambda match: bytes((int(match[1], 16),)), form)
        form = _DOT.sub(b".", form)
    return form


def _without_port(scheme: bytes, host: bytes, rest: bytes, port: bytes | None) -> list[bytes]:
    if not port:
        return []
    usual = (_PORT_80 if scheme == b"http://" else _PORT_443).match(rest)
    return [scheme + host + rest[usual.end() :]] if usual is not None else []


def _inner(uri: bytes, rest: bytes, how: Forms) -> bytes | None:
    """Where a redirector leads to."""
    target = how.redirector(uri)
    if target is not None:
        return target
    found = _INNER.search(rest)
    return found[0] if found is not None and b"." in found[0] else None


def _plain_address(host: bytes) -> bytes | None:
    """An IPv4 address with four decimal numbers, of one written in another way."""
    match = _ADDRESS.fullmatch(host)
    if match is not None:
        return b".".join([_number(number) for number in match.groups()])
    found = _HEX_HOST.fullmatch(host)
    if found is not None:
        return _dotted(int(found[1][-8:], 16))
    if host.isdigit():
        return _dotted(int(host) if len(host.lstrip(b"0")) < 20 else (1 << 64) - 1)
    return None


def _number(text: bytes) -> bytes:
    if text[:2].lower() == b"0x":
        text = b"%d" % int(text[2:], 16)
    octal = _OCTAL.match(text)
    if octal is not None:
        text = b"%d" % int(octal[1], 8) + text[octal.end() :]
    return text.lstrip(b"0")


def _dotted(number: int) -> bytes:
    digits = f"{number:08x}"
    return b".".join([b"%d" % int(digits[i : i + 2], 16) for i in range(0, 8, 2)])
