"""The page on which a worker says which filter it is in, for who watches it."""

from __future__ import annotations

import os

from filterd.workers.watch import WatchPage, new_page


def test_watch_page_is_seen_from_outside() -> None:
    descriptor = new_page()
    worker = WatchPage(descriptor, ["gtube", "bayes"], writable=True)
    daemon = WatchPage(descriptor, ["gtube", "bayes"], writable=False)
    os.close(descriptor)
    assert daemon.read() == ("", 0.0)
    worker.announce("bayes", 12.5)
    assert daemon.read() == ("bayes", 12.5)
    worker.clear()
    assert daemon.read() == ("", 0.0)
    worker.close()
    daemon.close()
