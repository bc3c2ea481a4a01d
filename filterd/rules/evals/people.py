"""From whom a message is and to whom, after all fields that may say so.

Source: Mail::SpamAssassin::Conf(3), welcomelist_from and welcomelist_to.
"""

from __future__ import annotations

import re
from typing import cast

from filterd.rules.view.domains import is_host_name
from filterd.rules.view.view import View

_FROM_FIELDS = ("From", "Envelope-Sender", "Resent-Sender", "X-Envelope-From", "EnvelopeFrom")
_TO_FIELDS = (
    *("To", "Apparently-To", "Delivered-To", "Envelope-Recipients", "Apparently-Resent-To"),
    *("X-Envelope-To", "Envelope-To", "X-Delivered-To", "X-Original-To", "X-Rcpt-To"),
    *("X-Real-To", "Cc"),
)
_FOR = re.compile(rb" for <?([^\s@<>]+@([^\s@<>]+))>?;")
_DOTS = re.compile(rb"\.\.+")

RECEIVED_READ = 3
"""Received fields, from the top, whose `for` is taken for a recipient."""


def from_addresses(view: View) -> tuple[bytes, ...]:
    """The senders; those of Resent-From alone, if there is one. Without repetitions."""
    return _kept(view, "from")


def to_addresses(view: View) -> tuple[bytes, ...]:
    """The recipients; those of Resent-To and Resent-Cc alone, if there are any."""
    return _kept(view, "to")


def _kept(view: View, which: str) -> tuple[bytes, ...]:
    key = f"addresses {which}"
    if key not in view.notes:
        found = _senders(view) if which == "from" else _recipients(view)
        view.notes[key] = tuple(dict.fromkeys(found))
    return cast("tuple[bytes, ...]", view.notes[key])


def _senders(view: View) -> list[bytes]:
    resent = view.values("Resent-From", "first", "addr")
    if resent:
        return list(resent)
    found = [address for name in _FROM_FIELDS for address in view.values(name, "addr")]
    return [_DOTS.sub(b".", address) for address in found if address]


def _recipients(view: View) -> list[bytes]:
    resent = [
        address
        for name in ("Resent-To", "Resent-Cc")
        for address in view.values(name, "first", "addr")
    ]
    if resent:
        return resent
    found = []
    for line in view.values("Received")[:RECEIVED_READ]:
        match = _FOR.search(line)
        if match is not None and is_host_name(match[2].decode("latin-1")):
            found.append(match[1])
    found += [
        recipient.address.encode("utf-8", "surrogateescape")
        for recipient in view.message.envelope.recipients
    ]
    return found + [address for name in _TO_FIELDS for address in view.values(name, "addr")]
