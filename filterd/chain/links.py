"""A filter in its place in the chain: the settings that every filter has, and what its failure
means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_doc import Doc
from annotated_types import Gt

from filterd.chain.filter import Filter, StageFilter
from filterd.chain.verdict import Action, Failure, Symbol, Verdict
from filterd.message import Envelope

DETAIL_LIMIT = 500
"""Characters of an error's text that are kept; it may quote the message."""

OnError = Literal["tempfail", "continue", "quarantine"]
"""What a filter's failure means: `tempfail` (451, the client retries), `continue` (the message
goes on without that filter's opinion) or `quarantine` (it is held)."""

_ON_ERROR_ACTION: Mapping[OnError, Action] = {
    "tempfail": Action.TEMPFAIL,
    "continue": Action.ACCEPT,
    "quarantine": Action.QUARANTINE,
}


@dataclass(frozen=True)
class LinkSettings:
    """Settings that every `[filters.NAME]` table may have, whatever the filter."""

    timeout: Annotated[float, Gt(0), Doc("seconds this filter may take for one message")] = 30.0
    on_error: Annotated[
        OnError, Doc("if it fails: tempfail, continue (without it) or quarantine")
    ] = "tempfail"
    on_error_authenticated: Annotated[
        OnError | None, Doc("the same for clients that logged in; unset: as on_error")
    ] = None
    dry_run: Annotated[bool, Doc("true: scan and log, but ignore the result")] = False


@dataclass(frozen=True, slots=True)
class Link:
    """One filter in its place in the chain. own_name: what the settings call it; empty: as the
    filter calls itself."""

    filter: Filter | StageFilter
    settings: LinkSettings = LinkSettings()
    own_name: str = ""

    @property
    def name(self) -> str:
        """The name in settings, log, failures and counters; two filters of one kind differ."""
        return self.own_name or self.filter.name


def failed_name(name: str) -> str:
    """The symbol of the failure of the filter of that name."""
    return f"{name.upper()}_FAILED"


def failed_symbol(failure: Failure) -> Verdict:
    """What a verdict says of a filter without an opinion."""
    return Verdict(symbols=(Symbol(failed_name(failure.filter), 0.0, str(failure)),))


def explained(opinion: Verdict, name: str) -> Verdict:
    """The opinion of the filter of that name; where it forces an action, with the cause of that."""
    if opinion.action is Action.ACCEPT:
        return replace(opinion, because="") if opinion.because else opinion
    cause = opinion.because or (opinion.symbols[0].cause if opinion.symbols else "")
    return replace(opinion, because=f"{name}: {cause[:DETAIL_LIMIT]}" if cause else name)


def on_error_action(settings: LinkSettings, envelope: Envelope, *, again: bool = False) -> Action:
    """What the filter's failure means. again: with this content it would fail each time, so that
    a client that is told to retry would retry in vain; the message is held instead."""
    if settings.dry_run:
        return Action.ACCEPT
    wanted = settings.on_error
    if envelope.authenticated and settings.on_error_authenticated is not None:
        wanted = settings.on_error_authenticated
    return _ON_ERROR_ACTION["quarantine" if again and wanted == "tempfail" else wanted]


def observed(opinion: Verdict) -> Verdict:
    """The opinion with everything that would change something taken out."""
    return Verdict(
        symbols=tuple(
            Symbol(s.name, 0.0, f"{s.detail} (dry run, {s.score:+g} points)".lstrip())
            for s in opinion.symbols
        )
    )
