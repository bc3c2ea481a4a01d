"""What may follow what: replies to each command, and libmilter's order of commands, as tables.

Both are made by set arithmetic, so that no row can lose a member. Sources: sendmail 8.17
`sendmail/milter.c` (which replies it takes where) and `libmilter/engine.c` (next_states).
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from filterd.milter.constants import Command, ReplyCode

FINAL: Set[ReplyCode] = frozenset(
    {
        ReplyCode.CONTINUE,
        ReplyCode.ACCEPT,
        ReplyCode.REJECT,
        ReplyCode.TEMPFAIL,
        ReplyCode.DISCARD,
        ReplyCode.REPLYCODE,
    }
)
"""Replies that end a command."""

EDITS: Set[ReplyCode] = frozenset(
    {
        ReplyCode.ADDHEADER,
        ReplyCode.INSHEADER,
        ReplyCode.CHGHEADER,
        ReplyCode.REPLBODY,
        ReplyCode.ADDRCPT,
        ReplyCode.ADDRCPT_PAR,
        ReplyCode.DELRCPT,
        ReplyCode.CHGFROM,
        ReplyCode.QUARANTINE,
        ReplyCode.PROGRESS,
    }
)
"""Replies that may come, any number of them, between end of message and its final reply."""

SENDMAIL_REPLIES: Mapping[Command, Set[ReplyCode]] = {
    **dict.fromkeys(
        (
            Command.CONNECT,
            Command.HELO,
            Command.MAIL,
            Command.RCPT,
            Command.DATA,
            Command.UNKNOWN,
            Command.HEADER,
            Command.EOH,
            Command.BODY,
        ),
        FINAL | {ReplyCode.SKIP},
    ),
    Command.BODYEOB: FINAL | EDITS,
}
"""Replies that sendmail takes for each command; any other is "bogus". It takes SKIP everywhere but
at end of message, whatever was negotiated."""

POSTFIX_REPLIES: Mapping[Command, Set[ReplyCode]] = {
    command: codes | {ReplyCode.SKIP, ReplyCode.PROGRESS, ReplyCode.SHUTDOWN, ReplyCode.QUARANTINE}
    for command, codes in SENDMAIL_REPLIES.items()
}
"""Postfix waits on after PROGRESS and QUARANTINE at any stage and honours SHUTDOWN."""

_ANYWHERE = {Command.ABORT, Command.QUIT, Command.UNKNOWN, Command.MACRO}
_DURING_MESSAGE = {Command.ABORT, Command.QUIT, Command.MACRO}

NEXT_COMMANDS: Mapping[Command, Set[Command]] = {
    Command.OPTNEG: _ANYWHERE | {Command.CONNECT},
    Command.CONNECT: _ANYWHERE | {Command.HELO, Command.MAIL},
    Command.HELO: _ANYWHERE | {Command.HELO, Command.MAIL},
    Command.MAIL: _ANYWHERE | {Command.RCPT},
    Command.RCPT: _ANYWHERE
    | {
        Command.RCPT,
        Command.DATA,
        Command.HEADER,
        Command.EOH,
        Command.BODY,
        Command.BODYEOB,
    },
    Command.DATA: _DURING_MESSAGE | {Command.HEADER, Command.EOH},
    Command.HEADER: _DURING_MESSAGE | {Command.HEADER, Command.EOH},
    Command.EOH: _DURING_MESSAGE | {Command.BODY, Command.BODYEOB},
    Command.BODY: _DURING_MESSAGE | {Command.BODY, Command.BODYEOB},
    Command.BODYEOB: _ANYWHERE | {Command.MAIL, Command.QUIT_NC},
    Command.QUIT_NC: {Command.CONNECT, Command.QUIT, Command.MACRO},
}
"""The commands that libmilter takes after each command, steps negotiated away being passed over."""
