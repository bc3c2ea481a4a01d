"""Which of the found files are mail to learn from, and the mail that a forwarded message contains.

Folders of mail hold other files as well: a mail server's caches, pictures, documents, empty files.
Learned as messages they would teach rubbish. A message has a header section (RFC 5322, 2.1), and
any that a mail server stored has at least one field of those below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from filterd.mailfiles.items import MailItem
from filterd.mailfiles.mail_file import SkippedError
from filterd.message import Entity, Message

EMPTY = "empty file"
NOT_MAIL = "not a message: no known header field"
NO_ATTACHED = "no attached message"

_FIELDS = frozenset(
    """
    apparently-to bcc cc content-transfer-encoding content-type date delivered-to delivery-date
    envelope-to errors-to from in-reply-to list-id list-unsubscribe message-id mime-version
    organization precedence received references reply-to resent-date resent-from resent-message-id
    resent-to return-path sender status subject to user-agent
    """.split()
)
"""Fields that stored mail has: RFC 5322, 3.6; RFC 2045, 3; RFC 2369; and what mail servers add.
Any field `X-...` counts as well."""

_LOOKED_AT = 200
"""Header fields among which one must be known; real mail has it among the first."""

_ATTACHED = frozenset({"message/rfc822", "message/global"})
_ATTACHED_NAMES = (".eml",)  # what mail programs call a message that they attach as a plain file


@dataclass(slots=True)
class Skips:
    """What was left out while mail was read: how often, by reason, and the first name of each."""

    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, error: SkippedError) -> None:
        """Count a message that was left out."""
        self.reasons[error.reason] += 1
        self.examples.setdefault(error.reason, error.name)

    def merge(self, other: Skips) -> None:
        """Add what another reader left out."""
        self.reasons.update(other.reasons)
        self.examples = {**other.examples, **self.examples}

    @property
    def total(self) -> int:
        """Messages left out."""
        return self.reasons.total()

    def lines(self) -> Iterator[str]:
        """A line for each reason: `3 left out: empty file (Mail/cur/17:2,S, ...)`."""
        for reason, count in self.reasons.most_common():
            more = ", ..." if count > 1 else ""
            yield f"{count} left out: {reason} ({self.examples[reason]}{more})"


def why_not_mail(data: bytes) -> str | None:
    """Why these bytes are not a message to learn from; None if they are."""
    if not data.strip():
        return EMPTY
    for header_field in Message(data).header_fields[:_LOOKED_AT]:
        name = header_field.name.lower()
        if name in _FIELDS or name.startswith("x-"):
            return None
    return NOT_MAIL


def only_mail(item: MailItem) -> MailItem:
    """The same message, whose `read` raises SkippedError if it is not mail."""

    def read() -> bytes:
        return _mail(item.name, item.read())

    return MailItem(item.label, item.name, read)


def attached_messages(data: bytes) -> list[bytes]:
    """The messages that people attached to this one (RFC 2046, 5.2.1), in its order, without those
    that are attached to these in turn."""
    found: list[bytes] = []
    waiting: list[Entity] = [Message(data).root]
    while waiting:
        entity = waiting.pop()
        named = any(name.lower().endswith(_ATTACHED_NAMES) for name in entity.filenames)
        if entity.content_type in _ATTACHED or (entity.is_leaf and named):
            found.append(entity.content.lstrip(b"\r\n"))
        else:
            waiting += reversed(entity.children)
    return found


def messages_of(item: MailItem, *, unwrap: bool, skips: Skips) -> Iterator[bytes]:
    """Yield what is to be learned of one item: the message, or with `unwrap` those attached to it.
    What is not mail, or is gone, is counted instead. Raises CorpusError."""
    try:
        data = _mail(item.name, item.read())
        found = attached_messages(data) if unwrap else [data]
        if not found:
            raise SkippedError(item.name, NO_ATTACHED)
    except SkippedError as error:
        skips.add(error)
        return
    for message in found:
        try:
            yield _mail(item.name, message)
        except SkippedError as error:
            skips.add(error)


def _mail(name: str, data: bytes) -> bytes:
    reason = why_not_mail(data)
    if reason is not None:
        raise SkippedError(name, reason)
    return data
