"""Policies by who sends: logged-in clients, client networks, this host itself; over real SMTP.

Postfix's XCLIENT lets a trusted client say who it is, address and login name alike, so that no
password file is needed; what it says reaches filterd by the same macros as a real login.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers import messages
from tests.helpers.process import folder
from tests.helpers.servers.filterd import Filterd, id_in
from tests.helpers.servers.mta import sendmail_with
from tests.helpers.servers.postfix import Postfix
from tests.helpers.servers.sendmail import Sendmail
from tests.helpers.smtp import Conversation, Reply, send

ANN, JOE, SUE = "ann@client.example", "joe@mx.example.test", "sue@mx.example.test"

MORE = """
on_error_authenticated = "continue"

[[policy.rules]]
name = "our users"
authenticated = true
at_most = "accept"

[[policy.rules]]
name = "partners"
clients = ["192.0.2.0/24", "2001:db8:5::/48"]
at_most = "quarantine"

[[policy.rules]]
name = "this host, for joe"
clients = ["local"]
recipients = ["mx.example.test"]
quarantine = 20.0
reject = 30.0

[labels]
label_outbound = true
"""
"""Settings; the first line belongs to `[filters.obedient]`."""


@pytest.fixture(scope="module")
def daemon() -> Iterator[Filterd]:
    with folder("policies") as path:
        server = Filterd(path, more=MORE)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def postfix(daemon: Filterd) -> Iterator[Postfix]:
    with folder("postfix") as path:
        server = Postfix(
            path,
            f"smtpd_milters = unix:{daemon.socket}\n"
            "smtpd_authorized_xclient_hosts = 127.0.0.1\n"
            "smtpd_sasl_auth_enable = yes\n"
            # for XCLIENT with an IPv6 address
            "inet_protocols = all\n",
        )
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def sendmail(daemon: Filterd) -> Iterator[Sendmail]:
    with folder("sendmail") as path:
        server = sendmail_with(path, filterd=f"unix:{daemon.socket}")
        server.start()
        yield server
        server.stop()


def told(order: str) -> bytes:
    # The same content is not tried again once it took a worker down, so each has a body of its own.
    body = messages.CLEAN_BODY + f"{order}\r\n".encode()
    return messages.message(body, f"X-Obey: {order}".encode())


def sent_as(postfix: Postfix, data: bytes, who: str, *recipients: str) -> Reply:
    """The final reply to a message from a client that XCLIENT makes `who`, e.g. ADDR=192.0.2.1."""
    with Conversation(postfix.port) as client:
        client.ehlo()
        assert client.say(f"XCLIENT NAME=client.example {who}").code == 220
        client.ehlo()
        reply = client.transaction(data, *recipients).final
        client.quit()
    return reply


STRANGER = "ADDR=198.51.100.9"
USER = "ADDR=198.51.100.9 LOGIN=ann"
PARTNER = "ADDR=192.0.2.77"
PARTNER_IPV6 = "ADDR=IPV6:2001:db8:5::25"


def test_a_users_spam_is_delivered_with_a_label(postfix: Postfix, daemon: Filterd) -> None:
    assert sent_as(postfix, messages.gtube(), USER).code == 250

    (mail,) = postfix.mail()
    assert mail.value("X-Spam-Flag") == "YES"
    line = daemon.last()
    assert (line["auth"], line["client"]) == ("ann", "client.example[198.51.100.9]")


def test_a_strangers_spam_is_refused(postfix: Postfix, daemon: Filterd) -> None:
    # Relaying is not theirs, mail to our users is.
    reply = sent_as(postfix, messages.gtube(), STRANGER)

    assert str(reply).startswith("550 5.7.1 Message refused as spam")
    entry = daemon.entry(id_in(reply.text))
    assert (entry.client_name, entry.client_address) == ("client.example", "198.51.100.9")
    assert "auth" not in daemon.last()


@pytest.mark.parametrize("who", [PARTNER, PARTNER_IPV6], ids=["IPv4", "IPv6"])
def test_a_partners_spam_is_held(postfix: Postfix, daemon: Filterd, who: str) -> None:
    before = daemon.stored

    assert sent_as(postfix, messages.gtube(), who).code == 250

    (id,) = daemon.stored - before
    entry = daemon.entry(id)
    assert (entry.action, entry.held_for) == ("quarantine", (JOE,))
    assert entry.client_address == who.rpartition("=")[2].removeprefix("IPV6:")
    postfix.settled()
    assert postfix.mailboxes == {}


def test_a_login_counts_for_one_session_only(postfix: Postfix) -> None:
    assert sent_as(postfix, messages.gtube(), USER).code == 250
    assert sent_as(postfix, messages.gtube(), STRANGER).code == 550
    postfix.mail()


def test_a_filters_failure_delays_strangers_only(postfix: Postfix, daemon: Filterd) -> None:
    assert str(sent_as(postfix, told("raise"), STRANGER)).startswith("451 4.3.0 ")
    assert sent_as(postfix, told("raise"), USER).code == 250

    (mail,) = postfix.mail()
    assert "OBEDIENT_FAILED" in mail.value("X-Spam-Status")


def test_a_worker_that_dies_is_the_filters_failure_too(postfix: Postfix, daemon: Filterd) -> None:
    """The rest of the chain still has its say: the message is labelled by another filter."""
    data = messages.gtube().replace(b"\r\n\r\n", b"\r\nX-Obey: die\r\n\r\n", 1)

    assert str(sent_as(postfix, told("die"), STRANGER)).startswith("451 4.3.0 ")
    assert sent_as(postfix, data, USER).code == 250

    (mail,) = postfix.mail()
    assert mail.value("X-Spam-Flag") == "YES"
    assert mail.value("X-Spam-Status").endswith("tests=OBEDIENT_FAILED,GTUBE")


@pytest.mark.parametrize(
    ("points", "code"), [(19.0, 250), (21.0, 250), (31.0, 550)], ids=["label", "hold", "refuse"]
)
def test_this_host_has_thresholds_of_its_own(
    sendmail: Sendmail, daemon: Filterd, points: float, code: int
) -> None:
    before = daemon.stored

    reply = send(sendmail.port, told(f"score={points}")).final

    assert reply.code == code
    held = daemon.stored - before
    if points < 20:
        assert sendmail.mail()[0].value("X-Spam-Flag") == "YES"
        assert not held
    else:
        assert len(held) == 1
        sendmail.settled()
        assert sendmail.mailboxes == {}


def test_the_log_names_the_rule_of_each_recipient(sendmail: Sendmail, daemon: Filterd) -> None:
    send(sendmail.port, told("score=6"), [JOE, SUE])

    sendmail.mail()
    sendmail.mail(user="sue")
    assert "this host, for joe" in str(daemon.last())
