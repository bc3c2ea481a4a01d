"""Reports to the sender about failed recipients: DSNs, RFC 3464.

A report has the null reverse-path. If it fails, the postmaster gets a report, and there is no
report about that. There is no report about a recipient with `NOTIFY=NEVER` or without `FAILURE`
(RFC 3461 §4.1).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate

from filterd.mta.delivery.router import POSTMASTER, DeliveryError, Failures
from filterd.mta.mail.entry import QueueEntry, Target

TEXT_LIMIT = 900
"""Characters of an error: a line of a message has 998 octets at most (RFC 5322 §2.1.1)."""

HEADER_LIMIT = 1 << 16
"""Octets of the undelivered message's header section that are returned in the report."""


class Bouncer:
    """Makes reports, see the module. host: the MTA's name. next_id: gives queue ids.

    qualifies: whether the author's address gets the host's name here, and not on its way out.
    postmaster: who gets reports about reports, "" for nobody. copies: who gets a copy of each
    report, "" for nobody.
    """

    def __init__(
        self,
        host: str,
        next_id: Callable[[], str],
        expire: float = 432000.0,
        *,
        qualifies: bool = True,
        postmaster: str = POSTMASTER,
        copies: str = "",
    ) -> None:
        self._postmaster, self._copies = postmaster, copies
        self._author = f"MAILER-DAEMON@{host}" if qualifies else "MAILER-DAEMON"
        self._host = host
        self._next_id = next_id
        self._expire = expire

    def __call__(
        self, entry: QueueEntry, failed: Failures, message: bytes
    ) -> tuple[QueueEntry, bytes] | None:
        """The report and its envelope, None if there is nobody to report to."""
        reported = [(target, error) for target, error in failed if _wants_report(target)]
        if entry.last or not reported:
            return None
        to = entry.sender or self._postmaster
        if not to:
            return None
        id = self._next_id()
        report = self._report(id, to, entry, reported, message)
        expires = time.time() + self._expire
        copies = (Target(self._copies),) if self._copies and entry.sender else ()
        targets = (Target(to), *copies)
        last = not entry.sender
        return QueueEntry(id, "", targets, expires=expires, last=last, is_report=True), report

    def _report(
        self,
        id: str,
        to: str,
        entry: QueueEntry,
        failed: Failures,
        message: bytes,
    ) -> bytes:
        boundary = f"{id}/{self._host}"
        whole = "RET=FULL" in (one.upper() for one in entry.sender_parameters)
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
        people = "".join(
            f"   <{_plain(target.address)}>\n      {_plain(error.code)} {_words(str(error))}\n"
            for target, error in failed
        )
        fields = [f"Reporting-MTA: dns; {self._host}"]
        fields += [f"Original-Envelope-Id: {_plain(envelope_id)}"] if envelope_id else []
        fields += [f"Arrival-Date: {formatdate(entry.arrived, localtime=True)}"]
        for target, error in failed:
            fields += ["", *_recipient_fields(target, error)]
        text = (
            f"From: Mail Delivery Subsystem <{self._author}>\n"
            f"To: {to if to == POSTMASTER else f'<{_plain(to)}>'}\n"
            "Subject: Returned mail: see transcript for details\n"
            f"Date: {formatdate(localtime=True)}\n"
            f"Message-Id: <{id}@{self._host}>\n"
            "Auto-Submitted: auto-replied (rejected)\n"
            "MIME-Version: 1.0\n"
            "Content-Type: multipart/report; report-type=delivery-status;\n"
            f'\tboundary="{boundary}"\n'
            "\n"
            f"--{boundary}\n"
            "\n"
            f"Your message could not be delivered by {self._host} to:\n\n{people}\n"
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


def _wants_report(target: Target) -> bool:
    for parameter in target.parameters:
        name, _, value = parameter.upper().partition("=")
        if name == "NOTIFY":
            return "FAILURE" in value.split(",")
    return True


def _recipient_fields(target: Target, error: DeliveryError) -> list[str]:
    original = next(
        (one.partition("=")[2] for one in target.parameters if one.upper().startswith("ORCPT=")), ""
    )
    fields = [f"Original-Recipient: {_plain(original.replace(';', '; ', 1))}"] if original else []
    fields += [
        f"Final-Recipient: rfc822; {_plain(target.address)}",
        "Action: failed",
        f"Status: {_plain(error.code)}",
    ]
    if not error.said:
        return [*fields, f"Diagnostic-Code: x-unix; {_words(str(error))}"]
    is_address = ":" in error.server or error.server.replace(".", "").isdecimal()
    name = f"[{error.server}]" if is_address else error.server
    return [
        *fields,
        f"Remote-MTA: dns; {_words(name)}",
        f"Diagnostic-Code: smtp; {_words(error.said)}",
    ]


def _words(text: str) -> str:
    """The words of an error, which may be those of another server or of a program, as ASCII."""
    return _plain(text[:TEXT_LIMIT]).encode("ascii", "replace").decode("ascii")


def _plain(text: str) -> str:
    """Text without line ends and such: it stays in its line. Octets are kept."""
    return "".join(one if _is_plain(one) else "?" for one in text)


def _is_plain(one: str) -> bool:
    return " " <= one <= "~" or "\udc80" <= one <= "\udcff"
