"""SMTP sessions as conversations, without a socket."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.milters.answers import CONTINUE, AnswerKind, MilterAnswer
from filterd.mta.postfix.replies import PostfixReplies
from filterd.mta.postfix.rules import RULES as POSTFIX
from filterd.mta.sendmail.replies import SendmailReplies
from filterd.mta.sendmail.rules import RULES as SENDMAIL
from filterd.mta.smtp import commands, events
from filterd.mta.smtp.commands import SmtpSession
from filterd.mta.smtp.replies import Replies, SmtpReply
from filterd.mta.smtp.session import SessionLimits, SessionOptions

Outcome = MilterAnswer | SmtpReply
Says = Callable[[events.Event], Outcome]


class Table:
    """A session whose events are settled by what a test says, `CONTINUE` by default."""

    def __init__(
        self, says: Says = lambda _: CONTINUE, replies: Replies | None = None, **more: object
    ) -> None:
        self.seen: list[events.Event] = []
        self._says = says
        self.session = SmtpSession(
            replies or SendmailReplies("mx.example"),
            POSTFIX if isinstance(replies, PostfixReplies) else SENDMAIL,
            "localhost [127.0.0.1]",
            SessionOptions(**more),  # type: ignore[arg-type]
        )

    def feed(self, data: bytes = b"") -> str:
        """Give octets, settle what happens, return what the server said."""
        self.session.receive_data(data)
        while (event := self.session.next_event()) is not None:
            self.seen.append(event)
            self.session.settle(self._says(event), queue_id="ID", recipient=self._first(event))
        return self.session.data_to_send().decode()

    def _first(self, event: events.Event) -> EnvelopePath | None:
        """The first path of the message for a recipient, as a router without rules sees it."""
        if not isinstance(event, events.RcptCommand) or self._says(event) is not CONTINUE:
            return None
        assert self.session.transaction is not None
        same = event.path.address.lower()
        paths = (*self.session.transaction.recipients, event.path)
        return next(one for one in paths if one.address.lower() == same)

    def play(self, script: str) -> None:
        """`S:` lines are what the server must say, `C:` lines what the client does."""
        heard = self.feed()
        for line in (one.strip() for one in script.strip().splitlines()):
            side, _, text = line.partition(":")
            text = text.removeprefix(" ")
            if side == "C":
                assert heard == "", f"the server said {heard!r} before {text!r}"
                heard = self.feed(text.encode() + b"\r\n")
            else:
                said, _, heard = heard.partition("\r\n")
                assert said == text
        assert heard == ""


def on(kind: type[events.Event], outcome: Outcome) -> Says:
    return lambda event: outcome if isinstance(event, kind) else CONTINUE


def greeted(says: Says = lambda _: CONTINUE, **more: object) -> Table:
    table = Table(says, **more)  # type: ignore[arg-type]
    assert table.feed(b"EHLO c.example\r\n")
    return table


REJECT, TEMPFAIL, CLOSE = (
    MilterAnswer(AnswerKind.REJECT),
    MilterAnswer(AnswerKind.TEMPFAIL),
    MilterAnswer(AnswerKind.CLOSE),
)


def test_a_reply_of_one_line_is_one_line() -> None:
    reply = SmtpReply.of("550 5.7.1 listed\r\n250 2.0.0 ok\0")
    assert reply.encode() == b"550 5.7.1 listed  250 2.0.0 ok \r\n"


def test_a_message_from_helo_to_quit() -> None:
    table = greeted()
    table.play("""
        C: MAIL FROM:<ann@x.test> SIZE=30 BODY=8BITMIME
        S: 250 2.1.0 <ann@x.test>... Sender ok
        C: RCPT TO:<joe@mx.example> NOTIFY=NEVER
        S: 250 2.1.5 <joe@mx.example>... Recipient ok
        C: DATA
        S: 354 End data with <CR><LF>.<CR><LF>
        C: Subject: one
        C:
        C: ..dot
        C: .
        S: 250 2.0.0 ID Message accepted for delivery
        C: QUIT
        S: 221 2.0.0 mx.example closing connection
    """)
    content = next(e for e in table.seen if isinstance(e, events.MessageData))
    assert content.data == b"Subject: one\n\n.dot\n"
    assert table.session.closing


def test_pipelined_commands_are_answered_in_order() -> None:
    table = greeted()
    said = table.feed(b"MAIL FROM:<>\r\nRCPT TO:<joe>\r\nDATA\r\n")
    assert [line[:3] for line in said.splitlines()] == ["250", "250", "354"]


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("RCPT TO:<a>", "503 5.0.0 Need MAIL before RCPT"),
        ("DATA", "503 5.0.0 Need MAIL command"),
        ("FOO bar", '500 5.5.1 Command unrecognized: "FOO bar"'),
        ("NOOP", "250 2.0.0 OK"),
        ("RSET", "250 2.0.0 Reset state"),
        ("EHLO", "501 5.0.0 EHLO requires domain address"),
        ("MAIL FRM:<a>", '501 5.5.2 Syntax error in parameters scanning "FRM"'),
        ("MAIL FROM:<bad@@mx>", "553 5.1.3 <bad@@mx>... Invalid route address"),
        ("MAIL FROM:<a> FOO=1", "555 5.5.4 FOO parameter unrecognized"),
        ("MAIL FROM:<a> BODY=9", "501 5.5.4 Unknown BODY type 9"),
        ("STARTTLS", "454 4.3.3 TLS not available"),
        ("mail from: a@x.test", "250 2.1.0 a@x.test... Sender ok"),
        ("AUTH PLAIN", "504 5.3.3 AUTH mechanism PLAIN not available"),
        ("AUTH", "501 5.5.2 AUTH mechanism must be specified"),
        ("TURN", '502 5.5.1 Command not implemented: "TURN"'),
        ("VRFY", "501 5.5.2 Argument required"),
        ("HELP QUITX", '504 5.3.0 HELP topic "quitx" unknown'),
        ("EHLO a b", "501 5.0.0 Invalid domain name"),
        ("MAIL FROM:<a> RET=X", '501 5.5.2 Bad argument "X" to RET'),
    ],
)
def test_single_commands(command: str, reply: str) -> None:
    no_tls = on(events.StartTls, SmtpReply.of("454 4.3.3 TLS not available"))
    assert greeted(no_tls).feed(command.encode() + b"\r\n") == reply + "\r\n"


@pytest.mark.parametrize(
    ("flag", "command", "reply"),
    [
        ("noexpn", "EXPN list", "502 5.7.0 Sorry, we do not allow this operation"),
        (
            "novrfy",
            "VRFY joe",
            "252 2.5.2 Cannot VRFY user; try RCPT to attempt delivery (or try finger)",
        ),
        ("noverb", "VERB", "502 5.7.0 Verbose unavailable"),
        ("noetrn", "ETRN x.test", "502 5.7.0 Sorry, we do not allow this operation"),
        ("needmailhelo", "MAIL FROM:<>", "503 5.0.0 Polite people say HELO first"),
    ],
)
def test_privacy_flags(flag: str, command: str, reply: str) -> None:
    table = Table(forbidden=frozenset({flag}))
    table.feed()
    assert table.feed(command.encode() + b"\r\n") == reply + "\r\n"


def test_recipients_and_their_parameters() -> None:
    greeted().play("""
        C: MAIL FROM:<a@x>
        S: 250 2.1.0 <a@x>... Sender ok
        C: RCPT TO:<>
        S: 553 5.0.0 <>... User address required
        C: RCPT TO:<joe> NOTIFY=NEVER,SUCCESS
        S: 501 5.5.4 Bad argument "NEVER"  to NOTIFY
        C: RCPT TO:<joe> NOTIFY=FAILURE,DELAY
        S: 250 2.1.5 <joe>... Recipient ok
        C: RCPT TO:<JOE>
        S: 250 2.1.5 <joe>... Recipient ok
    """)


def test_mail_twice_is_nested() -> None:
    greeted().play("""
        C: MAIL FROM:<a@x>
        S: 250 2.1.0 <a@x>... Sender ok
        C: MAIL FROM:<b@x>
        S: 503 5.5.0 Sender already specified
        C: RSET
        S: 250 2.0.0 Reset state
        C: MAIL FROM:<b@x>
        S: 250 2.1.0 <b@x>... Sender ok
    """)


def test_a_filter_refuses_the_client() -> None:
    table = Table(on(events.Connected, REJECT))
    assert table.feed() == "554 mx.example ESMTP not accepting messages\r\n"
    table.play("""
        C: EHLO c
        S: 250 mx.example Hello localhost [127.0.0.1], pleased to meet you
        C: MAIL FROM:<a@x>
        S: 550 5.0.0 Command rejected
        C: NOOP
        S: 250 2.0.0 OK
        C: QUIT
        S: 221 2.0.0 mx.example closing connection
    """)


def test_a_filter_tempfails_the_client() -> None:
    Table(on(events.HeloCommand, TEMPFAIL)).feed(b"EHLO c\r\n")
    table = greeted(on(events.HeloCommand, TEMPFAIL))
    table.play("""
        C: MAIL FROM:<a@x>
        S: 451 4.3.2 Please try again later
        C: RCPT TO:<b@x>
        S: 503 5.0.0 Need MAIL before RCPT
    """)


@pytest.mark.parametrize(
    ("event", "script"),
    [
        (events.Connected, "S: 421 4.7.0 mx.example closing connection"),
        (events.MailCommand, "C: MAIL FROM:<a@x>\nS: 421 4.3.0 closing connection"),
    ],
)
def test_a_filter_closes_the_session(event: type[events.Event], script: str) -> None:
    table = Table(on(event, CLOSE))
    if event is not events.Connected:
        table.feed(b"HELO c\r\n")
    table.play(script)
    assert table.session.closing


@pytest.mark.parametrize(
    ("text", "mail", "dot"),
    [
        (b"550 5.7.9 no", "550 5.7.9 <a@x>... no", "550 5.7.9 no"),
        (b"550 plain", "550 5.0.0 <a@x>... plain", "550 5.0.0 plain"),
        (b"451 4.7.1 later", "451 4.7.1 later", "451 4.7.1 later"),
        (
            b"550-5.7.1 one\r\n550 5.7.1 two",
            "550-5.7.1 <a@x>... one|550 5.7.1 two",
            "550-5.7.1 one|550 5.7.1 two",
        ),
        (b"550 caf\xc3\xa9", "550 5.0.0 <a@x>... cafC)", "550 5.0.0 cafC)"),
        # A line that would end the reply early is made a continuation line.
        (
            b"550 5.7.1 one\n550 5.7.1 two",
            "550-5.7.1 <a@x>... one|550 5.7.1 two",
            "550-5.7.1 one|550 5.7.1 two",
        ),
    ],
)
def test_a_filters_text_as_sendmail_says_it(text: bytes, mail: str, dot: str) -> None:
    answer = MilterAnswer(AnswerKind.REPLY, text)
    said = greeted(on(events.MailCommand, answer)).feed(b"MAIL FROM:<a@x>\r\n")
    assert said.strip().split("\r\n") == mail.split("|")
    table = greeted(on(events.MessageData, answer))
    table.feed(b"MAIL FROM:<a@x>\r\nRCPT TO:<b>\r\nDATA\r\n")
    assert table.feed(b"x\r\n.\r\n").strip().split("\r\n") == dot.split("|")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"one\rtwo\r\n", "carriage return (CR)"),
        (b"one\ntwo\r\n", "linefeed (LF)"),
        (b"\n.\n", "linefeed (LF)"),
        (b"a\r\r\n", "carriage return (CR)"),
    ],
)
def test_a_bare_cr_or_lf_ends_the_session(data: bytes, name: str) -> None:
    table = greeted()
    table.feed(b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n")
    assert table.feed(data + b".\r\n") == f"421 4.5.0 Bare {name} not allowed\r\n"
    assert table.session.closing


def test_postfix_repairs_them() -> None:
    table = greeted(replies=PostfixReplies("mx.example"), sticky=False)
    table.feed(b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n")
    assert table.feed(b"a\rb\nc\r\n.\r\n") == "250 2.0.0 Ok: queued as ID\r\n"
    assert table.seen[-1] == events.MessageData(b"a b\nc\n")


@given(
    st.lists(st.binary(max_size=8).filter(lambda b: b"\r" not in b and b"\n" not in b)),
    st.lists(st.integers(1, 7), min_size=1, max_size=30),
)
def test_any_cut_gives_the_same_message(lines: list[bytes], cuts: list[int]) -> None:
    wire = b"".join((b"." + x if x.startswith(b".") else x) + b"\r\n" for x in lines) + b".\r\n"
    table = greeted()
    table.feed(b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n")
    index = 0
    while wire:
        size, index = cuts[index % len(cuts)], index + 1
        table.feed(wire[:size])
        wire = wire[size:]
    assert table.seen[-1] == events.MessageData(b"".join(line + b"\n" for line in lines))


def test_a_message_over_the_limit_is_read_to_its_end_and_refused() -> None:
    table = greeted(limits=SessionLimits(max_size=1000))
    for _ in range(2):
        table.feed(b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n")
        for _ in range(50):
            assert table.feed(b"x" * 70 + b"\r\n") == ""
        assert table.feed(b".\r\n").startswith("552 5.2.3 ")
    assert table.feed(b"MAIL FROM:<a> SIZE=1001\r\n").startswith("552 5.2.3 ")
    assert not any(isinstance(event, events.MessageData) for event in table.seen)


def test_recipients_are_limited() -> None:
    table = greeted(limits=SessionLimits(max_recipients=1))
    table.play("""
        C: MAIL FROM:<a>
        S: 250 2.1.0 <a>... Sender ok
        C: RCPT TO:<b>
        S: 250 2.1.5 <b>... Recipient ok
        C: RCPT TO:<c>
        S: 452 4.5.3 Too many recipients
    """)


def test_a_client_that_says_nonsense_is_let_go() -> None:
    table = greeted()
    said = table.feed(b"RCPT TO:<x>\r\n" * (commands.BAD_COMMAND_LIMIT + 1))
    assert said.splitlines()[-1].startswith("421 4.7.0 mx.example Too many bad commands")
    assert table.session.closing
    said = greeted().feed(b"WHAT\r\n" * (commands.UNKNOWN_LIMIT + 1))
    assert said.splitlines()[-1].startswith("421 4.7.0 mx.example Too many bad commands")


def test_a_client_that_greets_again_and_again_is_slowed_down() -> None:
    table = greeted()
    delays = []
    for _ in range(4):
        table.feed(b"HELO c\r\n")
        delays.append(table.session.delay)
    assert delays == [0.0, 1.0, 2.0, 4.0]


def test_a_line_without_an_end_is_not_kept() -> None:
    table = greeted()
    assert table.feed(b"x" * (commands.COMMAND_LIMIT + 1)).startswith("421 ")
    assert table.session.closing


def logging_in(replies: Replies) -> Table:
    """A session under TLS in which every password is wrong."""
    wrong = SmtpReply.of("535 5.7.0 authentication failed")
    table = greeted(on(events.Credentials, wrong), replies=replies, may_log_in=True)
    table.session.secure = True
    return table


def waits(table: Table, command: bytes, limit: int) -> list[float]:
    """Seconds that the replies to a repeated command wait, up to the end of the session."""
    found = []
    while not table.session.closing and len(found) < limit:
        table.feed(command)
        found.append(table.session.delay)
        table.session.delay = 0.0
    return found


LOGIN = b"AUTH PLAIN AGFubgB4\r\n"


def test_who_guesses_passwords_is_slowed_down_and_let_go_as_by_sendmail() -> None:
    table = logging_in(SendmailReplies("mx.example"))
    # Two mechanisms: the third try waits, the sixth ends the session.
    assert waits(table, LOGIN, 100) == [0.0, 0.0, 1.0, 2.0, 4.0, 8.0]
    assert table.session.closing


def test_aborted_logins_count_too() -> None:
    table = logging_in(SendmailReplies("mx.example"))
    said = "".join(table.feed(b"AUTH LOGIN\r\n*\r\n") for _ in range(10))
    assert said.count("334 ") == 5
    assert said.endswith("421 4.7.0 mx.example Too many bad commands; closing connection\r\n")


@pytest.mark.parametrize(
    "command", [LOGIN, b"RCPT TO:<nobody@mx.example>\r\n", b"AUTH LOGIN\r\n*\r\n", b"FOO\r\n"]
)
def test_postfix_counts_every_refusal(command: bytes) -> None:
    def says(event: events.Event) -> Outcome:
        match event:
            case events.Credentials():
                return SmtpReply.of("535 5.7.8 Error: authentication failed")
            case events.RcptCommand():
                return SmtpReply.of("550 5.1.1 <nobody@mx.example>: Recipient address rejected")
        return CONTINUE

    table = greeted(says, replies=PostfixReplies("mx.example"), may_log_in=True)
    table.session.secure = True
    if command.startswith(b"RCPT"):
        table.feed(b"MAIL FROM:<a@x.test>\r\n")
    found = waits(table, command, 100)
    assert len(found) == 21
    assert found[:10] == [0.0] * 10
    assert set(found[10:20]) == {1.0}
    assert table.session.closing


def test_a_message_that_was_taken_makes_postfix_forget_refusals() -> None:
    table = greeted(replies=PostfixReplies("mx.example"))
    for _ in range(5):
        for _ in range(15):
            assert table.feed(b"FOO\r\n").startswith("500 ")
        assert table.feed(
            b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n.\r\n"
        ).endswith("250 2.0.0 Ok: queued as ID\r\n")


def test_sendmail_waits_a_second_before_each_of_many_refused_recipients() -> None:
    unknown = SmtpReply.of("550 5.1.1 User unknown")
    table = greeted(on(events.RcptCommand, unknown))
    table.feed(b"MAIL FROM:<a@x.test>\r\n")
    found = waits(table, b"RCPT TO:<nobody@mx.example>\r\n", 300)
    assert found == [0.0] * 19 + [1.0] * 281
