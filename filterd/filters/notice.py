"""The notice that takes a removed part's place, as edits of the message."""

from __future__ import annotations

from collections.abc import Iterator
from string import Template

from filterd.chain.verdict import AddField, ChangeField, Edit, Splice
from filterd.filters.parts.unpacking.names import shown
from filterd.message import Entity, Message

NOTICE = (
    "The attachment $filename was removed from this message: $reason.\n"
    "The original is kept by the mail system of $host. Ask the postmaster for it, naming $id.\n"
)

_FIELDS = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Transfer-Encoding", "8bit"),
    ("Content-Disposition", "inline"),
)

_EOL_WINDOW = 64 << 10
"""Octets from the top in which the message's line ends are looked for."""


def check_template(text: str) -> None:
    """Raise ValueError if the template names something that no notice knows."""
    try:
        Template(text).substitute(filename="", reason="", id="", host="")
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{error} is unknown; $filename, $reason, $id and $host are known"
        ) from None


def replacement(
    message: Message, entity: Entity, template: Template, name: str, reason: str
) -> Iterator[Edit]:
    """The edits that put a notice in the place of a part; no octet outside the part changes."""
    eol = b"\r\n" if b"\r\n" in bytes(message.data[:_EOL_WINDOW]) else b"\n"
    text = template.substitute(
        filename=shown(name),
        reason=shown(reason),
        id=message.id,
        host=message.envelope.macros.get("j", "this site"),
    )
    body = eol.join(text.encode("utf-8", "replace").splitlines())
    if entity.parent is None:
        # The message is the part: its header fields are changed, its body replaced.
        yield from _header_of_notice(message)
        yield Splice(entity.body_start, entity.end, body + eol)
        return
    kept = b""
    if entity.parent.content_type.startswith("message/"):
        # The part is a whole message in a message: who sent it to whom stays.
        kept = b"".join(
            field.name.encode("ascii") + b":" + field.raw_value + eol
            for field in entity.header_fields
            if not field.name.lower().startswith("content-")
        )
    header = b"".join(f"{field}: {value}".encode() + eol for field, value in _FIELDS)
    yield Splice(entity.start, entity.end, kept + header + eol + body)


def is_signed(entity: Entity) -> bool:
    """True for a part below a multipart/signed (RFC 1847)."""
    above = entity.parent
    while above is not None:
        if above.content_type == "multipart/signed":
            return True
        above = above.parent
    return False


def _header_of_notice(message: Message) -> Iterator[Edit]:
    for name, value in _FIELDS:
        fields = list(message.fields(name))
        for index in range(len(fields), 1, -1):
            yield ChangeField(fields[index - 1].name, index, None)
        if fields:
            yield ChangeField(fields[0].name, 1, value)
        else:
            yield AddField(name, value)
