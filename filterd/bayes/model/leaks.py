"""Header fields that the classifier must never see.

A stored message carries fields that tell what somebody already thought of it: verdicts of other
filters, the mailbox's read flags, what the final delivery added. A model that learns them looks
perfect on the training mail and fails on live mail, where a milter sees the message before any of
them exists. They are left out of learning and of scoring alike.
"""

from __future__ import annotations

import re

_LEAKS = re.compile(
    r"""
    # The mail store's and the mail reader's own notes.
      status | x-status | x-keywords | x-uidl? | x-imap(?:base)? | content-length | lines
    | x-mozilla-.* | x-evolution.* | x-gmail-labels | x-gm-.* | x-folder | x-label | xref
    # When the training mail was sent tells its classes apart wherever they were collected at
    # different times, and nothing about tomorrow's.
    | date | resent-date | delivery-date
    # Added by the final delivery, after any milter.
    | return-path | delivered-to | x-original-to | envelope-to | x-envelope-.* | x-delivered-to
    | x-resolved-to | x-rcpt-to
    # Verdicts of other filters and of ours.
    | x-spam.* | x-virus.* | x-quarantine.* | x-filterd.* | x-miltered | x-uuid | x-scanned.*
    | x-amavis.* | x-barracuda.* | x-rc-.* | x-bogosity | x-crm114.* | x-dspam.* | x-rspamd?.*
    | x-hammie.* | x-spambayes.* | x-popfile.* | x-text-classification | x-mailscanner.*
    | x-sa-.* | x-pmx-.* | x-pure.*message.* | x-proofpoint.* | x-ironport-.* | x-brightmail.*
    | x-cloudmark.* | x-cmae-.* | x-vade.* | x-ovh-spam.* | x-gmx-.*spam.* | x-kaspersky.*
    | x-klms-.* | x-sophos.* | x-antivirus.* | x-av-.* | x-clam.* | x-greylist.* | x-bulk.*score
    | x-microsoft-antispam.* | x-forefront-antispam.* | x-ms-exchange-.*scl.* | x-eopattributed.*
    | x-ms-exchange-organization-.* | x-junk.* | x-ham.* | x-assp.* | x-mxscan.* | x-mimedefang.*
    | x-scored-by | x-.*-spam-.* | x-.*-mailscanner.* | x-habeas-.*
    | authentication-results | arc-.* | received-spf | x-received-spf | dmarc-filter | dkim-filter
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_leak(name: str) -> bool:
    """Return True for the name of a header field that tells of a former verdict or delivery."""
    return _LEAKS.fullmatch(name) is not None
