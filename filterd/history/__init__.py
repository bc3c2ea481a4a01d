"""Every message's record, kept or not, for some days: what came, what was decided, and why."""

from filterd.history.query import HistoryQuery
from filterd.history.record import Record
from filterd.history.results import FilterFailures, HistoryError, HistoryPage
from filterd.history.settings import HistorySettings
from filterd.history.store import History
from filterd.history.summary import HistorySummary

__all__ = [
    "FilterFailures",
    "History",
    "HistoryError",
    "HistoryPage",
    "HistoryQuery",
    "HistorySettings",
    "HistorySummary",
    "Record",
]
