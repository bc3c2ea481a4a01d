"""One side: the chain of some settings, in this process. Nothing is stored or learned."""

from __future__ import annotations

from filterd.chain.play import play
from filterd.config.assembly import build_pipeline
from filterd.config.load import Settings
from filterd.replay.cases import Case
from filterd.replay.judged import Judged


class Offline:
    """The chain that the settings describe. Raises OSError, ValueError if it cannot be prepared."""

    def __init__(self, settings: Settings) -> None:
        self._pipeline = build_pipeline(settings, keeping=False)
        self._pipeline.chain.prepare()

    def judge(self, case: Case) -> Judged:
        """What the chain and the policy make of the message."""
        return Judged.of(play(self._pipeline, case.envelope, case.data))

    def complete(self, judged: list[Judged]) -> list[Judged]:
        """Nothing is missing."""
        return judged

    def close(self) -> None:
        """Nothing to close."""
