"""Signed messages of other projects, run from where they are through `verify_dkim`.

    python -m bench.dkim_suite [--spamassassin FOLDER] [--mail-auth FOLDER] [--dkimpy FOLDER]

Each FOLDER is where that project was cloned to (https://github.com/apache/spamassassin,
https://github.com/stalwartlabs/mail-auth, https://git.launchpad.net/dkimpy). Prints what differs
from what their tests expect, and how many end as they do; the status is 1 if one does not.

The keys of SpamAssassin's messages are only in the DNS. With the package `gmpy2`, which is no
dependency of filterd, they are computed from the signatures: for two signatures of one RSA key,
s^e - m has the modulus as a divisor in both cases (m is what was signed, padded). That needs two
messages with the same key; of the others only the body's hash and the form of the signature are
compared. It takes a minute.
"""

from __future__ import annotations

import argparse
import base64
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.header import CanonicalHeader, canonical_field
from filterd.auth.dkim.limits import DkimLimits
from filterd.auth.dkim.record import key_name
from filterd.auth.dkim.signature import Signature
from filterd.auth.dkim.verify import verify_dkim
from filterd.message import Message
from tests.helpers.zones import Zones

LIMITS = DkimLimits(least_bits=512)
"""As SpamAssassin's test has it (`dkim_minimum_key_bits 512`)."""

GMAIL = b"""\
k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1Kd87/UeJjenpabgbFwh+eBCsSTrqmwIYYvywlbhbqo\
o2DymndFkbjOVIPIldNs/m40KF+yzMn1skyoxcTUGCQs8g3FgD2Ap3ZB5DekAo5wMmk4wimDO+U8QzI3SD07y2+07wlNWwIt8\
svnxgdxGkVbbhzY8i+RQ9DpSVpPbF7ykQxtKXkv/ahW3KjViiAH+ghvvIhkx4xYSIc9oSwVmAl5OctMEeWUwg8Istjqz8BZeT\
Wbf41fbNhte7Y+YqZOwq1Sd0DbvYAD9NOZK9vlfuac0598HY+vtSBczUiKERHv1yRbcaQtZFh5wtiRrN04BLUTD21MycBX5jY\
chHjPY/wIDAQAB"""

EXPONENT = 65537
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
"""The DigestInfo of RFC 8017 §9.2, note 1."""


class Case(NamedTuple):
    """One message. expected: the results, each as `result` or `result: reason`."""

    name: str
    data: bytes
    zones: Zones
    expected: list[str]
    now: float | None = None


def crlf(data: bytes) -> bytes:
    """As the message crosses the wire."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def zones_of(records: Mapping[str, bytes]) -> Zones:
    """A name server with these TXT records."""
    return Zones({name: {"TXT": [record]} for name, record in records.items()})


def mail_auth(folder: Path) -> Iterator[Case]:
    """Records, an empty line, the message; every signature passes at the time when it was made."""
    for path in sorted((folder / "resources/dkim").glob("0*.txt")):
        head, _, data = crlf(path.read_bytes()).partition(b"\r\n\r\n")
        records = {}
        for line in head.decode().splitlines():
            name, _, record = line.partition(" ")
            records[name] = record.encode()
        count = sum(1 for _ in Message(data).fields("DKIM-Signature"))
        yield Case(path.name, data, zones_of(records), ["pass"] * count, 1_667_900_000.0)


def dkimpy(folder: Path) -> Iterator[Case]:
    """The messages of its tests that come signed."""
    data = folder / "dkim/tests/data"
    records = {
        "brisbane._domainkey.football.example.com": (
            b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
        ),
        "test._domainkey.football.example.com": (data / "test.txt").read_bytes().strip(),
        "sed._domainkey.test.ex": (data / "eximtest.dns").read_bytes().strip(),
        "20120113._domainkey.gmail.com": GMAIL,
    }
    for name, expected in (
        ("rfc6376.signed.msg", ["pass", "pass"]),
        ("ed25519test2.msg", ["pass"]),
        ("test2.message", ["pass"]),
    ):
        yield Case(name, crlf((data / name).read_bytes()), zones_of(records), expected)


SHA1 = "permerror: rsa-sha1 is not accepted any more"  # RFC 8301, of 2018; the test is of 2009
NO_KEY = "permerror: there is no key record"


def spamassassin(folder: Path) -> Iterator[Case]:
    """test-pass-*: a signature that is valid; test-fail-*: none is."""
    paths = sorted((folder / "t/data/dkim").glob("test-*-*.msg"))
    messages = {path.name: crlf(path.read_bytes()) for path in paths}
    records = recovered({name: data for name, data in messages.items() if "-pass-" in name})
    zones = zones_of(records)
    for name, data in messages.items():
        passes = "-pass-" in name
        expected = []
        for field in Message(data).fields("DKIM-Signature"):
            try:
                signature = Signature.parse(field.raw_value, 2e9, LIMITS)
            except DkimError:
                expected.append(SHA1 if passes else "permerror")
                continue
            known = key_name(signature.domain, signature.selector) in records
            expected.append(("pass" if known else NO_KEY) if passes else "not pass")
        yield Case(name, data, zones, expected)


def recovered(messages: Mapping[str, bytes]) -> dict[str, bytes]:
    """The key records of those keys that signed two of the messages or more."""
    try:
        from gmpy2 import gcd, mpz  # type: ignore[import-not-found]  # noqa: PLC0415
    except ImportError:
        print("without gmpy2 no key of SpamAssassin's messages is known")
        return {}
    signed: dict[str, dict[bytes, bytes]] = defaultdict(dict)
    for data in messages.values():
        message = Message(data)
        header, body = CanonicalHeader.of(message), CanonicalBody.of(message)
        for index, field in enumerate(message.header_fields):
            if field.name.lower() != "dkim-signature":
                continue
            try:
                found = Signature.parse(field.raw_value, 2e9, LIMITS)
            except DkimError:
                continue
            assert body.hashed(found.body, found.length).digest == found.body_hash
            own = canonical_field(field.name, found.value, found.header)
            digest = header.digest(found.names, found.header, own, but=index)
            signed[key_name(found.domain, found.selector)][digest] = found.signature
    records = {}
    for name, pairs in signed.items():
        if len(pairs) < 2:
            continue
        (one, first), (other, second) = list(pairs.items())[:2]
        modulus = int(
            gcd(
                *(
                    mpz(int.from_bytes(signature)) ** EXPONENT
                    - int.from_bytes(padded(digest, signature))
                    for digest, signature in ((one, first), (other, second))
                )
            )
        )
        for factor in range(2, 1000):
            while modulus % factor == 0:
                modulus //= factor
        print(f"{name}: a key of {modulus.bit_length()} bits")
        records[name] = b"v=DKIM1; p=" + base64.b64encode(encoded(modulus))
    return records


def padded(digest: bytes, signature: bytes) -> bytes:
    """What RSA signs (RFC 8017 §9.2)."""
    info = SHA256_PREFIX + digest
    return b"\0\1" + b"\xff" * (len(signature) - len(info) - 3) + b"\0" + info


def encoded(modulus: int) -> bytes:
    """An RSAPublicKey."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
    )

    key = RSAPublicNumbers(EXPONENT, modulus).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)


SUITES = {"spamassassin": spamassassin, "mail-auth": mail_auth, "dkimpy": dkimpy}


def ends(expected: str, result: str, reason: str) -> bool:
    """Whether a result is the one that is expected."""
    if expected == "not pass":
        return result != "pass"
    wanted, _, text = expected.partition(": ")
    return result == wanted and text in reason


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in SUITES:
        parser.add_argument(f"--{name}", type=Path, metavar="FOLDER", dest=name)
    folders = {name: folder for name, folder in vars(parser.parse_args()).items() if folder}
    different = 0
    for name, folder in folders.items():
        count = signatures = passed = 0
        for case in SUITES[name](folder):
            found = verify_dkim(Message(case.data), case.zones, LIMITS, now=case.now)
            fits = len(found) == len(case.expected) and all(
                ends(expected, one.result, one.reason)
                for expected, one in zip(case.expected, found, strict=True)
            )
            count += 1
            signatures += len(found)
            passed += sum(one.result == "pass" for one in found)
            if not fits:
                different += 1
                print(f"{name} {case.name}: expected {case.expected}")
                for one in found:
                    print(f"    {one.result}: {one.reason} ({one.selector}, {one.bits} bits)")
        print(f"{name}: {count} messages, {signatures} signatures, {passed} pass")
    print(f"{different} message(s) end otherwise")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
