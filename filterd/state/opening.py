"""The state that the settings describe."""

from __future__ import annotations

from pathlib import Path

from filterd.state.facts import SharedState, StateError
from filterd.state.settings import StateSettings
from filterd.state.trial import TrialState


def open_state(settings: StateSettings, file: Path) -> SharedState:
    """The state; nothing is connected or opened before it is used, so that it can be made before a
    fork. file: the SQLite file where the settings name none.

    Raises StateError for a URL that cannot be used, or whose library is not installed.
    """
    if not settings.is_server:
        from filterd.state.tables import SqlState  # noqa: PLC0415  (loads the database)

        return SqlState(settings, settings.file or file)
    try:
        from filterd.state.server import ServerState  # noqa: PLC0415  (an extra)
    except ImportError:
        raise StateError(
            "state.url: redis is not installed; expected `pip install filterd[redis]`"
        ) from None
    return ServerState(settings)


def open_trial(settings: StateSettings, file: Path) -> SharedState:
    """The same for a scan that leaves no trace: what is known, and nothing is written."""
    if not settings.url and not (settings.file or file).exists():
        return TrialState()
    return TrialState(open_state(settings, file))
