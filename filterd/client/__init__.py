"""A client of the REST interface for other programs; the standard library is all that it needs."""

from filterd.client.connection import ApiError, UnreachableError
from filterd.client.interface import FilterdClient

__all__ = ["ApiError", "FilterdClient", "UnreachableError"]
