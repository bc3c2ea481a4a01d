"""DKIM, verified before a body is changed, because the change breaks the signature.

Who reads the message later can no longer verify it; what was found while it was whole stands in
`Authentication-Results`. Source: RFC 6376, RFC 8601. The packages `dkimpy` and `dnspython` are
loaded when the first signed message loses a part; without them, or without an answer from DNS, the
result is `temperror`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator

from filterd.chain.verdict import AddField
from filterd.message import HeaderField, Message

SIGNATURE_LIMIT = 5
"""Signatures of one message that are verified; each costs a question to DNS. Lists and gateways add
one each, so three are common."""

DNS_SECONDS = 3
"""Seconds for one question to DNS; a slow answer is not worth holding mail up for."""

Lookup = Callable[..., bytes | None]
"""`lookup(name, timeout=seconds)`: the TXT record of a name, None if there is none."""

# What is wrong with a stranger's signature is not an error of ours.
_SILENT = logging.Logger("dkim")
_SILENT.disabled = True

_TAG = re.compile(r"(?:^|;)\s*([a-z]+)\s*=\s*([^;]*)")
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def results(message: Message, host: str, lookup: Lookup | None = None) -> AddField | None:
    """The field to add to a message that is about to be changed; None if nobody signed it.

    host: the authserv-id. lookup: None asks DNS.
    """
    signatures = list(message.fields("DKIM-Signature"))[:SIGNATURE_LIMIT]
    if not signatures:
        return None
    noted = [
        f"dkim={result} {_properties(signature)}".rstrip()
        for signature, result in zip(
            signatures, _verified(bytes(message.data[:]), len(signatures), lookup), strict=True
        )
    ]
    return AddField("Authentication-Results", ";\n\t".join([host, *noted]))


def _properties(signature: HeaderField) -> str:
    """Which signature it is: `header.d=example.org header.s=mail`."""
    tags = dict(_TAG.findall(signature.text))
    named = ((f"header.{tag}", _NOT_A_NAME.sub("", tags.get(tag, ""))) for tag in "ds")
    return " ".join(f"{name}={value}" for name, value in named if value)


def _verified(data: bytes, count: int, lookup: Lookup | None) -> Iterator[str]:
    """The result of each signature, in the words of RFC 8601 §2.7.1."""
    try:
        import dkim  # noqa: PLC0415 loaded when needed
        from dns.exception import DNSException  # noqa: PLC0415
    except ImportError:
        yield from ["temperror"] * count
        return
    ask = lookup if lookup is not None else dkim.get_txt
    # dkimpy takes a missing key and a silent DNS for a bad signature, so what DNS said is kept.
    trouble = ""

    def asked(name: bytes, timeout: int = DNS_SECONDS) -> bytes | None:
        nonlocal trouble
        try:
            record = ask(name, timeout=timeout)
        except (dkim.DnsTimeoutError, DNSException, OSError):
            trouble = "temperror"
            return None
        trouble = "" if record else "permerror"
        return record

    for index in range(count):
        if trouble == "temperror":
            # The others would wait as long, for the same silent server.
            yield trouble
            continue
        trouble = ""
        try:
            verifier = dkim.DKIM(data, logger=_SILENT, timeout=DNS_SECONDS)
            found = verifier.verify(index, asked)
            yield trouble or ("pass" if found else "fail")
        except dkim.ValidationError as error:
            yield "fail" if "body hash mismatch" in str(error) else "permerror"
        except (dkim.DKIMException, ValueError, LookupError, TypeError, AttributeError):
            yield "permerror"
