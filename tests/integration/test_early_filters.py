"""Greylisting, rates, held accounts and unknown recipients behind each real MTA, with the state in
a file and in Redis; what happens when the state is away."""

from __future__ import annotations

import dataclasses
import itertools
import json
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from filterd.quarantine import Store
from filterd.quarantine.release import Releaser, ReleaseRequest
from tests.helpers import messages
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.filterd import COMMAND, Filterd
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.servers.postfix import Postfix
from tests.helpers.servers.redis_server import RedisServer
from tests.helpers.smtp import Conversation, Reply, Transcript

JOE, SUE, NOBODY = (f"{name}@mx.example.test" for name in ("joe", "sue", "nobody"))
CLEAN = messages.message(messages.CLEAN_BODY)

SETTINGS = """
[state]
url = "{url}"

[filters.recipients]
domains = ["mx.example.test"]
files = ["{folder}/recipients"]
attack_limit = 3
except_clients = []

[filters.rates]
[[filters.rates.limits]]
by = "sender"
most = 2
seconds = 86400
[[filters.rates.refused]]
by = "{by}"
share = 0.6
messages = 3

[filters.greylist]
delay = 0.5
except_clients = []
except_senders = ["client.example"]
on_error = "{on_error}"
"""


class Site:
    """The daemon with these filters, an MTA before it, and clients with addresses of their own."""

    def __init__(self, daemon: Filterd, mta: Mta) -> None:
        self.daemon, self.mta = daemon, mta
        self._addresses = (f"127.0.{n // 200 + 1}.{n % 200 + 1}" for n in itertools.count())
        self._senders = (f"sender{n}@client.example" for n in itertools.count())

    def address(self) -> str:
        """A client that was not here before."""
        return next(self._addresses)

    def sender(self) -> str:
        """A sender that greylisting spares."""
        return next(self._senders)

    def send(
        self, *recipients: str, address: str = "", sender: str = "", data: bytes = CLEAN
    ) -> Transcript:
        with Conversation(self.mta.port, source=address or self.address()) as client:
            client.ehlo()
            seen = client.transaction(data, *recipients, sender=sender or self.sender())
            client.quit()
        return seen

    def command(self, *words: str) -> str:
        """A command with the daemon's settings; what it printed."""
        done = subprocess.run(
            [COMMAND, *words, "-c", self.daemon.configuration],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=self.daemon.process.environment,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def configured(place: Path, **settings: str) -> Filterd:
    """The daemon, not started."""
    (place / "recipients").write_text(f"{JOE}\n{SUE}\nmax@mx.example.test\n")
    values = {"url": "", "on_error": "tempfail", "by": "client", **settings}
    daemon = Filterd(place, more=SETTINGS.format(folder=place, **values))
    text = daemon.configuration.read_text()
    wanted = text.replace('"obedient", ', '"recipients", "rates", "greylist", "obedient", ')
    assert wanted != text
    daemon.configuration.write_text(wanted)
    return daemon


@pytest.fixture(scope="module", params=["sendmail", "postfix", "own"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with folder("early") as place, folder(request.param) as there:
        daemon = configured(place)
        daemon.start()
        if request.param == "postfix":
            # It would refuse unknown recipients itself, before it asks.
            known = f"texthash:{there}/etc/mailboxes, static:nobody/"
            lines = f"smtpd_milters = unix:{daemon.socket}\nvirtual_mailbox_maps = {known}\n"
            mta: Mta = Postfix(there, lines)
        else:
            mta = MTAS[request.param](there, filterd=f"unix:{daemon.socket}")
        mta.start()
        yield Site(daemon, mta)
        mta.stop()
        daemon.stop()


def symbols(daemon: Filterd, name: str) -> list[dict[str, Any]]:
    """Log lines with that symbol."""
    return [line for line in daemon.log_lines() if name in json.dumps(line)]


def test_a_stranger_is_greylisted_then_accepted(site: Site) -> None:
    address, sender = site.address(), "ann@strange.example"
    first = site.send(JOE, address=address, sender=sender).final
    assert str(first).startswith("451 4.7.1 ")
    assert "Greylisted, please try again in 1 minute" in first.text

    def accepted() -> bool:
        seen = site.send(JOE, address=address, sender=sender).final
        assert seen.code in (250, 451)
        return seen.code == 250

    wait_for("its turn", accepted)
    (mail,) = site.mta.mail()
    assert "GREYLIST_PASSED" in mail.value("X-Spam-Status")
    assert symbols(site.daemon, "GREYLIST")


def test_of_three_recipients_only_the_new_one_waits(site: Site) -> None:
    address, sender = site.address(), "bob@strange.example"

    def both_known() -> bool:
        with Conversation(site.mta.port, source=address) as client:
            client.ehlo()
            client.say(f"MAIL FROM:<{sender}>")
            codes = [client.say(f"RCPT TO:<{one}>").code for one in (JOE, SUE)]
            client.say("RSET")
            client.quit()
        return codes == [250, 250]

    wait_for("two known recipients", both_known)
    seen = site.send(JOE, "max@mx.example.test", SUE, address=address, sender=sender)
    assert [reply.code for reply in seen.rcpt] == [250, 451, 250]
    assert seen.final.code == 250
    site.mta.mail()
    site.mta.mail(user="sue")


def test_an_admin_lets_in_what_waits(site: Site) -> None:
    address, sender = site.address(), "eve@strange.example"
    assert site.send(JOE, address=address, sender=sender).final.code == 451
    rows = site.command("greylist", "list", "--text", "eve@", "--json").splitlines()
    id = json.loads(rows[0])["id"]
    site.command("greylist", "allow", id)
    assert site.send(JOE, address=address, sender=sender).final.code == 250
    (mail,) = site.mta.mail()
    assert "GREYLIST" not in mail.value("X-Spam-Status")


def test_an_unknown_recipient_is_refused_alone(site: Site) -> None:
    seen = site.send(JOE, NOBODY, SUE)
    assert [str(reply)[:9] for reply in seen.rcpt] == ["250 2.1.5", "550 5.1.1", "250 2.1.5"]
    assert seen.final.code == 250
    site.mta.mail()
    site.mta.mail(user="sue")


def test_a_client_that_guesses_is_deferred(site: Site) -> None:
    address = site.address()
    guesses = [f"guess{n}@mx.example.test" for n in range(4)]
    seen = site.send(*guesses, JOE, address=address)
    assert [reply.code for reply in seen.rcpt] == [550, 550, 550, 450, 450]
    assert "Too many unknown recipients" in str(seen.rcpt[-1])
    assert site.send(JOE).final.code == 250
    site.mta.mail()


def test_a_rate_is_exceeded(site: Site) -> None:
    sender = site.sender()
    for _ in range(2):
        assert site.send(JOE, sender=sender).final.code == 250
    seen = site.send(JOE, sender=sender)
    assert seen.rcpt[0].code == 250
    assert str(seen.final).startswith("451 4.7.1 ")
    assert "Too much mail for now, please try again in " in seen.final.text
    assert site.send(JOE).final.code == 250
    site.mta.mail(3)


@pytest.mark.parametrize("when", ["recipient", "message"])
def test_a_client_that_has_proved_itself_is_not_delayed(when: str) -> None:
    with folder("proved") as place, folder("own") as there:
        daemon = configured(place)
        text = daemon.configuration.read_text()
        mode = f'delay = 0.5\nwhen = "{when}"\nauto_allow = 1\n'
        text = text.replace("delay = 0.5\n", mode).replace('"recipients", "rates", ', "")
        daemon.configuration.write_text(text)
        daemon.start()
        mta = MTAS["own"](there, filterd=f"unix:{daemon.socket}")
        mta.start()
        site = Site(daemon, mta)
        address, sender = site.address(), "ann@strange.example"
        first = site.send(JOE, address=address, sender=sender)
        assert "Greylisted" in str(first.final)
        assert (first.dot is None) is (when == "recipient")
        letters = itertools.product(string.ascii_lowercase, repeat=3)
        strangers = (f"new-{''.join(three)}@strange.example" for three in letters)

        def proved() -> bool:
            site.send(JOE, address=address, sender=sender)
            # A sender that was never seen.
            new = next(strangers)
            return site.send(JOE, address=address, sender=new).final.code == 250

        wait_for("a client that has proved itself", proved)
        mta.stop()
        daemon.stop()


def held(site: Site, reply: Reply, before: set[str]) -> str:
    assert reply.code == 250
    (id,) = site.daemon.stored - before
    entry = site.daemon.entry(id)
    assert entry.reason == "policy"
    assert "ACCOUNT_HELD" in {symbol.name for symbol in entry.symbols}
    return id


def test_a_stolen_account_is_held_and_its_mail_released(site: Site) -> None:
    address = site.address()
    for _ in range(3):
        assert site.send(JOE, address=address, data=messages.gtube()).final.code == 550
    wait_for("the hold", lambda: f"mail of client {address} is held" in site.daemon.process.output)

    site.mta.settled()
    before, mailboxes = site.daemon.stored, site.mta.mailboxes
    id = held(site, site.send(JOE, SUE, address=address).final, before)
    site.mta.settled()
    assert site.mta.mailboxes == mailboxes

    assert address in site.command("rates", "list")
    site.command("rates", "free", "client", address)
    assert site.send(JOE, address=address).final.code == 250
    site.mta.mail()
    assert release(site.daemon, site.mta, id) == {JOE: "released", SUE: "released"}
    site.mta.mail()
    site.mta.mail(user="sue")


def release(daemon: Filterd, mta: Mta, id: str) -> dict[str, str]:
    """Release through the port whose mail is filtered; the state by recipient."""
    settings = dataclasses.replace(
        daemon.store.settings, release_port=mta.port, release_timeout=30.0
    )
    store = Store(settings)
    Releaser(store).release(ReleaseRequest(id, "test"))
    return {one.recipient: one.state for one in store.delivery_state(id).deliveries}


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    pytest.importorskip("redis", reason="redis is not installed")
    with folder("redis") as place:
        server = RedisServer(place)
        server.start()
        yield server
        server.stop()


def test_a_user_is_held_on_all_hosts_that_share_the_state(redis: RedisServer) -> None:
    """The account is stolen at one host, and held at the other."""
    with folder("one") as one, folder("other") as other, folder("pf1") as a, folder("pf2") as b:
        places = []
        for place, there in ((one, a), (other, b)):
            daemon = configured(place, url=redis.url, by="user")
            daemon.start()
            postfix = Postfix(
                there,
                f"smtpd_milters = unix:{daemon.socket}\n"
                "smtpd_authorized_xclient_hosts = 127.0.0.1\n"
                "smtpd_sasl_auth_enable = yes\n",
            )
            postfix.start()
            places.append((daemon, postfix))
        (first, at_first), (second, at_second) = places
        for n in range(3):
            assert as_user(at_first, "joe", f"x{n}@client.example", messages.gtube()).code == 550
        wait_for("the hold", lambda: "mail of user joe is held" in first.process.output)

        site, before = Site(second, at_second), second.stored
        reply = as_user(at_second, "JOE", "y@client.example", CLEAN)
        id = held(site, reply, before)
        assert as_user(at_second, "sue", "z@client.example", CLEAN).code == 250
        at_second.mail()
        assert release(second, at_second, id) == {JOE: "released"}
        at_second.mail()
        for daemon, postfix in places:
            postfix.stop()
            daemon.stop()


def as_user(postfix: Postfix, user: str, sender: str, data: bytes) -> Reply:
    with Conversation(postfix.port) as client:
        client.ehlo()
        told = f"XCLIENT NAME=client.example ADDR=198.51.100.9 LOGIN={user}"
        assert client.say(told).code == 220
        client.ehlo()
        reply = client.transaction(data, JOE, sender=sender).final
        client.quit()
    return reply


@pytest.mark.parametrize(("on_error", "code"), [("tempfail", 451), ("continue", 250)])
def test_a_state_that_goes_away_is_on_error(redis: RedisServer, on_error: str, code: int) -> None:
    with folder("away") as place, folder("own") as there:
        daemon = configured(place, url=redis.url, on_error=on_error)
        text = daemon.configuration.read_text()
        daemon.configuration.write_text(text.replace('"recipients", "rates", ', ""))
        daemon.start()
        mta = MTAS["own"](there, filterd=f"unix:{daemon.socket}")
        mta.start()
        site = Site(daemon, mta)
        address, sender = site.address(), "ann@strange.example"
        assert site.send(JOE, address=address, sender=sender).final.code == 451
        redis.stop()
        reply = site.send(JOE, address=address, sender=sender).final
        assert reply.code == code
        assert "state.url" not in str(reply)
        wait_for("the log", lambda: "state.url: " in daemon.process.output)
        if code == 250:
            mta.mail()
        redis.start()

        def greylisted() -> bool:
            return "Greylisted" in str(site.send(JOE, sender="eve@strange.example").final)

        wait_for("the state's return", greylisted)
        mta.stop()
        daemon.stop()
