"""One other way to read a message, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.message.entity import Entity, Quirks
from filterd.message.fields import Buffer
from filterd.message.tree import Anomaly, parse_tree


@dataclass(frozen=True, slots=True)
class Reading:
    """One other way to read the message. reason: why readers may differ, `""` where they do not and
    only a wrapping (an encoded message, say) was opened. octets: what the offsets of `root` count
    in, None for the message itself. anomalies: limits that this tree exceeds. is_message: the
    octets are a message that stood encoded in this one. hidden_at: the octet near which a file may
    begin that no other reading has, None for every other reading. is_end_guessed: such a file is
    not encoded, and may go on behind its last octet here."""

    reason: str
    root: Entity
    octets: bytes | None = None
    anomalies: tuple[Anomaly, ...] = ()
    is_message: bool = False
    hidden_at: int | None = None
    is_end_guessed: bool = False


def by_rules(data: Buffer, quirks: Quirks, reason: str) -> Reading:
    """The message's own octets by other rules."""
    root, anomalies = parse_tree(data, quirks)
    return Reading(reason, root, None, anomalies)


def of_octets(reason: str, octets: bytes, *, is_message: bool = False) -> Reading:
    """Other octets by the usual rules."""
    root, anomalies = parse_tree(octets)
    return Reading(reason, root, octets, anomalies, is_message)


def of_file(reason: str, names: tuple[str, ...], content: bytes, content_type: str = "") -> Reading:
    """A message that is nothing but a file that was found by guessing."""
    kind = content_type if content_type.isascii() else ""
    header = b"Content-Type: " + (kind or "application/octet-stream").encode() + b"\r\n"
    header += b"Content-Transfer-Encoding: binary\r\n"
    for name in names:
        plain = name.encode("utf-8", "replace").translate(None, b'\r\n"\\')
        header += b'Content-Disposition: attachment; filename="' + plain + b'"\r\n'
    return of_octets(reason, header + b"\r\n" + content)


def of_limit(symbol: str, detail: str) -> Reading:
    """Nothing, but that a limit was reached."""
    return Reading("", Entity(b"", 0, 0, None), b"", ((symbol, detail),))
