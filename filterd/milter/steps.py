"""The steps of the protocol that a filter can negotiate away, and the commands they are about."""

from __future__ import annotations

from collections.abc import Mapping

from filterd.milter.constants import Command, Steps

NOT_SENT: Mapping[Command, Steps] = {
    Command.CONNECT: Steps.NOCONNECT,
    Command.HELO: Steps.NOHELO,
    Command.MAIL: Steps.NOMAIL,
    Command.RCPT: Steps.NORCPT,
    Command.DATA: Steps.NODATA,
    Command.UNKNOWN: Steps.NOUNKNOWN,
    Command.HEADER: Steps.NOHDRS,
    Command.EOH: Steps.NOEOH,
    Command.BODY: Steps.NOBODY,
}
"""The step flag with which a filter says that it does not want a command."""

NOT_ANSWERED: Mapping[Command, Steps] = {
    Command.CONNECT: Steps.NR_CONN,
    Command.HELO: Steps.NR_HELO,
    Command.MAIL: Steps.NR_MAIL,
    Command.RCPT: Steps.NR_RCPT,
    Command.DATA: Steps.NR_DATA,
    Command.UNKNOWN: Steps.NR_UNKN,
    Command.HEADER: Steps.NR_HDR,
    Command.EOH: Steps.NR_EOH,
    Command.BODY: Steps.NR_BODY,
}
"""The step flag with which a filter says that it sends no reply to a command."""


def flagged(table: Mapping[Command, Steps], steps: int) -> frozenset[Command]:
    """The commands of such a table whose flag is set."""
    return frozenset(command for command, flag in table.items() if steps & flag)
