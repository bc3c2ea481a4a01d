"""How Postfix 3.7 changes the envelope for a filter.

It takes the first address of a list, ignores what it does not understand, and compares recipients
letter by letter. Source: `cleanup_milter.c`; observed.
"""

from __future__ import annotations

import re

from filterd.mta.mail.address import PathError, parse_path, to_text
from filterd.mta.mail.draft import Draft, EnvelopePath
from filterd.mta.milters.envelope_edits import EnvelopeEdits, address_list, shown, without_comments
from filterd.mta.smtp.parameters import KNOWN_MAIL, KNOWN_RCPT, known_only

_WHOLE_ANGLE = re.compile(r"[^<>]*<([^<>]*)>[^<>]*")


class PostfixEnvelope(EnvelopeEdits):
    """Postfix 3.7."""

    def add(self, draft: Draft, address: bytes, parameters: bytes) -> str:
        try:
            parsed = parse_path(_first(to_text(address)))
        except PathError as error:
            return f"recipient {shown(address)} not added: {error}"
        if not parsed:
            return "recipient not added: empty address"
        path = EnvelopePath(parsed, "", known_only(to_text(parameters), KNOWN_RCPT))
        # The client's own recipients have an original address, this one has none: they differ.
        if path not in draft.recipients.found(_exactly, parsed):
            draft.recipients.append(path)
        return f"add recipient {shown(address)}"

    def delete(self, draft: Draft, address: bytes) -> str:
        try:
            parsed = parse_path(_first(to_text(address)))
        except PathError as error:
            return f"recipient {shown(address)} not deleted: {error}"
        draft.recipients.remove(_exactly, parsed)
        return f"delete recipient {shown(address)}"

    def change_sender(self, draft: Draft, address: bytes, parameters: bytes) -> str:
        words = to_text(parameters).split()
        try:
            parsed = parse_path(_first(to_text(address)))
        except PathError as error:
            return f"sender not changed to {shown(address)}: {error}"
        unknown = [one for one in words if one.partition("=")[0].upper() not in KNOWN_MAIL]
        if unknown:
            return f"sender not changed: {unknown[0]} parameter unrecognized"
        draft.sender = EnvelopePath(parsed, f"<{parsed}>", tuple(words) or draft.sender.parameters)
        return f"change sender to {shown(address)}"


def _exactly(address: str) -> str:
    return address


def _first(text: str) -> str:
    """The first address of a list, without angle brackets if there is a name beside them."""
    parts = address_list(text)
    part = without_comments(parts[0]).strip() if parts else ""
    match = _WHOLE_ANGLE.fullmatch(part)
    return match[1] if match else part
