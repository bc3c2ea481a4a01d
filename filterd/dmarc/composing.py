"""The mail that carries a report (RFC 9990 §3.5.2): Subject, a sentence for people, the file.

It is written by hand, since Python's `email` may encode a long domain in the Subject as a word.
"""

from __future__ import annotations

import base64
import textwrap
from email.utils import formataddr, formatdate

from filterd.dmarc.feedback import AggregateReport
from filterd.system.display import printable

NAME_LIMIT = 64
"""Characters of the organization's name in From; encoded, they fit into a line."""


def file_name(report: AggregateReport, receiver: str) -> str:
    """`receiver!domain!begin!end!id.xml.gz`; the same for the same report, always."""
    domain = report.policy.domain
    return f"{receiver}!{domain}!{report.begin}!{report.end}!{report.id}.xml.gz"


def compose(report: AggregateReport, receiver: str, to: str, packed: bytes, now: float) -> bytes:
    """The mail, ready to be sent.

    receiver: the domain that reports. to: an address of ASCII. packed: the XML in gzip. now:
    seconds since 1970.
    """
    name = file_name(report, receiver)
    boundary = f"report-{report.id}"
    # Sent again it is the same mail: receivers may tell a duplicate by that.
    message_id = f"{report.id}@{receiver}"
    sender = formataddr((printable(report.organization, NAME_LIMIT), report.email))
    text = textwrap.fill(
        f"This is a DMARC aggregate report of {receiver} about mail in the name of "
        f"{report.policy.domain}: {report.messages} messages. The attached file is XML as in RFC "
        f"9990. Questions: {report.email}",
        width=76,
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines = [
        f"From: {sender}",
        f"To: {to}",
        f"Subject: Report Domain: {report.policy.domain}",
        f" Submitter: {receiver}",
        f" Report-ID: <{report.id}>",
        f"Date: {formatdate(now, localtime=True)}",
        f"Message-ID: <{message_id}>",
        # RFC 3834: nobody's vacation program answers this.
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{boundary}"',
        "",
        f"--{boundary}",
        'Content-Type: text/plain; charset="us-ascii"',
        "",
        *text.split("\n"),
        f"--{boundary}",
        "Content-Type: application/gzip",
        "Content-Transfer-Encoding: base64",
        "Content-Disposition: attachment;",
        f' filename="{name}"',
        "",
    ]
    head = "\r\n".join(lines).encode("ascii", "replace")
    data = base64.encodebytes(packed).replace(b"\n", b"\r\n")
    return b"%s\r\n%s--%s--\r\n" % (head, data, boundary.encode("ascii"))
