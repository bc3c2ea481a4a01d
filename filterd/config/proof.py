"""Whether filters and reports that need to know who sent a message learn it."""

from __future__ import annotations

from collections.abc import Iterator

from filterd.chain.filter import Buildable
from filterd.config.load import Settings
from filterd.filters.auth.settings import AuthSettings
from filterd.filters.known.settings import KnownSettings
from filterd.filters.locallists.settings import LocalListsSettings
from filterd.filters.senders import list as senders
from filterd.filters.senders.settings import SendersSettings
from filterd.filters.sign.settings import SignSettings

REPORTED_DAYS = 2.0
"""Days that the history must keep: yesterday is reported today."""


def proof_warnings(settings: Settings) -> Iterator[str]:
    """All that an admin should be told of it, one text for each setting."""
    yield from unproven_entries(settings)
    yield from unproven_people(settings)
    yield from unsealed(settings)
    yield from unreported(settings)


def proof_missing(settings: Settings) -> str:
    """Why entries that demand proof never count; empty if they do."""
    return _missing(settings, SendersSettings)


def unproven_people(settings: Settings) -> Iterator[str]:
    """What to tell an admin where known senders get points although nobody has proven them."""
    why = _missing(settings, KnownSettings)
    for name, own in settings.in_chain(KnownSettings).items():
        if why and own.unproven_share:
            yield (
                f"filters.{name}.unproven_share: {why}, so mail that is forged in the name of "
                'known senders gets points, too; put "auth" first, or set unproven_share = 0'
            )


def _missing(settings: Settings, kind: type[Buildable]) -> str:
    """Why filters of that kind do not learn who sent a message; empty if they do."""
    name = next(iter(settings.in_chain(AuthSettings)), None)
    if name is None:
        return '"auth" is not in [chain] filters'
    if settings.filters[name].link.dry_run:
        return f"[filters.{name}] has dry_run = true"
    order = settings.chain.filters
    for other in settings.in_chain(kind):
        if order.index(other) < order.index(name):
            return f'"{name}" stands behind "{other}" in [chain] filters'
    return ""


def unproven_entries(settings: Settings) -> Iterator[str]:
    """What to tell an admin about it: entries that never count, or a filter that comes too late."""
    why = _missing(settings, LocalListsSettings)
    for name, local in settings.in_chain(LocalListsSettings).items():
        for number, one in enumerate(local.lists):
            if why and one.proven:
                yield f"filters.{name}.lists[{number}].proven: no entry ever counts, since {why}"
    why = proof_missing(settings)
    if not why:
        return
    for name, own in settings.in_chain(SendersSettings).items():
        try:
            demanding = [one for one in senders.read(own.file) if one.proven]
        except (senders.ListEntryError, OSError):
            # That is told elsewhere.
            continue
        if demanding:
            yield (
                f'filters.{name}.file: {len(demanding)} of its entries, as "{demanding[0]}", never '
                f"count, since {why}"
            )
        elif settings.in_chain(AuthSettings):
            yield (
                f'chain.filters: {why}, so new entries of "{name}" allow forged mail, too; put '
                '"auth" first'
            )


def unsealed(settings: Settings) -> Iterator[str]:
    """What to tell an admin where mail of others should be sealed (ARC) and is not, or with
    nothing in it."""
    why = _nothing_to_seal(settings)
    for name, own in settings.in_chain(SignSettings).items():
        if own.arc_domain and why:
            yield f"filters.{name}.arc_domain: {why}"


def _nothing_to_seal(settings: Settings) -> str:
    checks = settings.in_chain(AuthSettings)
    if not checks:
        return 'nothing is sealed, since "auth" is not in [chain] filters'
    if not settings.labels.remove_forged:
        return "nothing is sealed, since labels.remove_forged is off"
    for name, own in checks.items():
        if settings.filters[name].link.dry_run:
            return f"nothing is sealed, since [filters.{name}] has dry_run = true"
        if not own.arc:
            return f"nothing is sealed, since [filters.{name}] has arc = false"
        if not own.authentication_results:
            return (
                "seals say nothing of what was found, since "
                f"[filters.{name}] has authentication_results = false"
            )
    return ""


def unreported(settings: Settings) -> Iterator[str]:
    """What to tell an admin where DMARC reports are to be sent and there will be nothing to
    report."""
    if not settings.dmarc.send:
        return
    checks = settings.in_chain(AuthSettings)
    if not checks:
        yield 'dmarc.send: nothing is reported, since "auth" is not in [chain] filters'
    elif not any(own.dmarc for own in checks.values()):
        name = next(iter(checks))
        yield f"dmarc.send: nothing is reported, since [filters.{name}] has dmarc = false"
    if not settings.history.enabled:
        yield "dmarc.send: nothing is reported, since [history] enabled is false"
    elif settings.history.keep_days < REPORTED_DAYS:
        yield (
            f"dmarc.send: history.keep_days is {settings.history.keep_days:g}, so reports lack "
            f"messages; set it to {REPORTED_DAYS:g} or more"
        )
