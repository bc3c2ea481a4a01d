"""A message as it will leave: for what is added last, signatures and seals.

A filter that adds something that depends on the whole message, header edits and removed parts
included, has `sign(outgoing)`. It is called once the policy has decided and the labels are known,
in the order of the chain, and only where the message is delivered or held by the MTA. Its verdict
may have symbols and edits: `AddField`s, which go on top of all others, and `ChangeField`s, which it
must have counted in itself. Who signs later signs these, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from filterd.chain.verdict import AddField, ChangeField, Edit, Splice, Verdict
from filterd.message import Message
from filterd.message.fields import Buffer


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What came, what was found, and every edit that will be made.

    verdict: of the whole chain. edits: those of an earlier signer come first.
    """

    message: Message
    verdict: Verdict
    edits: tuple[Edit, ...] = ()

    @property
    def fields(self) -> tuple[tuple[str, bytes], ...]:
        """Names and raw values (all between the colon and the end of the field) of the header
        fields that the message leaves with, top first."""
        changed = {
            (edit.name.lower(), edit.index): edit.value
            for edit in self.edits
            if isinstance(edit, ChangeField)
        }
        found = [
            (edit.name, _octets(edit.value)) for edit in self.edits if isinstance(edit, AddField)
        ]
        seen: Counter[str] = Counter()
        for field in self.message.header_fields:
            name = field.name.lower()
            seen[name] += 1
            if (name, seen[name]) not in changed:
                found.append((field.name, field.raw_value))
                continue
            value = changed[name, seen[name]]
            if value is not None:
                found.append((field.name, _octets(value)))
        return tuple(found)

    @property
    def body(self) -> bytes:
        """The body that the message leaves with."""
        return spliced(self.message.data, self.edits, self.message.body_start)


def _octets(value: str) -> bytes:
    """A value as it stands in the message: with the blank that the daemon puts before it."""
    return b" " + value.replace("\n", "\r\n").encode()


def spliced(data: Buffer | memoryview, edits: Sequence[Edit], body_start: int) -> bytes:
    """The body after its splices. data: the whole message."""
    view, position = memoryview(data), body_start
    parts: list[bytes | memoryview] = []
    splices = [edit for edit in edits if isinstance(edit, Splice)]
    # By the end as well: what is put in at an octet comes before what that octet becomes.
    for splice in sorted(splices, key=lambda one: (one.start, one.end)):
        parts += [view[position : splice.start], splice.replacement]
        position = splice.end
    return b"".join([*parts, view[position:]])
