"""What is posted to a webhook: one event as JSON, in a form with a version."""

from __future__ import annotations

import json
import math
from typing import Any

from filterd.notices.events import NoticeEvent
from filterd.system.display import utc

VERSION = 1
"""Of the form: it changes where a value goes or gets another meaning, not where one is added."""

_TIMES = frozenset({"received", "last", "since", "until", "asked"})


def payload(
    event: NoticeEvent, host: str, *, subject: bool, suppressed: int = 0, is_test: bool = False
) -> bytes:
    """The event as JSON in ASCII. suppressed: events of the kind, before, that were not posted."""
    value = {
        "version": VERSION,
        "type": event.kind,
        "id": event.id,
        "time": utc(event.time),
        "host": host,
        "test": is_test,
        "suppressed": suppressed,
        "data": {
            name: utc(one) if name in _TIMES else _finite(one)
            for name, one in event.facts(subject=subject).items()
        },
    }
    return json.dumps(value, allow_nan=False).encode("ascii")


def _finite(value: Any) -> Any:
    """JSON has no infinite numbers: `required` is one where no points are a limit."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
