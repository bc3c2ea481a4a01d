"""The mark of a message that a person released: the filters let it pass when it comes by again.

The mark travels as the envelope identifier of the MAIL command (ENVID, RFC 3461 §4.4), so that the
message keeps every octet; both MTAs hand it to the filter. It is an HMAC over the message's id, the
hash of its bytes, the time and the recipients, made with a key that only filterd's user can read:
it is worth nothing on another message, to another recipient, after a day, or from a client that the
settings do not name.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filterd.message import Message
from filterd.message.address import Mailbox
from filterd.message.matching import is_in_networks, networks
from filterd.system.bounded import read_regular
from filterd.system.durable import make_folder, write_once

KEY_NAME = "release.key"
KEY_SIZE = 32
"""Octets, as long as the hash of the HMAC."""

SIGNATURE_LENGTH = 32
"""Hexadecimal digits of a mark's signature, 128 bits of an HMAC-SHA-256 (RFC 2104, 5): with an id
and the time they fit into the 100 characters that ENVID may have."""

LIFETIME = 24 * 3600
"""Seconds for which a mark is good. The MTA asks the filter while the message is handed in, so that
minutes would do; a relay on the way may have been away for hours."""

CLOCK_SKEW = 300
"""Seconds by which the clock of the host that made the mark may be ahead of ours."""

_MARK = re.compile(
    r"ENVID=filterd:([0-9A-Za-z_-]{1,40}):([cvow]):([0-9a-f]{8}):([0-9a-f]{32})", re.IGNORECASE
)

_KINDS = {(False, False): "c", (True, False): "v", (False, True): "o", (True, True): "w"}
"""What a mark says besides: viruses may pass, the message was outbound."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark that was found good. viruses: a person said that even a virus may pass. outbound: the
    message was on its way out when it was kept, or filterd wrote it, so that it is to be signed."""

    id: str
    viruses: bool
    outbound: bool = False


def load_key(folder: Path, *, make: bool = True) -> bytes:
    """The key in that folder. make: also where there is none. Raises OSError."""
    path = folder / KEY_NAME
    if make and not path.exists():
        make_folder(folder)
        write_once(path, secrets.token_bytes(KEY_SIZE))
    key = read_regular(path, 1 << 10)
    if len(key) != KEY_SIZE:
        raise OSError(0, f"a release key has {KEY_SIZE} bytes, this has {len(key)}", str(path))
    return key


def envelope_id(
    key: bytes,
    id: str,
    data: bytes | memoryview,
    recipients: Iterable[str],
    *,
    viruses: bool = False,
    outbound: bool = False,
    now: float | None = None,
) -> str:
    """The mark of a message to these recipients as the value of ENVID; xtext, at most 100
    characters with our ids. now: seconds since 1970, the clock's if it is not given."""
    kind = _KINDS[viruses, outbound]
    made = f"{int(time.time() if now is None else now):08x}"
    return f"filterd:{id}:{kind}:{made}:{_signature(key, id, kind, made, data, recipients)}"


def _signature(
    key: bytes, id: str, kind: str, made: str, data: bytes | memoryview, recipients: Iterable[str]
) -> str:
    content = hashlib.sha256(data).digest()
    mailboxes = sorted({str(Mailbox.parse(recipient)) for recipient in recipients})
    words = "\0".join((id, kind, made, *mailboxes)).encode("utf-8", "surrogateescape")
    return hmac.new(key, words + b"\0" + content, "sha256").hexdigest()[:SIGNATURE_LENGTH]


def is_marked(parameters: Iterable[str]) -> bool:
    """True if one of these parameters of MAIL has the form of a mark, good or not."""
    return any(_MARK.fullmatch(parameter) for parameter in parameters)


class Verifier:
    """Finds good marks. clients: networks from which they are honoured; a client without an
    address is this host. Raises ValueError for anything that is not a network."""

    def __init__(
        self, key: bytes, clients: Sequence[str], clock: Callable[[], float] = time.time
    ) -> None:
        self._key = key
        self._clock = clock
        self._networks = networks(clients)

    def __call__(self, message: Message) -> Mark | None:
        """The message's mark; None if there is none, or it is not good. Raises nothing."""
        for parameter in message.envelope.sender_parameters:
            found = _MARK.fullmatch(parameter)
            if found is None or not self._is_honoured(message.envelope.client.address):
                continue
            kind, made, signature = (found[group].lower() for group in (2, 3, 4))
            id = found[1]
            if not -CLOCK_SKEW <= self._clock() - int(made, 16) <= LIFETIME:
                continue
            recipients = (recipient.address for recipient in message.envelope.recipients)
            wanted = _signature(self._key, id, kind, made, memoryview(message.data), recipients)
            if hmac.compare_digest(signature, wanted):
                return Mark(id, viruses=kind in "vw", outbound=kind in "ow")
        return None

    def _is_honoured(self, address: str) -> bool:
        if not address:
            return True
        return is_in_networks(address, self._networks)
