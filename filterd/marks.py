"""The mark of a message that a person released: the filters let it pass when it comes by again.

The mark travels as the envelope identifier of the MAIL command (ENVID, RFC 3461 §4.4), so that the
message keeps every octet; both MTAs hand it to the filter. It is an HMAC over the message's id and
the hash of its bytes, made with a key that only filterd's user can read: it is worth nothing on
another message, and nothing from a client that the settings do not name.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filterd.message import Message
from filterd.message.matching import is_in_networks, networks

KEY_NAME = "release.key"
KEY_SIZE = 32
"""Octets, as long as the hash of the HMAC."""

_MARK = re.compile(r"ENVID=filterd:([0-9A-Za-z_-]{1,64}):([cv]):([0-9a-f]{64})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark that was found good. viruses: a person said that even a virus may pass."""

    id: str
    viruses: bool


def load_key(folder: Path) -> bytes:
    """The key in that folder; it is made where there is none. Raises OSError."""
    path = folder / KEY_NAME
    if not path.exists():
        folder.mkdir(0o700, parents=True, exist_ok=True)
        temporary = folder / f".{KEY_NAME}.{secrets.token_hex(8)}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, secrets.token_bytes(KEY_SIZE))
            os.fsync(handle)
        finally:
            os.close(handle)
        # A link does not replace: of two processes that make a key at once, one wins for both.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
        temporary.unlink()
    key = path.read_bytes()
    if len(key) != KEY_SIZE:
        raise OSError(0, f"a release key has {KEY_SIZE} octets, this has {len(key)}", str(path))
    return key


def envelope_id(key: bytes, id: str, data: bytes | memoryview, *, viruses: bool = False) -> str:
    """The mark of a message as the value of ENVID; xtext, at most 100 characters with our ids."""
    kind = "v" if viruses else "c"
    return f"filterd:{id}:{kind}:{_signature(key, id, kind, data)}"


def _signature(key: bytes, id: str, kind: str, data: bytes | memoryview) -> str:
    content = hashlib.sha256(data).digest()
    return hmac.new(key, f"{id}\0{kind}\0".encode("ascii") + content, "sha256").hexdigest()


class Verifier:
    """Finds good marks. clients: networks from which they are honoured; a client without an
    address is this host. Raises ValueError for what is no network."""

    def __init__(self, key: bytes, clients: Sequence[str]) -> None:
        self._key = key
        self._networks = networks(clients)

    def __call__(self, message: Message) -> Mark | None:
        """The message's mark; None if there is none, or it is not good. Raises nothing."""
        for parameter in message.envelope.sender_parameters:
            found = _MARK.fullmatch(parameter)
            if found is None or not self._is_honoured(message.envelope.client.address):
                continue
            id, kind, signature = found[1], found[2].lower(), found[3].lower()
            wanted = _signature(self._key, id, kind, memoryview(message.data))
            if hmac.compare_digest(signature, wanted):
                return Mark(id, viruses=kind == "v")
        return None

    def _is_honoured(self, address: str) -> bool:
        if not address:
            return True
        return is_in_networks(address, self._networks)
