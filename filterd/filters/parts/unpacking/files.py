"""One file on its way through the looks: an attachment, or what is in one."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from filterd.filters.parts.unpacking import marks
from filterd.filters.parts.unpacking.kinds import HEAD_SIZE, kinds_of
from filterd.filters.parts.unpacking.names import extensions

OLE_ERRORS = (
    OSError,
    ValueError,
    IndexError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
    struct.error,
)
"""What olefile raises on broken files, and we on their streams."""


@dataclass(frozen=True, slots=True)
class File:
    """One file. names: its own; path: the archives around it, outermost first. kind: the likeliest,
    `""` if it is none that we ask for; others: what it is to other readers as well. content: as far
    as it was kept, whole if `complete`. media_type: as declared, in lower case. is_behind: it
    begins behind the top of the file that has these names.
    """

    names: tuple[str, ...]
    kind: str
    content: bytes
    path: tuple[str, ...] = ()
    complete: bool = True
    others: tuple[str, ...] = ()
    media_type: str = ""
    is_behind: bool = False

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        content: bytes,
        path: tuple[str, ...] = (),
        media_type: str = "",
    ) -> File:
        """A whole file, with all its kinds."""
        kind, *others = marks.kinds(content, names, media_type) or ("",)
        return cls(names, kind, content, path, others=tuple(others), media_type=media_type)

    @classmethod
    def begun(
        cls, names: tuple[str, ...], head: bytes, path: tuple[str, ...] = (), media_type: str = ""
    ) -> File:
        """A file of which there are only the first octets."""
        kind, *others = kinds_of(head[:HEAD_SIZE]) or ("",)
        return cls(names, kind, head, path, False, tuple(others), media_type)

    @property
    def kinds(self) -> tuple[str, ...]:
        """All kinds, the likeliest first."""
        return (self.kind, *self.others) if self.kind else ()

    @property
    def shown_path(self) -> str:
        """The names from the outermost archive to the file itself, joined by `/`."""
        return "/".join((*self.path, self.names[0] if self.names else "unnamed"))

    @property
    def extensions(self) -> frozenset[str]:
        """All that some reader may see in any of its names, in lower case, without dot."""
        return frozenset(found for name in self.names for found, _ in extensions(name))
