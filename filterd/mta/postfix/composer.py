"""What Postfix 3.7 adds to a message, and drops from it. Source: `cleanup_message.c`."""

from __future__ import annotations

from email.utils import formatdate
from time import gmtime, strftime

from filterd.mta.mail.address import to_octets
from filterd.mta.mail.composer import Composer, Trace
from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.mail.header import HeaderSection
from filterd.mta.postfix.header import PostfixHeader

_DROPPED = frozenset({b"bcc", b"content-length", b"resent-bcc", b"return-path"})
"""Postfix's message_drop_headers."""


class PostfixComposer(Composer):
    """Postfix 3.7 for a client whose header it completes (local_header_rewrite_clients)."""

    counts_refused = False

    def _header(
        self, arrival: Trace, sender: EnvelopePath, fields: list[tuple[bytes, bytes]]
    ) -> HeaderSection:
        stamp = f"{formatdate(localtime=True)} ({strftime('%Z')})"
        # With one recipient that gets its own line, else the date does.
        only = arrival.only_recipient
        to = f"\n\tfor <{only.address}>; " if only else ";\n\t"
        received = (
            f" from {arrival.helo or arrival.client.partition(' ')[0]} ({arrival.client})\n"
            f"\tby {self.host} (Postfix) with {arrival.protocol} id {arrival.queue_id}{to}{stamp}"
        )
        moment = strftime("%Y%m%d%H%M%S", gmtime())
        brought = {name.lower() for name, _ in fields}
        fields = [one for one in fields if one[0].lower() not in _DROPPED]
        # RFC 5322 §3.6.6: a message that is sent again has these fields once more.
        resent = b"Resent-" if any(name.startswith(b"resent-") for name in brought) else b""
        for plain, value in (
            (b"Message-Id", f" <{moment}.{arrival.queue_id}@{self.host}>"),
            (b"Date", f" {stamp}"),
            (b"From", f" {sender.address or 'MAILER-DAEMON'}"),
        ):
            name = resent + plain
            if name.lower() not in brought:
                fields.append((name, to_octets(value)))
        header = PostfixHeader(fields)
        header.set_own(b"Received", to_octets(received))
        return header
