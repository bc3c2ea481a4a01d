"""Mail of others is sealed as it passes, and who gets it from a real MTA finds the chain whole."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

import dkim
import pytest

from filterd.auth.arc.verify import verify_arc
from filterd.auth.dkim.record import key_name
from filterd.auth.dkim.signing import SigningKey
from filterd.message import Message
from filterd.message.authentication import AuthResult
from tests.helpers.arc import hop, list_key
from tests.helpers.dkim import published, signed, signing_key
from tests.helpers.name_server import name_server, zone
from tests.helpers.process import folder
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mailbox import Delivered
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.servers.own_mta import OwnMta
from tests.helpers.smtp import send

HOST = "mx.example.test"
AUTHOR = signing_key("rsa-sha256")
LIST = list_key(1, "rsa-sha256")
OURS = signing_key("rsa-sha256", HOST, "arc")
OTHER = list_key(2, "rsa-sha256")
KEYS = (AUTHOR, LIST, OTHER, OURS)

SETTINGS = """
[labels]
hostname = "{host}"

[resolver]
nameservers = ["{server}"]

[filters.auth]
arc_sealers = ["list1.example"]

[filters.sign]
clients = []
arc_domain = "{host}"

[[filters.sign.keys]]
domain = "{host}"
selector = "arc"
file = "{file}"
"""


def records() -> list[str]:
    """The zone: keys, and a DMARC policy that would be acted on."""
    lines = ['_dmarc.bank.example 60 TXT "v=DMARC1; p=reject"']
    for key in KEYS:
        text = key.record
        strings = " ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250))
        lines.append(f"{key_name(key.domain, key.selector)} 60 TXT {strings}")
    return lines


@pytest.fixture(scope="module", params=MTAS)
def site(request: pytest.FixtureRequest) -> Iterator[Mta]:
    """An MTA with a filterd that checks and seals; mail comes from a relay of its own."""
    with (
        name_server(zone(*records())) as server,
        folder("sealing") as place,
        folder(request.param) as there,
    ):
        file = place / "arc.key"
        file.touch(0o600)
        file.write_bytes(OURS.pem)
        settings = SETTINGS.format(host=HOST, server=server.address, file=file)
        daemon = Filterd(place, more=settings)
        text = daemon.configuration.read_text()
        filters = 'filters = ["auth", "gtube", "parts", "sign"]\ntrusted_networks = ["local"]'
        before, _, rest = text.partition("filters = [")
        daemon.configuration.write_text(before + filters + rest.partition("]")[2])
        daemon.start()
        mta = MTAS[request.param](there, filterd=f"unix:{daemon.socket}")
        mta.start()
        yield mta
        mta.stop()
        daemon.stop()


RECEIVED = (
    b"Received: from mail.list1.example (mail.list1.example [203.0.113.9])\r\n"
    b"\tby relay.example.test with ESMTP id 1; Sat, 28 Nov 2026 10:00:00 +0000\r\n"
)


ODD = b"From: John Q. Public <ann@bank.example>\r\nTo: joe@mx.example.test,sue@mx.example.test\r\n"
"""Addresses that sendmail writes anew behind the milters; the reference MTA does not."""

PLAIN = b"From: Ann <ann@bank.example>\r\nTo: joe@mx.example.test\r\n"


def footer(data: bytes) -> bytes:
    return data.replace(b"hello  you\r\n", b"hello  you\r\n-- \r\nthe list\r\n")


def untouched(data: bytes) -> bytes:
    return data


def mail(
    part: bytes = b"",
    addresses: bytes = PLAIN,
    sealer: SigningKey = LIST,
    change: Callable[[bytes], bytes] = untouched,
) -> bytes:
    """A message of bank.example that came over a list: signed, perhaps changed, sealed."""
    data = (
        addresses + b"Subject: the  tool\r\nDate: Sat, 28 Nov 2026 10:00:00 +0000\r\n"
        b"Message-ID: <1@bank.example>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
        b"--x\r\n\r\nhello  you\r\n" + part + b"--x--\r\n"
    )
    return hop(signed(data, AUTHOR), sealer, change=change)


PROGRAM = (
    b"--x\r\nContent-Type: application/octet-stream; name=tool.exe\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(b"MZ" + bytes(60)) + b"\r\n"
)


def octets(got: Delivered) -> bytes:
    """The message as the next host would get it."""
    head = b"".join(name + b": " + value + b"\n" for name, value in got.fields)
    return (head + b"\n" + got.body).replace(b"\n", b"\r\n")


def lookup(name: bytes, timeout: int = 5) -> bytes:
    (key,) = [one for one in KEYS if name.decode() == key_name(one.domain, one.selector) + "."]
    return key.record.encode()


@pytest.mark.parametrize("part", [b"", PROGRAM], ids=["whole", "stripped"])
def test_the_next_host_finds_the_chain_whole(site: Mta, part: bytes) -> None:
    addresses = PLAIN if isinstance(site, OwnMta) else ODD
    assert send(site.port, RECEIVED + mail(part, addresses)).final.code == 250
    (got,) = site.mail()
    data = octets(got)
    assert (b"tool.exe was removed" in data) == bool(part)
    found = verify_arc(Message(data), published(*KEYS))
    assert found.result is AuthResult.PASS, (found.reason, data.decode())
    assert found.domains == ("list1.example", HOST)
    # That breaks the list's signature, and not ours.
    rewritten = b'"John Q. Public"' in data
    assert found.oldest_pass == (2 if part or rewritten else 0)
    assert found.results[1].startswith(f"{HOST}; ")
    assert "dkim=pass header.d=bank.example" in found.results[1]
    assert "dmarc=pass header.from=bank.example" in found.results[1]
    assert found.results[1].endswith("arc=pass header.oldest-pass=0")
    assert dkim.arc_verify(data, dnsfunc=lookup)[0] == b"pass"
    assert got.names.count("Authentication-Results") == 1


def test_a_broken_chain_is_said_to_be_broken(site: Mta) -> None:
    forged = mail().replace(b"spf=pass", b"spf=fail")
    assert send(site.port, RECEIVED + forged).final.code == 250
    (got,) = site.mail()
    found = verify_arc(Message(octets(got)), published(*KEYS))
    assert found.reason == f"{HOST} sealed it as failed (cv=fail)"


def test_a_list_that_may_change_mail_is_believed(site: Mta) -> None:
    """The author's signature is broken and his domain asks to reject such mail; before it came to
    the list it was whole, says the list."""
    assert send(site.port, RECEIVED + mail(change=footer)).final.code == 250
    (got,) = site.mail()
    found = verify_arc(Message(octets(got)), published(*KEYS))
    assert (found.result, found.oldest_pass) == (AuthResult.PASS, 0), found.reason
    assert "dkim=fail" in found.results[1]
    assert 'dmarc=fail reason="local policy" header.from=bank.example' in found.results[1]


def test_another_list_is_not_believed(site: Mta) -> None:
    """Its mail is held, so that only the next message comes to the mailbox."""
    data = mail(change=footer, sealer=OTHER).replace(b"<1@bank", b"<held@bank")
    assert send(site.port, RECEIVED + data).final.code == 250
    assert send(site.port, RECEIVED + mail()).final.code == 250
    (got,) = site.mail()
    assert got.value("Message-ID") == "<1@bank.example>"
