"""What one can do with messages from the pages, in words and as calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from filterd.review.access import Access
from filterd.review.actions import Done


class How(NamedTuple):
    """note: why, for the journal. everybody: of allow and block, for all recipients."""

    note: str = ""
    everybody: bool = False


Act = Callable[[Access, Sequence[str], How], list[Done]]


@dataclass(frozen=True, slots=True)
class Deed:
    """One deed. title: on the button and the page that asks. explained: what will happen.
    is_grave: cannot be undone, or has an effect on mail to come."""

    title: str
    explained: str
    act: Act
    is_grave: bool = False
    has_everybody: bool = False


def _list(
    kind: Literal["allow", "block"], access: Access, ids: Sequence[str], how: How
) -> list[Done]:
    return access.list_senders(kind, ids, everybody=how.everybody, note=how.note)


DEEDS: Mapping[str, Deed] = {
    "release": Deed(
        "Release",
        "The originals go to those recipients whose copy is held (to all recipients where it is "
        "only a copy). Nobody gets one twice.",
        lambda access, ids, how: access.release(ids, note=how.note),
    ),
    "release-ham": Deed(
        "Release and learn as ham",
        "As a release, and the classifier learns that this is wanted mail.",
        lambda access, ids, how: access.release_and_learn(ids, note=how.note),
    ),
    "spam": Deed(
        "Learn as spam",
        "The classifier learns that this is unwanted mail.",
        lambda access, ids, how: access.learn(ids, spam=True, note=how.note),
    ),
    "ham": Deed(
        "Learn as ham",
        "The classifier learns that this is wanted mail.",
        lambda access, ids, how: access.learn(ids, spam=False, note=how.note),
    ),
    "pin": Deed(
        "Pin",
        "The messages do not expire.",
        lambda access, ids, how: access.pin(ids, note=how.note),
    ),
    "unpin": Deed(
        "Unpin",
        "The messages expire as others do.",
        lambda access, ids, how: access.pin(ids, note=how.note, pinned=False),
    ),
    "allow": Deed(
        "Allow senders",
        "From now on mail from these envelope senders gets negative points.",
        lambda access, ids, how: _list("allow", access, ids, how),
        is_grave=True,
        has_everybody=True,
    ),
    "block": Deed(
        "Block senders",
        "From now on mail from these envelope senders gets points.",
        lambda access, ids, how: _list("block", access, ids, how),
        is_grave=True,
        has_everybody=True,
    ),
    "delete": Deed(
        "Delete",
        "The messages' bytes are gone for good; what they were and what was done stays known.",
        lambda access, ids, how: access.delete(ids, note=how.note),
        is_grave=True,
    ),
}
"""By the name that forms use, in the order of the menu."""
