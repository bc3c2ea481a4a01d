"""The machine on which a sendmail.cf is read, and what sendmail itself adds to a file."""

from __future__ import annotations

from dataclasses import dataclass

OWN_CLASSES = {
    "n": "multipart/signed",
    "s": "rfc822",
    "e": "7bit 8bit binary",
    "checkMIMEFieldHeaders": "content-disposition content-type",
    "checkMIMETextHeaders": "content-description",
    "checkMIMEHeaders": "content-disposition content-id content-transfer-encoding content-type "
    "mime-version",
    "persistentMacros": "r s _ {if_addr} {daemon_flags}",
}
"""Words that sendmail puts into classes itself, when the file is read."""


@dataclass(frozen=True, slots=True)
class Host:
    """What is known of the machine before a file is read.

    macros: by name without braces. names: the machine's names and addresses, for class w.
    node: the name of uname, for class k. qualified: whether its own name has a domain; if not, `$w`
    and `$m` are taken from the file's `$j`, where sendmail would wait a minute for a name server.
    """

    macros: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()
    node: str = ""
    qualified: bool = False
