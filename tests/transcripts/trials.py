"""What trials are made of: command lines of clients, plans of filters."""

from __future__ import annotations

from dataclasses import replace
from struct import pack
from typing import Any

from tests.transcripts.live import Trial

HELLO, SENDER = "EHLO client.test", "MAIL FROM:<alice@x.test>"
JOE, SUE = "RCPT TO:<joe@mx.example.test>", "RCPT TO:<sue@mx.example.test>"
MX = b"@mx.example.test\0"


def plan(**stages: list[tuple[Any, ...]]) -> str:
    return repr(stages)


def at_end(*edits: tuple[bytes, bytes]) -> str:
    return plan(E=[("r", *edit) for edit in edits] + [("r", b"c", b"")])


def placed(index: int, name: bytes, value: bytes) -> bytes:
    return pack("!I", index) + name + b"\0" + value + b"\0"


def whole(trial: Trial, mta: str) -> Trial:
    """Every filter has its equates and its answer to the offer."""
    count = len(trial.plans)
    usual = ", F=T, T=C:2s;S:2s;R:2s;E:6s" if mta == "sendmail" else ""
    given = trial.equates if trial.equates != Trial("", ()).equates else (usual,) * count
    answers = trial.answers if len(trial.answers) == count else trial.answers[:1] * count
    return replace(trial, mta=mta, equates=given, answers=answers)
