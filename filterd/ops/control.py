"""Asking a running daemon: a unix socket beside the milter's, one JSON line each way.

Nothing that is asked changes mail; `learn` changes the site's model. This is the asking side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filterd.config.load import Settings
from filterd.ops.json_socket import ask_at

STATUS_SECONDS = 2.0
"""For an answer that is only read off."""

RELOAD_SECONDS = 120.0
"""For a reload: all filters are prepared again, with models and compiled parts."""

LEARN_SECONDS = 310.0
"""For learning kept messages, up to a thousand at a time."""


def control_path(settings: Settings) -> Path:
    """The control socket of the daemon with these settings.

    It is beside a unix milter socket, with the suffix `.control`; where the daemon listens on TCP,
    in the spool folder, which belongs to it alone.
    """
    path = settings.daemon.address.path
    if path is None:
        return settings.daemon.spool / "filterd.control"
    return path.with_suffix(".control")


def ask(
    settings: Settings, question: str, seconds: float = STATUS_SECONDS, **more: Any
) -> dict[str, Any]:
    """The daemon's answer to `status`, `reload`, `failed` or `learn`. more: what else the request
    says, as JSON values. Raises AskError."""
    return ask_at(control_path(settings), {"ask": question, **more}, seconds)
