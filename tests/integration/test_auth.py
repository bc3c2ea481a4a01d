"""Who sent a message, in the running daemon and behind real MTAs: real nsd, whose zones say who may
send for whom."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from filterd.milter.commands import Connect, Helo, Mail, Rcpt
from filterd.milter.replies import AddHeader, InsertHeader, ReplyText
from filterd.quarantine import Entry
from tests.helpers.authentication import key_line
from tests.helpers.daemon import PLUGIN, STAGED, RunningDaemon
from tests.helpers.dkim import signed, signing_key
from tests.helpers.milter import MilterClient, Outcome
from tests.helpers.process import folder
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.servers.nsd import Nsd
from tests.helpers.servers.postfix import HOST
from tests.helpers.smtp import send

KEY = signing_key("rsa-sha256", "bank.example", "mail")

ZONES = {
    "example": "bank NS ns\nlist NS ns\n",
    "test": "",
    "bank.example": (
        '@ TXT "v=spf1 ip4:192.0.2.1 -all"\n'
        '_dmarc TXT "v=DMARC1; p=reject"\n'
        f"{key_line(KEY).replace('.bank.example 60', '')}\n"
    ),
    "list.example": '@ TXT "v=spf1 ip4:198.51.100.7 -all"\n',
}

SETTINGS = """\
[labels]
hostname = "{host}"
[filters.senders]
file = "{folder}/senders.list"
[filters.auth]
received_spf = true
[resolver]
nameservers = ["{server}"]
"""

FORGED = f"Authentication-Results: {HOST}; dmarc=pass header.from=bank.example"


@pytest.fixture(scope="module")
def name_server() -> Iterator[Nsd]:
    with folder("nsd") as place:
        server = Nsd(place, ZONES)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def daemon(name_server: Nsd) -> Iterator[RunningDaemon]:
    with folder("daemon") as place:
        (place / "senders.list").write_text("allow ann@bank.example if proven\n")
        running = RunningDaemon(
            place,
            filters='["auth", "senders"]\ntrusted_networks = ["local"]',
            more=SETTINGS.format(host=HOST, folder=place, server=name_server.address),
            mode="0o666",
            count=1,
            timeout=30.0,
        )
        try:
            yield running.start()
        finally:
            running.process.stop()


def told(
    running: RunningDaemon, client: bytes, sender: bytes, author: bytes, *more: tuple[bytes, bytes]
) -> Outcome:
    """What becomes of a message."""
    with MilterClient(running.socket) as made:
        made.say(Connect(b"host.test", b"4", 4711, client), Helo(b"host.test"), Mail((sender,)))
        made.say(Rcpt((b"<joe@mx.example.test>",)))
        made.content([*more, (b"From", b" " + author), (b"Subject", b" hi")])
        return made.end()


def added(outcome: Outcome, name: bytes) -> list[str]:
    return [
        edit.value.decode().replace("\n\t", " ").strip()
        for edit in outcome.edits
        if isinstance(edit, AddHeader | InsertHeader) and edit.name == name
    ]


def held(running: RunningDaemon, reason: str) -> list[Entry]:
    return [entry for entry in running.kept() if entry.reason == reason]


def test_mail_of_the_domains_own_host_is_labelled_so_and_its_sender_allowed(
    daemon: RunningDaemon,
) -> None:
    forged = (b"Authentication-Results", f" {HOST.upper()} ; spf=pass".encode())
    outcome = told(daemon, b"192.0.2.1", b"<ann@bank.example>", b"ann@bank.example", forged)
    assert outcome.word == "continue"
    assert added(outcome, b"Authentication-Results") == [
        f"{HOST}; spf=pass smtp.mailfrom=bank.example; dkim=none; "
        "dmarc=pass header.from=bank.example"
    ], outcome.edits
    (received,) = added(outcome, b"Received-SPF")
    assert received.startswith("pass identity=mailfrom; client-ip=192.0.2.1; ")
    (status,) = added(outcome, b"X-Spam-Status")
    assert "SENDER_ALLOWED" in status
    line = daemon.wait_for_line('authentication="passes as bank.example"')
    assert "action=accept" in line


def test_forged_mail_is_held_and_its_sender_not_allowed(daemon: RunningDaemon) -> None:
    before = len(held(daemon, "dmarc"))
    outcome = told(daemon, b"198.51.100.7", b"<ann@bank.example>", b"ann@bank.example")
    assert not isinstance(outcome.final, ReplyText), "the client is told nothing"
    entry = held(daemon, "dmarc")[-1]
    assert len(held(daemon, "dmarc")) == before + 1
    names = {symbol.name for symbol in entry.symbols}
    assert {"SPF_FAIL", "DMARC_REJECT", "SENDER_UNPROVEN"} <= names
    assert entry.authentication is not None
    line = "claims bank.example, but fails; its owner asks to reject such mail"
    assert entry.authentication.line == line
    daemon.wait_for_line(f'authentication="{line}"')

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "filterd", *arguments, "--config", str(daemon.config)],
            capture_output=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (PLUGIN, STAGED)))},
            text=True,
            check=False,
        )

    shown = " ".join(run("quarantine", "show", entry.id).stdout.split())
    assert f"authentication {line}" in shown
    refused = run("quarantine", "allow", entry.id)
    assert refused.returncode != 0
    assert "it fails DMARC, which points do not change" in refused.stderr
    (file,) = map(str, (daemon.folder / "quarantine").glob(f"*/{entry.id}.eml"))
    explained = run(
        *("explain", file, "--from", "ann@bank.example"),
        *("--client", "198.51.100.7"),
    )
    assert f"who sent it: {line}" in " ".join(explained.stdout.split()), explained.stderr


def test_signed_mail_passes_over_a_list_that_changes_nothing(daemon: RunningDaemon) -> None:
    data = signed(b"From: ann@bank.example\r\nSubject: hi\r\n\r\nhello\r\n", KEY)
    signature = data.partition(b"DKIM-Signature:")[2].partition(b"\r\nFrom:")[0]
    field = (b"DKIM-Signature", signature.replace(b"\r\n", b"\n"))
    outcome = told(daemon, b"198.51.100.7", b"<l@list.example>", b"ann@bank.example", field)
    assert outcome.word == "continue"
    (results,) = added(outcome, b"Authentication-Results")
    assert "spf=pass smtp.mailfrom=list.example" in results
    assert "dkim=pass header.d=bank.example header.s=mail header.a=rsa-sha256" in results
    assert "dmarc=pass" in results


@pytest.fixture(scope="module", params=MTAS)
def mta(request: pytest.FixtureRequest, daemon: RunningDaemon) -> Iterator[Mta]:
    with folder(request.param) as place:
        server = MTAS[request.param](place, filterd=f"unix:{daemon.socket}")
        server.start()
        yield server
        server.stop()


def relayed(client: str) -> str:
    """What a relay on this host, which is trusted, says of its client."""
    return (
        f"Received: from host.test (host.test [{client}])\r\n"
        "\tby relay.test with ESMTP id 1; Sat, 28 Nov 2026 10:00:00 +0000"
    )


def test_behind_a_real_mta(mta: Mta, daemon: RunningDaemon) -> None:
    """One field in our name, whatever the client claims; forged mail is held."""
    head = [
        f"To: joe@{HOST}",
        "From: ann@bank.example",
        "Subject: hi",
        # Postfix adds what is missing of these, and they are signed.
        "Date: Sat, 28 Nov 2026 10:00:00 +0000",
        "Message-ID: <1@bank.example>",
        FORGED,
    ]
    body = [*head, "", "hello", ""]
    plain = signed("\r\n".join(body).encode(), KEY)
    sent = relayed("198.51.100.7").encode() + b"\r\n" + FORGED.encode() + b"\r\n" + plain
    assert send(mta.port, sent, sender="l@list.example").final.code == 250
    (mail,) = mta.mail()
    (results,) = mail.values("Authentication-Results")
    shown = " ".join(results.decode().split())
    assert shown.startswith(f"{HOST}; spf=pass smtp.mailfrom=list.example; ")
    assert "dkim=pass header.d=bank.example" in shown
    assert shown.endswith("dmarc=pass header.from=bank.example")

    before = len(held(daemon, "dmarc"))
    forged = relayed("198.51.100.7") + "\r\n" + "\r\n".join(body)
    assert send(mta.port, forged.encode(), sender="x@list.example").final.code == 250
    assert len(held(daemon, "dmarc")) == before + 1
