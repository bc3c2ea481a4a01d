"""DNS lists and local lists in the running daemon, at the stages of SMTP sessions: real nsd, the
milter protocol as MTAs speak it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.milter.commands import Connect, Helo, Mail, Rcpt
from tests.helpers.daemon import RunningDaemon
from tests.helpers.milter import MilterClient, Outcome
from tests.helpers.name_server import name_server as silent_server
from tests.helpers.process import folder
from tests.helpers.servers.nsd import Nsd

ZONES = {
    "bl.example": "1.2.3.4 A 127.0.0.2\n2.2.3.4 A 127.0.0.4\n3.2.3.4 A 127.0.0.2\n",
    "wl.example": "3.2.3.4 A 127.0.5.3\n",
    "ur.example": "bad.test A 127.0.0.2\n",
}

SETTINGS = """\
[filters.dnslists]
early = true
wait = 3
reject = ["RCVD_IN_SBL"]
on_error = "continue"
scores = { URIBL_BLACK = 2.0 }
[[filters.dnslists.lists]]
zone = "bl.example"
like = "zen.spamhaus.org"
[[filters.dnslists.lists]]
zone = "wl.example"
like = "list.dnswl.org"
[[filters.dnslists.lists]]
zone = "ur.example"
like = "multi.uribl.com"
[filters.locallists]
early = true
[[filters.locallists.lists]]
file = "senders.list"
about = "sender"
action = "reject"
[[filters.locallists.lists]]
file = "partners.list"
about = "client"
kind = "allow"
[filters.greylist]
on_error = "continue"
[stages]
timeout = 8
[resolver]
"""


@pytest.fixture(scope="module")
def name_server() -> Iterator[Nsd]:
    with folder("nsd") as place:
        server = Nsd(place, ZONES)
        server.start()
        yield server
        server.stop()


def daemon(place: Path, filters: str, resolver: str) -> RunningDaemon:
    (place / "senders.list").write_text("spam.test\nann@a.test for sue@mx.example.test\n")
    (place / "partners.list").write_text("4.3.2.9 for joe@mx.example.test\n")
    more = SETTINGS + resolver + f'\n[state]\nurl = "sqlite:///{place}/state.sqlite3"\n'
    return RunningDaemon(place, filters=filters, more=more, count=1, timeout=30.0)


@pytest.fixture(scope="module")
def lists(name_server: Nsd) -> Iterator[RunningDaemon]:
    with folder("daemon") as place:
        running = daemon(
            place, '["locallists", "dnslists"]', f'nameservers = ["{name_server.address}"]'
        )
        try:
            yield running.start()
        finally:
            running.process.stop()


def begun(
    running: RunningDaemon, client: bytes, sender: bytes = b"<ann@good.test>"
) -> MilterClient:
    """A session up to MAIL, none of which is refused."""
    made = MilterClient(running.socket)
    made.say(Connect(b"host.test", b"4", 4711, client), Helo(b"host.test"), Mail((sender,)))
    return made


def at_rcpt(client: MilterClient, recipient: str) -> str:
    """What is said to RCPT, without the id."""
    told = client.told(Rcpt((f"<{recipient}@mx.example.test>".encode(),)))
    return re.sub(r" \(id=[0-9a-z]+\)", "", told)


def symbols(outcome: Outcome) -> str:
    found = [edit for edit in outcome.edits if b"X-Spam-Status" in getattr(edit, "name", b"")]
    return found[0].value.decode().replace("\n\t", "") if found else ""  # type: ignore[attr-defined]


def test_a_listed_client_is_refused_at_rcpt_and_can_complain(lists: RunningDaemon) -> None:
    with begun(lists, b"4.3.2.1") as client:
        refusal = "554 5.7.1 Service unavailable, 4.3.2.1 is listed by zen.spamhaus.org"
        assert at_rcpt(client, "joe") == refusal
        assert at_rcpt(client, "postmaster") == "continue"
        client.content()
        assert "RCVD_IN_SBL" in symbols(client.end())


def test_points_carry_over_to_the_message_and_are_counted_once(lists: RunningDaemon) -> None:
    with begun(lists, b"4.3.2.2") as client:
        assert at_rcpt(client, "joe") == "continue"
        client.content(body=b"see http://www.bad.test/\r\n")
        assert symbols(client.end()) == (
            " Yes, score=6.0 required=5.0 tests=RCVD_IN_XBL,URIBL_BLACK"
        )


def test_an_allowed_client(lists: RunningDaemon) -> None:
    with begun(lists, b"4.3.2.3") as client:
        assert at_rcpt(client, "joe") == "continue"
        client.content()
        assert "score=-3.0" in symbols(client.end())


def test_local_lists_for_each_recipient(lists: RunningDaemon) -> None:
    """Blocked for all, allowed for one; blocked for one."""
    refusal = "550 5.7.1 Message refused by policy"
    with begun(lists, b"4.3.2.9", b"<x@spam.test>") as client:
        assert at_rcpt(client, "joe") == "continue"
        assert at_rcpt(client, "sue") == refusal
    with begun(lists, b"4.3.2.8", b"<ann@a.test>") as client:
        assert at_rcpt(client, "joe") == "continue"
        assert at_rcpt(client, "sue") == refusal


def test_greylisting_lets_an_allowed_client_pass(name_server: Nsd) -> None:
    with folder("daemon") as place:
        running = daemon(
            place, '["dnslists", "greylist"]', f'nameservers = ["{name_server.address}"]'
        )
        try:
            running.start()
            with begun(running, b"4.3.2.3") as client:
                assert at_rcpt(client, "joe") == "continue"
            with begun(running, b"4.3.2.4") as client:
                assert at_rcpt(client, "joe").startswith("451 4.7.1 Greylisted")
        finally:
            running.process.stop()


def test_mail_flows_while_the_name_server_is_silent() -> None:
    """Within the budget, and the log says so."""
    with folder("daemon") as place, silent_server(lambda _question: None) as silent:
        running = daemon(place, '["dnslists"]', f'nameservers = ["{silent.address}"]\ntimeout = 1')
        try:
            running.start()
            for number in range(6):
                with begun(running, b"4.3.2.%d" % number) as client:
                    assert at_rcpt(client, "joe") == "continue"
                    client.content()
                    assert client.end().word == "continue"
            running.wait_for_line("is not asked")
        finally:
            running.process.stop()
