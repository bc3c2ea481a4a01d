"""VBounce: reports of failed delivery for mail that was sent from here.

Source: Mail::SpamAssassin::Plugin::VBounce(3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from filterd.rules.evals.globs import is_all
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

_OPTIONS = ("welcomelist_bounce_relays", "whitelist_bounce_relays")

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::VBounce", *_OPTIONS)

_RECEIVED = re.compile(rb"[> ]*+received:", re.IGNORECASE)
_WORD = re.compile(rb"\s(\S++)(?=\s)")
_SPACED_WORD = re.compile(rb" (\S++)(?= )")


def _relays(view: View) -> list[bytes]:
    return [
        name.encode("latin-1", "replace")
        for option in _OPTIONS
        for line in view.options.get(option, ())
        for name in line.words(lower=True)
    ]


@PLUGIN.test("have_any_bounce_relays")
def have_any_bounce_relays(view: View) -> bool:
    """`welcomelist_bounce_relays` names a host."""
    return bool(_relays(view))


@PLUGIN.test("check_whitelist_bounce_relays")
@PLUGIN.test("check_welcomelist_bounce_relays")
def check_welcomelist_bounce_relays(view: View) -> bool:
    """A Received field in the text or in an attached message names one of those hosts."""
    relays = _relays(view)
    return bool(relays) and any(
        is_all(relay, host.lower()) for host in _hosts(view) for relay in relays
    )


def _hosts(view: View) -> Iterator[bytes]:
    for line in view.body:
        if _RECEIVED.match(line):
            yield from _dotted(_SPACED_WORD, line)
    for field in _fields(view.parts.body_octets):
        yield from _dotted(_WORD, field)


def _fields(body: bytes) -> Iterator[bytes]:
    """Fields `Received` in the undecoded body, each with its continuation lines."""
    if b"received:" not in body.lower():
        return
    field: list[bytes] = []
    for line in body.split(b"\n"):
        if line[:1].isspace():
            field.append(line)
            continue
        if field and _RECEIVED.match(field[0]):
            yield b"".join(field)
        field = [line]
    if field and _RECEIVED.match(field[0]):
        yield b"".join(field)


def _dotted(word: re.Pattern[bytes], text: bytes) -> Iterator[bytes]:
    """Words with a dot inside, between blanks; a blank belongs to one word only."""
    position = 0
    for found in word.finditer(text):
        if found.start() >= position and b"." in found[1][1:-1]:
            yield found[1]
            position = found.end() + 1
