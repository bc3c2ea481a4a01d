"""What the settings promise for a test message, and whether that is what came.

The same chain and policy as the daemon's look at the message here, with one difference: the virus
scanner is one that finds the antivirus test file. So a clamd without signatures shows, and
thresholds, rules, actions, `dry_run` and filters that are not in the chain are all as they are set.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from filterd.chain.filter import Buildable, Filter, StageFilter, built
from filterd.chain.pipeline import Pipeline
from filterd.chain.play import PlayedSession
from filterd.chain.services import Services
from filterd.chain.verdict import Action, AddField, Verdict
from filterd.config.assembly import build_pipeline, site_services
from filterd.config.load import FilterSettings, Settings
from filterd.filters.scanners.engine import VirusFilter
from filterd.lab.samples import EICAR, RECIPIENT, SENDER, sample
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.fields import Buffer
from filterd.mta.delivery.client import SendResult
from filterd.scanners.answer import Infected, Signatures
from filterd.scanners.several import Answers

LINE_OCTETS = 20
"""Octets of a line of a removed part from which on it can be told from the rest of the message."""


class _FindsTestFile:
    """Asks nobody, and finds the antivirus test file itself."""

    def scan(self, content: Buffer, _deadline: float) -> Answers:
        found = any(EICAR.encode() in leaf.content for leaf in Message(content).leaves())
        return Answers((Infected("Eicar-Test-Signature"),) if found else ())

    def signatures(self, _deadline: float) -> list[Signatures]:
        return [Signatures("the scanner")]


class _AsksNobody:
    """The site's filter with another scanner; it prepares nothing and asks nothing ahead."""

    examines_released = True

    def __init__(self, filter: VirusFilter) -> None:
        filter.scanners = _FindsTestFile()
        self._filter = filter
        self.name = filter.name
        self.locates = False

    def examine(self, message: Message) -> Verdict:
        self._filter.locates = self.locates
        return self._filter.examine(message)


@dataclass(frozen=True)
class _WithoutScanners:
    """The settings of the site's scanners, for a filter that asks nobody."""

    own: Buildable

    def build_with(self, services: Services) -> Filter | StageFilter:
        """The filter."""
        filter = built(self.own, services)
        return _AsksNobody(filter) if isinstance(filter, VirusFilter) else filter


@dataclass(frozen=True)
class Expected:
    """action: of the message. code: of the refusal, 250 for none. flagged: the delivered copy says
    `X-Spam-Flag: YES`. removed: lines that the delivered copy has lost with its parts."""

    action: Action
    code: int = 250
    flagged: bool = False
    removed: tuple[bytes, ...] = ()

    @property
    def words(self) -> str:
        """The same for people."""
        if self.action in (Action.REJECT, Action.TEMPFAIL):
            return f"refused with {self.code}"
        if self.action is not Action.ACCEPT:
            return "250, not delivered"
        gone = "without its attachment, " if self.removed else ""
        return f"250, delivered {gone}{'with' if self.flagged else 'without'} a spam flag"

    def holds(self, result: SendResult, delivered: bytes | None) -> bool:
        """Whether that came. delivered: the copy in the mailbox, lines with LF; None for none."""
        if result.code != self.code:
            return False
        if delivered is None:
            return self.action is not Action.ACCEPT
        header = b"\n" + delivered.partition(b"\n\n")[0].lower()
        return (
            self.action is Action.ACCEPT
            and (b"\nx-spam-flag: yes" in header) is self.flagged
            and not any(line in delivered for line in self.removed)
        )


class Promises:
    """What the settings promise. left_out: filters that cannot be asked here, each with why."""

    def __init__(self, loaded: Settings) -> None:
        self.left_out: dict[str, str] = {}
        filters = {**loaded.filters}
        for name, entry in loaded.filters.items():
            filters[name] = FilterSettings(entry.link, _WithoutScanners(entry.own))
        services = site_services(loaded)
        for name in loaded.chain.filters:
            try:
                getattr(built(filters[name].own, services), "prepare", lambda: None)()
            except (OSError, ValueError) as error:
                self.left_out[name] = str(error)
        names = tuple(name for name in loaded.chain.filters if name not in self.left_out)
        chain = dataclasses.replace(loaded.chain, filters=names)
        changed = dataclasses.replace(loaded, filters=filters, chain=chain)
        self._pipeline: Pipeline = build_pipeline(changed, keeping=False)
        self._pipeline.chain.prepare()

    def of(self, name: str, host: str) -> Expected:
        """What is promised for a sample. host: the MTA's name, its macro `j`."""
        data = sample(name).data
        client = Client("localhost", "127.0.0.1")
        envelope = Envelope(SENDER, (Recipient(RECIPIENT),), client, macros={"j": host})
        session = PlayedSession(self._pipeline)
        refusal = session.until_data(envelope)
        if refusal is not None and refusal.reply is not None:
            return Expected(refusal.action, refusal.reply.code)
        result = session.result(data)
        decision, verdict = result.decision, result.examination.verdict
        flag = AddField("X-Spam-Flag", "YES")
        parts = [data[part.start : part.end].partition(b"\r\n\r\n")[2] for part in verdict.removed]
        lines = [line for part in parts for line in part.split()]
        return Expected(
            decision.action,
            decision.reply.code if decision.reply is not None else 250,
            flag in decision.edits,
            tuple(line for line in lines if len(line) >= LINE_OCTETS),
        )
