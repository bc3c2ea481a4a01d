"""One SMTP session that filters are asked about, in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from filterd.chain.chain import Chain
from filterd.chain.filter import Filter, StageFilter
from filterd.chain.links import Link, LinkSettings
from filterd.chain.pipeline import Pipeline
from filterd.chain.play import PlayedSession
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicySettings
from filterd.chain.report import ScanReport
from filterd.chain.verdict import Failure, Reply, Symbol
from filterd.message import Client, Recipient

ACCEPTED = Reply(250, "2.0.0", "Ok")
"""What the MTA says where no filter refuses; its words are its own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client is told to a command. report: on the refusal, None where it goes on.
    symbols: found so far about the session, the transaction and, at RCPT, this recipient."""

    reply: Reply = ACCEPTED
    symbols: tuple[Symbol, ...] = ()
    report: ScanReport | None = None

    @property
    def code(self) -> int:
        """The reply's code: 250, or that of the refusal."""
        return self.reply.code

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The filters without an opinion, where that is why the client was refused."""
        return self.report.failures if self.report is not None else ()


class Smtp:
    """An SMTP session, and the messages in it. filters: the chain, in order, prepared here.

    link: what every filter has of settings (timeout, on_error ...); policy: thresholds, rules and
    replies. macros: the MTA's, as `{auth_authen}` or `j`. Commands that were not given, or not yet,
    are not made up: a filter sees what a session without them shows.
    """

    def __init__(
        self,
        *filters: Filter | StageFilter,
        policy: PolicySettings | None = None,
        link: LinkSettings | None = None,
        macros: Mapping[str, str] | None = None,
    ) -> None:
        settings = link if link is not None else LinkSettings()
        chain = Chain([Link(filter, settings) for filter in filters])
        chain.prepare()
        pipeline = Pipeline(chain, Policy(policy if policy is not None else PolicySettings()))
        self._session = PlayedSession(pipeline)
        self._macros = dict(macros or {})

    def connect(self, address: str, name: str = "", port: int = 25025) -> Answer:
        """A client connects. name: as the MTA resolved it; `[address]` where there is none."""
        client = Client(name or f"[{address}]", address, port)
        return self._answer(self._session.connect(client, self._macros))

    def helo(self, name: str) -> Answer:
        """HELO or EHLO."""
        return self._answer(self._session.helo(name))

    def sender(self, address: str, *parameters: str, **macros: str) -> Answer:
        """MAIL. address: without brackets, empty for the null reverse-path. parameters: as
        `SIZE=100`. macros: as auth_authen="joe", new from here on."""
        braced = {f"{{{name}}}" if len(name) > 1 else name: text for name, text in macros.items()}
        return self._answer(self._session.sender(address, parameters, braced))

    def recipient(self, address: str, *parameters: str, resolved: str = "") -> Answer:
        """RCPT. resolved: as the MTA understood it (macro `{rcpt_addr}`)."""
        recipient = Recipient(address, parameters, resolved)
        return self._answer(self._session.recipient(recipient), address)

    def data(self) -> Answer:
        """DATA."""
        return self._answer(self._session.data())

    def message(self, data: bytes) -> ScanReport:
        """The message, with CRLF, and what becomes of it."""
        return self._session.result(data).report

    @property
    def refusals(self) -> tuple[ScanReport, ...]:
        """The reports on all refusals of the session."""
        return tuple(self._session.refusals)

    def _answer(self, refusal: ScanReport | None, recipient: str = "") -> Answer:
        if refusal is None:
            return Answer(symbols=self._session.early.findings.so_far(recipient))
        return Answer(refusal.reply or ACCEPTED, refusal.symbols, refusal)
