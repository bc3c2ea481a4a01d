"""Names that end like a program only to some readers, or like a site's domain: the content decides.

`Amazon.com: your order.pdf` is `Amazon.com` to a reader that cuts names at a colon, and `firm.com`
may be a program of DOS or the site that a report is about. Where the octets cannot run under that
extension, the name alone bans nothing. What may be a program, or is not known, stays banned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from filterd.system.bounded import json_value

JSON_LIMIT = 1 << 20
"""Octets that are read as JSON; reports on domains have some kilobytes."""

WORDS = 5
"""Words that make a text."""

TEXT_SIZE = 4096
"""Octets by which a text is told."""

DOMAIN_ENDINGS = frozenset("app cab com mov pl py website ws zip".split())
"""Extensions that are top-level domains as well (IANA's root zone)."""

_WITH_HEADER = frozenset("app cab com cpl dll exe mov msi ocx pif scr website zip".split())
"""Files of these run, or open, by a header of their own: no document and no text has it."""

_AS_A_WHOLE = frozenset("cs js jse mjs pl py pyw sh vb vbe vbs ws".split())
"""Programs that are read as a whole before they run: anything else does not."""

_INTERPOLATED = frozenset({"pl", "sh"})
"""Of these, those that run what stands within quotes."""

_DOCUMENT = re.compile(
    rb"%PDF-\d|\x89PNG\r\n|\xff\xd8\xff|PK\x03\x04|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    rb"|(?:\xef\xbb\xbf)?(?:<\?xml\s|<!DOCTYPE\s|<html\b)",
    re.IGNORECASE,
)
_OTHER_DOCUMENT = re.compile(
    rb"GIF8[79]a|\{\\rtf|RIFF.{4}WEBP|-----BEGIN [A-Z ]{3,40}-----"
    rb"|(?:\xef\xbb\xbf)?(?:\s*+[<{\[]|BEGIN:V)",
    re.DOTALL,
)
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def cannot_run(extension: str, head: bytes, kinds: Iterable[str], *, is_whole: bool) -> bool:
    """True if content that begins so does not run under that extension.

    head: first octets; a whole small file. kinds: of the content. is_whole: the name itself ends
    so, and not only what some reader cuts from it: then only what may be a domain is in doubt.
    """
    if not head or extension in kinds or (is_whole and extension not in DOMAIN_ENDINGS):
        return False
    if extension in _WITH_HEADER:
        return bool(_DOCUMENT.match(head) or _OTHER_DOCUMENT.match(head)) or _is_text(head)
    if extension in _AS_A_WHOLE:
        if _DOCUMENT.match(head):
            return True
        return extension not in _INTERPOLATED and _is_json(head)
    return False


def _is_text(head: bytes) -> bool:
    """Words, and some of them. A program that is made of letters has no blanks."""
    sample = head[:TEXT_SIZE]
    words = len(sample.split())
    return not _NOT_TEXT.search(sample) and words >= WORDS and words * 30 >= len(sample)


def _is_json(content: bytes) -> bool:
    if content.lstrip()[:1] != b"{" or len(content) > JSON_LIMIT:
        return False
    try:
        json_value(content)
    except ValueError:
        return False
    return True
