"""What reviewers teach, done by a process of its own; see `filterd.review.taught_by_daemon`.

The daemon itself never learns, and only passes the request on.
"""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filterd.daemon.background import run_module, why_it_failed
from filterd.ops.control import LEARN_SECONDS
from filterd.system.bounded import json_value

log = logging.getLogger(__name__)

RUN_LIMIT = LEARN_SECONDS - 10.0
"""Seconds that one run may take, the wait for others included: the answer comes before somebody
stops waiting for it."""


class TeachingRunner:
    """Teaches for those who may not write the models, one at a time. config: the settings file;
    None for the usual one."""

    def __init__(self, config: Path | None) -> None:
        self._config = config
        self._free = threading.Lock()

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have the request's `lesson` learned; the answer for the control socket."""
        lesson = json.dumps(request.get("lesson"))
        arguments = [] if self._config is None else [str(self._config)]
        if not self._free.acquire(timeout=RUN_LIMIT / 2):
            return {"error": "the model cannot be taught now: others are still being learned"}
        try:
            done = run_module(
                "filterd.review.taught_by_daemon", *arguments, said=lesson, limit=RUN_LIMIT / 2
            )
        except subprocess.TimeoutExpired:
            return {"error": f"the messages were not learned within {RUN_LIMIT / 2:.0f} s"}
        except OSError as error:
            return {"error": f"no process to learn the messages: {error.strerror}"}
        finally:
            self._free.release()
        if done.returncode:
            log.error("learning for reviewers: %s", why_it_failed(done))
            return {"error": "the messages could not be learned, see the daemon's log"}
        answer: dict[str, Any] = json_value(done.stdout.encode())
        return answer
