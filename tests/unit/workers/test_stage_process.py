"""A stage process as the daemon sees it, played by the test: silent, deaf, talkative, dead."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from filterd.chain.report_codec import written
from filterd.chain.stage_chain import StageAnswer
from filterd.chain.verdict import NO_OPINION
from filterd.workers.frames import Frames
from filterd.workers.stage_codec import encode_answer, frame_value
from filterd.workers.stage_pool import END_LIMIT, StagePool, _Lost
from filterd.workers.stage_process import Asked, StageProcess

SECONDS = 30.0


class Played:
    """The process's end, and what the daemon makes of it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.peer = theirs
        self.frames = Frames(theirs, 1 << 20)
        self.killed, self.ended = threading.Event(), threading.Event()
        self.process = StageProcess(
            1, ours, self._kill, lambda _process: self.ended.set(), lambda _process: None
        )
        self.process.start()

    def _kill(self) -> None:
        """What the fork server does."""
        self.killed.set()
        self.peer.shutdown(socket.SHUT_RDWR)

    def ask(self, number: int = 7) -> Asked:
        return self.process.ask(number, ("a", "b"), written({"ask": number}).encode())

    def answer(self, name: str, number: int = 7) -> None:
        self.frames.send(encode_answer(number, StageAnswer(name, NO_OPINION, 1.0)))

    def end(self, number: int = 7) -> None:
        self.frames.send(written({"end": number}).encode())


@pytest.fixture
def played() -> Iterator[Played]:
    found = Played()
    yield found
    # Not only closed: a thread that reads from it would keep it open.
    with contextlib.suppress(OSError):
        found.peer.shutdown(socket.SHUT_RDWR)
    found.ended.wait(SECONDS)
    found.peer.close()


def taken(asked: Asked) -> StageAnswer | None:
    return asked.answers.get(timeout=SECONDS)


def test_answers_come_to_who_asked(played: Played) -> None:
    one, other = played.ask(1), played.ask(2)
    played.answer("a", 2)
    played.answer("a", 1)
    played.end(1)
    played.answer("b", 2)
    played.end(2)
    for asked, names in ((one, ["a"]), (other, ["a", "b"])):
        assert [getattr(taken(asked), "name", None) for _ in names] == names
        assert taken(asked) is None
        assert asked.lost == ""
    assert played.process.load == (0, 0, 0.0)
    assert played.process.answered == 2


def test_a_process_that_ends_leaves_nobody_waiting(played: Played) -> None:
    asked = played.ask()
    played.answer("a")
    played.peer.close()
    assert getattr(taken(asked), "name", None) == "a"
    assert taken(asked) is None
    assert asked.lost == "stage process 1: ended"
    # And who asks it later hears at once.
    assert played.ended.wait(SECONDS)
    late = played.ask(8)
    assert taken(late) is None
    assert late.lost


@pytest.mark.parametrize(
    "nonsense",
    [
        b"no JSON",
        b"[]",
        written({"of": 7, "filter": "c", "ms": 1}).encode(),
        written({"of": 7, "filter": "a", "ms": -1}).encode(),
    ],
)
def test_a_process_that_talks_nonsense_is_killed(played: Played, nonsense: bytes) -> None:
    asked = played.ask()
    played.frames.send(nonsense)
    assert played.killed.wait(SECONDS)
    assert taken(asked) is None
    assert "cannot be used" in asked.lost


def test_a_process_that_answers_without_end_is_killed(played: Played) -> None:
    asked = played.ask()
    for _ in range(3):
        played.answer("a")
    assert played.killed.wait(SECONDS)
    assert asked.answers.qsize() <= 3


def test_a_process_that_does_not_run_is_killed(played: Played) -> None:
    asked = played.ask()
    reading = played.frames.received()
    assert "ask" in frame_value(next(reading))
    while not played.killed.wait(0.05):
        played.process.look()
    assert "ping" in frame_value(next(reading))
    assert played.process.stalled
    assert taken(asked) is None
    assert "did not run any more" in asked.lost


def test_a_process_that_says_it_runs_is_left_alone(played: Played) -> None:
    played.ask()
    several = threading.Event()

    def pongs() -> None:
        pings = 0
        for frame in played.frames.received():
            if "ping" in frame_value(frame):
                played.frames.send(written({"pong": 0}).encode())
                pings += 1
                if pings == 4:
                    several.set()

    threading.Thread(target=pongs, daemon=True).start()
    while not several.wait(0.05):
        played.process.look()
    assert not played.killed.is_set()


def test_a_process_that_reads_nothing_is_killed(played: Played) -> None:
    # Nobody who asks may wait for it: a kernel's buffer holds some hundred kilobytes.
    played.process.tell(b"x" * (8 << 20))
    assert played.killed.is_set()


def test_what_nobody_waits_for_is_not_told(played: Played) -> None:
    asked = played.ask()
    played.process.abandon(asked)
    assert played.process.load[:2] == (0, 1)
    reading = played.frames.received()
    assert [next(iter(frame_value(next(reading)))) for _ in range(2)] == ["ask", "cancel"]
    played.answer("a")
    played.end()
    follow = played.ask(8)
    played.end(8)
    assert taken(follow) is None
    assert asked.answers.empty()
    assert played.process.load[:2] == (0, 0)


def test_whatever_ends_the_listener_leaves_nobody_waiting(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_octets: bytes) -> dict[str, object]:
        raise MemoryError

    monkeypatch.setattr("filterd.workers.stage_process.frame_value", fails)
    monkeypatch.setattr("threading.excepthook", lambda _arguments: None)
    asked = played.ask()
    played.answer("a")
    assert taken(asked) is None
    assert asked.lost
    assert played.ended.wait(SECONDS)


def test_nobody_waits_for_a_process_that_cannot_be_killed(played: Played) -> None:
    asked, found = played.ask(), list[StageAnswer]()
    played.process.stalled = True
    with pytest.raises(_Lost, match="does not end"):
        StagePool._answer(played.process, asked, time.monotonic() - END_LIMIT, found)
