"""What the log says of refusals, in sendmail's words and in Postfix's."""

from __future__ import annotations

import pytest

from filterd.mta.milters.answers import AnswerKind, MilterAnswer
from filterd.mta.postfix.refusal_log import refusal_line as postfix_line
from filterd.mta.sendmail.refusal_log import refusal_line as sendmail_line
from filterd.mta.smtp.refusal_log import RefusedClient, RefusedCommand
from filterd.mta.smtp.replies import SmtpReply

REJECT = MilterAnswer(AnswerKind.REJECT)
NO = SmtpReply.of("550 5.7.1 no")
NOBODY = RefusedClient("localhost", "127.0.0.1")


@pytest.mark.parametrize(
    ("command", "answer", "line"),
    [
        (RefusedCommand("MAIL", "<ann@x.test>"), REJECT, "from=<ann@x.test>, reject=550 5.7.1 no"),
        (RefusedCommand("RCPT", "<joe>"), REJECT, "to=<joe>, reject=550 5.7.1 no"),
        (RefusedCommand("EHLO", "client.test"), REJECT, "helo=client.test, reject=550 5.7.1 no"),
        (RefusedCommand("DATA"), REJECT, "cmd=data, reject=550 5.7.1 no"),
        (RefusedCommand("END-OF-MESSAGE"), REJECT, "data, reject=550 5.7.1 no"),
        (RefusedCommand("END-OF-MESSAGE"), MilterAnswer(AnswerKind.DISCARD), "data, discard"),
        (
            RefusedCommand("MAIL", "<ann>"),
            MilterAnswer(AnswerKind.CLOSE),
            "from=<ann>, reject=421, errormode=4",
        ),
        (RefusedCommand("MAIL", "<a\r\nb>"), REJECT, "from=<a??b>, reject=550 5.7.1 no"),
    ],
)
def test_sendmails_line(command: RefusedCommand, answer: MilterAnswer, line: str) -> None:
    assert sendmail_line(command, NOBODY, answer, NO) == f"Milter: {line}"


def test_several_lines_are_one_in_the_log() -> None:
    reply = SmtpReply((b"550 5.7.1 one", b"550 5.7.1 two\x1b[31m"))
    line = sendmail_line(RefusedCommand("DATA"), NOBODY, REJECT, reply)
    assert line == r"Milter: cmd=data, reject=550 5.7.1 one\r\n550 5.7.1 two?[31m"


def test_postfixs_line() -> None:
    client = RefusedClient("localhost", "127.0.0.1", "client.test", "ESMTP", "ann@x.test")
    assert postfix_line(RefusedCommand("RCPT", "<joe>"), client, REJECT, NO) == (
        "milter-reject: RCPT from localhost[127.0.0.1]: 550 5.7.1 no; "
        "from=<ann@x.test> to=<joe> proto=ESMTP helo=<client.test>"
    )
    assert postfix_line(
        RefusedCommand("CONNECT"), NOBODY, MilterAnswer(AnswerKind.DISCARD), NO
    ) == ("milter-discard: CONNECT from localhost[127.0.0.1]: proto=SMTP")
