"""The messages to judge: files with an assumed envelope, or kept ones with their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filterd.mailfiles.corpora import read_messages
from filterd.mailfiles.mail_file import SkippedError
from filterd.message import Client, Envelope, Recipient
from filterd.message.line_ends import with_crlf
from filterd.quarantine import GoneError, Store, UnknownIdError
from filterd.replay.judged import Judged

NOBODY = Envelope("", (Recipient("postmaster@localhost"),), Client("localhost", "127.0.0.1"))
"""For files, unless the caller knows better: a message always has a recipient."""


class CaseError(Exception):
    """Something that is neither mail on disk nor the id of a kept message."""


@dataclass(frozen=True, slots=True)
class Case:
    """One message. data: with CRLF line ends. decided: what was made of it when it came, None for a
    file."""

    name: str
    data: bytes
    envelope: Envelope
    decided: Judged | None = None


def cases(
    names: Iterable[str],
    envelope: Envelope,
    store: Store,
    skipped: Callable[[SkippedError], object] | None = None,
) -> Iterator[Case]:
    """Every message of these paths and quarantine ids, in order.

    A path that is there wins over an id of that name. skipped: called for what vanished meanwhile.
    Raises CaseError, CorpusError, OSError.
    """
    for name in names:
        if name == "-" or Path(name).exists():
            for _label, shown, data in read_messages(name, skipped):
                yield Case(shown, with_crlf(data), envelope)
        else:
            yield _kept(name, store)


def _kept(id: str, store: Store) -> Case:
    try:
        entry, data = store.get(id), store.read(id)
    except UnknownIdError as error:
        raise CaseError(f"{id}: no such file or folder; {error}") from None
    except (GoneError, ValueError) as error:
        raise CaseError(f"{id}: no such file or folder, and no kept message: {error}") from None
    return Case(id, data, entry.envelope, Judged.of(entry))
