"""The envelope sender of stored mail, out of what mail servers write of it into the header.

Source: Mail::SpamAssassin::Conf(3), envelope_sender_header; RFC 5321 §4.4 for Return-Path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filterd.rules.view.view import View

_FIELDS = ("X-Envelope-From", "Envelope-Sender", "Return-Path")


def envelope_from(view: View) -> bytes | None:
    """The sender, `b""` for none at all (`<>`); None where the header does not say."""
    options = view.options.get("envelope_sender_header", ())
    if options:
        found = _first(view, options[-1].value.strip())
        return found if found is not None and _is_sender(found) else None
    relays = view.relays
    for relay in relays.untrusted[:1] or relays.trusted[-1:]:
        sender = None if relay.sender is None else relay.sender.encode("latin-1")
        if sender is not None and _is_sender(sender):
            return sender
    # fetchmail takes X-Sender, which lists write, for the sender.
    if b"@" in (_first(view, "X-Sender") or b"") and any(
        b"(fetchmail" in value for value in view.values("Received")
    ):
        return None
    for name in _FIELDS:
        found = _first(view, name)
        if found is None:
            continue
        if not _is_below_received(view, name):
            return found
        # What a list wrote, before it sent the message on with another sender.
        if name == "X-Envelope-From":
            return None
    return None


def _first(view: View, name: str) -> bytes | None:
    values = view.values(name, "first", "addr")
    return values[0] if values else None


def _is_sender(text: bytes) -> bool:
    return text.find(b"@") > 0 or not text


def _is_below_received(view: View, name: str) -> bool:
    received = False
    wanted = name.lower().encode("ascii") + b":"
    for line in view.fields.lines:
        lowered = line[:40].lower()
        if lowered.startswith(b"received:"):
            received = True
        elif received and lowered.startswith(wanted):
            return True
    return False
