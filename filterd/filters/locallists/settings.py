"""Settings `[filters.locallists]`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_doc import Doc

from filterd.chain.filter import Filter
from filterd.chain.verdict import Action
from filterd.filters.dnslists.codes import SYMBOL
from filterd.system.mistakes import mistakes

Fact = Literal["client", "rdns", "helo", "sender", "recipient", "from", "subject", "url"]
"""What a list is about. client: the SMTP client's address. rdns: its name, as the MTA looked it up.
helo: what it called itself. sender: the reverse-path. recipient: each forward-path. from: the
address in From. subject: the Subject as people read it. url: hosts of URLs, for regular expressions
whole URLs."""

ENVELOPE: frozenset[Fact] = frozenset({"client", "rdns", "helo", "sender", "recipient"})
"""Those that are known at RCPT."""

_ABOUT: Mapping[Fact, str] = {
    "client": "The client's address",
    "rdns": "The client's name",
    "helo": "The name in HELO",
    "sender": "The sender",
    "recipient": "The recipient",
    "from": "The address in From",
    "subject": "The Subject",
    "url": "A URL in the message",
}

ALLOW_POINTS, BLOCK_POINTS = -5.0, 5.0


@dataclass(frozen=True)
class LocalList:
    """Settings `[[filters.locallists.lists]]`: one file."""

    file: Annotated[Path, Doc("the file, one entry a line; read again when it has changed")]
    about: Annotated[Fact, Doc("what its entries are compared with")]
    kind: Annotated[Literal["allow", "block"], Doc("what it means to be in it")] = "block"
    symbol: Annotated[
        str, Doc("symbol of a match; empty: LOCAL_ALLOWED_… or LOCAL_BLOCKED_…, with `about`")
    ] = ""
    points: Annotated[float | None, Doc("points of a match; unset: -5 for allow, 5 for block")] = (
        None
    )
    action: Annotated[
        Literal["score", "quarantine", "discard", "tempfail", "reject"],
        Doc("what a match in a block list means, whatever the points; score: nothing more"),
    ] = "score"
    proven: Annotated[
        bool,
        Doc(
            "true: of an allow list about sender or from: an entry counts only for mail that SPF "
            "or DKIM proves to come from that domain; the filter auth has to stand before"
        ),
    ] = False

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("symbol"):
                if self.symbol and not SYMBOL.fullmatch(self.symbol):
                    raise ValueError(
                        f"{self.symbol!r} is not a symbol; expected capitals, as LOCAL_BLOCKED"
                    )
            with wrong.at("points"):
                if not math.isfinite(self.score):
                    raise ValueError(f"{self.points} is not a number")
                if self.kind == "allow" and self.score > 0:
                    raise ValueError(f"{self.score:g} is above 0, but the list allows")
                if self.kind == "block" and self.score < 0:
                    raise ValueError(f"{self.score:g} is below 0, but the list blocks")
            with wrong.at("proven"):
                if self.proven and (self.kind != "allow" or self.about not in ("sender", "from")):
                    raise ValueError("is for allow lists about sender or from")
            with wrong.at("action"):
                if self.kind == "allow" and self.action != "score":
                    raise ValueError(
                        f"{self.action} is for lists that block; an allow list gives points, and "
                        "outweighs block lists"
                    )

    @property
    def name(self) -> str:
        """The symbol."""
        word = "ALLOWED" if self.kind == "allow" else "BLOCKED"
        return self.symbol or f"LOCAL_{word}_{self.about.upper()}"

    @property
    def description(self) -> str:
        """What the symbol means."""
        return f"{_ABOUT[self.about]} is on the site's {self.kind} list {self.file.name}."

    @property
    def score(self) -> float:
        """The points of a match."""
        if self.points is not None:
            return self.points
        return ALLOW_POINTS if self.kind == "allow" else BLOCK_POINTS

    @property
    def forced(self) -> Action:
        """The least that a match causes."""
        return Action.ACCEPT if self.action == "score" else Action(self.action)


@dataclass(frozen=True)
class LocalListsSettings:
    """Gives points, or an action, to what is in files of the site's own."""

    needs_network: ClassVar[bool] = False

    lists: Annotated[tuple[LocalList, ...], Doc("the files; without any nothing is done")] = ()
    early: Annotated[
        bool,
        Doc(
            "true: lists of client, its names, sender and recipient count at RCPT, for each "
            "recipient alone; false: with the message"
        ),
    ] = False

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for number, one in enumerate(self.lists):
                with wrong.at("lists", number, "proven"):
                    if self.early and one.proven and one.about in ENVELOPE:
                        raise ValueError(
                            "at RCPT nothing is proven yet; expected early = false, or a list "
                            "about from"
                        )

    def of(self, facts: frozenset[Fact]) -> Sequence[LocalList]:
        """The lists about these."""
        return [one for one in self.lists if one.about in facts]

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean; lists may share one."""
        found: dict[str, dict[str, None]] = {}
        for one in self.lists:
            found.setdefault(one.name, {})[one.description] = None
        return {name: " Or: ".join(texts) for name, texts in found.items()}

    def build(self) -> Filter:
        """The filter, no file read yet."""
        from filterd.filters.locallists.filter import LocalLists  # noqa: PLC0415  (a running filter)

        return LocalLists(self)
