"""What becomes of an answer: edits and reply through libmilter."""

from __future__ import annotations

from typing import Any

import Milter

from filterd.chain.outgoing import spliced
from filterd.chain.verdict import Action, AddField, ChangeField, Reply, Splice
from filterd.daemon.transaction import Transaction
from filterd.workers.codec import WorkerAnswer

ACTIONS = Milter.ADDHDRS | Milter.CHGHDRS | Milter.CHGBODY | Milter.DELRCPT | Milter.QUARANTINE
"""What a decision may need of the MTA."""

CHUNK = 65_535
"""Octets of one REPLBODY packet (MILTER_CHUNK_SIZE)."""


def carry_out(context: Any, answer: WorkerAnswer, transaction: Transaction, blank: str) -> int:
    """Make the edits and return libmilter's code for the action. Raises milter.error.

    blank: what goes between colon and value, where the MTA leaves that to us (SMFIP_HDR_LEADSPC).
    """
    report = answer.report
    if report.action is Action.REJECT:
        return answer_with(context, report.reply, Milter.REJECT)
    if report.action is Action.TEMPFAIL:
        return answer_with(context, report.reply, Milter.TEMPFAIL)
    if report.action is not Action.ACCEPT and report.mta_quarantine is None:
        return int(Milter.DISCARD)
    for edit in answer.edits:
        if isinstance(edit, ChangeField):
            value = None if edit.value is None else f"{blank}{edit.value}"
            context.chgheader(edit.name, edit.index, value)
    added = [edit for edit in answer.edits if isinstance(edit, AddField)]
    # Each goes to the very top, so the one that is to stand first comes last.
    for edit in reversed(added):
        context.addheader(edit.name, f"{blank}{edit.value}", 0)
    if any(isinstance(edit, Splice) for edit in answer.edits):
        body = spliced(transaction.data(), answer.edits, transaction.header_size)
        for start in range(0, max(len(body), 1), CHUNK):
            context.replacebody(body[start : start + CHUNK])
    for recipient in report.dropped:
        context.delrcpt(transaction.paths[recipient])
    if report.mta_quarantine is not None:
        context.quarantine(report.mta_quarantine)
    return int(Milter.CONTINUE)


def answer_with(context: Any, reply: Reply | None, result: int) -> int:
    """Set the MTA's reply; return libmilter's code for it. Raises milter.error."""
    if reply is not None:
        # libmilter hands the text to the MTA's printf, where a percent sign counts double.
        context.setreply(str(reply.code), reply.xcode, reply.text.replace("%", "%%"))
    return int(result)
