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
from filterd.workers.stage_codec import encode_said, frame_value
from filterd.workers.stage_pool import END_LIMIT, StagePool, _Lost
from filterd.workers.stage_process import PendingQuestion, StageProcess

SECONDS = 30.0


class Played:
    """The process's end, and what the daemon makes of it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.peer = theirs
        self.frames = Frames(theirs, 1 << 20, takes=True)
        self.lines: dict[int, Frames] = {}
        self.killed, self.ended = threading.Event(), threading.Event()
        self.process = StageProcess(
            1, ours, self._kill, lambda _process: self.ended.set(), lambda _process: None
        )
        self.process.start()

    def _kill(self) -> None:
        """What the fork server does."""
        self.killed.set()
        self.peer.shutdown(socket.SHUT_RDWR)

    def ask(self, number: int = 7) -> PendingQuestion:
        """A question, which is put on a line that comes with it."""
        asked = self.process.ask(number, ("a", "b"), written({"ask": number}).encode())
        if asked.line is not None:
            frame = self.frames.receive()
            assert frame is not None
            assert "line" in frame_value(frame)
            peer = socket.socket(fileno=self.frames.descriptors.popleft())
            self.lines[number] = Frames(peer, 1 << 20)
            question = self.lines[number].receive()
            assert question is not None
            assert frame_value(question) == {"ask": number}
        return asked

    def say(self, *names: str, number: int = 7, ended: bool = False) -> None:
        answers = [StageAnswer(name, NO_OPINION, 1.0) for name in names]
        self.lines[number].send(encode_said(number, answers, ended=ended))


@pytest.fixture
def played() -> Iterator[Played]:
    found = Played()
    yield found
    # Not only closed: a thread that reads from it would keep it open.
    with contextlib.suppress(OSError):
        found.peer.shutdown(socket.SHUT_RDWR)
    found.ended.wait(SECONDS)
    found.peer.close()


def taken(played: Played, asked: PendingQuestion) -> StageAnswer | None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(BlockingIOError):
            return played.process.next(asked)
    raise TimeoutError


def names(played: Played, asked: PendingQuestion) -> list[str]:
    """All that is said."""
    found = []
    while (answer := taken(played, asked)) is not None:
        found.append(answer.name)
    return found


def test_answers_come_to_who_asked(played: Played) -> None:
    one, other = played.ask(1), played.ask(2)
    played.say("a", number=2)
    played.say("a", number=1, ended=True)
    played.say("b", number=2)
    played.say(number=2, ended=True)
    assert names(played, one) == ["a"]
    assert names(played, other) == ["a", "b"]
    assert one.lost == other.lost == ""
    for asked in (one, other):
        played.process.finish(asked)
    assert played.process.load == (0, 0, 0.0)
    assert played.process.answered == 2


def test_a_line_is_used_again_when_its_question_has_ended(played: Played) -> None:
    first = played.ask(1)
    played.say("a", "b", number=1, ended=True)
    assert names(played, first) == ["a", "b"]
    played.process.finish(first)
    again = played.process.ask(2, ("a",), written({"ask": 2}).encode())
    assert again.line is first.line
    question = played.lines[1].receive()
    assert question is not None
    assert frame_value(question) == {"ask": 2}


def test_the_end_is_waited_for_where_it_comes_apart(played: Played) -> None:
    asked = played.ask()
    played.say("a")
    assert taken(played, asked) is not None
    threading.Timer(0.05, lambda: played.say(ended=True)).start()
    played.process.finish(asked)
    assert played.process.answered == 1


def test_who_waits_in_vain_hurries_and_then_knows_who_is_late(played: Played) -> None:
    """The first has answered, which is not said before it is asked for; the second hangs."""
    asked, found = played.ask(), list[StageAnswer]()

    def says() -> None:
        for frame in played.frames.received():
            if "hurry" in frame_value(frame):
                played.say("a")

    threading.Thread(target=says, daemon=True).start()
    now = time.monotonic()
    assert StagePool._answer(played.process, asked, now, found) == StageAnswer("a", NO_OPINION, 1.0)
    assert StagePool._answer(played.process, asked, now, found) is None


def test_a_process_that_ends_leaves_nobody_waiting(played: Played) -> None:
    asked = played.ask()
    played.say("a")
    played.peer.close()
    assert names(played, asked) == ["a"]
    assert asked.lost == "stage process 1: ended"
    # And who asks it later hears at once.
    assert played.ended.wait(SECONDS)
    late = played.ask(8)
    assert taken(played, late) is None
    assert late.lost


@pytest.mark.parametrize(
    "nonsense",
    [
        b"no JSON",
        b"[]",
        written({"of": 7, "said": [{"filter": "c", "ms": 1}]}).encode(),
        written({"of": 7, "said": [{"filter": "a", "ms": -1}]}).encode(),
        written({"of": 7, "said": [{"filter": "a", "ms": -1}], "end": 7}).encode(),
        written({"of": 7, "said": [{"filter": "a", "ms": 1}] * 3, "end": 7}).encode(),
        written({"of": 7, "said": ["a"]}).encode(),
        written({"of": 7, "said": "a"}).encode(),
        written({"of": 8, "said": [{"filter": "a", "ms": 1}]}).encode(),
        written({"pong": 0}).encode(),
    ],
)
def test_a_process_that_talks_nonsense_is_killed(played: Played, nonsense: bytes) -> None:
    asked = played.ask()
    played.lines[7].send(nonsense)
    assert taken(played, asked) is None
    assert played.killed.is_set()
    assert "cannot be used" in asked.lost


@pytest.mark.parametrize("nonsense", [b"no JSON", b"[]", b"1"])
def test_a_process_that_talks_nonsense_beside_answers_is_killed(
    played: Played, nonsense: bytes
) -> None:
    asked = played.ask()
    played.frames.send(nonsense)
    assert played.killed.wait(SECONDS)
    assert taken(played, asked) is None
    assert "cannot be used" in asked.lost


def test_a_process_that_answers_without_end_is_killed(played: Played) -> None:
    asked = played.ask()
    for _ in range(3):
        played.say("a")
    assert len(names(played, asked)) <= 2
    assert played.killed.is_set()


@pytest.mark.slow
def test_a_process_that_does_not_run_is_killed(played: Played) -> None:
    asked = played.ask()
    reading = played.frames.received()
    while not played.killed.wait(0.05):
        played.process.look()
    assert "ping" in frame_value(next(reading))
    assert played.process.stalled
    assert taken(played, asked) is None
    assert "did not run any more" in asked.lost


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_process_that_reads_nothing_is_killed(played: Played) -> None:
    # Nobody who asks may wait for it: a kernel's buffer holds some hundred kilobytes.
    played.process.tell(b"x" * (8 << 20))
    assert played.killed.is_set()


def test_what_nobody_waits_for_is_not_told(played: Played) -> None:
    asked = played.ask()
    played.process.abandon(asked)
    assert played.process.load[:2] == (0, 1)
    cancelled = played.frames.receive()
    assert cancelled is not None
    assert frame_value(cancelled) == {"cancel": 7}
    assert played.lines[7].receive() is None  # closed
    played.frames.send(written({"end": 7}).encode())
    follow = played.ask(8)
    played.say(number=8, ended=True)
    assert taken(played, follow) is None
    played.process.finish(follow)
    while played.process.load[:2] != (0, 0):
        assert not played.killed.wait(0.01)


def test_whatever_ends_the_listener_leaves_nobody_waiting(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_octets: bytes) -> dict[str, object]:
        raise MemoryError

    asked = played.ask()
    monkeypatch.setattr("filterd.workers.stage_process.frame_value", fails)
    monkeypatch.setattr("threading.excepthook", lambda _arguments: None)
    played.frames.send(b"{}")
    assert taken(played, asked) is None
    assert asked.lost
    assert played.ended.wait(SECONDS)


@pytest.mark.slow
def test_nobody_waits_for_a_process_that_cannot_be_killed(played: Played) -> None:
    asked, found = played.ask(), list[StageAnswer]()
    played.process.stalled = True
    with pytest.raises(_Lost, match="does not end"):
        StagePool._answer(played.process, asked, time.monotonic() - 2 * END_LIMIT, found)
