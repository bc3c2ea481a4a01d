"""The stage process at work, in this process: what it remembers of sessions, and for how long."""

from __future__ import annotations

import queue
import socket
import threading

from filterd.chain.links import Link
from filterd.chain.report import ScanReport
from filterd.chain.report_codec import written
from filterd.chain.stage_chain import StageChain
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import NO_OPINION, Action, Verdict
from filterd.workers.frames import Frames
from filterd.workers.stage_codec import StageQuestion, encode_question, encode_reported, frame_value
from filterd.workers.stage_server import StageServer

SECONDS = 30.0


class Remembers:
    """Has the client's session in its memory, and says what it has when it is told of mail."""

    name = "remembers"

    def __init__(self) -> None:
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.may_go_on = threading.Event()

    def connect(self, session: Session) -> Verdict:
        session.memory["id"] = session.id
        return NO_OPINION

    def reported(self, session: Session, _report: ScanReport) -> None:
        self.said.put(session.memory.get("id", "nothing"))
        self.may_go_on.wait(SECONDS)


def opened(control: Frames) -> Frames:
    """A line, as the daemon opens it."""
    ours, theirs = socket.socketpair()
    with theirs:
        control.send(written({"line": 0}).encode(), theirs.fileno())
    return Frames(ours, 1 << 20)


class Hangs:
    """Speaks when it may."""

    name = "hangs"

    def __init__(self) -> None:
        self.asked, self.may_go_on = threading.Event(), threading.Event()

    def connect(self, _session: Session) -> Verdict:
        self.asked.set()
        self.may_go_on.wait(SECONDS)
        return NO_OPINION


def test_who_hurries_hears_what_was_said_and_who_cancels_of_the_end() -> None:
    quick, slow = Remembers(), Hangs()
    ours, theirs = socket.socketpair()
    frames = Frames(ours, 1 << 20)
    chain = StageChain([Link(quick), Link(slow)])
    server = StageServer(Frames(theirs, 1 << 20, takes=True), chain)
    running = threading.Thread(target=server.run)
    running.start()
    try:
        line = opened(frames)
        line.send(encode_question(StageQuestion(1, Session("s1"), ("remembers", "hangs"), 5.0)))
        assert slow.asked.wait(SECONDS)
        frames.send(written({"hurry": 1}).encode())
        said = line.receive()
        assert said is not None
        assert [one["filter"] for one in frame_value(said)["said"]] == ["remembers"]
        assert "end" not in frame_value(said)
        line.close()
        frames.send(written({"cancel": 1}).encode())
        frames.send(written({"ping": 0}).encode())
        assert frame_value(frames.receive() or b"") == {"pong": 0}
        slow.may_go_on.set()
        assert frame_value(frames.receive() or b"") == {"end": 1}
        # Also of one that has ended by then.
        frames.send(written({"cancel": 2}).encode())
        assert frame_value(frames.receive() or b"") == {"end": 2}
    finally:
        slow.may_go_on.set()
        ours.close()
        running.join(SECONDS)


def test_a_report_that_waits_has_the_memory_of_a_session_that_has_ended() -> None:
    """A client that quits after its message is forgotten before a busy filter hears of it."""
    filter = Remembers()
    ours, theirs = socket.socketpair()
    frames = Frames(ours, 1 << 20)
    server = StageServer(Frames(theirs, 1 << 20, takes=True), StageChain([Link(filter)]))
    running = threading.Thread(target=server.run)
    running.start()
    try:
        answers = frames.received()
        line = opened(frames)
        for number, id in enumerate(("s1", "s2")):
            line.send(encode_question(StageQuestion(number, Session(id), ("remembers",), 5.0)))
            assert line.receive() is not None
            session = Session(id, Stage.DATA)
            frames.send(encode_reported(session, ScanReport(id=id, action=Action.ACCEPT)))
            frames.send(written({"forget": id}).encode())
        frames.send(written({"ping": 0}).encode())
        next(answers)
        filter.may_go_on.set()
        assert [filter.said.get(timeout=SECONDS) for _ in range(2)] == ["s1", "s2"]
    finally:
        filter.may_go_on.set()
        ours.close()
        running.join(SECONDS)
