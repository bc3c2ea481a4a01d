"""Sessions with clamd: many messages on one connection, and what happens when that fails."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from filterd.scanners.clamd.server import ClamdError, ClamdServer
from filterd.scanners.clamd.session import SESSION_LIMIT, ClamdSessions
from tests.helpers.scanner import Judge, Scanner, clean, finds

pytestmark = pytest.mark.slow

BAD = b"this is very bad"
PATIENCE = 5.0


@pytest.fixture(params=["unix", "tcp"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "clamd.sock" if request.param == "unix" else None


def test_many_messages_go_over_one_connection(where: Path | None) -> None:
    messages = [b"one", BAD, b"two \r\n\0\xff", b"x" * SESSION_LIMIT]
    with Scanner(finds(BAD, "Evil"), where) as scanner:
        sessions, server = ClamdSessions(), ClamdServer.parse(scanner.address)
        found = [sessions.scan(server, message, PATIENCE) for message in messages]
        assert found == ["", "Evil", "", ""]
        assert scanner.seen == messages
        assert scanner.sessions == len(messages)


def test_a_large_message_is_streamed_alone(where: Path | None) -> None:
    message = b"x" * (SESSION_LIMIT + 1)
    with Scanner(clean, where) as scanner:
        sessions, server = ClamdSessions(), ClamdServer.parse(scanner.address)
        assert sessions.scan(server, message, PATIENCE) == ""
        assert scanner.sessions == 0
        assert scanner.seen == [message]


@pytest.mark.parametrize("descriptors", [False, None])
def test_a_scanner_that_takes_no_descriptors_gets_a_stream(
    tmp_path: Path, descriptors: bool | None
) -> None:
    with Scanner(finds(BAD, "Evil"), tmp_path / "s", descriptors=descriptors) as scanner:
        sessions, server = ClamdSessions(), ClamdServer.parse(scanner.address)
        assert sessions.scan(server, BAD, PATIENCE) == "Evil"
        assert scanner.sessions == 1
        assert sessions.scan(server, b"one", PATIENCE) == ""
        assert sessions.scan(server, BAD, PATIENCE) == "Evil"
        # The refused one and, in a session of streams, two more.
        assert scanner.sessions == 2
        assert scanner.seen == [BAD, b"one", BAD]


def test_trouble_with_one_message_does_not_end_descriptors(tmp_path: Path) -> None:
    def judge(content: bytes) -> bytes:
        return b"stream: Can't open file or directory ERROR\n" if content == b"odd" else clean(b"")

    with Scanner(judge, tmp_path / "s") as scanner:
        sessions, server = ClamdSessions(), ClamdServer.parse(scanner.address)
        with pytest.raises(ClamdError):
            sessions.scan(server, b"odd", PATIENCE)
        passed = scanner.passed
        assert sessions.scan(server, b"one", PATIENCE) == ""
        assert scanner.passed == passed + 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="hangs up"),
        pytest.param(b"COMMAND READ TIMED OUT\n", id="an error"),
        pytest.param(b"1: OK\n", id="another form"),
        pytest.param(b"7: stream: OK\n", id="the answer to another question"),
        pytest.param(b"1: stream: OK\n" * 2, id="two answers"),
        pytest.param(b"1: stream: OK", id="half an answer"),
        pytest.param(b"x" * 10000, id="no end"),
    ],
)
def test_what_is_no_plain_answer_is_no_clean_bill(answer: bytes, where: Path | None) -> None:
    with Scanner(lambda _content: answer, where) as scanner:
        sessions, server = ClamdSessions(), ClamdServer.parse(scanner.address)
        with pytest.raises(ClamdError):
            sessions.scan(server, b"one", PATIENCE)


def test_a_session_that_the_scanner_ended_costs_nothing(where: Path | None) -> None:
    """clamd ends an idle session; the next message opens another."""
    answers = iter([b"stream: OK\n", b"", b"stream: Evil FOUND\n"])
    judge: Judge = lambda _content: next(answers)  # noqa: E731
    with Scanner(judge, where) as scanner:
        sessions, server = ClamdSessions(), ClamdServer.parse(scanner.address)
        assert sessions.scan(server, b"one", PATIENCE) == ""
        assert sessions.scan(server, BAD, PATIENCE) == "Evil"


def test_a_scanner_that_restarts_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "s"
    sessions, server = ClamdSessions(), ClamdServer(str(path))
    for _ in range(2):
        with Scanner(finds(BAD, "Evil"), path):
            assert sessions.scan(server, BAD, PATIENCE) == "Evil"
    with pytest.raises(ClamdError, match="unix:"):
        sessions.scan(server, BAD, PATIENCE)


def test_silence_ends_the_session(where: Path | None) -> None:
    wake = threading.Event()

    def judge(content: bytes) -> bytes:
        if content == b"slow":
            wake.wait(PATIENCE)
        return finds(BAD, "Evil")(content)

    with Scanner(judge, where) as scanner:
        sessions, server = ClamdSessions(), ClamdServer.parse(scanner.address)
        with pytest.raises(ClamdError, match=r"silent for 0\.1 s"):
            sessions.scan(server, b"slow", 0.1)
        wake.set()
        # The late answer must not be taken for the next message's.
        assert sessions.scan(server, BAD, PATIENCE) == "Evil"


def test_a_child_does_not_use_its_parents_session(tmp_path: Path) -> None:
    with Scanner(finds(BAD, "Evil"), tmp_path / "s") as scanner:
        sessions, server = ClamdSessions(), ClamdServer.parse(scanner.address)
        assert sessions.scan(server, b"one", PATIENCE) == ""
        child = os.fork()
        if child == 0:
            os._exit(0 if sessions.scan(server, BAD, PATIENCE) == "Evil" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert sessions.scan(server, BAD, PATIENCE) == "Evil"
        assert scanner.sessions == 2


def test_an_answer_that_was_asked_for_ahead_is_used(tmp_path: Path) -> None:
    with Scanner(finds(BAD, "Evil"), tmp_path / "s") as scanner:
        sessions, server = ClamdSessions(), ClamdServer.parse(scanner.address)
        sessions.ask(server, BAD)  # no session is open: it is not waited for one
        assert sessions.scan(server, BAD, PATIENCE) == "Evil"
        sessions.ask(server, BAD)
        assert sessions.scan(server, BAD, PATIENCE) == "Evil"
        assert scanner.seen == [BAD, BAD]
        assert scanner.sessions == 2


def test_an_answer_about_one_message_is_never_given_for_another(tmp_path: Path) -> None:
    with Scanner(finds(BAD, "Evil"), tmp_path / "s") as scanner:
        sessions, server = ClamdSessions(), ClamdServer.parse(scanner.address)
        assert sessions.scan(server, b"one", PATIENCE) == ""
        sessions.ask(server, b"two")
        # The chain went another way, and the next message is this one.
        assert sessions.scan(server, BAD, PATIENCE) == "Evil"
        sessions.ask(server, BAD)
        sessions.ask(server, b"three")
        assert sessions.scan(server, b"four", PATIENCE) == ""
        assert sessions.scan(server, BAD, PATIENCE) == "Evil"


def test_a_scanner_that_ends_the_session_it_was_asked_in_is_asked_again(tmp_path: Path) -> None:
    answers = iter([b"stream: OK\n", b"", b"stream: Evil FOUND\n"])
    judge: Judge = lambda _content: next(answers)  # noqa: E731
    with Scanner(judge, tmp_path / "s") as scanner:
        sessions, server = ClamdSessions(), ClamdServer.parse(scanner.address)
        assert sessions.scan(server, b"one", PATIENCE) == ""
        sessions.ask(server, BAD)
        assert sessions.scan(server, BAD, PATIENCE) == "Evil"


def test_a_scanner_that_is_silent_about_what_it_was_asked_ahead(tmp_path: Path) -> None:
    wake = threading.Event()

    def judge(content: bytes) -> bytes:
        if content == b"slow":
            wake.wait(PATIENCE)
        return finds(BAD, "Evil")(content)

    with Scanner(judge, tmp_path / "s") as scanner:
        sessions, server = ClamdSessions(), ClamdServer.parse(scanner.address)
        assert sessions.scan(server, b"one", PATIENCE) == ""
        slow = b"slow"
        sessions.ask(server, slow)
        with pytest.raises(ClamdError, match="silent"):
            sessions.scan(server, slow, 0.1)
        wake.set()
        assert sessions.scan(server, BAD, PATIENCE) == "Evil"
