"""What waits to be sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.notices import queue as queues
from filterd.notices.queue import AGE_LIMIT, NoticeQueue, QueuedNotice


def item(id: str = "0" * 32, **changes: object) -> QueuedNotice:
    values = {"channel": "mail", "target": "root@mx.test", "kind": "held", "events": 1, "made": 1.0}
    return QueuedNotice(**{**values, "id": id, "body": "x", **changes})  # type: ignore[arg-type]


def ids(queue: NoticeQueue, now: float) -> list[str]:
    return [one.id for _, one in queue.due(now)]


@pytest.fixture
def queue(tmp_path: Path) -> NoticeQueue:
    return NoticeQueue(tmp_path / "notices")


def test_what_is_due_comes_out_in_order(queue: NoticeQueue) -> None:
    names = [letter * 32 for letter in "abc"]
    for name, due in zip(names, (300.0, 100.0, 200.0), strict=True):
        assert queue.add(item(name), due)
    assert ids(queue, 200.0) == [names[1], names[2]]
    assert len(queue) == 3


def test_the_same_is_there_once(queue: NoticeQueue) -> None:
    assert queue.add(item(), 1.0)
    assert queue.add(item(), 2.0)
    assert len(queue) == 1


def test_put_off_and_done(queue: NoticeQueue) -> None:
    queue.add(item(), 1.0)
    ((path, one),) = queue.due(5.0)
    queue.put_off(path, one, 60.0)
    assert ids(queue, 59.0) == []
    ((path, one),) = queue.due(60.0)
    queue.remove(path)
    assert len(queue) == 0


def test_a_crash_while_it_is_put_off_leaves_the_later_one(queue: NoticeQueue) -> None:
    queue.add(item(), 1.0)
    ((path, one),) = queue.due(5.0)
    copy = path.read_bytes()
    queue.put_off(path, one, 60.0)
    path.write_bytes(copy)
    assert ids(queue, 59.0) == []
    assert ids(queue, 60.0) == [one.id]


def test_there_is_an_end_to_it(queue: NoticeQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "QUEUE_LIMIT", 2)
    assert [queue.add(item(letter * 32), 1.0) for letter in "abc"] == [True, True, False]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"channel": "mail"}', "\xff", "[" * 9999])
def test_a_damaged_file_is_removed(queue: NoticeQueue, text: str) -> None:
    queue.add(item("a" * 32), 1.0)
    queue.add(item("b" * 32), 2.0)
    (path, _), *_ = queue.due(5.0)
    path.write_text(text, "latin-1")
    assert ids(queue, 5.0) == ["b" * 32]
    assert len(queue) == 1


def test_a_clock_that_was_wrong_keeps_nothing_back(queue: NoticeQueue) -> None:
    queue.add(item(), 10 * AGE_LIMIT)
    assert ids(queue, 5.0) == ["0" * 32]


def test_one_process_sends(queue: NoticeQueue) -> None:
    with queue.sending() as first, queue.sending() as second:
        assert (first, second) == (True, False)
    with queue.sending() as third:
        assert third
