"""What DKIM costs a message, beside dkimpy in the same run.

    python -m bench.dkim [--rounds N]

Prints processor time in microseconds, the least of several rounds, with the keys at hand (a warm
cache): messages of several sizes and signatures, verified by filterd and by dkimpy, and signed.
dkimpy has no Ed25519 without PyNaCl. The last lines are bodies that were made to cost time; dkimpy
gets a small part of them.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

import dkim

from filterd.auth.dkim.record import key_name
from filterd.auth.dkim.signing import SigningKey, sign
from filterd.auth.dkim.verify import verify_dkim
from filterd.message import Message
from tests.helpers.dkim import mail, published, signed, signing_key
from tests.helpers.zones import Zones

SILENT = logging.Logger("dkim")
SILENT.disabled = True

TEXT = b"The quick brown fox jumps over the lazy dog, and  so on.\r\n" * 120
LETTERS = b"VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZywgYW5kICBzbyBvbi4g" + b"\r\n"


def least(work: Callable[[], object], rounds: int) -> float:
    """Microseconds of processor time."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best * 1e6


def records_of(keys: Sequence[SigningKey]) -> dict[str, bytes]:
    """By name, as dkimpy asks for them."""
    return {key_name(key.domain, key.selector) + ".": key.record.encode() for key in keys}


def by_dkimpy(data: bytes, records: dict[str, bytes]) -> None:
    """Verify every signature, as dkimpy does: one object for each."""
    for index in range(len(records)):
        verifier = dkim.DKIM(data, logger=SILENT)
        assert verifier.verify(index, lambda name, **_: records[name.decode()])


def by_filterd(data: bytes, zones: Zones) -> None:
    """Verify every signature of a message that nobody has looked at."""
    assert all(one.result == "pass" for one in verify_dkim(Message(data), zones))


def signed_by_dkimpy(data: bytes, key: SigningKey) -> None:
    """One signature, from the text of the message and of the key."""
    dkim.DKIM(data, logger=SILENT).sign(key.selector.encode(), key.domain.encode(), key.pem)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    rsa = [signing_key("rsa-sha256", f"d{n}.example") for n in range(3)]
    large = signing_key("rsa-sha256", "d4096.example", bits=4096)
    edwards = signing_key("ed25519-sha256")
    print("verified, in microseconds                   filterd     dkimpy")
    for what, body, keys in (
        ("7 KB, RSA 2048", TEXT, rsa[:1]),
        ("7 KB, three of RSA 2048", TEXT, rsa),
        ("7 KB, RSA 4096", TEXT, [large]),
        ("7 KB, Ed25519", TEXT, [edwards]),
        ("7 KB, RSA 2048 and Ed25519", TEXT, [rsa[0], edwards]),
        ("10 MB of base64, RSA 2048", LETTERS * (10_000_000 // len(LETTERS)), rsa[:1]),
    ):
        data = signed(mail(body), *keys)
        few = max(rounds // 100, 2) if len(data) > 1_000_000 else rounds
        ours = least(partial(by_filterd, data, published(*keys)), few)
        theirs = ""
        if edwards not in keys:
            theirs = f"{least(partial(by_dkimpy, data, records_of(keys)), few):11,.0f}"
        print(f"  {what:38} {ours:11,.0f} {theirs}")
    print("signed, in microseconds")
    message = Message(mail(TEXT))
    fields = [(field.name, field.raw_value) for field in message.header_fields]
    for what, key in (("7 KB, RSA 2048", rsa[0]), ("7 KB, Ed25519", edwards)):
        ours = least(partial(sign, fields, TEXT, key), rounds)
        theirs = ""
        if key is not edwards:
            theirs = f"{least(partial(signed_by_dkimpy, mail(TEXT), key), rounds):11,.0f}"
        print(f"  {what:38} {ours:11,.0f} {theirs}")
    print("verified, in milliseconds")
    for what, body, part in (
        ("a line of blanks, 50 MB (dkimpy: 40 KB)", b" " * (50 << 20), 40 << 10),
        ("empty lines, 50 MB (dkimpy: 50 MB)", b"\r\n" * (25 << 20), 50 << 20),
    ):
        data = signed(mail(body + b"x\r\n"), rsa[0])
        ours = least(partial(by_filterd, data, published(rsa[0])), 2) / 1000
        data = signed(mail(body[:part] + b"x\r\n"), rsa[0])
        theirs_took = least(partial(by_dkimpy, data, records_of(rsa[:1])), 1) / 1000
        print(f"  {what:40} {ours:9,.0f} {theirs_took:11,.0f}")


if __name__ == "__main__":
    main()
