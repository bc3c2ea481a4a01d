"""Private keys from files, and which of them sign for whom.

Formats: PEM, PKCS #1 (RSA) or PKCS #8 (RSA, Ed25519), as openssl, opendkim-genkey and `filterd dkim
genkey` write; and the seed of Ed25519 (RFC 8032 §5.1.5, 32 octets) in base64 or raw, as dknewkey of
dkimpy and rspamadm write.
"""

from __future__ import annotations

import base64
import binascii
import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from filterd.auth.dkim.signing import SigningKey
from filterd.filters.sign.settings import KeySettings
from filterd.message.address import canonical_domain
from filterd.system import privileges
from filterd.system.bounded import open_regular
from filterd.system.durable import make_folder, sync_folder, write_new
from filterd.system.mistakes import mistakes

SIZE_LIMIT = 64 << 10
"""Octets of a key file; RSA of 4096 bits takes 3,300."""

SEED_SIZE = 32
"""Octets of a private key of Ed25519."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_key(path: Path, domain: str, selector: str) -> SigningKey:
    """The private key in a file.

    Raises OSError, which names the file, where it cannot be read, or others could read it or
    exchange it; ValueError for what is not such a key, without anything of its content.
    """
    with open_regular(path) as file:
        found = os.fstat(file.fileno())
        me = os.geteuid()
        if found.st_uid not in (0, me):
            raise OSError(
                0, f"belongs to {_name(found.st_uid)}, expected {_name(me)} or root", str(path)
            )
        if found.st_mode & _OTHERS:
            mode = stat.S_IMODE(found.st_mode)
            raise OSError(0, f"has mode {mode:04o}, expected 0600: chmod 600 {path}", str(path))
        content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise OSError(0, f"is larger than {SIZE_LIMIT} bytes, this is not a key", str(path))
    return parse_key(content, domain, selector)


def parse_key(content: bytes, domain: str, selector: str) -> SigningKey:
    """The private key in the content of a file. Raises ValueError, without anything of it."""
    seed = _seed(content)
    if seed is not None:
        key = Ed25519PrivateKey.from_private_bytes(seed)
        return SigningKey(canonical_domain(domain), canonical_domain(selector), key)
    return SigningKey.from_pem(content, domain, selector)


def write_key(path: Path, key: SigningKey) -> None:
    """Write a key, mode 0600, where there is no file yet; its folder is made (0700) where there is
    none. It is on disk when this returns. Raises OSError."""
    with privileges.writing_in(path.parent) as user:
        is_new = not path.parent.exists()
        make_folder(path.parent)
        try:
            write_new((path, key.pem))
        except FileExistsError:
            raise
        except OSError:
            # Of a part of a key nobody has any use; the next attempt finds the place free.
            path.unlink(missing_ok=True)
            raise
        if user is not None:
            for one in (path, *([path.parent] if is_new else [])):
                os.chown(one, user.uid, user.gid)
        sync_folder(path.parent)


def _seed(content: bytes) -> bytes | None:
    if len(content) == SEED_SIZE:
        return content
    if b"-----" in content:
        return None
    try:
        seed = base64.b64decode(b"".join(content.split()), validate=True)
    except binascii.Error:
        return None
    # As libsodium and rspamadm write it: the seed, then the public key.
    return seed[:SEED_SIZE] if len(seed) in (SEED_SIZE, 2 * SEED_SIZE) else None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key of the ring."""

    settings: KeySettings
    key: SigningKey

    def is_in_use(self, today: date) -> bool:
        """Whether it signs on that day."""
        since, until = self.settings.since, self.settings.until
        return (since is None or since <= today) and (until is None or today <= until)


class KeyRing:
    """The keys of a site."""

    def __init__(self, keys: Iterable[RingKey] = ()) -> None:
        self._by_domain: dict[str, list[RingKey]] = {}
        for one in keys:
            self._by_domain.setdefault(one.key.domain, []).append(one)

    @classmethod
    def read(cls, keys: Iterable[KeySettings]) -> KeyRing:
        """Read all key files. Raises SettingsError, a ValueError, with all that is wrong, each
        under the number of its key."""
        found = []
        with mistakes() as wrong:
            for index, one in enumerate(keys):
                with wrong.at("keys", index, "file"):
                    try:
                        found.append(RingKey(one, read_key(one.file, one.domain, one.selector)))
                    except OSError as error:
                        raise ValueError(f"{one.file}: {error.strerror}") from None
                    except ValueError as error:
                        raise ValueError(f"{one.file}: {error}") from None
        return cls(found)

    def __len__(self) -> int:
        return sum(map(len, self._by_domain.values()))

    def keys_for(self, domain: str, today: date | None = None) -> tuple[SigningKey, ...]:
        """The keys that sign for authors in a domain, in the order of the settings: its own, else
        those of the closest domain above it that signs for subdomains.

        domain: in A-labels and lower case. today: in UTC; the clock's if it is not given.
        """
        day = today if today is not None else datetime.now(UTC).date()
        own = [one.key for one in self._by_domain.get(domain, ()) if one.is_in_use(day)]
        above = domain
        while not own and above:
            above = above.partition(".")[2]
            own = [
                one.key
                for one in self._by_domain.get(above, ())
                if one.settings.subdomains and one.is_in_use(day)
            ]
        return tuple(own)
