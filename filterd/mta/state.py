"""What all sessions of one server share."""

from __future__ import annotations

import os
import ssl
from collections import Counter
from dataclasses import dataclass, field

from filterd.mta.delivery.router import Router
from filterd.mta.personality import Personality
from filterd.mta.queue.manager import QueueManager
from filterd.mta.rates import ConnectionRates
from filterd.mta.settings import MtaSettings
from filterd.mta.smtp.sasl import Passwords


@dataclass(frozen=True, slots=True)
class MtaState:
    """What all sessions of one server share. clients: how many sessions each address has. rates:
    how many connections came lately."""

    settings: MtaSettings
    personality: Personality
    router: Router
    queue: QueueManager
    tls: ssl.SSLContext | None = None
    passwords: Passwords | None = None
    clients: Counter[str] = field(default_factory=Counter)
    rates: ConnectionRates = field(default_factory=ConnectionRates)


def load_average() -> int:
    """The machine's load average of the last minute, rounded as sendmail does."""
    return int(os.getloadavg()[0] + 0.5)
