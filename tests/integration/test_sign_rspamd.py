"""rspamd and filterd verify what the other one has signed, through real MTAs, with keys in the DNS;
and rspamd's key files can be used here."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from filterd.auth.dkim.signing import SigningKey
from filterd.auth.dkim.verify import verify_dkim
from filterd.filters.sign.keys import parse_key, write_key
from filterd.message import Message
from filterd.message.authentication import AuthResult
from tests.helpers.dkim import published, signing_key
from tests.helpers.process import folder, require
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mta import postfix_with, sendmail_with
from tests.helpers.servers.nsd import Nsd
from tests.helpers.servers.postfix import HOST, Postfix
from tests.helpers.servers.rspamd import Rspamd
from tests.helpers.servers.sendmail import Sendmail
from tests.helpers.smtp import Conversation

OWN = (signing_key(domain=HOST, selector="one"), signing_key("ed25519-sha256", HOST, "two"))
DOMAIN = "signed.example"

MADE_BY: Mapping[str, Callable[..., Sendmail | Postfix]] = {
    "sendmail": sendmail_with,
    "postfix": postfix_with,
}


def zone_line(key: SigningKey) -> str:
    text = key.record
    strings = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
    return f"{key.selector}._domainkey TXT {strings}\n"


@pytest.fixture(scope="module")
def keys() -> dict[str, bytes]:
    """Key files as rspamd makes them, by selector."""
    program = require("rspamadm", "rspamd")
    found = {}
    with folder("keys") as place:
        for selector, kind in (("r", "rsa"), ("e", "ed25519")):
            file = place / selector
            options = ["-t", kind, "-d", DOMAIN, "-s", selector, "-k", str(file)]
            command = [str(program), "dkim_keygen", *options]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            found[selector] = file.read_bytes()
    return found


@pytest.fixture(scope="module")
def theirs(keys: dict[str, bytes]) -> tuple[SigningKey, ...]:
    """The same keys, read by filterd."""
    return tuple(parse_key(content, DOMAIN, selector) for selector, content in keys.items())


@pytest.fixture(scope="module")
def rspamd(keys: dict[str, bytes], theirs: tuple[SigningKey, ...]) -> Iterator[Rspamd]:
    with folder("nsd") as names, folder("rspamd") as place:
        zones = {HOST: "".join(map(zone_line, OWN)), DOMAIN: "".join(map(zone_line, theirs))}
        server = Nsd(names, zones)
        server.start()
        other = Rspamd(place, server.address, DOMAIN, keys)
        other.start()
        yield other
        other.stop()
        server.stop()


@pytest.fixture(scope="module")
def filterd() -> Iterator[Filterd]:
    with folder("sign") as place:
        daemon = Filterd(place, more=_settings(place), also=["sign"])
        daemon.start()
        yield daemon
        daemon.stop()


def _settings(place: Path) -> str:
    lines = []
    for key in OWN:
        file = place / f"{key.selector}.key"
        write_key(file, key)
        lines.append(
            f'[[filters.sign.keys]]\ndomain = "{key.domain}"\nselector = "{key.selector}"\n'
            f'file = "{file}"\n'
        )
    return "".join(lines)


@pytest.fixture(scope="module", params=MADE_BY)
def mta(
    request: pytest.FixtureRequest, filterd: Filterd, rspamd: Rspamd
) -> Iterator[Sendmail | Postfix]:
    """filterd first, then rspamd, which signs and verifies."""
    with folder(request.param) as place:
        sockets = [f"unix:{rspamd.socket}"]
        server = MADE_BY[request.param](place, *sockets, filterd=f"unix:{filterd.socket}")
        server.start()
        yield server
        server.stop()


def sent(mta: Sendmail | Postfix, author: str, *fields: str) -> Message:
    """A message of that author, as it is delivered."""
    head = [*fields, "Subject: figures\r\n  of today", "Date: Sat, 28 Nov 2026 10:00:00 +0000"]
    data = "\r\n".join([*head, f"Message-ID: <1@{HOST}>", "", "hello \t", "", ""])
    with Conversation(mta.port) as client:
        client.ehlo()
        assert client.transaction(data.encode(), sender=author).final.code == 250
    (came,) = mta.mail()
    lines = b"".join(name + b": " + value + b"\n" for name, value in came.fields)
    return Message((lines + b"\n" + came.body).replace(b"\n", b"\r\n"))


def test_rspamd_verifies_what_filterd_signs(mta: Sendmail | Postfix) -> None:
    author = f"ann@{HOST}"
    came = sent(mta, author, f"From: Ann B. <{author}>", f"To: joe@{HOST},sue@{HOST}")

    results = " ".join(came.get("Authentication-Results").split())
    for key in OWN:
        assert re.search(rf"dkim=pass [^;]*header\.s={key.selector}\b", results), results
    checks = verify_dkim(came, published(*OWN))
    assert [check.result for check in checks] == [AuthResult.PASS] * 2


def test_filterd_verifies_what_rspamd_signs(
    mta: Sendmail | Postfix, theirs: tuple[SigningKey, ...]
) -> None:
    author = f"ann@{DOMAIN}"
    # In the form in which sendmail leaves it: rspamd does not see to that.
    came = sent(mta, author, f'From: "Ann B." <{author}>', f"To: joe@{HOST}, sue@{HOST}")

    checks = verify_dkim(came, published(*theirs))
    assert {(check.algorithm, check.result, check.reason) for check in checks} == {
        ("rsa-sha256", AuthResult.PASS, ""),
        ("ed25519-sha256", AuthResult.PASS, ""),
    }
