"""What local lists are to those who look at them and change them; why a change is not made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from filterd.filters.locallists.settings import Fact, LocalList
from filterd.filters.locallists.text import ListSummary, ListText
from filterd.review.former import Former


class ListChangeError(Exception):
    """A change that is not made, in words for the person who asked."""


class UnknownListError(ListChangeError):
    """No list of that name, or no such line in it."""


class ChangedMeanwhileError(ListChangeError):
    """The file is not the one that the person has seen."""


class ListFileError(ListChangeError):
    """The file cannot be read or written now."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a list is used for. filter: its name in the chain. early: it counts at RCPT."""

    filter: str
    own: LocalList
    early: bool


@dataclass(frozen=True, slots=True)
class SiteList:
    """One file. name: how pages and programs call it. uses: most files have one."""

    name: str
    path: Path
    uses: tuple[Use, ...]

    @property
    def abouts(self) -> tuple[Fact, ...]:
        """What entries are compared with."""
        return tuple(dict.fromkeys(use.own.about for use in self.uses))


@dataclass(frozen=True, slots=True)
class ListState:
    """A list as its file is now. text: None where it cannot be read, and `error` says why. former:
    what the last change replaced, None if it cannot be undone; edited: since the file was changed
    by hand after it."""

    list: SiteList
    text: ListText | None
    summary: ListSummary
    former: Former | None = None
    edited: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class ListChange:
    """A change that is made. version: of the file now. line: its number, 0 for the whole file."""

    words: str
    version: str
    line: int = 0
