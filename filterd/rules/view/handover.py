"""The Received field for a message that is just coming in.

A milter sees a message before its MTA writes its own field (RFC 5321 §4.4), so that one is made
from the envelope: without it no rule would know the client.
"""

from __future__ import annotations

import re

from filterd.message.envelope import Envelope

_ODD = re.compile(r"[^\x21-\x7e]+")
_NO_NAME = ("", "unknown", "localhost")


def handover(envelope: Envelope) -> bytes | None:
    """The value of the Received field, from behind its colon, with its line end; None where no
    client is known, as of stored mail."""
    client = envelope.client
    if not client.address:
        return None
    address = f"IPv6:{client.address}" if ":" in client.address else client.address
    name = _word(client.name)
    if name.lower() in _NO_NAME or name.startswith("["):
        name = "unknown"
    by = _word(envelope.macros.get("j", "")) or "localhost"
    protocol = "ESMTPA" if envelope.authenticated else "ESMTP"
    queue_id = _word(envelope.queue_id)
    identity = f" id {queue_id}" if queue_id else ""
    helo = _word(client.helo) or "unknown"
    return (
        f" from {helo} ({name} [{address}])\n\tby {by} (filterd) with {protocol}{identity}\n"
    ).encode("ascii")


def _word(text: str) -> str:
    """One word that breaks no field."""
    return _ODD.sub("?", text)
