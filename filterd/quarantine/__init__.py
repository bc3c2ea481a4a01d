"""The quarantine: what filterd takes out of the mail flow, on disk before the MTA hears of it."""

from filterd.quarantine.entry import Entry, NewEntry
from filterd.quarantine.settings import QuarantineSettings
from filterd.quarantine.store import GoneError, Store, StoreError, UnknownIdError

__all__ = [
    "Entry",
    "GoneError",
    "NewEntry",
    "QuarantineSettings",
    "Store",
    "StoreError",
    "UnknownIdError",
]
