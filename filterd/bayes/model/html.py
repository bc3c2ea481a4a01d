"""The text that a reader of an HTML part would see, cheaply and in linear time.

Not a browser: tags are taken out by pattern, on octets of UTF-8. Each pattern ends at the end of
the text if its closing mark is missing, so that no input makes a search start over (a thousand
`<!--` cost one pass).
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape

# A comment, or a tag that only styles a run of letters, may stand in the middle of a word and is
# invisible there: `via<!-- x -->gra`, `via<b></b>gra`. Any other tag separates words.
_INVISIBLE = re.compile(
    rb"<(?:!--.*?(?:-->|\Z)"
    rb"|(?:script|style)\b.*?(?:</(?:script|style)\s*>|\Z)"
    rb"|/?(?:a|b|big|em|font|i|s|small|span|strike|strong|sub|sup|tt|u|wbr)\b[^>]*(?:>|\Z))",
    re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(rb"<[a-zA-Z/!?][^>]*(?:>|\Z)")
_ENTITY = re.compile(rb"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});?")

# Format characters without a glyph, in UTF-8, that break words up: soft hyphen, zero-width space
# and joiners, marks of direction, word joiner, byte order mark.
_NO_GLYPH = re.compile(
    rb"\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xa4]|\xc2\xad|\xef\xbb\xbf|\xcd\x8f|\xd8\x9c"
    rb"|\xe1\xa0\x8e"
)


# Blanks that are not ASCII: no-break, en and em quads, thin, ideographic, ...
_BLANK = re.compile(rb"\xc2\xa0|\xe2\x80[\x80-\x8a\xaf]|\xe2\x81\x9f|\xe3\x80\x80")


def visible_text(html: bytes) -> bytes:
    """Return the text of an HTML document as a reader sees it, entities resolved."""
    text = _TAG.sub(b" ", _INVISIBLE.sub(b"", html))
    return _ENTITY.sub(_resolved, text) if b"&" in text else text


def without_invisible(text: bytes) -> bytes:
    """Return UTF-8 text without characters that have no glyph; all blanks become ASCII's."""
    return text if text.isascii() else _BLANK.sub(b" ", _NO_GLYPH.sub(b"", text))


def _resolved(match: re.Match[bytes]) -> bytes:
    return _character(match[0])


@lru_cache(maxsize=1024)
def _character(entity: bytes) -> bytes:
    return without_invisible(unescape(entity.decode("ascii")).encode("utf-8", "replace"))
