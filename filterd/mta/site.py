"""What all sessions of one server share, and where it listens."""

from __future__ import annotations

import ssl
from collections import Counter
from dataclasses import dataclass, field

from filterd.mta.compose import Composer
from filterd.mta.delivery import Router
from filterd.mta.input_filter import InputMailFilter
from filterd.mta.queue import Queue
from filterd.mta.queue_id import QueueIds
from filterd.mta.sasl import Passwords
from filterd.mta.settings import MtaSettings
from filterd.mta.wording import Wording


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
