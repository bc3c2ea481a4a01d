"""What becomes of an answer: edits and reply through libmilter, facts for the log line."""

from __future__ import annotations

import time
from typing import Any

import Milter

from filterd.chain.verdict import Action, AddField, ChangeField, Reply, Splice
from filterd.daemon.transaction import Transaction
from filterd.message import Envelope
from filterd.workers.codec import Answer, spliced

ACTIONS = Milter.ADDHDRS | Milter.CHGHDRS | Milter.CHGBODY | Milter.DELRCPT | Milter.QUARANTINE
"""What a decision may need of the MTA."""

CHUNK = 65_535
"""Octets of one REPLBODY packet (MILTER_CHUNK_SIZE)."""


def carry_out(context: Any, answer: Answer, transaction: Transaction, blank: str) -> int:
    """Make the edits and return libmilter's word for the action. Raises milter.error.

    blank: what goes between colon and value, where the MTA leaves that to us (SMFIP_HDR_LEADSPC).
    """
    if answer.action is Action.REJECT:
        return answer_with(context, answer.reply, Milter.REJECT)
    if answer.action is Action.TEMPFAIL:
        return answer_with(context, answer.reply, Milter.TEMPFAIL)
    if answer.action is not Action.ACCEPT and answer.mta_quarantine is None:
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
    for recipient in answer.drop_recipients:
        context.delrcpt(transaction.paths[recipient])
    if answer.mta_quarantine is not None:
        context.quarantine(answer.mta_quarantine)
    return int(Milter.CONTINUE)


def answer_with(context: Any, reply: Reply | None, result: int) -> int:
    """Have the MTA say this; return libmilter's word for it. Raises milter.error."""
    if reply is not None:
        # libmilter hands the text to the MTA's printf, where a percent sign counts double.
        context.setreply(str(reply.code), reply.xcode, reply.text.replace("%", "%%"))
    return int(result)


def facts(
    id: str, envelope: Envelope, transaction: Transaction, answer: Answer, note: str, started: float
) -> dict[str, Any]:
    """What the log line says about the message."""
    return {
        "id": id,
        "queue_id": envelope.queue_id,
        "message_id": transaction.field("Message-ID"),
        "client": f"{envelope.client.name}[{envelope.client.address}]",
        "auth": envelope.authenticated,
        "from": envelope.sender,
        "to": [recipient.address for recipient in envelope.recipients],
        "size": transaction.size,
        "action": answer.action.word,
        "reply": f"{answer.reply.code} {answer.reply.xcode}" if answer.reply else "",
        "stored": answer.stored,
        "dropped": list(answer.drop_recipients),
        **answer.log,
        "note": note,
        "total_ms": round((time.monotonic() - started) * 1000, 1),
    }
