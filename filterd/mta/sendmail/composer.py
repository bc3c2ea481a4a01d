"""What sendmail 8.17 with a stock sendmail.cf adds to a message.

Source: `cf/m4/proto.m4` (confRECEIVED_HEADER, H lines).
"""

from __future__ import annotations

from time import gmtime, strftime

from filterd.mta.mail.address import to_octets
from filterd.mta.mail.composer import Composer, Trace
from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.mail.header import HeaderSection
from filterd.mta.sendmail.header import SendmailHeader
from filterd.mta.sendmail.macros import VERSION, sendmail_date


class SendmailComposer(Composer):
    """sendmail 8.17 with a stock sendmail.cf.

    version: its $Z, the configuration's. warns: PrivacyOptions has authwarnings.
    """

    eats_from = True

    def __init__(self, host: str, version: str = "filterd", *, warns: bool = False) -> None:
        super().__init__(host, version)
        self._warns = warns

    def _macros(self, header: HeaderSection) -> dict[str, str]:
        known = {"{msg_id}": header.get(b"Message-Id"), "a": header.get(b"Date")}
        return {name: value.decode("latin-1") for name, value in known.items() if value}

    def _header(
        self, arrival: Trace, sender: EnvelopePath, fields: list[tuple[bytes, bytes]]
    ) -> HeaderSection:
        stamp = sendmail_date()
        # $u is the address as the client wrote it.
        to = f"\n\tfor {arrival.only_recipient.text}" if arrival.only_recipient else ""
        received = (
            f" from {arrival.helo or arrival.client.partition(' ')[0]} ({arrival.client})\n"
            + ("\t(authenticated bits=0)\n" if arrival.authenticated else "")
            + f"\tby {self.host} ({VERSION}/{self.version}) with {arrival.protocol}"
            f" id {arrival.queue_id}"
            + (f"\n\t({arrival.tls})" if arrival.tls else "")
            + (f"{to}; {stamp}" if to else f";\n\t{stamp}")
        )
        minute = strftime("%Y%m%d%H%M", gmtime())
        author = to_octets(f" {sender.address or 'MAILER-DAEMON'}")
        warning = None
        if self._warns and not arrival.helo:
            warning = to_octets(f" {self.host}: {arrival.client} didn't use HELO protocol")
        message_id = to_octets(f" <{minute}.{arrival.queue_id}@{self.host}>")
        return SendmailHeader(
            fields,
            {
                b"Received": to_octets(received),
                b"Date": to_octets(f" {stamp}"),
                b"From": author,
                b"Message-Id": message_id,
                b"Resent-Date": to_octets(f" {stamp}"),
                b"Resent-From": author,
                b"Resent-Message-Id": message_id,
            },
            warning,
        )
