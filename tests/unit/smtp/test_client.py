"""The SMTP client: what it says, and servers that say too much, too little or nonsense."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.delivery.client import SendResult, connected, send_all
from filterd.quarantine.submission import Server, submit
from filterd.smtp.client import REPLY_LIMIT, SmtpClient, SmtpError, stuffed
from tests.helpers.smtp_server import HELLO, LIMIT, TAKES_MAIL, server


def opened(port: int, reply_timeout: float = LIMIT) -> SmtpClient:
    return SmtpClient(
        "127.0.0.1", port, connect_timeout=LIMIT, reply_timeout=reply_timeout, helo="c.test"
    )


def test_a_reply_of_several_lines() -> None:
    with server(HELLO) as heard:
        client = opened(heard.port)
        assert client.greeting.text == "220 mx.test ESMTP"
        reply = client.ehlo()
        client.close()
    assert (reply.code, reply.lines) == (250, ("mx.test", "8BITMIME", "DSN"))
    assert reply.text == "250-mx.test / 250-8BITMIME / 250 DSN"
    assert reply.words == "mx.test 8BITMIME DSN"
    assert heard.data == b"EHLO c.test\r\n"
    assert client.offers("8bitmime")
    assert not client.offers("STARTTLS")


TRANSACTION = b"RCPT TO:<joe@mx.test>\r\nDATA\r\nA: b\r\n\r\n..\r\n.\r\nQUIT\r\n"
MESSAGE = b"A: b\r\n\r\n.\r\n"


def test_the_mta_says_the_same_as_ever() -> None:
    results: list[SendResult] = []
    with server(TAKES_MAIL) as heard:
        asyncio.run(
            send_all(
                [("one", MESSAGE)],
                results.append,
                host="127.0.0.1",
                port=heard.port,
                sender="a@x.test",
                recipients=["joe@mx.test"],
            )
        )
        heard.wait_for(b"QUIT\r\n")
    assert heard.data == b"EHLO client.example\r\nMAIL FROM:<a@x.test>\r\n" + TRANSACTION
    (result,) = results
    assert (result.stage, result.reply) == ("message", "250 2.0.0 Ok: queued as Q1")
    assert result.accepted


def test_a_release_says_the_same_as_ever() -> None:
    with server(TAKES_MAIL) as heard:
        results = submit(
            Server("127.0.0.1", heard.port, LIMIT),
            "a@x.test",
            ["joe@mx.test"],
            MESSAGE,
            lambda _recipients: "filterd:1",
        )
        heard.wait_for(b"QUIT\r\n")
    greeting, _, rest = heard.data.partition(b"\r\n")
    assert greeting.upper().startswith(b"EHLO ")
    assert rest == b"MAIL FROM:<a@x.test> ENVID=filterd:1\r\n" + TRANSACTION
    assert (results["joe@mx.test"].outcome, results["joe@mx.test"].queue_id) == ("sent", "Q1")


TOO_LONG = f"a reply of more than {REPLY_LIMIT} bytes"


@pytest.mark.parametrize(
    ("replies", "flood", "words"),
    [
        ([*HELLO[:1], b"hello\r\n"], None, "not an SMTP reply: 'hello'"),
        ([*HELLO[:1], b"999 what\r\n"], None, "not an SMTP reply"),
        ([*HELLO[:1], b"2500 what\r\n"], None, "not an SMTP reply"),
        ([*HELLO[:1], b""], b"", "connection closed by the server"),
        ([*HELLO[:1], b"250-a\r\n250-b"], None, "timed out"),
        ([*HELLO[:1], b"250-"], b"a" * 65536, TOO_LONG),
        (
            [*HELLO[:1], b"250-a\r\n"],
            b"250-a\r\n" * 8192,
            TOO_LONG,
        ),
    ],
    ids=["no code", "no such code", "long code", "gone", "silent", "long line", "many lines"],
)
def test_a_server_that_speaks_no_smtp(
    replies: list[bytes], flood: bytes | None, words: str
) -> None:
    with server(replies, flood) as heard:
        client = opened(heard.port, 0.5 if words == "timed out" else LIMIT)
        with pytest.raises(SmtpError, match=words):
            client.ehlo()
        with pytest.raises(SmtpError):
            client.command("NOOP")


def test_a_server_that_says_a_little_for_ever_comes_to_an_end() -> None:
    """Each octet comes in time, and the reply as a whole does not."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(HELLO[0])
                try:
                    while not stop.wait(0.02):
                        peer.sendall(b"2")
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        client = opened(listener.getsockname()[1])
        with pytest.raises(SmtpError, match="timed out"), client.within(0.3):
            client.ehlo()
        stop.set()
        thread.join(LIMIT)


def test_a_connection_is_closed_under_who_waits() -> None:
    with server([*HELLO, b""]) as heard:
        client = opened(heard.port)
        client.ehlo()
        trouble: list[str] = []

        def wait() -> None:
            try:
                client.command("NOOP")
            except SmtpError as error:
                trouble.append(str(error))

        waiting = threading.Thread(target=wait)
        waiting.start()
        heard.wait_for(b"NOOP\r\n")
        client.close()
        waiting.join(LIMIT)
    assert len(trouble) == 1


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SmtpError, match="Connection refused"):
        opened(port)
    with pytest.raises(SmtpError, match=f"127.0.0.1 port {port}: Connection refused"):
        connected("127.0.0.1", port, "c.test", LIMIT)


@pytest.mark.parametrize("greeting", [b"554 no\r\n", b"250 mx\r\n", b"421 later\r\n"])
def test_a_server_that_does_not_take_mail(greeting: bytes) -> None:
    with server([greeting]) as heard, pytest.raises(SmtpError, match=greeting.decode().strip()):
        connected("127.0.0.1", heard.port, "c.test", LIMIT)


def test_a_word_after_the_final_dot_that_is_no_reply_leaves_the_outcome_open() -> None:
    with server([*TAKES_MAIL[:5], b"what?\r\n"]) as heard:
        results = submit(Server("127.0.0.1", heard.port, LIMIT), "a@x.test", ["j@mx.test"], MESSAGE)
    assert results["j@mx.test"].outcome == "unknown"


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (b"", b".\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"no end", b"no end\r\n.\r\n"),
        (b".\r\n..\r\n", b"..\r\n...\r\n.\r\n"),
        (b"a\n.\n", b"a\n..\n\r\n.\r\n"),
    ],
)
def test_dots_are_doubled(data: bytes, sent: bytes) -> None:
    assert stuffed(data) == sent


@given(st.lists(st.sampled_from([b".", b"\r", b"\n", b"\r\n", b"x"]), max_size=12).map(b"".join))
def test_the_end_of_data_comes_once(data: bytes) -> None:
    """Also for a server that takes a bare LF for a line end."""
    lines = stuffed(data).split(b"\n")
    assert [n for n, line in enumerate(lines) if line in (b".", b".\r")] == [len(lines) - 2]
