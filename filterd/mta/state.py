"""What all sessions of one server share."""

from __future__ import annotations

import ssl
from collections import Counter
from dataclasses import dataclass, field

from filterd.mta.delivery.router import Router
from filterd.mta.personality import Personality
from filterd.mta.queue.manager import QueueManager
from filterd.mta.settings import MtaSettings
from filterd.mta.smtp.sasl import Passwords


@dataclass(frozen=True, slots=True)
class ServerState:
    """What all sessions of one server share. clients: how many sessions each address has."""

    settings: MtaSettings
    personality: Personality
    router: Router
    queue: QueueManager
    tls: ssl.SSLContext | None = None
    passwords: Passwords | None = None
    clients: Counter[str] = field(default_factory=Counter)
