"""The header field Received-SPF (RFC 7208 §9.1), without comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from filterd.message.authentication import SpfCheck, SpfIdentity

VALUE_LIMIT = 300
"""Characters of one value."""

_NOT_SHOWN = re.compile(r"[^ -~]")
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++)*+")


def received_spf(check: SpfCheck, *, host: str, client: str, sender: str, helo: str) -> str:
    """The value of the field, folded behind LF and tab.

    host: who checked. client: the address that was judged. sender: the reverse-path, `""` for none.
    What is not printable ASCII becomes `?`.
    """
    return "\n\t".join(_lines(check, host=host, client=client, sender=sender, helo=helo))


def _lines(check: SpfCheck, *, host: str, client: str, sender: str, helo: str) -> Iterator[str]:
    pairs = {
        "identity": check.identity.value,
        "client-ip": client,
        "envelope-from": sender if check.identity is SpfIdentity.MAIL_FROM else "",
        "helo": helo,
        "mechanism": check.mechanism,
        "problem": check.reason,
        "receiver": host,
    }
    given = [f"{name}={_value(value)}" for name, value in pairs.items() if value]
    yield check.result.value
    for number, pair in enumerate(given):
        yield pair if number == len(given) - 1 else f"{pair};"


def _value(text: str) -> str:
    shown = _NOT_SHOWN.sub("?", text)[:VALUE_LIMIT]
    if _DOT_ATOM.fullmatch(shown):
        return shown
    return '"' + re.sub(r'(["\\])', r"\\\1", shown) + '"'
