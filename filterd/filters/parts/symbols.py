"""The symbols of the filter: which setting treats each, and what they mean.

Those that begin with `MIME_`, `HEADER_` and `LINE_` are what `Message.anomalies` and the limits of
`filterd.message` find.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

BANNED_PART = "BANNED_PART"
"""The symbol of a part that may not be delivered."""

HIDDEN_PART = "MIME_HIDDEN_PART"
"""Of what only some readers of the message get to see."""


class _PartSymbol(NamedTuple):
    """group: the setting that says how it is treated. description: what it means."""

    group: str
    description: str


_SYMBOLS: Mapping[str, _PartSymbol] = {
    "ARCHIVE_AMBIGUOUS": _PartSymbol("ambiguous", "Programs find different files in an archive."),
    "ARCHIVE_ENCRYPTED": _PartSymbol("encrypted", "An archive has a password: nobody can scan it."),
    "ARCHIVE_DAMAGED": _PartSymbol("damaged", "An archive is damaged: not all of it can be read."),
    "ARCHIVE_LIMIT": _PartSymbol("limit", "An archive is larger, or deeper, than is unpacked."),
    "ARCHIVE_PATH": _PartSymbol("action", "An archive writes files outside of its own folder."),
    "ARCHIVE_UNREADABLE": _PartSymbol(
        "unreadable", "An archive is of a kind that nothing here reads."
    ),
    BANNED_PART: _PartSymbol("action", "A file is of a type that is not accepted."),
    "DOC_DAMAGED": _PartSymbol("damaged", "A document is damaged: not all of it can be read."),
    "DOC_EMBEDDED": _PartSymbol("suspicious", "A document contains another file."),
    "DOC_ENCRYPTED": _PartSymbol("encrypted", "A document has a password: nobody can scan it."),
    "DOC_SCRIPT": _PartSymbol("suspicious", "A document contains a script."),
    "DOC_MACRO": _PartSymbol("suspicious", "A document contains macros."),
    "DOC_DDE": _PartSymbol("active", "A document starts a program (DDE)."),
    "DOC_LAUNCH": _PartSymbol("active", "A document starts a program when it is opened."),
    "DOC_MACRO_AUTO": _PartSymbol("active", "A document contains a macro that starts by itself."),
    "DOC_REMOTE": _PartSymbol("active", "A document loads something from elsewhere when opened."),
    "DOC_SHARE": _PartSymbol("suspicious", "A document loads something from a file server."),
    "HEADER_LIMIT": _PartSymbol(
        "limit", "The header has more, or larger, fields than real mail has."
    ),
    "LINE_LIMIT": _PartSymbol(
        "long_line", "The message has a line that is longer than real mail has."
    ),
    "MIME_AMBIGUOUS": _PartSymbol("ambiguous", "Mail programs see different parts in the message."),
    "MIME_EXTERNAL": _PartSymbol(
        "external", "The content is stored elsewhere, where nobody scans it."
    ),
    HIDDEN_PART: _PartSymbol("hidden", "The message contains a part that only some programs show."),
    "MIME_PARTIAL": _PartSymbol(
        "fragment", "It is one fragment of a message: it cannot be scanned."
    ),
    "MIME_TOO_DEEP": _PartSymbol("limit", "The parts of the message are nested too deeply."),
    "MIME_TOO_MANY_PARTS": _PartSymbol("limit", "The message has more parts than real mail has."),
    "MIME_TOO_MANY_READINGS": _PartSymbol("limit", "Mail programs may see more than was scanned."),
}

GROUPS: Mapping[str, str] = {name: one.group for name, one in _SYMBOLS.items()}
"""Symbol → the setting that says how it is treated."""

DESCRIPTIONS: Mapping[str, str] = {name: one.description for name, one in _SYMBOLS.items()}
