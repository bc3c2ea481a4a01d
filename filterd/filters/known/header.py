"""What a message's header says of conversations: which messages it replies to, and whether a person
wrote it.

Sources: RFC 5322 §3.6.4; RFC 3834 §2, §5; RFC 2919; RFC 2369; RFC 8098 §3; RFC 3462.
"""

from __future__ import annotations

import re
from itertools import islice

from filterd.message import Message

IDS_LIMIT = 20
"""Ids of a field References that are looked at, the last ones: the nearest of the conversation."""

OF_REPLY_LIMIT = 5
"""The same of In-Reply-To, the first ones; it has one, or those of a few messages."""

TEXT_LIMIT = 16 << 10
"""Octets of such a field that are read, from its end; conversations of a hundred messages have
some 8,000."""

ID_LIMIT = 500
"""Octets of an id."""

_ID = re.compile(r"<([^<>\s]++)>")

_AUTOMATIC = frozenset({"bulk", "list", "junk", "auto_reply"})
"""Values of Precedence of mail that no person wrote to its recipients."""

_AUTOMATIC_FIELDS = frozenset(
    "list-id list-post list-help list-subscribe list-unsubscribe list-archive x-mailing-list "
    "x-autoreply x-autorespond feedback-id".split()
)
"""Fields of lists and newsletters, and of answering machines from before RFC 3834."""


def id_of(text: str) -> str:
    """The id in a field Message-ID; `""` where there is none."""
    found = _ID.search(text[:TEXT_LIMIT])
    return found[1] if found is not None and len(found[1]) <= ID_LIMIT else ""


def replies_to(message: Message) -> tuple[str, ...]:
    """The ids of the messages that this one says it replies to, each once, the nearest first: at
    most OF_REPLY_LIMIT of In-Reply-To, and IDS_LIMIT of References."""
    direct = _ids(message.get("In-Reply-To")[:TEXT_LIMIT])[:OF_REPLY_LIMIT]
    earlier = _ids(message.get("References")[-TEXT_LIMIT:])[-IDS_LIMIT:]
    return tuple(dict.fromkeys([*direct, *reversed(earlier)]))


def _ids(text: str) -> list[str]:
    return [found[1] for found in _ID.finditer(text) if len(found[1]) <= ID_LIMIT]


def is_automatic(message: Message) -> bool:
    """True for mail of lists, newsletters, answering machines, and reports: nobody wrote to those
    who get it."""
    for field in message.header_fields:
        name = field.name.lower()
        if name in _AUTOMATIC_FIELDS:
            return True
        if name == "auto-submitted" and _first_word(field.text) != "no":
            return True
        if name == "precedence" and _first_word(field.text) in _AUTOMATIC:
            return True
    return message.root.content_type in ("multipart/report", "message/disposition-notification")


def _first_word(text: str) -> str:
    """The first word of a field's value, without parameters and comments."""
    words = islice(re.finditer(r"[^\s;()]++", text[:TEXT_LIMIT]), 1)
    return next((one[0].lower() for one in words), "")
