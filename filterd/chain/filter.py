"""The filters: each turns one `Message` into one `Verdict`.

A filter is any object with a `name` and `examine(message)`. It is found by name through the
entry-point group `filterd.filters`, so a plugin is a package with one class and one line of
packaging. The entry point names a dataclass whose init fields are the filter's settings; what a
file's `[filters.NAME]` table holds is checked against them.

A filter touches no socket of the MTA and stores nothing. It raises on trouble, and the chain then
applies that filter's `on_error`. `prepare()`, where a filter has one, is called once before the
first message: the place to open models and tables, shared by all workers that are forked later.
`ask(message)`, where a filter has one, is called before any filter examines the message: the place
to send a server its question without waiting for the answer, which `examine` then reads.
`must_examine = True`, where a filter's class has it, says that mail which it could not examine must
not be delivered: `filterd check` warns where the settings let it.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

from filterd.chain import old_names
from filterd.chain.verdict import Verdict
from filterd.message import Message

ENTRY_POINT_GROUP = "filterd.filters"


@runtime_checkable
class Filter(Protocol):
    """What the chain knows of a filter."""

    @property
    def name(self) -> str:
        """The word that settings, log lines and metrics use for it."""
        ...

    def examine(self, message: Message) -> Verdict:
        """Return this filter's opinion of the message; raise on trouble."""
        ...


class UnknownFilterError(LookupError):
    """No installed package offers a filter of that name."""


def available() -> dict[str, str]:
    """The installed filters: name → `module:class`."""
    return {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}


def load(name: str) -> type[Any]:
    """Return the filter class of that name.

    Raises UnknownFilterError if no package offers it or its module cannot be imported.
    """
    old_names.install()
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        try:
            loaded: type[Any] = point.load()
        except ImportError as error:
            raise UnknownFilterError(
                f"filter {name!r} ({point.value}) cannot be imported: {error}"
            ) from error
        return loaded
    raise UnknownFilterError(
        f"no filter {name!r} is installed; there are: {', '.join(sorted(available()))}"
    )
