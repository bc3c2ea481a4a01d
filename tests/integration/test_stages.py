"""Filters at the stages of a session, behind real sendmail, real Postfix and the reference MTA."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import messages
from tests.helpers.certificates import server_context
from tests.helpers.daemon import RunningDaemon
from tests.helpers.gate import Gate
from tests.helpers.process import folder
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.servers.own_mta import OwnMta
from tests.helpers.servers.postfix import Postfix
from tests.helpers.servers.sendmail import Sendmail, snippet
from tests.helpers.smtp import Conversation, stuffed

OF_TLS = ("tls_version", "cipher", "cipher_bits", "verify", "cert_subject", "cert_issuer")

MAIL = messages.message(messages.CLEAN_BODY)

SETTINGS = {
    "filters": '["staged"]',
    "mode": "0o666",
    "count": 1,
    # The clients of these tests are on this host, and no message is released.
    "quarantine": 'release_clients = ["192.0.2.0/24"]',
}


def staged(path: Path, more: str = "", **settings: object) -> RunningDaemon:
    gate = path / "gate"
    return RunningDaemon(
        path, **{**SETTINGS, **settings}, more=f'[filters.staged]\ngate = "{gate}"\n{more}'
    )


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with folder("staged") as path:
        running = staged(path).start()
        yield running
        running.process.stop()


@pytest.fixture(scope="module")
def sendmail(daemon: RunningDaemon) -> Iterator[Sendmail]:
    with folder("sendmail") as path:
        server = Sendmail(path, snippet(f"unix:{daemon.socket}"))
        server.start()
        yield server
        server.stop()


def own_as_postfix(path: Path, *, filterd: str) -> OwnMta:
    """The reference MTA with Postfix's manners."""
    return OwnMta(path, [f"f: {{ {filterd}, default_action=tempfail }}"], "postfix")


ALL = {**MTAS, "own as Postfix": own_as_postfix}


@pytest.fixture(scope="module", params=ALL)
def mta(request: pytest.FixtureRequest, daemon: RunningDaemon) -> Iterator[Mta]:
    with folder("mta") as path:
        server = ALL[request.param](path, filterd=f"unix:{daemon.socket}")
        server.start()
        yield server
        server.stop()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("order", "code"), [("refuse", 550), ("later", 451)])
def test_a_client_is_refused(name: str, order: str, code: int) -> None:
    with folder("staged") as path, folder("mta") as mta_path:
        running = staged(path, more=f'client = "{order}"\n').start()
        server = ALL[name](mta_path, filterd=f"unix:{running.socket}")
        server.start()
        try:
            with Conversation(server.port) as client:
                # sendmail says a refusal at once, and both MTAs again at each MAIL.
                assert client.greeting.code == (554 if order == "refuse" else 220)
                client.ehlo()
                assert client.say("MAIL FROM:<ann@client.example>").code == code
                assert client.say("RCPT TO:<joe@mx.example.test>").code >= 500
            assert "stage=connect" in running.wait_for_line("event=refusal")
            # Once for each session; one found out whether it listens.
            sessions = [
                line.partition("session=")[2].split()[0] for line in running.lines("event=refusal")
            ]
            assert len(sessions) == len(set(sessions))
        finally:
            server.stop()
            running.process.stop()


@pytest.mark.parametrize(
    ("order", "text"), [("refuse", "550 5.7.9 "), ("later", "451 4.7.9 "), ("plain", "550 5.7.1 ")]
)
def test_a_helo_name_is_refused(mta: Mta, order: str, text: str) -> None:
    with Conversation(mta.port, helo=f"{order}.example") as client:
        client.ehlo()
        assert str(client.say("MAIL FROM:<ann@client.example>")).startswith(text)
        # Another name is another opinion of filterd's; the MTAs remember the first refusal.
        client.say("EHLO ok.example")
        assert str(client.say("MAIL FROM:<ann@client.example>")).startswith(text)


@pytest.mark.parametrize(("order", "text"), [("refuse", "550 5.7.9 "), ("later", "451 4.7.9 ")])
def test_a_sender_is_refused_and_the_session_goes_on(mta: Mta, order: str, text: str) -> None:
    with Conversation(mta.port) as client:
        client.ehlo()
        assert str(client.say(f"MAIL FROM:<{order}@client.example>")).startswith(text)
        assert client.transaction(MAIL).final.code == 250
        client.quit()
    mta.mail()


def test_one_of_three_recipients_is_refused(mta: Mta, daemon: RunningDaemon) -> None:
    recipients = ("joe@mx.example.test", "refuse@mx.example.test", "sue@mx.example.test")
    with Conversation(mta.port) as client:
        client.ehlo()
        seen = client.transaction(MAIL, *recipients)
        client.quit()
    assert [reply.code for reply in seen.rcpt] == [250, 550, 250]
    assert seen.final.code == 250
    for user in ("joe", "sue"):
        assert len(mta.mail(user=user)) == 1
    line = daemon.wait_for_line("stage=recipient")
    assert "to=refuse@mx.example.test" in line
    assert "to=joe@mx.example.test,sue@mx.example.test" in daemon.wait_for_line("event=message")


def test_all_recipients_are_refused(mta: Mta) -> None:
    with Conversation(mta.port) as client:
        client.ehlo()
        seen = client.transaction(MAIL, "refuse@mx.example.test", "later@mx.example.test")
        assert [str(reply)[:10] for reply in seen.rcpt] == ["550 5.7.9 ", "451 4.7.9 "]
        # The transaction ends, the session does not.
        client.say("RSET")
        assert client.transaction(MAIL).final.code == 250
    mta.mail()


def test_data_is_refused(mta: Mta) -> None:
    with Conversation(mta.port) as client:
        client.ehlo()
        seen = client.transaction(MAIL, sender="ann@refuse.example")
        assert str(seen.final).startswith("550 5.7.9 ")
        assert seen.dot is None
        client.say("RSET")
        assert client.transaction(MAIL).final.code == 250
    mta.mail()


def test_points_of_a_stage_are_in_the_delivered_message(mta: Mta) -> None:
    with Conversation(mta.port, helo="points.example") as client:
        client.ehlo()
        assert client.transaction(MAIL, sender="points@client.example").final.code == 250
    (mail,) = mta.mail()
    assert mail.value("X-Spam-Status") == (
        "Yes, score=5.0 required=5.0 tests=POINTS_HELO,POINTS_SENDER"
    )


def test_what_the_filters_know_of_a_session(mta: Mta) -> None:
    with Conversation(mta.port) as client:
        client.ehlo()
        client.say("MAIL FROM:<ann@client.example> SIZE=1000")
        client.say("RCPT TO:<joe@mx.example.test>")
        known = client.say("RCPT TO:<who@mx.example.test>").text
    # sendmail puts the address before the text.
    words = known.partition(" (id=")[0].split("|")
    assert words[1:] == [
        "client.example",
        "ann@client.example",
        "SIZE=1000",
        "joe@mx.example.test",
        "who@mx.example.test",
        "",
        "",
    ]
    assert words[0].endswith("[127.0.0.1]")


def with_tls(name: str, path: Path, socket: str) -> Mta:
    """A real MTA that offers STARTTLS, asks for a client's certificate and trusts its own."""
    server_context(path)
    certificate, key = path / "certificate.pem", path / "key.pem"
    key.chmod(0o600)
    if name == "postfix":
        postfix = Postfix(
            path,
            f"smtpd_milters = unix:{socket}\nsmtpd_tls_security_level = may\n"
            f"smtpd_tls_cert_file = {certificate}\nsmtpd_tls_key_file = {key}\n"
            f"smtpd_tls_CAfile = {certificate}\nsmtpd_tls_ask_ccert = yes\n",
        )
        with (path / "etc/master.cf").open("a") as services:
            services.write("tlsmgr unix - - n 1000? 1 tlsmgr\n")
        return postfix
    verify = "define(`confMILTER_MACROS_HELO', confMILTER_MACROS_HELO``, {verify}'')dnl\n"
    files = {"CACERT": certificate, "CACERT_PATH": path, "SERVER_CERT": certificate}
    own = "".join(f"define(`conf{word}', `{file}')dnl\n" for word, file in files.items())
    own += f"define(`confSERVER_KEY', `{key}')dnl\n"
    return Sendmail(path, snippet(f"unix:{socket}") + verify + own)


@pytest.mark.parametrize("name", ["sendmail", "postfix"])
def test_a_filter_knows_at_mail_what_tls_is_like(name: str, daemon: RunningDaemon) -> None:
    """Without TLS, with it, and with a certificate of the client: each before the message."""
    with folder(name) as path:
        server = with_tls(name, path, str(daemon.socket))
        server.start()
        trust = ssl.create_default_context(cafile=path / "certificate.pem")
        proved = ssl.create_default_context(cafile=path / "certificate.pem")
        proved.load_cert_chain(path / "certificate.pem", path / "key.pem")
        known = []
        try:
            for context in (None, trust, proved):
                with Conversation(server.port) as client:
                    client.ehlo()
                    if context is not None:
                        client.starttls(context)
                        client.ehlo()
                    # sendmail puts the address before the text.
                    text = client.say("MAIL FROM:<tls@client.example>").text
                    words = text.partition(" (id=")[0].rpartition(" ")[2].split("|")
                    known.append(dict(zip(OF_TLS, words, strict=True)))
                    assert client.say("RSET").code == 250
                    client.quit()
        finally:
            server.stop()
    plain, secret, certain = known
    assert plain["tls_version"] == ""
    assert plain["cert_subject"] in ("", "-")
    for one in (secret, certain):
        assert one["tls_version"] == "TLSv1.3"
        assert one["cipher"].startswith("TLS_")
        assert int(one["cipher_bits"]) >= 128
    assert secret["cert_subject"] in ("", "-")
    assert certain["cert_subject"] == ("/CN=localhost" if name == "sendmail" else "localhost")
    assert certain["cert_issuer"] == certain["cert_subject"]
    # Postfix has no macro of that name, and sendmail no value without TLS.
    verified = [one["verify"] for one in known]
    assert verified == (["-", "NO", "OK"] if name == "sendmail" else ["-"] * 3)


POSTFIX_FAILURES = [("tempfail", 451), ("reject", 550), ("accept", 250)]

FAILURES = [
    *[("sendmail", flags, code) for flags, code in (("T", 451), ("R", 550), ("", 250))],
    *[("own", flags, code) for flags, code in (("T", 451), ("R", 550), ("", 250))],
    *[("postfix", action, code) for action, code in POSTFIX_FAILURES],
]


def failing(name: str, path: Path, running: RunningDaemon, wanted: str) -> Mta:
    """The MTA, which waits two seconds for the filter, with what a failure is to mean."""
    socket = f"unix:{running.socket}"
    times = "C:10s;S:2s;R:2s;E:1m"
    if name == "sendmail":
        return Sendmail(path, snippet(socket, wanted, times))
    if name == "own":
        flags = f"F={wanted}, " if wanted else ""
        return OwnMta(path, [f"f, S={socket}, {flags}T={times}"])
    return Postfix(
        path,
        f"smtpd_milters = {{ {socket}, default_action={wanted}, command_timeout=2s }}\n",
    )


@pytest.mark.parametrize(("how", "stage"), [("late", "recipient"), ("killed", "sender")])
@pytest.mark.parametrize(("name", "wanted", "code"), FAILURES)
def test_the_mta_has_the_last_word_when_filterd_is_late_or_lost(
    name: str, wanted: str, code: int, how: str, stage: str
) -> None:
    """What F= and default_action say, at MAIL and at RCPT, as at the end of a message."""
    with folder("staged") as path, folder(name) as mta_path:
        running = staged(path, more="[stages]\ntimeout = 60.0\n").start()
        server = failing(name, mta_path, running, wanted)
        server.start()
        gate = Gate.at(path / "gate")
        try:
            with Conversation(server.port) as client:
                client.ehlo()
                order = "MAIL FROM:<wait@client.example>"
                if stage == "recipient":
                    client.say("MAIL FROM:<ann@client.example>")
                    order = "RCPT TO:<wait@mx.example.test>"
                client.send(order.encode() + b"\r\n")
                gate.wait_until_inside()
                if how == "killed":
                    running.process.signal(signal.SIGKILL)
                assert client.read().code == code
                if code == 250:
                    for line in ("RCPT TO:<joe@mx.example.test>", "DATA"):
                        client.say(line)
                    client.send(stuffed(MAIL))
                    assert client.read().code == 250
            if code == 250:
                server.mail()
        finally:
            gate.open()
            server.stop()
            running.process.kill()


def test_mail_of_the_sendmail_command_of_postfix(daemon: RunningDaemon) -> None:
    """`non_smtpd_milters`: Postfix makes up a client, and would take a refusal before the end of
    the message for a mistake of the filter, and keep the mail in its queue."""
    with folder("postfix") as path:
        postfix = Postfix(path, f"non_smtpd_milters = unix:{daemon.socket}\n")
        postfix.start()
        try:
            submit(postfix, "ann@mx.example.test", "joe@mx.example.test")
            assert len(postfix.mail()) == 1
            # Refused, which for such mail is told at its end: a bounce to the sender.
            submit(postfix, "joe@mx.example.test", "refuse@mx.example.test")
            (bounce,) = postfix.mail()
            assert b"No recipient" in bounce.body
            submit(postfix, "points@mx.example.test", "joe@mx.example.test")
            (mail,) = postfix.mail()
            assert "tests=POINTS_SENDER" in mail.value("X-Spam-Status")
            assert "configuration error" not in postfix.log
        finally:
            postfix.stop()


def submit(postfix: Postfix, sender: str, *recipients: str) -> None:
    data = b"Subject: hi\n\nhello\n"
    postfix.run("sendmail", "-f", sender, *recipients, input=data)


def test_a_session_of_sendmail_without_a_network(sendmail: Sendmail) -> None:
    """`sendmail -bs` speaks SMTP with a program of this host, on standard input: no client has an
    address, and refusals are told at the end of the message."""
    process = sendmail.piped("-bs")
    assert process.stdin is not None
    assert process.stdout is not None
    replies = []
    for line in (
        "",
        "EHLO localhost",
        "MAIL FROM:<ann@mx.example.test>",
        "RCPT TO:<refuse@mx.example.test>",
        "DATA",
        "Subject: hi\r\n\r\nhello\r\n.",
        "QUIT",
    ):
        if line:
            process.stdin.write(f"{line}\r\n".encode())
            process.stdin.flush()
        # The last line of a reply has a blank behind its code.
        while (reply := process.stdout.readline())[3:4] == b"-":
            pass
        replies.append(reply.decode())
    process.communicate()
    assert [reply[:3] for reply in replies] == ["220", "250", "250", "250", "354", "550", "221"]
    assert replies[-2].startswith("550 5.7.9 No recipient")
