"""What a daemon says over the milter protocol, and what the history adds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from filterd.history import History, HistorySettings
from filterd.message import Client, Envelope, Recipient
from filterd.milter.constants import Command
from filterd.mta.milters.scripted import Close, Respond, ScriptedFilter, Step
from filterd.replay.cases import NOBODY, Case
from filterd.replay.judged import TAKEN, Judged
from filterd.replay.wire import DaemonClient, WireError
from tests.helpers.reports import record

pytestmark = pytest.mark.slow

MAIL = b"Subject: hello\r\n\r\nhi\r\n"

LABELS = (
    Respond(b"i", b"\0\0\0\0X-Spam-Score\0 7.9\0"),
    Respond(b"i", b"\0\0\0\0X-Spam-Flag\0 YES\0"),
    Respond(b"c"),
)


def asked(
    folder: Path, plan: Mapping[str, Sequence[Step]], *cases: Case, history: History | None = None
) -> tuple[list[Judged], ScriptedFilter]:
    with ScriptedFilter(folder / "s", plan) as filter:
        daemon = DaemonClient(f"unix:{folder}/s", history)
        try:
            found = [daemon.judge(one) for one in cases or (Case("m", MAIL, NOBODY),)]
            return daemon.complete(found), filter
        finally:
            daemon.close()


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ({}, Judged("accept")),
        ({"E": LABELS}, Judged("accept", labelled=True, score=7.9)),
        ({"E": (Respond(b"i", b"\0\0\0\0X-Spam-Score\0 many\0"), Respond(b"c"))}, Judged("accept")),
        ({"E": (Respond(b"y", b"550 5.7.1 spam (id=x)\0"),)}, Judged("reject", reply="550 5.7.1")),
        ({"E": (Respond(b"y", b"451 4.3.0 busy\0"),)}, Judged("tempfail", reply="451 4.3.0")),
        ({"E": (Respond(b"r"),)}, Judged("reject", reply="550 5.7.1")),
        ({"E": (Respond(b"t"),)}, Judged("tempfail", reply="451 4.7.1")),
        ({"E": (Respond(b"d"),)}, Judged(TAKEN)),
        ({"E": (Respond(b"q", b"spam\0"), Respond(b"c"))}, Judged("quarantine")),
        ({"R": (Respond(b"y", b"550 5.1.1 no\0"),)}, Judged("reject", reply="550 5.1.1")),
        ({"C": (Respond(b"r"),)}, Judged("reject", reply="550 5.7.1")),
        ({"H": (Respond(b"y", b"451 4.7.1 later\0"),)}, Judged("tempfail", reply="451 4.7.1")),
        ({"M": (Respond(b"t"),)}, Judged("tempfail", reply="451 4.7.1")),
        ({"T": (Respond(b"y", b"554 5.7.1 no\0"),)}, Judged("reject", reply="554 5.7.1")),
        ({"L": (Close(),)}, Judged("tempfail", note="the daemon hung up")),
    ],
)
def test_an_answer(tmp_path: Path, plan: Mapping[str, Sequence[Step]], expected: Judged) -> None:
    client = Client("client.example", "192.0.2.7", 4711, "helo.example")
    case = Case("m", MAIL, Envelope("ann@a", (Recipient("joe@b"),), client))
    found, _ = asked(tmp_path, plan, case, case)
    assert found == [expected, expected]


def test_the_daemon_gets_envelope_and_octets(tmp_path: Path) -> None:
    envelope = Envelope(
        "ann@client.example",
        (Recipient("joe@mx.example", ("NOTIFY=NEVER",)), Recipient("jim@mx.example")),
        Client("client.example", "192.0.2.7", 4711, "helo.example"),
        ("SIZE=20",),
        {"{auth_authen}": "ann", "i": "4F2A"},
    )
    _, filter = asked(tmp_path, {}, Case("m", b"Subject:  a\r\n\tb\r\n\r\n.\r\n", envelope))
    packets = {p.command.decode(): p.data for p in filter.received() if p.command != b"D"}
    assert packets["C"] == b"client.example\x004\x12\x67192.0.2.7\0"
    assert packets["H"] == b"helo.example\0"
    assert packets["M"] == b"<ann@client.example>\0SIZE=20\0"
    assert packets["R"] == b"<jim@mx.example>\0"
    assert packets["L"] == b"Subject\0 a\n\tb\0"
    assert packets["B"] == b".\r\n"
    macros = b"".join(p.data for p in filter.received() if p.command == b"D")
    assert b"{auth_authen}\0ann\0" in macros
    # The queue-id of then is another message's.
    assert b"i\0replay-" in macros
    assert b"4F2A" not in macros


def test_mail_of_one_client_shares_a_session(tmp_path: Path) -> None:
    other = Envelope("", NOBODY.recipients, Client("other", "192.0.2.9"))
    one, two = Case("a", MAIL, NOBODY), Case("b", MAIL, other)
    found, filter = asked(tmp_path, {}, one, one, two, two)
    assert [judged.action for judged in found] == ["accept"] * 4
    assert [filter.commands(number).count("E") for number in (1, 2)] == [2, 2]
    assert filter.commands(1).endswith("Q")
    assert {Command.CONNECT.value} & {p.command for p in filter.received(2)}


def test_after_a_lost_connection_comes_a_new_one(tmp_path: Path) -> None:
    case = Case("m", MAIL, NOBODY)
    with ScriptedFilter(tmp_path / "s", {"E": (Close(),)}):
        daemon = DaemonClient(f"unix:{tmp_path}/s", None)
        assert [daemon.judge(case).note for _ in range(2)] == ["the daemon hung up"] * 2
    with pytest.raises(WireError, match="no filter answers there"):
        daemon.judge(case)
    daemon.close()


@pytest.mark.parametrize("address", ["unix:/nowhere/s", "inet:1@127.0.0.1"])
def test_nobody_there(address: str) -> None:
    with pytest.raises(WireError, match=f"{address}: no filter"):
        DaemonClient(address, None)


def test_no_address() -> None:
    with pytest.raises(WireError, match="expected unix:/path"):
        DaemonClient("s", None)


def test_the_history_says_what_the_wire_does_not(tmp_path: Path) -> None:
    history = History(tmp_path / "h.sqlite3", HistorySettings())

    with ScriptedFilter(tmp_path / "s", {"E": (Respond(b"d"),)}) as filter:
        daemon = DaemonClient(f"unix:{tmp_path}/s", history)
        found = [daemon.judge(Case("m", MAIL, NOBODY)) for _ in range(3)]
        macros = b"".join(p.data for p in filter.received() if p.command == b"D")
        names = [m.split(b"\0")[0].decode() for m in macros.split(b"i\0")[1:] if b"replay-" in m]
        history.add(
            [
                record(
                    "id1",
                    time.time(),
                    names[1],
                    action="discard",
                    score=9.0,
                    symbols=(("A", 9.0),),
                    milliseconds={"a": 1.0},
                    failures={"b": "timeout: over 5 s"},
                ),
                record("id2", time.time(), names[2], action="tempfail"),
                record("id3", time.time(), "replay-of-another-one", action="accept"),
            ]
        )
        assert daemon.complete(found) == [
            Judged(TAKEN),
            Judged("discard", score=9.0, symbols=(("A", 9.0),), note="b: timeout"),
            Judged("tempfail"),
        ]
        daemon.close()
