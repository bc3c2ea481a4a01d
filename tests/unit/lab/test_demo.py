"""What came of each message of the demo, put together from reply, log, mailbox and quarantine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from filterd.lab.demo import Fate, fates
from filterd.mta.delivery.client import SendResult
from filterd.quarantine import QuarantineSettings, Store
from tests.helpers.entries import new


def result(name: str, reply: str) -> SendResult:
    return SendResult(name, int(reply[:3] or 0), reply, "message", 1, 0.0)


def logged(folder: Path, *messages: dict[str, Any]) -> None:
    lines = ["a line that is not JSON", *(json.dumps({"event": "message", **m}) for m in messages)]
    (folder / "daemon.log").write_text("\n".join(lines) + "\n")


def test_reply_log_mailbox_and_quarantine_are_joined(tmp_path: Path) -> None:
    box = tmp_path / "mail/joe/new"
    box.mkdir(parents=True)
    copy = box / "1.P1Q1.mx"
    copy.write_bytes(b"Received: from a by mx.example with ESMTP id QID1;\n\tnow\n\nbody\n")
    with_store = Store(QuarantineSettings(tmp_path / "quarantine"))
    with_store.put(new("id2"))
    logged(
        tmp_path,
        {"id": "id1", "queue_id": "QID1", "action": "accept"},
        {"id": "id2", "queue_id": "QID2", "action": "quarantine", "stored": True},
        {"id": "id3", "queue_id": "QID3", "action": "reject"},
    )
    delivered, held, refused, unknown = fates(
        tmp_path,
        [
            result("one", "250 2.0.0 QID1 Message accepted for delivery"),
            result("two", "250 2.0.0 QID2 Message accepted for delivery"),
            result("three", "550 5.7.1 Message refused as spam (id=id3)"),
            result("four", "250 2.0.0 QID4 Message accepted for delivery"),
        ],
    )
    assert (delivered.outcome, delivered.mailbox, delivered.kept) == ("delivered", copy, None)
    assert (held.outcome, held.mailbox, held.kept) == ("quarantined", None, with_store.path("id2"))
    assert (refused.outcome, refused.facts["id"]) == ("rejected", "id3")
    assert [fate.is_lost for fate in (delivered, held, refused, unknown)] == [False] * 3 + [True]
    with_store.close()


@pytest.mark.parametrize(
    ("facts", "reply", "outcome"),
    [
        ({"action": "accept"}, "250 ok", "delivered"),
        ({"action": "accept", "labelled": True}, "250 ok", "labelled"),
        ({"action": "accept", "labelled": True, "removed": "a.exe"}, "250 ok", "stripped"),
        ({"action": "tempfail"}, "451 later", "delayed"),
        ({"action": "discard"}, "250 ok", "discard"),
        ({}, "552 too large", "refused by the MTA itself"),
        ({}, "452 full", "delayed by the MTA itself"),
        ({}, "", "no answer"),
    ],
)
def test_an_outcome_is_a_word(facts: dict[str, Any], reply: str, outcome: str) -> None:
    assert Fate("one", result("one", reply), facts).outcome == outcome
