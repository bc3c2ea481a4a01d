"""Mail that filterd signs verifies at the next host, whatever sendmail and Postfix do to it on the
way: by filterd's own check, by dkimpy and by OpenDKIM; and what OpenDKIM signs verifies here.

The next host is one that keeps what it gets. Strangers come from 127.0.0.2.
"""

from __future__ import annotations

import dataclasses
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dkim
import pytest

from filterd.auth.dkim.record import key_name
from filterd.auth.dkim.signing import SigningKey
from filterd.auth.dkim.verify import verify_dkim
from filterd.filters.sign.keys import write_key
from filterd.message import Message
from filterd.message.authentication import AuthResult
from filterd.milter.replies import InsertHeader
from filterd.quarantine import Store
from filterd.quarantine.release import Form, Releaser, ReleaseRequest
from tests.helpers import receiving_mta
from tests.helpers.dkim import published, signing_key
from tests.helpers.milter import MilterClient
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mailbox import Delivered
from tests.helpers.servers.opendkim import Opendkim
from tests.helpers.servers.postfix import HOST, Postfix
from tests.helpers.servers.sendmail import Sendmail, input_mail_filter, snippet
from tests.helpers.smtp import Conversation, Transcript
from tests.helpers.zones import Zones

RSA = signing_key(domain=HOST, selector="one")
ED = signing_key("ed25519-sha256", HOST, "two")
KEYS = (RSA, ED)

STRANGER = "127.0.0.2"
OUT = "bob@other.example"

SETTINGS = """\
[policy]
subject_tag = "[spam] "
[labels]
label_outbound = true
[filters.sign]
clients = ["127.0.0.1/32"]
"""


def settings(folder: Path) -> str:
    """The keys, each in a file."""
    lines = [SETTINGS]
    for key in KEYS:
        file = folder / f"{key.selector}.key"
        write_key(file, key)
        lines.append(
            f'[[filters.sign.keys]]\ndomain = "{key.domain}"\nselector = "{key.selector}"\n'
            f'file = "{file}"\n'
        )
    return "".join(lines)


@dataclass
class Site:
    """An MTA with filterd, and the host to which it hands everything for others."""

    mta: Sendmail | Postfix
    filterd: Filterd
    next: receiving_mta.Mta

    def say(self, data: bytes, recipient: str = OUT, source: str = "127.0.0.1") -> Transcript:
        with Conversation(self.mta.port, source=source) as client:
            client.ehlo()
            seen = client.transaction(
                data, recipient, sender=f"ann@{HOST}", parameters=" BODY=8BITMIME"
            )
            client.say("QUIT")
        return seen

    def relayed(self, data: bytes) -> bytes:
        """Send a message out; what the next host got."""
        before = len(self.next.taken)
        assert self.say(data).final.code == 250
        return self.arrived(before)

    def arrived(self, before: int) -> bytes:
        wait_for("the message at the next host", lambda: len(self.next.taken) > before)
        return self.next.taken[before].data

    def held(self, data: bytes, recipient: str = OUT, source: str = "127.0.0.1") -> str:
        before = self.filterd.stored
        assert self.say(data, recipient, source).final.code == 250
        (id,) = self.filterd.stored - before
        return id

    def release(self, id: str, form: Form = "original") -> None:
        store = Store(
            dataclasses.replace(
                self.filterd.store.settings,
                release_port=self.mta.port,
                release_timeout=30.0,
                release_from=f"postmaster@{HOST}",
            )
        )
        (outcome,) = Releaser(store).release(ReleaseRequest(id, "test", form=form))
        assert outcome.state == "released", outcome


@pytest.fixture(scope="module", params=["sendmail", "postfix"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with folder("sign") as place, folder(request.param) as there, receiving_mta.running() as relay:
        # Postfix takes the first line of the answer to EHLO for a greeting.
        relay.features = ("mta.test", "8BITMIME", "DSN")
        daemon = Filterd(place, more=settings(place), also=["sign"])
        daemon.start()
        socket = f"unix:{daemon.socket}"
        mta: Sendmail | Postfix
        if request.param == "sendmail":
            mta = Sendmail(
                there,
                "define(`SMART_HOST', `esmtp:[127.0.0.1]')dnl\n"
                f"define(`ESMTP_MAILER_ARGS', `TCP $h {relay.port}')dnl\n" + snippet(socket),
            )
        else:
            mta = Postfix(
                there, f"smtpd_milters = {socket}\nrelayhost = [127.0.0.1]:{relay.port}\n"
            )
        mta.start()
        yield Site(mta, daemon, relay)
        mta.stop()
        daemon.stop()


def mail(*fields: bytes, body: bytes = b"hello\r\n", without: str = "") -> bytes:
    """A message of ann's; fields in place of hers of the same name, others behind them."""
    lines = {
        b"From": b"From: Ann <ann@mx.example.test>",
        b"To": b"To: bob@other.example",
        b"Subject": b"Subject: Quarterly figures",
        b"Date": b"Date: Sat, 28 Nov 2026 10:00:00 +0000",
        b"Message-ID": b"Message-ID: <1@mx.example.test>",
    }
    lines |= {field.partition(b":")[0]: field for field in fields}
    lines.pop(without.encode(), None)
    return b"".join(line + b"\r\n" for line in lines.values()) + b"\r\n" + body


PEOPLE = b",".join(b"someone.%d@other.example" % n for n in range(100))
EIGHT = b"Content-Transfer-Encoding: 8bit", b"Content-Type: text/plain; charset=utf-8"
SENT = {
    "plain": mail(),
    "folded": mail(b"Subject: one\r\n two\r\n\tthree", b"References: <a@b>\r\n <c@d>\r\n\t<e@f>"),
    "recipients without blanks": mail(b"To: bob@other.example,Carl<carl@b.example>"),
    "recipients in one long line": mail(b"Cc: " + PEOPLE),
    "blanks before commas": mail(b"To: bob@other.example , carl@b.example,"),
    "a name with a dot": mail(b"From: Ann B. O'Neil <ann@mx.example.test>"),
    "blanks in brackets": mail(b"To: Bob  < bob@other.example >"),
    "a source route": mail(b"To: <@relay.example:bob@other.example>"),
    "a final dot": mail(b"To: bob@other.example."),
    "recipients without a domain": mail(b"To: joe, bob@other.example"),
    "comments and groups": mail(b"To: bob@b.example (Bob, (x)), friends: c@d.example,e@f.example;"),
    "encoded words": mail(
        b"To: =?utf-8?Q?B=C3=B6b=2E?=<b@b.example>,=?utf-8?B?w4RiYw==?= <c@b.example>"
    ),
    "8-bit fields": mail(
        b"Subject: Gr\xc3\xbc\xc3\x9fe", "From: Änn <ann@mx.example.test>".encode()
    ),
    "8-bit body": mail(*EIGHT, body=b"Gr\xc3\xbc\xc3\x9fe \x80\xff\r\n"),
    "no Date": mail(without="Date"),
    "no Message-ID": mail(without="Message-ID"),
    "no To": mail(without="To"),
    "no Subject": mail(without="Subject"),
    "Bcc and Return-Path": mail(b"Bcc: max@b.example", b"Return-Path: <a@b.example>"),
    "dots": mail(body=b".\r\n..\r\n.leading\r\nFrom here\r\n"),
    "blanks and empty lines": mail(body=b"one \t two\t \r\n\r\n\r\n\r\n"),
    "no line end": mail(body=b"hello"),
    "no body": mail(body=b""),
    "one-click unsubscription": mail(
        b"List-Unsubscribe: <https://mx.example.test/u>,<mailto:u@mx.example.test>",
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ),
    "tagged as spam": mail(b"X-Obey: score=6", b"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= and more"),
    "forged fields": mail(b"X-Spam-Flag: NO", b"X-Virus-Status: Clean"),
    "a part that is taken out": mail(
        b"MIME-Version: 1.0",
        b"Content-Type: multipart/mixed;boundary=b",
        body=b"--b\r\n\r\nkeep\r\n--b\r\nContent-Type: application/octet-stream; name=tool.exe\r\n"
        b"\r\nMZ\r\n--b--\r\n",
    ),
}


@pytest.mark.parametrize("data", SENT.values(), ids=SENT)
def test_both_signatures_verify_at_the_next_host(site: Site, data: bytes) -> None:
    got = site.relayed(data)

    checks = verify_dkim(Message(got), published(*KEYS))
    assert [(check.result, check.reason) for check in checks] == [(AuthResult.PASS, "")] * 2, got
    assert dkim.verify(_only_rsa(got), dnsfunc=_dns)
    if b"score=6" in data:
        assert b"[spam] " in got and b"X-Spam-Flag: YES" in got
    if b"tool.exe" in data:
        assert b"MZ\r\n" not in got


def _only_rsa(got: bytes) -> bytes:
    """dkimpy has Ed25519 only with another library: it is not shown that signature."""
    start = next(
        f.start for f in Message(got).fields("DKIM-Signature") if b"ed25519" in f.raw_value
    )
    return got[:start] + b"X-" + got[start:]


def _dns(name: bytes, timeout: float = 5) -> bytes | None:
    """A name server as dkimpy wants it."""
    del timeout
    known = key_name(RSA.domain, RSA.selector)
    return RSA.record.encode() if name.decode().rstrip(".") == known else None


def test_mail_of_strangers_is_not_signed(site: Site) -> None:
    assert site.say(mail(), f"joe@{HOST}", STRANGER).final.code == 250
    (came,) = site.mta.mail()
    assert came.values("DKIM-Signature") == []


def test_outbound_mail_that_is_released_is_signed(site: Site) -> None:
    id = site.held(mail(b"X-Obey: score=9"))
    assert site.filterd.entry(id).outbound
    before = len(site.next.taken)
    site.release(id)

    checks = verify_dkim(Message(site.arrived(before)), published(*KEYS))
    assert [check.result for check in checks] == [AuthResult.PASS] * 2


def test_inbound_mail_that_is_released_is_not_signed_though_it_comes_from_this_host_now(
    site: Site,
) -> None:
    id = site.held(mail(b"X-Obey: score=9"), f"joe@{HOST}", STRANGER)
    assert not site.filterd.entry(id).outbound
    site.release(id)

    (came,) = site.mta.mail()
    assert "RELEASED" in came.value("X-Spam-Status")
    assert came.values("DKIM-Signature") == []


def test_a_message_of_filterd_that_carries_a_kept_one_is_signed(site: Site) -> None:
    id = site.held(mail(b"X-Obey: score=9"), f"joe@{HOST}", STRANGER)
    site.release(id, "attached")

    (came,) = site.mta.mail()
    checks = verify_dkim(Message(_octets(came)), published(*KEYS))
    assert [check.result for check in checks] == [AuthResult.PASS] * 2


def _octets(came: Delivered) -> bytes:
    """A message of a mailbox as it would cross the wire."""
    head = b"".join(name + b": " + value + b"\n" for name, value in came.fields)
    return (head + b"\n" + came.body).replace(b"\n", b"\r\n")


def test_a_reload_takes_new_keys_and_nothing_from_settings_with_a_bad_one() -> None:
    old, new = (signing_key(domain="client.example", selector=name) for name in ("old", "new"))

    def selectors() -> set[bytes]:
        with MilterClient(daemon.socket) as client:
            client.hello(address=b"192.0.2.7")
            edits = client.message(fields=[(b"From", b" ann@client.example")]).edits
        added = [one for one in edits if isinstance(one, InsertHeader)]
        values = [one.value for one in added if one.name == b"DKIM-Signature"]
        return {found for value in values for found in re.findall(rb"\bs=(\w+);", value)}

    def more(*keys: SigningKey) -> str:
        lines = '[filters.sign]\nclients = ["192.0.2.0/24"]\n'
        for key in keys:
            lines += (
                f'[[filters.sign.keys]]\ndomain = "{key.domain}"\nselector = "{key.selector}"\n'
                f'file = "{place}/{key.selector}.key"\n'
            )
        return lines

    with folder("rotation") as place:
        for key in (old, new):
            write_key(place / f"{key.selector}.key", key)
        daemon = Filterd(place, more=more(old), also=["sign"])
        daemon.start()
        assert selectors() == {b"old"}

        daemon.configure(more=more(old, new))
        (place / "new.key").chmod(0o644)
        daemon.process.signal(signal.SIGHUP)
        wait_for("the refusal", lambda: "expected 0600" in daemon.process.output)
        assert selectors() == {b"old"}

        (place / "new.key").chmod(0o600)
        daemon.process.signal(signal.SIGHUP)
        wait_for("the reload", lambda: "reloaded, chain" in daemon.process.output)
        assert selectors() == {b"old", b"new"}
        daemon.stop()


@pytest.mark.parametrize("mta", ["sendmail", "postfix"])
def test_opendkim_behind_filterd_verifies_what_it_signed(mta: str) -> None:
    with folder("sign") as place, folder(mta) as there, folder("verifier") as other:
        names = other / "keys"
        names.write_text(f"{key_name(RSA.domain, RSA.selector)} {RSA.record}\n")
        verifier = Opendkim(
            other,
            mode="v",
            more=f"AuthservID verifier.example\nTestPublicKeys {names}\nLogResults yes\n",
        )
        verifier.start()
        daemon = Filterd(place, more=settings(place), also=["sign"])
        daemon.start()
        server: Sendmail | Postfix
        if mta == "sendmail":
            lines = [("filterd", daemon.socket), ("opendkim", verifier.socket)]
            server = Sendmail(
                there, "".join(input_mail_filter(name, f"unix:{path}") for name, path in lines)
            )
        else:
            milters = f"unix:{daemon.socket}, unix:{verifier.socket}"
            server = Postfix(there, f"smtpd_milters = {milters}\n")
        server.start()
        try:
            with Conversation(server.port) as client:
                client.ehlo()
                seen = client.transaction(SENT["tagged as spam"], sender=f"ann@{HOST}")
            assert seen.final.code == 250
            (came,) = server.mail()
            found = [v for v in came.values("Authentication-Results") if b"verifier.example" in v]
            assert any(b"dkim=pass (2048-bit key" in b" ".join(v.split()) for v in found), found
        finally:
            server.stop()
            daemon.stop()
            verifier.stop()


@pytest.mark.parametrize("mta", ["sendmail", "postfix"])
def test_what_opendkim_signs_verifies_here(mta: str, opendkim: Opendkim) -> None:
    record = (opendkim.socket.parent / "test.txt").read_text()
    text = "".join(record.split('"')[1::2]).encode()
    zones = Zones({"test._domainkey.client.example": {"TXT": [text]}})
    data = mail(b"From: Ann <ann@client.example>", b"To: bob@other.example, carl@b.example")
    with folder(mta) as there:
        server: Sendmail | Postfix
        if mta == "sendmail":
            server = Sendmail(there, input_mail_filter("opendkim", f"unix:{opendkim.socket}"))
        else:
            server = Postfix(there, f"smtpd_milters = unix:{opendkim.socket}\n")
        server.start()
        try:
            with Conversation(server.port) as client:
                client.ehlo()
                assert client.transaction(data).final.code == 250
            (came,) = server.mail()
        finally:
            server.stop()
    (check,) = verify_dkim(Message(_octets(came)), zones)
    assert (check.result, check.domain, check.reason) == (AuthResult.PASS, "client.example", "")
