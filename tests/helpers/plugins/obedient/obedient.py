"""A plugin for the tests: a filter that does what the message's `X-Obey` field says.

`score=6` gives points; `discard`, `quarantine`, `tempfail` force an action; `sleep=2` takes that
long, `wait=DIR` until that folder has a file `open`; `raise` raises; `die` ends the worker by a
signal; `loop` never comes back.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from filterd.chain.verdict import NO_OPINION, Action, Symbol, Verdict
from filterd.message import Message


@dataclass
class Obedient:
    """Does as it is told."""

    name: ClassVar[str] = "obedient"

    def examine(self, message: Message) -> Verdict:
        """Obey the field X-Obey."""
        order, _, value = message.get("X-Obey").strip().partition("=")
        match order:
            case "score":
                return Verdict(symbols=(Symbol("OBEDIENT", float(value), "as told"),))
            case "discard" | "quarantine" | "tempfail":
                return Verdict(Action[order.upper()], symbols=(Symbol("OBEDIENT", 0.0, order),))
            case "sleep":
                time.sleep(float(value))
            case "wait":
                folder = Path(value)
                (folder / f"{time.monotonic_ns()}.inside").touch()
                while not (folder / "open").exists():
                    time.sleep(0.01)
            case "raise":
                raise RuntimeError("told to")
            case "die":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "loop":
                while True:
                    pass
        return NO_OPINION
