"""Files within calendars and address cards: values in base64, which calendars and Outlook save as
attachments.

Sources: RFC 5545 §3.1, §3.1.3, §3.8.1.1; RFC 2426 §2.4, §5; RFC 6350 §6; vCard 2.1, §2.1.4.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote

from filterd.message.decoding import decode_base64

_FOLD = re.compile(rb"\r{0,2}+\n[ \t]")
_VALUE = re.compile(
    rb"(?im)^[a-z0-9.-]++((?:[^:\"\r\n]++|\"[^\"\r\n]*+\")*+)"
    rb":[ \t]*+(?:data:([^,\r\n]*+),)?+([A-Za-z0-9+/=_%-]{4,}+)"
)
_IS_BASE64 = re.compile(r"(?i);[ \t]*+(?:encoding[ \t]*+=[ \t]*+\"?b(?:ase64)?\b|base64\b)")
_NAME = re.compile(r"(?i)(?:file)?name[ \t]*+=[ \t]*+(?:\"([^\"]*+)\"|([^;:\"]++))")
_TYPE = re.compile(r"(?i);[ \t]*+fmttype[ \t]*+=[ \t]*+\"?([^;:\"\s]++)")


def files(content: bytes) -> Iterator[tuple[tuple[str, ...], bytes, str]]:
    """Names, octets and declared type of each."""
    for match in _VALUE.finditer(_FOLD.sub(b"", content)):
        parameters = match[1].decode("utf-8", "replace")
        link = (match[2] or b"").decode("latin-1")
        if not (_IS_BASE64.search(parameters) or _IS_BASE64.search(link)):
            continue
        declared = _TYPE.search(parameters)
        media_type = declared[1] if declared else link.partition(";")[0]
        names = [quoted or plain for quoted, plain in _NAME.findall(parameters)]
        letters = match[3]
        if link and b"%" in letters:
            letters = unquote(letters.decode("ascii")).encode("latin-1", "replace")
        try:
            octets = decode_base64(letters)
        except binascii.Error:
            continue
        yield tuple(dict.fromkeys(names)), octets, media_type.lower()
