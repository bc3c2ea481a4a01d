"""Changes of local lists that are not made: how HTTP says why."""

from __future__ import annotations

from filterd.review.list_values import (
    ChangedMeanwhileError,
    ListChangeError,
    ListFileError,
    UnknownListError,
)


def status_of(error: ListChangeError) -> int:
    """The status of the answer (RFC 9110 §15)."""
    match error:
        case UnknownListError():
            return 404
        case ChangedMeanwhileError():
            return 409
        case ListFileError():
            return 503
    return 422
