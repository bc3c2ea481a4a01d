"""What all sessions of one server share, and where it listens."""

from __future__ import annotations

import ssl
from collections import Counter
from dataclasses import dataclass, field

from filterd.mta.delivery.router import Router
from filterd.mta.mail.composer import Composer
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.queue.manager import Queue
from filterd.mta.sendmail.queue_ids import QueueIds
from filterd.mta.settings import MtaSettings
from filterd.mta.smtp.replies import Wording
from filterd.mta.smtp.sasl import Passwords


@dataclass(frozen=True, slots=True)
class Site:
    """What all sessions of one server share. clients: how many sessions each address has."""

    settings: MtaSettings
    wording: Wording
    composer: Composer
    router: Router
    queue: Queue
    ids: QueueIds
    extensions: tuple[str, ...]
    """What EHLO announces, as the wording of the flavour has it."""

    tls: ssl.SSLContext | None = None
    passwords: Passwords | None = None
    clients: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Listener:
    """One address that is listened on, sendmail's daemon. name: its `{daemon_name}`."""

    name: str
    address: str
    port: int
    filters: tuple[InputMailFilter, ...]
