"""The filters: each turns one `Message` into one `Verdict`. How they are found, set and built.

A filter is found by name through the entry-point group `filterd.filters`, so a plugin is a package
with one line of packaging. The entry point names the filter's settings: a frozen dataclass whose
fields are the keys of `[filters.NAME]`, and whose `build()` makes the filter; one that needs what
the site offers to all filters has `build_with(services)` in its place. Reading a settings
file makes only the settings; what a filter needs to run is imported inside `build`. A class that is
settings and filter at once, a dataclass with `examine` or stages and without `build`, is accepted
as well.

A filter examines messages, or is asked at stages of the SMTP session (`filterd.chain.stages`), or
both.

A filter touches no socket of the MTA and stores nothing. It raises on trouble, and the chain then
applies that filter's `on_error`. `prepare()`, where a filter has one, is called once before the
first message: the place to open models and tables, shared by all workers that are forked later.
`ask(message)`, where a filter has one, is called before any filter examines the message: the place
to send a server its question without waiting for the answer, which `examine` then reads.
`signature()` in the settings' class, where it has one, says what the files that `prepare` loads are
like: when it changes, the daemon reloads.
`must_examine = True` in the settings' class says that mail which the filter could not examine must
not be delivered: `filterd check` warns where the settings let it. `needs_network = False` says that
the filter opens no network connection with these settings, `waits_for_network = True` that it waits
for other hosts with most messages, so that more workers are of use. docs/filters/writing.md
"""

from __future__ import annotations

import dataclasses
import os
import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

from filterd.chain import old_names
from filterd.chain.services import Services
from filterd.chain.stages import Stage
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


@runtime_checkable
class StageFilter(Protocol):
    """What the chain knows of a filter that examines no message. It has one of the methods that
    `filterd.chain.stages` describes, at least."""

    @property
    def name(self) -> str:
        """The word that settings, log lines and metrics use for it."""
        ...


class BuildableAlone(Protocol):
    """The settings of one filter: a frozen dataclass that knows how to make the filter.

    `__post_init__` may check the values; it raises ValueError, or SettingsError for several.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def build(self) -> Filter | StageFilter:
        """A new filter with these settings, not prepared yet."""
        ...


@runtime_checkable
class BuildableWith(Protocol):
    """The same for a filter that needs the site's services."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def build_with(self, services: Services) -> Filter | StageFilter:
        """A new filter with these settings, not prepared yet."""
        ...


Buildable = BuildableAlone | BuildableWith
"""The settings of one filter."""


def built(settings: Buildable, services: Services) -> Filter | StageFilter:
    """A new filter with these settings, not prepared yet."""
    if isinstance(settings, BuildableWith):
        return settings.build_with(services)
    return settings.build()


class UnknownFilterError(LookupError):
    """No installed package offers a filter of that name, or what it offers cannot be used."""


def available() -> dict[str, str]:
    """The installed filters: name → `module:class`."""
    return {point.name: point.value for point in _entry_points()}


def _entry_points() -> EntryPoints:
    """What the installed packages offer, also those that were installed a moment ago."""
    return _read_entry_points(tuple((path, _changed(path)) for path in sys.path))


@lru_cache(maxsize=1)
def _read_entry_points(places: tuple[tuple[str, int], ...]) -> EntryPoints:  # noqa: ARG001
    # All packages' metadata is read for this, a third of what it takes to read settings. places:
    # the folders of packages, and when something was added to them or removed last.
    return entry_points(group=ENTRY_POINT_GROUP)


def _changed(path: str) -> int:
    """Nanoseconds; 0 for what is not there."""
    try:
        return os.stat(path or ".").st_mtime_ns  # noqa: PTH116  (for each of them, each time)
    except OSError:
        return 0


def load(name: str) -> type[Buildable]:
    """Return the settings class of the filter of that name.

    Raises UnknownFilterError if no package offers it, or not in a form that can be used.
    """
    old_names.install()
    for point in _entry_points().select(name=name):
        value = old_names.ENTRY_POINTS.get(point.value, point.value)
        try:
            found = EntryPoint(point.name, value, point.group).load()
        except (ImportError, AttributeError) as error:
            raise UnknownFilterError(
                f"filter {name!r} ({value}) cannot be imported: {error}"
            ) from error
        if isinstance(found, type) and dataclasses.is_dataclass(found):
            if any(callable(getattr(found, way, None)) for way in ("build", "build_with")):
                return cast(type[Buildable], found)
            if any(callable(getattr(found, method, None)) for method in ("examine", *Stage)):
                return _with_build(found)
        raise UnknownFilterError(
            f"filter {name!r} ({value}) is not a dataclass with `build` (or `examine`), "
            "which docs/filters/writing.md describes"
        )
    raise UnknownFilterError(
        f"no filter {name!r} is installed; there are: {', '.join(sorted(available()))}"
    )


def _with_build(cls: type[Any]) -> type[Buildable]:
    """The class, settings and filter at once, with a `build` that makes a copy: the instance that
    the settings hold never examines anything, so that it stays what the file says."""

    def build(self: Any) -> Filter | StageFilter:
        copy: Filter | StageFilter = dataclasses.replace(self)
        return copy

    names = {"build": build, "__doc__": cls.__doc__, "__module__": cls.__module__}
    return cast(type[Buildable], type(cls.__name__, (cls,), names))
