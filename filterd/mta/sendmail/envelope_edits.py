"""How sendmail 8.17 changes the envelope for a filter.

It takes an address as it takes one in a header field, several at a time and repaired, and knows a
recipient by where the mail goes. Sources: `milter.c` (milter_addrcpt, milter_delrcpt,
milter_chgfrom), `recipient.c` (sendtolist); observed.
"""

from __future__ import annotations

import re

from filterd.mta.mail.address import to_text
from filterd.mta.mail.draft import Draft, EnvelopePath
from filterd.mta.milters.envelope_edits import EnvelopeEdits, address_list, shown, without_comments
from filterd.mta.smtp.parameters import KNOWN_MAIL, bad_recipient_parameter, known_only

_ANGLE = re.compile(r"<([^<>]*)>?")


class SendmailEnvelope(EnvelopeEdits):
    """sendmail 8.17."""

    def add(self, draft: Draft, address: bytes, parameters: bytes) -> str:
        words = tuple(to_text(parameters).split())
        probe = EnvelopePath("", "", words)
        if bad_recipient_parameter(probe) is not None:
            return f"recipient {shown(address)} not added: bad argument {shown(parameters)}"
        for one in _addresses(to_text(address)):
            # An unknown recipient is queued all the same; the sender gets a report.
            if not draft.recipients.found(draft.identity, draft.identity(one)):
                draft.recipients.append(EnvelopePath(one, f"<{one}>", words))
        return f"add recipient {shown(address)}"

    def delete(self, draft: Draft, address: bytes) -> str:
        for one in _addresses(to_text(address)):
            draft.recipients.remove(draft.identity, draft.identity(one))
        return f"delete recipient {shown(address)}"

    def change_sender(self, draft: Draft, address: bytes, parameters: bytes) -> str:
        text = to_text(address).strip()
        if not text:
            return "sender not changed: no address"
        found = _addresses(text)
        words = known_only(to_text(parameters), KNOWN_MAIL)
        # Several addresses are not a valid sender.
        sender = found[0] if len(found) == 1 else ""
        draft.sender = EnvelopePath(sender, f"<{sender}>", words or draft.sender.parameters)
        return f"change sender to {shown(address)}"


def _addresses(text: str) -> list[str]:
    """The addresses in a list as sendmail reads them: comments and names dropped, a missing angle
    bracket added, blanks replaced by dots (SpaceSub)."""
    found = []
    for part in address_list(text):
        plain = without_comments(part)
        match = _ANGLE.search(plain)
        inner = (match[1] if match else plain.replace(">", " ")).strip()
        address = inner if '"' in inner else ".".join(inner.split())
        if address:
            found.append(address)
    return found
