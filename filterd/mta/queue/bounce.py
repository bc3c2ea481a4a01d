"""Reports to the sender about its recipients: DSNs, RFC 3464.

A report has the null reverse-path. If it fails, the postmaster gets a report, and there is no
report about that. What is told of a recipient, `recipient_report` decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from email.utils import formatdate

from filterd.mta.delivery.router import POSTMASTER
from filterd.mta.mail.deliver_by import DeliverBy
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.mail.queue_times import EXPIRE
from filterd.mta.queue.recipient_report import Action, RecipientReport, is_wanted

TEXT_LIMIT = 900
"""Characters of an error: a line of a message has 998 octets at most (RFC 5322 §2.1.1)."""

HEADER_LIMIT = 1 << 16
"""Octets of the undelivered message's header section that are returned in the report."""


class Bouncer:
    """Makes reports, see the module. host: the MTA's name. next_id: gives queue ids.

    qualifies: whether the author's address gets the host's name here, and not on its way out.
    postmaster: who gets reports about reports, "" for nobody. copies: who gets a copy of each
    report, "" for nobody. receipts: whether senders hear of success.
    """

    def __init__(
        self,
        host: str,
        next_id: Callable[[], str],
        expire: float = EXPIRE,
        *,
        qualifies: bool = True,
        postmaster: str = POSTMASTER,
        copies: str = "",
        receipts: bool = True,
    ) -> None:
        self._receipts = receipts
        self._postmaster, self._copies = postmaster, copies
        self._author = f"MAILER-DAEMON@{host}" if qualifies else "MAILER-DAEMON"
        self._host = host
        self._next_id = next_id
        self._expire = expire

    def __call__(
        self, entry: QueueEntry, reports: Sequence[RecipientReport], message: bytes
    ) -> tuple[QueueEntry, bytes] | None:
        """The report and its envelope, None if there is nobody to report to."""
        reported = [one for one in reports if is_wanted(one)]
        if entry.last or not reported:
            return None
        has_failed = any(one.action == "failed" for one in reported)
        if not self._receipts and all(one.error is None for one in reported):
            return None
        to = entry.sender or (self._postmaster if has_failed else "")
        if not to:
            return None
        id = self._next_id()
        report = self._report(id, to, entry, reported, message)
        expires = time.time() + self._expire
        copied = self._copies and entry.sender and has_failed
        copies = (Target(self._copies),) if copied else ()
        targets = (Target(to), *copies)
        last = not entry.sender
        return QueueEntry(id, "", targets, expires=expires, last=last, is_report=True), report

    def _report(
        self,
        id: str,
        to: str,
        entry: QueueEntry,
        reported: Sequence[RecipientReport],
        message: bytes,
    ) -> bytes:
        boundary = f"{id}/{self._host}"
        kind = _kind(reported)
        asked = "RET=FULL" in (one.upper() for one in entry.sender_parameters)
        whole = kind == "failed" and asked
        header, _, _ = message.partition(b"\n\n")
        original = message if whole else header[:HEADER_LIMIT] + b"\n"
        envelope_id = next(
            (
                one.partition("=")[2]
                for one in entry.sender_parameters
                if one.upper().startswith("ENVID=")
            ),
            "",
        )
        until = formatdate(entry.expires, localtime=True) if entry.expires else ""
        fields = [f"Reporting-MTA: dns; {self._host}"]
        fields += [f"Original-Envelope-Id: {_plain(envelope_id)}"] if envelope_id else []
        fields += [f"Arrival-Date: {formatdate(entry.arrived, localtime=True)}"]
        by = DeliverBy.of(entry.sender_parameters)
        if by is not None:
            fields += [f"Deliver-By-Date: {formatdate(entry.arrived + by.seconds, localtime=True)}"]
        subject = _SUBJECTS[kind]
        if kind == "delayed" and by is not None and by.is_exceeded(time.time() - entry.arrived):
            subject = f"Warning: Delivery time ({by.seconds}s) exceeded"
        for one in reported:
            fields += ["", *_recipient_fields(one, until)]
        text = (
            f"From: Mail Delivery Subsystem <{self._author}>\n"
            f"To: {to if to == POSTMASTER else f'<{_plain(to)}>'}\n"
            f"Subject: {subject}\n"
            f"Date: {formatdate(localtime=True)}\n"
            f"Message-Id: <{id}@{self._host}>\n"
            f"Auto-Submitted: auto-replied ({_REASONS[kind]})\n"
            "MIME-Version: 1.0\n"
            "Content-Type: multipart/report; report-type=delivery-status;\n"
            f'\tboundary="{boundary}"\n'
            "\n"
            f"--{boundary}\n"
            "\n"
            f"{_people(reported, self._host, until)}"
            f"--{boundary}\n"
            "Content-Type: message/delivery-status\n"
            "\n"
            + "\n".join(fields)
            + f"\n\n--{boundary}\n"
            + f"Content-Type: {'message/rfc822' if whole else 'text/rfc822-headers'}\n"
            "\n"
        )
        closing = f"\n--{boundary}--\n"
        return text.encode("ascii", "surrogateescape") + original + closing.encode()


_SUBJECTS: dict[Action, str] = {
    "failed": "Returned mail: see transcript for details",
    "delayed": "Warning: could not send message yet",
    "relayed": "Return receipt",
    "delivered": "Return receipt",
}
_REASONS: dict[Action, str] = {
    "failed": "rejected",
    "delayed": "delayed",
    "relayed": "return receipt",
    "delivered": "return receipt",
}
_LEAD: dict[Action, str] = {
    "failed": "Your message could not be delivered by {host} to:",
    "delayed": (
        "This is a warning only, you need not send the message again. It could not be delivered\n"
        "by {host} yet{until} to:"
    ),
    "relayed": "Your message was given to the next mail system by {host} for:",
    "delivered": "Your message was delivered by {host} to:",
}


def _kind(reported: Sequence[RecipientReport]) -> Action:
    """What the report as a whole is: the worst thing in it."""
    found = {one.action for one in reported}
    return next(action for action in _LEAD if action in found)


def _people(reported: Sequence[RecipientReport], host: str, until: str) -> str:
    """The recipients in words, by what became of them."""
    out: list[str] = []
    more = f", and will be tried until {until}," if until else ""
    for action, lead in _LEAD.items():
        found = [one for one in reported if one.action == action]
        if found:
            out.append(f"{lead.format(host=host, until=more)}\n\n")
            out += map(_person, found)
            out.append("\n")
    return "".join(out)


def _person(report: RecipientReport) -> str:
    name, error = f"   <{_plain(report.target.address)}>", report.error
    if error is not None:
        return f"{name}\n      {_plain(error.code)} {_words(str(error))}\n"
    return f"{name}  ({report.comment})\n"


def _recipient_fields(report: RecipientReport, until: str) -> list[str]:
    target, error = report.target, report.error
    original = next(
        (one.partition("=")[2] for one in target.parameters if one.upper().startswith("ORCPT=")), ""
    )
    comment = f" ({report.comment})" if report.comment else ""
    fields = [f"Original-Recipient: {_plain(original.replace(';', '; ', 1))}"] if original else []
    fields += [
        f"Final-Recipient: rfc822; {_plain(target.address)}",
        f"Action: {report.action}{comment}",
        f"Status: {_status(report)}",
    ]
    if error is None:
        return fields
    if report.action == "delayed" and until:
        fields += [f"Will-Retry-Until: {until}"]
    if not error.said:
        return [*fields, f"Diagnostic-Code: x-unix; {_words(str(error))}"]
    is_address = ":" in error.server or error.server.replace(".", "").isdecimal()
    name = f"[{error.server}]" if is_address else error.server
    return [
        *fields,
        f"Remote-MTA: dns; {_words(name)}",
        f"Diagnostic-Code: smtp; {_words(error.said)}",
    ]


def _status(report: RecipientReport) -> str:
    if report.error is not None:
        return _plain(report.error.code)
    return "2.1.5" if report.action == "delivered" else "2.0.0"


def _words(text: str) -> str:
    """The words of an error, which may be those of another server or of a program, as ASCII."""
    return _plain(text[:TEXT_LIMIT]).encode("ascii", "replace").decode("ascii")


def _plain(text: str) -> str:
    """Text without line ends and such: it stays in its line. Octets are kept."""
    return "".join(one if _is_plain(one) else "?" for one in text)


def _is_plain(one: str) -> bool:
    return " " <= one <= "~" or "\udc80" <= one <= "\udcff"
