"""What the MTA is asked to do for an answer: the calls to libmilter, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import Milter
import pytest

from filterd.chain import replies
from filterd.chain.verdict import AddField, ChangeField, Edit, Reply, Splice
from filterd.daemon.apply import ACTIONS, CHUNK, answer_with, carry_out
from filterd.daemon.transaction import Transaction
from filterd.workers.codec import WorkerAnswer
from tests.helpers.reports import report

HEADER = b"Subject: x\r\n\r\n"


class Context:
    """Notes what libmilter is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *given: self.calls.append((name, *given))


@pytest.fixture
def transaction(tmp_path: Path) -> Iterator[Transaction]:
    found = Transaction(tmp_path, b" ")
    found.add_recipient(b"<Joe@MX.example>")
    found.add_recipient(b" <ann@mx.example>")
    found.add_field("Subject", b"x")
    found.add_body(b"one two three")
    yield found
    found.close()


def carried_out(
    transaction: Transaction, *edits: Edit, blank: str = "", **fields: Any
) -> tuple[int, list[tuple[Any, ...]]]:
    """libmilter's code, and the calls before it."""
    context = Context()
    answer = WorkerAnswer(report(**fields), edits)
    return carry_out(context, answer, transaction, blank), context.calls


EDITS = (AddField("X-A", "1"), Splice(len(HEADER), len(HEADER) + 3, b"1"))


@pytest.mark.parametrize(
    ("action", "reply", "code", "calls"),
    [
        ("accept", None, Milter.CONTINUE, []),
        ("reject", replies.SPAM, Milter.REJECT, [("setreply", "550", "5.7.1", replies.SPAM.text)]),
        (
            "tempfail",
            replies.TROUBLE,
            Milter.TEMPFAIL,
            [("setreply", "451", "4.3.0", replies.TROUBLE.text)],
        ),
        ("reject", None, Milter.REJECT, []),
        ("quarantine", None, Milter.DISCARD, []),
        ("discard", None, Milter.DISCARD, []),
    ],
)
def test_the_code_for_each_action(
    transaction: Transaction,
    action: str,
    reply: Reply | None,
    code: int,
    calls: list[tuple[str, ...]],
) -> None:
    assert carried_out(transaction, action=action, reply=reply) == (code, calls)


@pytest.mark.parametrize("action", ["reject", "tempfail", "quarantine", "discard"])
def test_a_message_that_is_not_delivered_is_not_edited(
    transaction: Transaction, action: str
) -> None:
    _code, calls = carried_out(
        transaction, *EDITS, action=action, reply=replies.SPAM, dropped=("Joe@MX.example",)
    )
    assert {name for name, *_ in calls} <= {"setreply"}


def test_what_the_mta_holds_is_edited_since_it_may_be_delivered_from_there(
    transaction: Transaction,
) -> None:
    code, calls = carried_out(
        transaction, AddField("X-A", "1"), action="quarantine", mta_quarantine="spam"
    )
    assert (code, calls) == (
        Milter.CONTINUE,
        [("addheader", "X-A", "1", 0), ("quarantine", "spam")],
    )


@pytest.mark.parametrize("blank", ["", " "])
def test_fields_are_changed_before_others_are_put_on_top(
    transaction: Transaction, blank: str
) -> None:
    """The MTA counts the fields of a name; one that is added would be the first of them. Each goes
    to the very top, so that they stand in the order of the answer."""
    code, calls = carried_out(
        transaction,
        AddField("X-A", "first"),
        ChangeField("Subject", 1, "[spam] x"),
        AddField("X-B", "second"),
        ChangeField("X-Forged", 2, None),
        blank=blank,
    )
    assert (code, calls) == (
        Milter.CONTINUE,
        [
            ("chgheader", "Subject", 1, f"{blank}[spam] x"),
            ("chgheader", "X-Forged", 2, None),
            ("addheader", "X-B", f"{blank}second", 0),
            ("addheader", "X-A", f"{blank}first", 0),
        ],
    )


def test_recipients_are_taken_out_as_the_client_spelled_them(transaction: Transaction) -> None:
    code, calls = carried_out(transaction, dropped=("Joe@MX.example", "ann@mx.example"))
    assert (code, calls) == (
        Milter.CONTINUE,
        [("delrcpt", "<Joe@MX.example>"), ("delrcpt", " <ann@mx.example>")],
    )


@pytest.mark.parametrize(
    ("edits", "body"),
    [
        ([Splice(len(HEADER), len(HEADER) + 3, b"1")], b"1 two three"),
        (
            [
                Splice(len(HEADER) + 8, len(HEADER) + 13, b"3"),
                Splice(len(HEADER), len(HEADER) + 3, b"1"),
            ],
            b"1 two 3",
        ),
        # An empty body is one that is replaced as well.
        ([Splice(len(HEADER), len(HEADER) + 13, b"")], b""),
    ],
)
def test_a_body_that_changed_is_sent_whole(
    transaction: Transaction, edits: list[Edit], body: bytes
) -> None:
    assert carried_out(transaction, *edits) == (Milter.CONTINUE, [("replacebody", body)])


@pytest.mark.parametrize(
    ("size", "packets"),
    [
        (CHUNK, [CHUNK]),
        (CHUNK + 1, [CHUNK, 1]),
        (2 * CHUNK, [CHUNK, CHUNK]),
        (2 * CHUNK + 7, [CHUNK, CHUNK, 7]),
    ],
)
def test_a_large_body_goes_in_packets_that_a_milter_may_send(
    transaction: Transaction, size: int, packets: list[int]
) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    splice = Splice(len(HEADER), len(HEADER) + 13, body)
    _code, calls = carried_out(transaction, splice)
    assert [(name, len(octets)) for name, octets in calls] == [("replacebody", n) for n in packets]
    assert b"".join(octets for _name, octets in calls) == body
    assert CHUNK == 65_535


def test_a_percent_sign_in_a_reply_is_doubled_for_printf() -> None:
    context = Context()
    reply = Reply(550, "5.7.1", "100% spam, %s and %%")
    assert answer_with(context, reply, Milter.REJECT) == Milter.REJECT
    assert context.calls == [("setreply", "550", "5.7.1", "100%% spam, %%s and %%%%")]


def test_what_is_asked_of_the_mta_when_the_session_begins() -> None:
    """SMFIF_ADDHDRS, CHGHDRS, CHGBODY, DELRCPT and QUARANTINE of libmilter's mfapi.h."""
    assert ACTIONS == 0x01 | 0x10 | 0x02 | 0x08 | 0x20
