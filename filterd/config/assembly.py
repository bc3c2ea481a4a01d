"""Putting the parts together: from checked settings to a pipeline that can examine mail.

Front doors (`daemon`, `cli`, later `web`) come here; nothing below knows this module.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from filterd.bayes.site.autolearn import Queue
from filterd.chain.chain import Chain, Examination
from filterd.chain.descriptions import WORKER_FAILED
from filterd.chain.filter import available, built
from filterd.chain.links import Link
from filterd.chain.marks import Verifier, load_key
from filterd.chain.pipeline import Keep, Offer, Pipeline
from filterd.chain.policy import Policy
from filterd.chain.report import ScanReport
from filterd.chain.services import Services
from filterd.chain.verdict import Action, Failure, FailureKind, Reason, Symbol
from filterd.config.load import Settings
from filterd.filters.bayes.settings import BayesSettings
from filterd.filters.sklearn.settings import SklearnSettings
from filterd.history import History
from filterd.history.recent_mail import RecentMail
from filterd.message import Message
from filterd.quarantine import QuarantineSettings
from filterd.quarantine.store import NewEntry, Store
from filterd.quarantine.words import known
from filterd.state.facts import SharedState
from filterd.state.opening import open_state, open_trial

if TYPE_CHECKING:
    from filterd.bayes.site.folder import ModelFolder

log = logging.getLogger(__name__)


def build_pipeline(settings: Settings, *, keeping: bool = True) -> Pipeline:
    """The pipeline that the settings describe, its filters not yet prepared.

    keeping: False for offline scans, which store nothing.
    """
    links, services = [], site_services(settings, keeping=keeping)
    for name in settings.chain.filters:
        entry = settings.filters[name]
        links.append(Link(built(entry.own, services), entry.link, name))
    chain = Chain(links, settings.chain.timeout)
    if keeping:
        _honour_releases(chain, settings.quarantine)
    policy = Policy(settings.policy)
    if policy.strips_viruses:
        chain.locate_viruses()
    return Pipeline(
        chain,
        policy,
        settings.labels,
        _keeper(settings) if keeping else None,
        _offerer(settings) if keeping and settings.autolearn.enabled else None,
        open_recent_mail(settings).keep if keeping and settings.history.mail_hours else None,
    )


def site_services(settings: Settings, *, keeping: bool = False) -> Services:
    """What the site offers to its filters. keeping: False where nothing may be written."""

    def state() -> SharedState:
        return site_state(settings, keeping=keeping)

    def key() -> bytes:
        return load_key(settings.quarantine.folder, make=keeping)

    trusted = settings.chain.trusted_networks
    classifies = any(settings.in_chain(kind) for kind in (BayesSettings, SklearnSettings))
    return Services(settings.resolver, trusted, state, key, settings.labels, classifies=classifies)


def site_state(settings: Settings, *, keeping: bool = True) -> SharedState:
    """What filters remember from one message to the next. keeping: False where nothing may be
    written. Raises StateError for a URL that cannot be used."""
    opened = open_state if keeping else open_trial
    return opened(settings.state, settings.quarantine.folder / "state.sqlite3")


def _honour_releases(chain: Chain, quarantine: QuarantineSettings) -> None:
    """Let what a person released pass. Without the key it is judged like any mail, no worse."""
    try:
        chain.released = Verifier(load_key(quarantine.folder), quarantine.release_clients)
    except OSError as error:
        log.warning("marks of released mail are not honoured: %s", error)


def _offerer(settings: Settings) -> Offer:
    """How mail is offered to autolearn."""
    queue = autolearn_queue(settings)

    def offer(message: Message, examination: Examination) -> None:
        symbols = examination.verdict.symbols
        # Where a filter failed, or a person has decided already, the evidence is not whole.
        if not examination.failures and not examination.verdict.released:
            queue.offer(message, ((symbol.name, symbol.score) for symbol in symbols))

    return offer


def autolearn_queue(settings: Settings) -> Queue:
    """Where copies wait to be learned."""
    return Queue(settings.of_filter(BayesSettings).models, settings.autolearn)


def model_folder(settings: Settings) -> ModelFolder:
    """The site's models and where their journal is."""
    from filterd.bayes.site.folder import ModelFolder  # noqa: PLC0415  (numpy)

    bayes = settings.of_filter(BayesSettings)
    return ModelFolder(bayes.models, bayes.database)


def check_filter_name(condition: str, name: str, settings: Settings) -> None:
    """Raise UnknownWordError for a name that is neither in the chain nor of an installed filter.

    condition: what the error calls it. An empty name passes.
    """
    known(condition, name, (*settings.chain.filters, *sorted(available())))


def open_history(settings: Settings) -> History:
    """The site's records of all messages."""
    file = settings.history.file or settings.quarantine.folder / "history.sqlite3"
    return History(file, settings.history)


def open_recent_mail(settings: Settings) -> RecentMail:
    """Copies of the mail of the last hours."""
    return RecentMail(settings.quarantine.folder, settings.history)


def _keeper(settings: Settings) -> Keep:
    store = Store(settings.quarantine)

    def keep(
        message: Message, report: ScanReport, held_for: tuple[str, ...], received: datetime
    ) -> None:
        if report.released and held_for:
            # Before the MTA hears of it: who releases asks the journal what became of the message.
            why = f"{message.id} ({report.reason})"
            store.note("held_again", report.released, "filterd", why, held_for)
        store.put(NewEntry(report, message.data, message.envelope, held_for, received))

    return keep


class FailureKeeper:
    """Keeps a message that broke its worker: for analysis, where the client was told to try again,
    or held."""

    def __init__(self, settings: Settings) -> None:
        self._store = Store(settings.quarantine)
        self._required = settings.policy.label

    def __call__(self, message: Message, reason: str, *, held: bool) -> None:
        """Store message and reason durably; held: in place of delivery. Raises OSError if that
        cannot be done."""
        report = ScanReport(
            id=message.id,
            action=Action.QUARANTINE if held else Action.TEMPFAIL,
            reason=Reason.FAILED,
            required=self._required,
            symbols=(Symbol(WORKER_FAILED, 0.0, reason),),
            failures=(Failure("", FailureKind.CRASH, reason),),
        )
        recipients = tuple(r.address for r in message.envelope.recipients) if held else ()
        self._store.put(
            NewEntry(report, message.data, message.envelope, recipients, datetime.now(UTC))
        )

    def close(self) -> None:
        """Close the store."""
        self._store.close()
