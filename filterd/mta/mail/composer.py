"""A message from the client to the queue: a draft for the filters, then the final message.

The MTA's own fields: Received with the client, the id and, if the client named exactly one
recipient, that one; Date, Message-Id and From if the message has none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from filterd.mta.mail.draft import Draft, EnvelopePath, RecipientList
from filterd.mta.mail.header import HeaderSection, split_message


@dataclass(frozen=True, slots=True)
class Trace:
    """How a message arrived. protocol: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA (RFC 3848)."""

    queue_id: str
    helo: str
    client: str
    protocol: str
    only_recipient: EnvelopePath | None
    """The only recipient, None if there are several."""

    tls: str = ""
    """`version=TLSv1.3 cipher=… bits=… verify=…`, empty without TLS."""

    authenticated: bool = False


class Composer(ABC):
    """Makes drafts and messages as one MTA does. host: its name. version: its configuration's, $Z.

    eats_from: an mbox separator before the message is dropped. counts_refused: a client that named
    one recipient who was refused and one who was not has named two.
    """

    eats_from = False
    counts_refused = True

    def __init__(self, host: str, version: str = "") -> None:
        self.host = host
        self.version = version

    def draft(
        self, arrival: Trace, sender: EnvelopePath, recipients: list[EnvelopePath], content: bytes
    ) -> Draft:
        """The draft for the filters. content: the message, LF line ends."""
        fields, body = split_message(content, eats_from=self.eats_from)
        header = self._header(arrival, sender, fields)
        return Draft(
            arrival.queue_id,
            sender,
            RecipientList(recipients),
            header,
            body,
            macros=self._macros(header),
        )

    def message(self, draft: Draft) -> bytes:
        """The message for the queue: LF line ends, also after the last line."""
        body = draft.body if not draft.body or draft.body.endswith(b"\n") else draft.body + b"\n"
        return draft.header.encode() + b"\n" + body

    def hops(self, draft: Draft) -> int:
        """How many Received fields the message has."""
        return draft.header.count(b"Received")

    def _macros(self, header: HeaderSection) -> dict[str, str]:  # noqa: ARG002
        """Macros that come with the message."""
        return {}

    @abstractmethod
    def _header(
        self, arrival: Trace, sender: EnvelopePath, fields: list[tuple[bytes, bytes]]
    ) -> HeaderSection: ...
