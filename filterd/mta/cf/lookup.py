"""What a map (a `K` line) is to the rules: a key and arguments go in, an answer comes out.

The rules know nothing of files, servers or programs: whoever runs them brings the maps.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

EX_OK = 0
EX_NOTFOUND = 68  # sysexits' EX_NOHOST
EX_TEMPFAIL = 75


@dataclass(frozen=True, slots=True)
class MapAnswer:
    """What a lookup found.

    value: None where there is no entry. status: an exit status of sysexits.h; of these only
    EX_TEMPFAIL reaches a ruleset, the others are shown by `/map`. complaint: sendmail's message for
    the log and the person who asked, several lines perhaps, empty for none. trouble: the exit
    status that the complaint leaves behind, 0 for a mere message. entry: where the value stands, as
    `FILE:LINE` or a file's name, for the trace; empty where no file is behind it.
    """

    value: str | None = None
    status: int = EX_OK
    complaint: str = ""
    entry: str = ""
    trouble: int = EX_OK


@dataclass(frozen=True, slots=True)
class Opening:
    """What became of opening a map.

    is_open: False for an optional map without its file, and for a K line with mistakes: a rule then
    finds nothing, and `/map` says that the map is not open. A map that should be there and is not
    counts as open: each lookup is a temporary failure. complaint, trouble: as in `MapAnswer`, told
    once.
    """

    is_open: bool
    complaint: str = ""
    trouble: int = EX_OK


class Map(Protocol):
    """A map that is open, or that says in each answer why it is not.

    Text is str with octets from 128 on as surrogates (surrogateescape), as in addresses.
    """

    @property
    def strips_quotes(self) -> bool:
        """Whether a rule takes the quotes off its key first (not with `-q`, not for dequote)."""
        ...

    @property
    def space(self) -> str | None:
        """What joins two atoms of a key (`-S`); None for the option BlankSub."""
        ...

    @property
    def is_open(self) -> bool:
        """False for what `/map` calls `not open`: nothing is found in it, without a failure.

        An optional map (`-o`) without its file, a K line that was complained of. Opens the map, and
        leaves what there is to complain of to `open` or `lookup`.
        """
        ...

    @property
    def defers(self) -> bool:
        """Whether its temporary failure is one of the ruleset, too (not with `-t`)."""
        ...

    @property
    def failure_suffix(self) -> str | None:
        """What a rule gets after the key when the lookup fails temporarily (`-T`)."""
        ...

    @property
    def rests_when_deferred(self) -> bool:
        """Whether a lookup fails for now, unasked, in the delivery mode `deferred` (`-D`)."""
        ...

    def version(self) -> Hashable | None:
        """What its answers depend on besides key and arguments: as long as this is equal, so are
        they. None where nobody knows that."""
        ...

    def open(self) -> Opening:
        """Open it, if that has not been done. `lookup` does it as well."""
        ...

    def lookup(self, key: str, arguments: Sequence[str] = ()) -> MapAnswer:
        """Look a key up, as `/map` does: quotes stay, and `-t` and `-T` are left to the rules.

        arguments: those after the key, `%1` first. Raises nothing: a failure is an answer with
        its status.
        """
        ...


class Maps(Protocol):
    """The maps of one configuration: entered by its K lines, found by its rules."""

    def define(self, name: str, type: str, arguments: str) -> Sequence[str]:
        """Enter a map. Returns sendmail's complaints about the line, without file and number."""
        ...

    def find(self, name: str) -> Map | None:
        """The map of that name, sendmail's own ones among them; case does not count."""
        ...


class RunTimeMacros(Protocol):
    """The values at run time that the class `macro` changes. Names are without braces."""

    def set(self, name: str, value: str | None) -> None: ...

    def get(self, name: str) -> str | None: ...
