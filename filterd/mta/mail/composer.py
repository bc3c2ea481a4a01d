"""From what the client sent to what is queued: a draft for the filters, then the final message.

The MTA's own fields are sendmail's: Received with the client, the id and, where the client named
exactly one recipient, that one; Date, Message-Id and From where the message has none.
Sources: sendmail 8.17 `cf/m4/proto.m4` (confRECEIVED_HEADER, H lines), Postfix 3.7
`cleanup_message.c`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from email.utils import formatdate
from time import gmtime, strftime

from filterd.mta.mail.draft import Draft, Path, Recipients
from filterd.mta.mail.header import Header, PostfixHeader, split_message
from filterd.mta.milters.macros import sendmail_date
from filterd.mta.sendmail.header import SendmailHeader
from filterd.mta.settings import SENDMAIL_VERSION


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a message came. protocol: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA (RFC 3848)."""

    queue_id: str
    helo: str
    client: str
    protocol: str
    only_recipient: Path | None
    """The one recipient that the client named, None if it named several."""

    tls: str = ""
    """`version=TLSv1.3 cipher=… bits=… verify=…`, empty without TLS."""

    authenticated: bool = False


def _octets(text: str) -> bytes:
    return text.encode("ascii", "surrogateescape")


def _date(zone: str = "") -> str:
    return formatdate(localtime=True) + zone


class Composer(ABC):
    """Makes drafts and messages as one MTA does. host: its name."""

    eats_from = False

    def __init__(self, host: str, version: str = "") -> None:
        self.host = host
        self.version = version

    def draft(
        self, arrival: Arrival, sender: Path, recipients: list[Path], content: bytes
    ) -> Draft:
        """What the filters see. content: the message, LF line ends."""
        fields, body = split_message(content, eats_from=self.eats_from)
        header = self._header(arrival, sender, fields)
        return Draft(
            arrival.queue_id,
            sender,
            Recipients(recipients),
            header,
            body,
            macros=self._macros(header),
        )

    def message(self, draft: Draft) -> bytes:
        """What goes into the queue: LF line ends, the last line ended."""
        body = draft.body if not draft.body or draft.body.endswith(b"\n") else draft.body + b"\n"
        return draft.header.encode() + b"\n" + body

    def hops(self, draft: Draft) -> int:
        """How many Received fields the message brought."""
        return draft.header.count(b"Received")

    def _macros(self, header: Header) -> dict[str, str]:  # noqa: ARG002
        """Macros that come with the message."""
        return {}

    @abstractmethod
    def _header(
        self, arrival: Arrival, sender: Path, fields: list[tuple[bytes, bytes]]
    ) -> Header: ...


class SendmailComposer(Composer):
    """sendmail 8.17 with a stock sendmail.cf.

    version: its $Z, the configuration's. warns: PrivacyOptions has authwarnings.
    """

    eats_from = True

    def __init__(self, host: str, version: str = "filterd", *, warns: bool = False) -> None:
        super().__init__(host, version)
        self._warns = warns

    def _macros(self, header: Header) -> dict[str, str]:
        known = {"{msg_id}": header.get(b"Message-Id"), "a": header.get(b"Date")}
        return {name: value.decode("latin-1") for name, value in known.items() if value}

    def _header(self, arrival: Arrival, sender: Path, fields: list[tuple[bytes, bytes]]) -> Header:
        stamp = sendmail_date()
        # $u is the address as the client wrote it.
        to = f"\n\tfor {arrival.only_recipient.text}" if arrival.only_recipient else ""
        received = (
            f" from {arrival.helo or arrival.client.partition(' ')[0]} ({arrival.client})\n"
            + ("\t(authenticated bits=0)\n" if arrival.authenticated else "")
            + f"\tby {self.host} ({SENDMAIL_VERSION}/{self.version}) with {arrival.protocol}"
            f" id {arrival.queue_id}"
            + (f"\n\t({arrival.tls})" if arrival.tls else "")
            + (f"{to}; {stamp}" if to else f";\n\t{stamp}")
        )
        minute = strftime("%Y%m%d%H%M", gmtime())
        author = _octets(f" {sender.address or 'MAILER-DAEMON'}")
        warning = None
        if self._warns and not arrival.helo:
            warning = _octets(f" {self.host}: {arrival.client} didn't use HELO protocol")
        message_id = _octets(f" <{minute}.{arrival.queue_id}@{self.host}>")
        return SendmailHeader(
            fields,
            {
                b"Received": _octets(received),
                b"Date": _octets(f" {stamp}"),
                b"From": author,
                b"Message-Id": message_id,
                b"Resent-Date": _octets(f" {stamp}"),
                b"Resent-From": author,
                b"Resent-Message-Id": message_id,
            },
            warning,
        )


_DROPPED = frozenset({b"bcc", b"content-length", b"resent-bcc", b"return-path"})
"""Postfix's message_drop_headers."""


class PostfixComposer(Composer):
    """Postfix 3.7 for a client whose mail it completes (local_header_rewrite_clients)."""

    def _header(self, arrival: Arrival, sender: Path, fields: list[tuple[bytes, bytes]]) -> Header:
        stamp = _date(f" ({strftime('%Z')})")
        # One recipient makes a line of its own, else the date does.
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
                fields.append((name, _octets(value)))
        header = PostfixHeader(fields)
        header.set_own(b"Received", _octets(received))
        return header
