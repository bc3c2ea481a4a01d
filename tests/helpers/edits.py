"""Carrying out a filter's edits, as the MTA would."""

from __future__ import annotations

from filterd.chain.verdict import Splice, Verdict


def after(data: bytes, verdict: Verdict) -> bytes:
    """The message with the verdict's splices made."""
    for edit in sorted(
        (e for e in verdict.edits if isinstance(e, Splice)), key=lambda e: e.start, reverse=True
    ):
        data = data[: edit.start] + edit.replacement + data[edit.end :]
    return data
