"""One side: the chain of some settings, in this process. Nothing is stored or learned."""

from __future__ import annotations

from filterd.config.assembly import build_pipeline
from filterd.config.load import Settings
from filterd.message import Message
from filterd.message.ids import new_id
from filterd.replay.cases import Case
from filterd.replay.judged import Judged


class Offline:
    """The chain that the settings describe. Raises OSError, ValueError if it cannot be prepared."""

    def __init__(self, settings: Settings) -> None:
        self._pipeline = build_pipeline(settings, keeping=False)
        self._pipeline.chain.prepare()

    def judge(self, case: Case) -> Judged:
        """What the chain and the policy make of the message."""
        result = self._pipeline.process(Message(case.data, case.envelope, new_id()))
        decision, examination = result.decision, result.examination
        reply = decision.reply
        return Judged(
            decision.action.word,
            decision.labelled,
            examination.verdict.score,
            tuple((symbol.name, symbol.score) for symbol in examination.verdict.symbols),
            f"{reply.code} {reply.xcode}" if reply is not None else "",
            "; ".join(f"{f.filter}: {f.kind}" for f in examination.failures),
        )

    def complete(self, judged: list[Judged]) -> list[Judged]:
        """Nothing is missing."""
        return judged

    def close(self) -> None:
        """Nothing to let go."""
