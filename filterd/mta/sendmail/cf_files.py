"""A sendmail.cf on disk, and the files that it names."""

from __future__ import annotations

from pathlib import Path

from filterd.mta.cf.config import CfError, SendmailCf
from filterd.mta.cf.parser import EX_NOINPUT, parse
from filterd.system.bounded import open_regular, read_regular

SIZE_LIMIT = 8 << 20
"""Octets of a configuration file, or of one that it names; a stock one has 60,000."""


def read_cf(path: Path) -> SendmailCf:
    """Read a file. Raises CfError if sendmail would not start with it."""
    try:
        with open_regular(path) as file:
            text = file.read(SIZE_LIMIT + 1).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise CfError([f"{path}: line 0: cannot open: {error.strerror}"], EX_NOINPUT) from None
    return checked(parse_cf(text, str(path)))


def parse_cf(text: str, source: str = "sendmail.cf") -> SendmailCf:
    """Parse the text of a file and read the files that it names; mistakes are in `problems`."""
    return parse(text, source, lambda path: read_regular(path, SIZE_LIMIT))


def checked(cf: SendmailCf) -> SendmailCf:
    """The same. Raises CfError if it has problems."""
    if cf.problems:
        raise CfError(cf.problems + cf.hints, cf.status)
    return cf
