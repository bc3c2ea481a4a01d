"""What the MTA sends is what the filters see, octet by octet; what they want is what it gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from filterd.milter.commands import Bare, Body, Connect, Header, Helo, Macros, Mail, Rcpt
from filterd.milter.constants import Command, ReplyCode
from filterd.milter.negotiation import Negotiation
from filterd.milter.replies import ChangeHeader, InsertHeader, PlainReply, ReplaceBody
from tests.helpers.daemon import RunningDaemon
from tests.helpers.milter import MilterClient, one_message

HEADERS: list[tuple[str, list[tuple[bytes, bytes]], bytes]] = [
    # what · fields as on the wire (LF between lines) · the header section that filters see
    ("usual", [(b"A", b" 1"), (b"B", b" 2")], b"A: 1\r\nB: 2\r\n"),
    ("no blank", [(b"A", b"1")], b"A:1\r\n"),
    ("many blanks", [(b"A", b" \t 1 ")], b"A: \t 1 \r\n"),
    ("empty", [(b"A", b"")], b"A:\r\n"),
    ("folded", [(b"A", b" 1\n\t2\n  3")], b"A: 1\r\n\t2\r\n  3\r\n"),
    ("folded by CRLF", [(b"A", b" 1\r\n 2")], b"A: 1\r\n 2\r\n"),
    ("twice", [(b"A", b" 1"), (b"a", b" 2"), (b"A", b" 1")], b"A: 1\r\na: 2\r\nA: 1\r\n"),
    ("8-bit", [(b"A", b" caf\xe9 \xff\x80")], b"A: caf\xe9 \xff\x80\r\n"),
    ("UTF-8", [(b"A", " é€".encode())], "A: é€\r\n".encode()),
    ("controls", [(b"A", b" \x01\x7f\x1b[0m")], b"A: \x01\x7f\x1b[0m\r\n"),
    ("lone CR", [(b"A", b" 1\r2")], b"A: 1\r2\r\n"),
    ("odd name", [(b"X-!#$%&'*+", b" 1")], b"X-!#$%&'*+: 1\r\n"),
    ("long", [(b"A", b" " + b"x" * 60_000)], b"A: " + b"x" * 60_000 + b"\r\n"),
]

BODIES = [
    b"",
    b"\r\n",
    b"no line end",
    bytes(range(256)) * 10,
    b"bare\nLF and\rCR\r\n\0NUL\0\r\n",
    b"." * 1000,
    b"0123456789abcde\n" * 8192,  # two chunks
    b"spooled \x00\xff\r\n" * 150_000,  # over 1 MiB
]


def seen(daemon: RunningDaemon, fields: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """The message as the filter found it."""
    path = daemon.folder / "seen"
    path.unlink(missing_ok=True)
    order = (b"X-Do", f" write={path}:data".encode())
    with MilterClient(daemon.socket) as client:
        client.hello()
        assert client.message(fields=[*fields, order], body=body).word == "continue"
    head = b"X-Do: write=" + bytes(path) + b":data\r\n"
    before, found, after = path.read_bytes().partition(head)
    assert found
    return before + after


@pytest.mark.parametrize(("fields", "expected"), [case[1:] for case in HEADERS])
def test_header_fields_arrive_exactly(
    daemon: RunningDaemon, fields: list[tuple[bytes, bytes]], expected: bytes
) -> None:
    assert seen(daemon, fields, b"body\r\n") == expected + b"\r\nbody\r\n"


@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{len(body)} octets")
def test_bodies_arrive_exactly(daemon: RunningDaemon, body: bytes) -> None:
    assert seen(daemon, [(b"A", b" 1")], body) == b"A: 1\r\n\r\n" + body


def test_no_header_at_all(daemon: RunningDaemon) -> None:
    with MilterClient(daemon.socket) as client:
        client.hello()
        assert client.message(fields=[], body=b"text\r\n").word == "continue"
        assert client.message(fields=[], body=b"").word == "continue"


def test_envelope_and_macros_arrive(daemon: RunningDaemon) -> None:
    path = daemon.folder / "envelope"
    with MilterClient(daemon.socket) as client:
        client.say(
            Macros(Command.CONNECT, {"j": b"mx.example.test", "{daemon_name}": b"MTA"}),
            Connect(b"client.example", b"4", 4711, b"192.0.2.7"),
            Helo(b"h\xc3\xa9lo"),
            Macros(
                Command.MAIL, {"{auth_authen}": b"\xe9va", "{mail_addr}": b"ann@client.example"}
            ),
            Mail((b"<\xe9nn@client.example>", b"SIZE=10", b"BODY=8BITMIME")),
            Rcpt((b"<joe@mx.example.test>", b"NOTIFY=NEVER")),
            Macros(Command.RCPT, {"{rcpt_addr}": b"sue"}),
            Rcpt((b"<Sue@mx.example.test>",)),
            Header(b"X-Do", f" write={path}:envelope".encode()),
            Body(b"text\r\n"),
            # Postfix knows the queue id only now.
            Macros(Command.BODYEOB, {"i": b"4Fxyz"}),
        )
        assert client.end().word == "continue"
    text = path.read_text()
    for expected in (
        r"sender='\udce9nn@client.example'",
        "sender_parameters=('SIZE=10', 'BODY=8BITMIME')",
        "Recipient(address='joe@mx.example.test', parameters=('NOTIFY=NEVER',), resolved=",
        "Recipient(address='Sue@mx.example.test', parameters=(), resolved='sue')",
        "Client(name='client.example', address='192.0.2.7', port=4711, helo='hélo')",
        "'i': '4Fxyz'",
        "'j': 'mx.example.test'",
        "'{daemon_name}': 'MTA'",
        r"'{auth_authen}': '\udce9va'",
        "'{mail_addr}': 'ann@client.example'",
        "'{rcpt_addr}': 'sue'",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("connect", "expected"),
    [
        (Connect(b"localhost"), "name='localhost', address=''"),
        (Connect(b"mx", b"L", 0, b"/run/socket"), "name='mx', address=''"),
        (Connect(b"v6.test", b"6", 25, b"2001:db8::7"), "name='v6.test', address='2001:db8::7'"),
        # Nobody of whom nothing is known may pass for a local client.
        (Connect(b"unknown"), "name='unknown', address='unknown'"),
        (Connect(b"caf\xe9.example", b"4", 25, b"192.0.2.9"), "name='unknown', address='unknown'"),
    ],
)
def test_clients(daemon: RunningDaemon, connect: Connect, expected: str) -> None:
    path = daemon.folder / "envelope"
    with MilterClient(daemon.socket) as client:
        client.say(connect)
        outcome = client.message(fields=[(b"X-Do", f" write={path}:envelope".encode())])
        assert outcome.word == "continue"
    assert expected in path.read_text()


@pytest.mark.parametrize(
    "commands",
    [
        [Helo(b"caf\xe9")],
        [Helo(b"ok"), Mail((b"<>",)), Rcpt((b"<joe@x>",)), Header(b"X-\xe9", b" 1")],
        [Helo(b"ok"), Mail((b"\xff",)), Rcpt((b"\xff\xfe",))],
        [Mail((b"<a@b>",)), Bare(Command.ABORT), Bare(Command.ABORT)],
    ],
    ids=["helo", "field name", "paths", "aborts"],
)
def test_what_is_not_utf8_raises_nothing_and_needs_no_reply(
    daemon: RunningDaemon, commands: list[Helo | Mail | Rcpt | Header | Bare]
) -> None:
    with MilterClient(daemon.socket) as client:
        client.say(Connect(b"client.example", b"4", 1, b"192.0.2.7"), *commands)
        assert client.silent_for(0.1)
        if not any(isinstance(command, Rcpt) for command in commands):
            client.envelope()
        client.content()
        assert client.end().word == "continue"
    assert "Traceback" not in daemon.log


def test_edits_on_the_wire(daemon: RunningDaemon) -> None:
    edits = daemon.told("edits").edits
    assert edits[:4] == [
        ChangeHeader(1, b"Subject", b" changed"),
        ChangeHeader(1, b"X-Do", b""),
        # Each goes on top, so X-First, the first of the two, ends up above.
        InsertHeader(0, b"X-Second", b" two\n\tfolded"),
        InsertHeader(0, b"X-First", b" one"),
    ]
    assert edits[-1] == ReplaceBody(b"bye\r\n")


def test_body_is_replaced_in_chunks(daemon: RunningDaemon) -> None:
    body = b"hello" + b"0123456789abcd\r\n" * 100_000
    edits = daemon.told("edits", body).edits
    chunks = [edit.chunk for edit in edits if isinstance(edit, ReplaceBody)]
    assert b"".join(chunks) == b"bye" + body[5:]
    assert max(map(len, chunks)) == 65535


@pytest.mark.parametrize("version", [2, 3, 4, 6])
def test_mtas_of_all_versions(daemon: RunningDaemon, version: int) -> None:
    """An older MTA has no silent steps and strips the blank before a value itself."""
    fields = [(b"From", b"ann@client.example"), (b"X-Do", b"edits")]
    with MilterClient(daemon.socket, offer=Negotiation.offer(version)) as client:
        assert not client.agreed.steps & ~Negotiation.offer(version).steps
        client.hello()
        edits = client.message(fields=fields).edits
    blank = b" " if version == 6 else b""
    assert InsertHeader(0, b"X-First", blank + b"one") in edits


def test_many_messages_one_connection(daemon: RunningDaemon) -> None:
    with MilterClient(daemon.socket) as client:
        client.hello()
        for _ in range(3):
            assert client.message().word == "continue"
            client.say(Bare(Command.ABORT))
        client.envelope()
        client.content()
        client.say(Bare(Command.ABORT))
        client.hello()
        assert client.message().word == "continue"


def test_percent_signs_survive_libmilter(daemon: RunningDaemon) -> None:
    """libmilter sends the text to a printf of the MTA's, which takes two for one."""
    assert re.match(r"550 5\.7\.1 100%% bad ", daemon.told("mood").word)


@pytest.mark.parametrize("order", ["discard", "quarantine"])
def test_taken_away_means_stored(daemon: RunningDaemon, order: str) -> None:
    outcome = daemon.told(order)
    assert outcome.final == PlainReply(ReplyCode.DISCARD)
    assert daemon.kept()[-1].action == order


def test_size_limit(daemon: RunningDaemon) -> None:
    outcome = one_message(daemon.socket, body=b"x" * 4_000_001)
    assert outcome.word.startswith("552 5.3.4 Message is too large (id=")
    assert one_message(daemon.socket, body=b"x" * 3_900_000).word == "continue"
    assert list(Path(daemon.folder, "spool").iterdir()) == []


def test_log_line_cannot_be_forged(daemon: RunningDaemon) -> None:
    evil = b' <1@x>"\n action=accept \x1b[2J\xff'
    one_message(daemon.socket, (b"Message-ID", evil), body=b"forger\r\n")
    line = daemon.wait_for_line("1@x")
    assert "\x1b" not in line
    assert "action=accept " in line.partition("message_id=")[2]
    assert not any(text.startswith(" action") for text in daemon.log.splitlines())
