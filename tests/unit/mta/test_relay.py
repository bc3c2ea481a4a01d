"""Delivery to another host by SMTP."""

from __future__ import annotations

import socket

import pytest

from filterd.mta.delivery import relay
from filterd.mta.delivery.client import EHLO, HELO, LHLO
from filterd.mta.delivery.relay import ClientOptions, SmtpMailer, host_names
from filterd.mta.delivery.router import DeliveryError
from filterd.mta.delivery.transaction import OutgoingMail, Result
from filterd.mta.sendmail.client import for_daemon, interface_name
from tests.helpers.smtp_server import HELLO, OK, TAKES_MAIL, server

MESSAGE = b"Subject: one\n\n.\nbody\n"


def deliver_all(port: int, *recipients: str, message: bytes = MESSAGE) -> list[Result]:
    mail = OutgoingMail("ann@x.test", recipients, message)
    return SmtpMailer("[127.0.0.1]", "mx.example", port=port).deliver(mail)


def deliver(port: int) -> str:
    (result,) = deliver_all(port, "joe@far.test")
    if isinstance(result, DeliveryError):
        raise result
    return result


def test_a_message_goes_to_the_host() -> None:
    with server(TAKES_MAIL) as heard:
        assert deliver(heard.port) == "127.0.0.1 (250 2.0.0 Ok: queued as Q1)"
        heard.wait_for(b"QUIT\r\n")
    assert heard.data == (
        b"EHLO mx.example\r\nMAIL FROM:<ann@x.test>\r\nRCPT TO:<joe@far.test>\r\nDATA\r\n"
        b"Subject: one\r\n\r\n..\r\nbody\r\n.\r\nQUIT\r\n"
    )


@pytest.mark.parametrize(
    ("replies", "temporary", "words"),
    [
        ([b"554 no service\r\n"], True, "554 no service"),
        ([HELLO[0], b"550 go away\r\n"], True, "550 go away"),
        ([*HELLO, b"451 4.3.0 later\r\n", OK], True, "127.0.0.1 replied: 451 4.3.0 later"),
        ([*HELLO, OK, b"550 5.1.1 unknown\r\n", OK, OK], False, "replied: 550 5.1.1 unknown"),
        ([*HELLO, OK, OK, b"354 go on\r\n", b"552 5.3.4 too big\r\n", OK], False, "too big"),
        ([*HELLO, OK, b"what?\r\n"], True, "127.0.0.1: not an SMTP reply: 'what\\?'"),
    ],
)
def test_what_the_host_says_decides_whether_it_is_tried_again(
    replies: list[bytes], temporary: bool, words: str
) -> None:
    with server(replies) as heard, pytest.raises(DeliveryError, match=words) as caught:
        deliver(heard.port)
    assert caught.value.temporary is temporary


@pytest.mark.parametrize(
    ("step", "reply", "plain", "announced"),
    [
        ("RCPT", "550 no such user", "5.1.1", "5.1.1"),
        ("RCPT", "550 5.7.9 odd", "5.1.1", "5.7.9"),
        ("RCPT", "550 2.1.5 of another class", "5.1.1", "5.1.1"),
        ("RCPT", "450 later", "4.2.0", "4.2.0"),
        ("RCPT", "452 4.2.2 full", "4.3.1", "4.2.2"),
        ("RCPT", "501 what", "5.5.4", "5.5.4"),
        ("RCPT", "551 moved", "5.1.6", "5.1.6"),
        ("RCPT", "552 full", "5.2.2", "5.2.2"),
        ("RCPT", "553 odd name", "5.1.3", "5.1.3"),
        ("RCPT", "554 no", "5.0.0", "5.0.0"),
        ("RCPT", "421 bye", "4.0.0", "4.0.0"),
        ("MAIL", "550 not you", "5.0.0", "5.0.0"),
        ("MAIL", "501 what", "5.5.2", "5.5.2"),
        ("MAIL", "552 too big", "5.3.4", "5.3.4"),
        ("MAIL", "451 later", "4.3.0", "4.3.0"),
        ("DATA", "451 later", "4.0.0", "4.0.0"),
        ("DATA", "554 no", "5.0.0", "5.0.0"),
        (".", "554 5.7.1 spam", "5.0.0", "5.7.1"),
        (".", "550 spam", "5.2.0", "5.2.0"),
        (".", "552 too big", "5.2.2", "5.2.2"),
    ],
)
def test_the_enhanced_code_is_the_servers_if_it_announces_such_codes(
    step: str, reply: str, plain: str, announced: str
) -> None:
    said = f"{reply}\r\n".encode()
    later = {"MAIL": [said], "RCPT": [OK, said], "DATA": [OK, OK, said]}
    replies = later.get(step, [OK, OK, b"354 go on\r\n", said])
    for hello, code in (
        (b"250 mx.test\r\n", plain),
        (b"250-mx.test\r\n250 ENHANCEDSTATUSCODES\r\n", announced),
    ):
        with server([HELLO[0], hello, *replies, OK, OK]) as heard:
            (error,) = deliver_all(heard.port, "joe@far.test")
        assert isinstance(error, DeliveryError)
        assert (error.code, error.server, error.said) == (code, "127.0.0.1", reply)


def test_a_host_that_is_not_there_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DeliveryError, match="Connection refused") as caught:
        deliver(port)
    assert (caught.value.temporary, caught.value.code) == (True, "4.4.1")


def test_each_recipient_has_its_own_answer() -> None:
    replies = [*HELLO, OK, b"550 5.1.1 no such\r\n", OK, b"451 4.3.0 later\r\n", b"354 go on\r\n"]
    with server([*replies, b"250 2.0.0 Ok: queued as Q1\r\n", b"221 bye\r\n"]) as heard:
        no, yes, later = deliver_all(heard.port, "no@x.test", "yes@x.test", "later@x.test")
    assert isinstance(no, DeliveryError)
    assert isinstance(later, DeliveryError)
    assert (no.temporary, no.code, later.temporary, later.code) == (False, "5.1.1", True, "4.3.0")
    assert yes == "127.0.0.1 (250 2.0.0 Ok: queued as Q1)"


@pytest.mark.parametrize(
    ("extensions", "sender", "recipient"),
    [
        ("SIZE", " SIZE=21", ""),
        ("8BITMIME", " BODY=8BITMIME", ""),
        ("DSN", " RET=HDRS", " NOTIFY=NEVER"),
        ("SIZE DSN 8BITMIME", " SIZE=21 BODY=8BITMIME RET=HDRS", " NOTIFY=NEVER"),
        ("HELP", "", ""),
    ],
)
def test_the_server_hears_what_it_wants_to(extensions: str, sender: str, recipient: str) -> None:
    hello = (
        "250-mx.test\r\n"
        + "".join(f"250-{one}\r\n" for one in extensions.split())
        + "250 PIPELINING\r\n"
    )
    mail = OutgoingMail(
        "ann@x.test",
        ("joe@x.test",),
        "Subject: ü\n\nbody\n".encode(),
        body="8BITMIME",
        dsn=(" RET=HDRS", (" NOTIFY=NEVER",)),
    )
    with server([HELLO[0], hello.encode(), *TAKES_MAIL[2:]]) as heard:
        SmtpMailer("[127.0.0.1]", "mx.example", port=heard.port).deliver(mail)
    assert f"MAIL FROM:<ann@x.test>{sender}\r\n".encode() in heard.data
    assert f"RCPT TO:<joe@x.test>{recipient}\r\n".encode() in heard.data


def test_a_last_resort_gets_what_no_other_host_takes_now() -> None:
    mail = OutgoingMail("ann@x.test", ("joe@far.test",), MESSAGE)
    with server([b"421 later\r\n"]) as closed, server(TAKES_MAIL) as heard:
        options = ClientOptions(last_resort=f"[127.0.0.1]:{heard.port}")
        mailer = SmtpMailer(f"[127.0.0.1]:{closed.port}", "mx.example", options=options)
        (result,) = mailer.deliver(mail)
        assert result == "127.0.0.1 (250 2.0.0 Ok: queued as Q1)"
        heard.wait_for(b"QUIT\r\n")


def test_what_is_refused_for_good_has_no_last_resort() -> None:
    mail = OutgoingMail("ann@x.test", ("joe@far.test",), MESSAGE)
    with server([*HELLO, b"550 5.7.1 no\r\n", OK]) as heard:
        options = ClientOptions(last_resort="[127.0.0.1]:1")
        mailer = SmtpMailer(f"[127.0.0.1]:{heard.port}", "mx.example", options=options)
        (result,) = mailer.deliver(mail)
    assert isinstance(result, DeliveryError)
    assert (result.code, result.temporary) == ("5.0.0", False)


def test_a_fallback_comes_after_the_hosts_of_each_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    def exchangers(domain: str, is_own: object = None) -> list[str]:
        if domain == "down.test":
            raise DeliveryError("name server", temporary=True, code="4.4.3")
        if domain == "none.test":
            raise DeliveryError("Host unknown", temporary=False, code="5.1.2")
        return [f"mx.{domain}"]

    monkeypatch.setattr(relay, "mail_exchangers", exchangers)
    options = ClientOptions(fallback="back.test")
    hosts = SmtpMailer("", "mx.example", options=options)._hosts
    assert hosts("far.test:[127.0.0.1]") == [
        ("mx.far.test", 25),
        ("mx.back.test", 25),
        ("127.0.0.1", 25),
    ]
    assert hosts("down.test") == [("mx.back.test", 25)]
    with pytest.raises(DeliveryError):
        hosts("none.test")
    literal = SmtpMailer("", "mx.example", options=ClientOptions(fallback="[192.0.2.1]"))
    assert literal._hosts("far.test") == [("mx.far.test", 25), ("192.0.2.1", 25)]
    only = SmtpMailer("", "mx.example", options=ClientOptions(only_to="127.0.0.1"))
    assert only._hosts("far.test:other.test") == [("127.0.0.1", 25)]


def test_connections_come_from_the_address_that_the_options_name() -> None:
    mail = OutgoingMail("ann@x.test", ("joe@far.test",), MESSAGE)
    with server(TAKES_MAIL) as heard:
        options = ClientOptions(sources=(("127.0.0.7", 0),))
        SmtpMailer(f"[127.0.0.1]:{heard.port}", "mx.example", options=options).deliver(mail)
    with server(TAKES_MAIL) as heard:
        options = ClientOptions(sources=(("::1", 0), ("192.0.2.77", 0)))
        mailer = SmtpMailer(f"[127.0.0.1]:{heard.port}", "mx.example", options=options)
        (result,) = mailer.deliver(mail)
    assert isinstance(result, DeliveryError)
    assert result.temporary


def test_what_the_daemon_says_of_the_way_out() -> None:
    ours = ClientOptions(sources=(("192.0.2.9", 26), ("2001:db8::9", 0)))
    bound = for_daemon(ours, "b", "192.0.2.5")
    assert sorted(bound.sources) == [("192.0.2.5", 26), ("2001:db8::9", 0)]
    assert for_daemon(ours, "EE b", "2001:db8::5").sources[-1] == ("2001:db8::5", 0)
    assert for_daemon(ours, "b", "").sources == ours.sources
    assert for_daemon(ours, "BB", "192.0.2.5") == ours
    assert for_daemon(ours, "h", "192.0.2.5").naming is interface_name


@pytest.mark.parametrize(("name", "hello"), [("out.test", "out.test"), ("", "mx.example")])
def test_a_server_is_greeted_with_the_name_of_the_address(name: str, hello: str) -> None:
    asked: list[str] = []

    def naming(address: str) -> str:
        asked.append(address)
        return name

    mail = OutgoingMail("ann@x.test", ("joe@far.test",), MESSAGE)
    with server(TAKES_MAIL) as heard:
        options = ClientOptions(sources=(("127.0.0.7", 0),), naming=naming)
        SmtpMailer(f"[127.0.0.1]:{heard.port}", "mx.example", options=options).deliver(mail)
    assert asked == ["127.0.0.7"]
    assert heard.data.startswith(f"EHLO {hello}\r\n".encode())


def test_the_name_of_an_address_has_a_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"192.0.2.5": "five.test", "192.0.2.6": "six"}

    def getnameinfo(place: tuple[str, int], flags: int) -> tuple[str, str]:
        if place[0] not in names:
            raise socket.gaierror
        return names[place[0]], "0"

    monkeypatch.setattr(socket, "getnameinfo", getnameinfo)
    found = [interface_name(one) for one in ("192.0.2.5", "192.0.2.6", "192.0.2.7", "")]
    assert found == ["five.test", "", "", ""]


def test_hosts_of_a_list() -> None:
    assert host_names("[127.0.0.1]:mx.test.:[IPv6:::1]") == ["[127.0.0.1]", "mx.test", "[IPv6:::1]"]
    assert host_names("") == host_names("[[[") == []


def test_a_server_that_knows_no_extensions_is_greeted_with_helo() -> None:
    with server([HELLO[0], b"502 what?\r\n", b"250 mx.test\r\n", *TAKES_MAIL[2:]]) as heard:
        assert deliver(heard.port) == "127.0.0.1 (250 2.0.0 Ok: queued as Q1)"
    assert heard.data.startswith(b"EHLO mx.example\r\nHELO mx.example\r\nMAIL FROM:")


@pytest.mark.parametrize(
    ("greeting", "hello", "wanted"),
    [
        (b"220 old\r\n", HELO, b"HELO mx.example\r\nMAIL"),
        (b"220 new ESMTP\r\n", HELO, b"EHLO mx.example\r\nMAIL"),
        (b"220 old\r\n", EHLO, b"EHLO mx.example\r\nMAIL"),
    ],
)
def test_a_mailer_asks_for_extensions_if_it_may_or_the_server_has_them(
    greeting: bytes, hello: str, wanted: bytes
) -> None:
    with server([greeting, *TAKES_MAIL[1:]]) as heard:
        mail = OutgoingMail("ann@x.test", ("joe",), MESSAGE)
        SmtpMailer("[127.0.0.1]", "mx.example", port=heard.port, hello=hello).deliver(mail)
    assert heard.data.startswith(wanted)


# LMTP


def lmtp(replies: list[bytes], *recipients: str) -> tuple[list[Result], bytes]:
    """What became of each recipient, and what the server heard."""
    hello = b"250-box\r\n250 ENHANCEDSTATUSCODES\r\n"
    with server([b"220 box LMTP\r\n", hello, *replies], b"") as heard:
        mail = OutgoingMail("ann@x.test", recipients, MESSAGE)
        found = SmtpMailer("[127.0.0.1]", "mx.example", port=heard.port, hello=LHLO).deliver(mail)
    return found, heard.data


def told(results: list[Result]) -> list[str]:
    return [
        one if isinstance(one, str) else f"{'later' if one.temporary else 'never'} {one.code}"
        for one in results
    ]


def test_lmtp_answers_for_each_recipient_after_the_message() -> None:
    after = b"250 2.0.0 stored\r\n452 4.2.2 full\r\n554 5.6.0 no\r\n"
    found, heard = lmtp([OK, OK, OK, OK, b"354 go on\r\n", after], "a", "b", "c")
    assert told(found) == ["127.0.0.1 (250 2.0.0 stored)", "later 4.2.2", "never 5.6.0"]
    assert heard.startswith(b"LHLO mx.example\r\nMAIL FROM:<ann@x.test>\r\nRCPT TO:<a>\r\n")


def test_lmtp_says_nothing_after_the_message_of_a_recipient_that_it_refused() -> None:
    replies = [OK, b"550 5.1.1 who?\r\n", OK, b"354 go on\r\n", b"250 2.0.0 stored\r\n"]
    assert told(lmtp(replies, "a", "b")[0]) == ["never 5.1.1", "127.0.0.1 (250 2.0.0 stored)"]


def test_who_was_served_by_lmtp_is_not_served_again_when_the_connection_breaks() -> None:
    replies = [OK, OK, OK, b"354 go on\r\n", b"250 2.0.0 stored\r\n"]
    assert told(lmtp(replies, "a", "b")[0]) == ["127.0.0.1 (250 2.0.0 stored)", "later 4.4.2"]


def test_lmtp_is_not_greeted_with_helo() -> None:
    with (
        server([b"220 box\r\n", b"500 what?\r\n"]) as heard,
        pytest.raises(DeliveryError, match="500 what"),
    ):
        mail = OutgoingMail("", ("a",), MESSAGE)
        (result,) = SmtpMailer("[127.0.0.1]", "mx", port=heard.port, hello=LHLO).deliver(mail)
        assert isinstance(result, DeliveryError)
        raise result
    assert b"HELO mx\r\n" not in heard.data.replace(b"LHLO", b"")
