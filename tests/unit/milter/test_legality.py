"""The tables: no row forgets a member."""

from __future__ import annotations

from filterd.milter.constants import Command, ReplyCode
from filterd.milter.steps import NOT_ANSWERED, NOT_SENT
from tests.helpers.legality import EDITS, FINAL, NEXT_COMMANDS, POSTFIX_REPLIES, SENDMAIL_REPLIES

UNANSWERED = {Command.MACRO, Command.ABORT, Command.QUIT, Command.QUIT_NC, Command.OPTNEG}


def test_every_answered_command_has_its_replies() -> None:
    assert set(SENDMAIL_REPLIES) == set(Command) - UNANSWERED
    for command, codes in SENDMAIL_REPLIES.items():
        assert FINAL <= codes <= POSTFIX_REPLIES[command]


def test_edits_come_at_end_of_message_only() -> None:
    for command, codes in SENDMAIL_REPLIES.items():
        assert (codes & EDITS == EDITS) is (command is Command.BODYEOB)


def test_skip_is_bogus_for_sendmail_at_end_of_message() -> None:
    assert ReplyCode.SKIP not in SENDMAIL_REPLIES[Command.BODYEOB]


def test_each_step_has_its_own_flag() -> None:
    for table in (NOT_SENT, NOT_ANSWERED):
        assert set(table) == set(SENDMAIL_REPLIES) - {Command.BODYEOB}
        assert len(set(table.values())) == len(table)


def test_quit_and_abort_are_legal_nearly_anywhere() -> None:
    for command, following in NEXT_COMMANDS.items():
        assert Command.QUIT in following, command
        assert (Command.ABORT in following) is (command is not Command.QUIT_NC), command
