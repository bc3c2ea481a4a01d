"""The macros of a session, stage by stage."""

from __future__ import annotations

from filterd.mta.mail.address import Route
from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.mail.peer import Peer
from filterd.mta.milters.macros import ClientConnection
from filterd.mta.postfix.macros import PostfixMacros
from filterd.mta.sendmail.macros import SendmailMacros
from filterd.mta.settings import MtaSettings

PEER = Peer("client.test", "192.0.2.1", 40000)
CONNECTION = ClientConnection("MTA", PEER, ("192.0.2.9", 25), 3)
ANN = EnvelopePath("ann@x.test", "<ann@x.test>", ("SIZE=100", "RET=HDRS", "ENVID=abc"))
JOE = EnvelopePath("joe@mx.example.test", "<joe@mx.example.test>", ("NOTIFY=NEVER",))
LOCAL = Route("local", "", "joe")


def sendmail() -> SendmailMacros:
    macros = SendmailMacros(MtaSettings(), "filterd", CONNECTION)
    macros.begin("ID1")
    return macros


def test_sendmail_knows_the_client_from_the_beginning_and_the_rest_when_it_comes() -> None:
    macros = sendmail()
    first = macros.now
    assert (first["_"], first["i"], first["{client_connections}"]) == (
        "client.test [192.0.2.1]",
        "ID1",
        "3",
    )
    assert (first["{if_name}"], first["{if_addr}"]) == ("mx.example.test", "192.0.2.9")
    assert not {"r", "s", "f", "{mail_addr}", "{rcpt_addr}", "{msg_id}"} & set(first)

    macros.mail(ANN, local=False, helo="client.test", protocol="ESMTP")
    assert {key: macros.now[key] for key in ("r", "s", "f", "{mail_mailer}", "{mail_host}")} == {
        "r": "ESMTP",
        "s": "client.test",
        "f": "ann@x.test",
        "{mail_mailer}": "esmtp",
        "{mail_host}": "x.test.",
    }
    assert macros.now["{msg_size}"] == "100"
    assert (macros.now["{dsn_ret}"], macros.now["{dsn_envid}"]) == ("HDRS", "abc")

    at_rcpt = macros.rcpt(JOE, LOCAL, good=1, bad=2)
    assert (at_rcpt["{nrcpts}"], at_rcpt["{nbadrcpts}"]) == ("2", "2")
    assert (at_rcpt["{rcpt_addr}"], at_rcpt["{dsn_notify}"]) == ("joe", "NEVER")
    assert "{rcpt_addr}" not in macros.now

    macros.message(2000, ANN, JOE)
    assert (macros.content["{msg_size}"], macros.content["u"]) == ("2000", JOE.text)
    macros.message(2000, ANN, None)
    assert "u" not in macros.content


def test_a_client_without_helo_has_the_name_that_is_known() -> None:
    macros = sendmail()
    macros.mail(ANN, local=False, helo="", protocol="SMTP")
    assert macros.now["s"] == macros.now["{client_name}"]


def test_a_new_envelope_forgets_the_last_one_but_not_the_session() -> None:
    macros = sendmail()
    macros.mail(ANN, local=False, helo="client.test", protocol="ESMTP")
    macros.begin("ID2")
    assert (macros.now["i"], macros.now["j"]) == ("ID2", "mx.example.test")
    assert not {"f", "r", "s", "h", "{mail_addr}", "{msg_size}"} & set(macros.now)


def test_a_local_sender_has_no_host() -> None:
    macros = sendmail()
    macros.mail(EnvelopePath("Joe@mx.example.test"), local=True, helo="", protocol="SMTP")
    assert macros.now["{mail_mailer}"] == "local"
    assert (macros.now["{mail_host}"], macros.now["{mail_addr}"]) == ("", "joe")
    assert "h" not in macros.now


def test_the_loopback_interface_has_no_address() -> None:
    local = SendmailMacros(MtaSettings(), "", ClientConnection("MTA", PEER, ("127.0.0.1", 25)))
    assert local.session["{if_name}"] == "localhost"
    assert "{if_addr}" not in local.session


def test_postfix_has_an_id_from_the_first_recipient_on() -> None:
    macros = PostfixMacros(MtaSettings(flavour="postfix"), CONNECTION)
    macros.begin("ID")
    macros.mail(ANN, local=False, helo="client.test", protocol="ESMTP")
    virtual = Route("virtual", "mx.example.test", "joe@mx.example.test")
    assert "i" not in macros.rcpt(JOE, virtual, good=0, bad=0)
    macros.rcpt_done(JOE, virtual, taken=False)
    assert "i" not in macros.now
    macros.rcpt_done(JOE, virtual, taken=True)
    other = Route("virtual", "mx.example.test", "sue@mx.example.test")
    macros.rcpt_done(JOE, other, taken=True)
    assert (macros.now["i"], macros.now["{rcpt_addr}"]) == ("ID", "joe@mx.example.test")


def test_postfix_shows_the_content_little_more_than_the_client() -> None:
    macros = PostfixMacros(MtaSettings(flavour="postfix"), CONNECTION)
    macros.begin("ID")
    macros.mail(ANN, local=False, helo="client.test", protocol="ESMTP")
    assert set(macros.content) == {
        "j",
        "_",
        "i",
        "v",
        "{client_addr}",
        "{client_name}",
        "{client_port}",
        "{client_ptr}",
        "{daemon_addr}",
        "{daemon_name}",
        "{daemon_port}",
    }
