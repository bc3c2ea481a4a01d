"""A digest from beginning to end: held, told by mail, a link in a browser, delivered after all.

Real MTA, daemon and `filterd web`; the digest and the released message pass the very filters that
held the mail.
"""

from __future__ import annotations

import email
import email.policy
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from filterd.lab import samples
from tests.helpers import messages
from tests.helpers.process import Program, answers, folder, free_port
from tests.helpers.servers.filterd import COMMAND, Filterd
from tests.helpers.servers.mailbox import Delivered
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.smtp import send

HOLD = b"X-Obey: score=9"
SUBJECT = f"offer {samples.GTUBE}"


@dataclass
class Site:
    """MTA, daemon and web process over one quarantine."""

    mta: Mta
    filterd: Filterd
    web_port: int

    def digest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`filterd digest ...`."""
        return subprocess.run(
            [COMMAND, "digest", *arguments, "--config", self.filterd.configuration],
            env=self.filterd.process.environment,
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
        )


@pytest.fixture(params=MTAS)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with folder("digested") as path, folder(request.param) as mta_path, folder("web") as web_path:
        web_port = free_port()
        more = (
            f'[web]\nport = {web_port}\nurl = "http://127.0.0.1:{web_port}"\n'
            '[digest]\nsender = "postmaster@mx.example.test"\n[users]\nenabled = true\n'
            '[filters.senders]\nfile = "senders.list"\n'
        )
        filterd = Filterd(path, None, more, also=["senders"])
        mta = MTAS[request.param](mta_path, filterd=f"unix:{filterd.socket}")
        text = filterd.configuration.read_text()
        filterd.configuration.write_text(
            text.replace("[quarantine]\n", f"[quarantine]\nrelease_port = {mta.port}\n")
        )
        password = path / "password"
        password.write_text("correct horse battery\n")
        password.chmod(0o600)
        web = Program(
            [COMMAND, "web", "--config", filterd.configuration, "--first-password-file", password],
            web_path,
            filterd.process.environment,
        )
        for program in (filterd, mta):
            program.start()
        web.start(lambda: answers(web_port))
        yield Site(mta, filterd, web_port)
        for end in (web.stop, mta.stop, filterd.stop):
            end()


def text_of(mail: Delivered) -> str:
    """The plain text of a delivered digest."""
    fields = b"".join(name + b": " + value + b"\n" for name, value in mail.fields)
    found = email.message_from_bytes(fields + b"\n" + mail.body, policy=email.policy.default)
    part = found.get_body(("plain",))  # type: ignore[attr-defined]
    return str(part.get_content())


def test_held_told_and_released_by_a_link(site: Site) -> None:
    body = b"Gr\xfc\xdfe\r\n.dot\r\n" + messages.CLEAN_BODY
    data = messages.message(body, HOLD, subject=SUBJECT)
    joe, sue = "joe@mx.example.test", "sue@mx.example.test"
    assert send(site.mta.port, data, [joe, sue], parameters=" BODY=8BITMIME").final.code == 250
    (id,) = site.filterd.stored
    site.mta.settled()
    assert site.mta.mailboxes == {}

    shown = site.digest("show", joe)
    assert f"To: {joe}" in shown.stdout, shown.stderr
    # What the digest says would be caught, if anybody else said it.
    assert send(site.mta.port, shown.stdout.replace("\n", "\r\n").encode()).final.code == 550

    before = site.filterd.stored
    sent = site.digest("send")
    assert sorted(line.split()[1] for line in sent.stdout.splitlines()) == ["sent", "sent"], sent
    (mail,) = site.mta.mail()
    (_,) = site.mta.mail(user="sue")
    assert site.filterd.stored == before
    assert mail.value("Auto-Submitted") == "auto-generated"
    assert SUBJECT in text_of(mail)
    assert "nothing new for anybody" in site.digest("send").stdout

    (link,) = set(re.findall(rf"http://127\.0\.0\.1:{site.web_port}/held/[\w-]+", text_of(mail)))
    with httpx.Client(timeout=60) as browser:
        assert "offer" in browser.get(link).text
        assert site.filterd.store.delivery_state(id).state == "held"
        for _ in range(2):
            assert "on its way" in browser.post(link).text
        changed = link[:-1] + ("A" if link[-1] != "A" else "Q")
        assert browser.post(changed[:-6]).status_code == 404
    (came,) = site.mta.mail()
    assert came.body == body.replace(b"\r\n", b"\n")
    site.mta.settled()
    # Once, and to nobody else.
    assert site.mta.mailboxes == {}
    states = {d.recipient: d.state for d in site.filterd.store.delivery_state(id).deliveries}
    assert states == {joe: "released", sue: "held"}
    released = [e for e in site.filterd.store.journal.events(id) if e.what == "released"]
    assert [(e.who, e.recipients) for e in released] == [(f"digest:{joe}", (joe,))]


def button(page: httpx.Response, name: str) -> dict[str, str]:
    """What a browser sends when that button of a page is pressed."""
    form = next(one for one in page.text.split("<form")[1:] if f">{name}<" in one)
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    (value,) = re.findall(rf'<button name="do" value="(\w+)"[^>]*>{name}<', form)
    return {**dict(hidden), "do": value}


def test_with_nothing_but_the_digest_mail_is_delivered_and_a_sender_blocked(site: Site) -> None:
    joe, eve = "joe@mx.example.test", "eve@shop.example"
    data = messages.message(messages.CLEAN_BODY, HOLD, subject="the invoice")
    assert send(site.mta.port, data, [joe]).final.code == 250
    junk = messages.message(messages.CLEAN_BODY, HOLD, subject="cheap watches", sender=eve)
    assert send(site.mta.port, junk, [joe], sender=eve).final.code == 250
    site.mta.settled()
    assert site.digest("send").returncode == 0
    (mail,) = site.mta.mail()
    assert mail.value("Subject") == "2 messages held for you"
    (enter,) = re.findall(r"http://\S+/my/open/\S+", text_of(mail))
    base = f"http://127.0.0.1:{site.web_port}"
    with httpx.Client(timeout=60, follow_redirects=True) as browser:
        assert "Open my mail" in browser.get(enter).text
        page = browser.post(enter)
        assert page.url == f"{base}/my"
        paths = re.findall(r'<a href="(/my/[^"]+)"><strong><bdi>([^<]+)', page.text)
        opened = {subject: browser.get(base + path) for path, subject in paths}
        assert set(opened) == {"the invoice", "cheap watches"}
        fields = button(opened["the invoice"], "Deliver")
        assert "on its way" in browser.post(f"{base}/my/do", data=fields).text
        fields = button(opened["cheap watches"], "Block the sender and delete")
        assert "The sender is blocked" in browser.post(f"{base}/my/do", data=fields).text
        assert "Nothing is held for you." in browser.get(f"{base}/my").text
    (came,) = site.mta.mail()
    assert came.value("Subject") == "the invoice"
    # From now on, and for nobody else.
    plain = messages.message(messages.CLEAN_BODY, subject="more watches", sender=eve)
    assert send(site.mta.port, plain, [joe], sender=eve).final.code == 550
    assert send(site.mta.port, plain, ["sue@mx.example.test"], sender=eve).final.code == 250
    (_,) = site.mta.mail(user="sue")
    found = [(one.what, one.who) for one in site.filterd.store.journal.events()]
    assert {("released", f"web:{joe}"), ("blocked", f"web:{joe}"), ("deleted", f"web:{joe}")} <= {
        *found
    }


def test_what_the_mta_does_not_take_is_told_later(site: Site) -> None:
    data = messages.message(messages.CLEAN_BODY, HOLD)
    assert send(site.mta.port, data).final.code == 250
    site.mta.stop()
    put_off = site.digest("send")
    assert put_off.returncode == 75
    assert put_off.stdout.startswith("joe@mx.example.test: later")
    # Somebody may be at it still; a quarter of an hour later it is tried again.
    assert "nothing new for anybody" in site.digest("send").stdout
