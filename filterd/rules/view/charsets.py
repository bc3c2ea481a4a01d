"""Text out of a charset as SpamAssassin 4 decodes it with `normalize_charset`.

What is valid UTF-8 is UTF-8, whatever was declared; then the charset that is declared, if it has
all octets; then Windows-1252, which every octet may be. Source: Mail::SpamAssassin::Conf(3),
normalize_charset; the results of SpamAssassin 4.0.1 over mail in many charsets.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

_ASCII_NAMES = re.compile(r"(?:us-)?ascii|ansi[_ ]? ?x3\.4-19(?:86|68)|iso646-us")
_SUPERSETS = re.compile(
    r"iso[ -]?8859(?:-\d{1,2})?|windows-\d{4}|utf-?8|(?:koi8|euc)-[a-z]{1,2}|big5|gbk"
    r"|gb[ -]?18030(?:-20\d\d)?"
)
_LATIN = frozenset(("iso-8859-1", "iso8859-1", "windows-1252", "cp1252"))
_GB18030 = re.compile(r"gb[ -]?18030(?:-20\d\d)?")
_CODE_PAGE = re.compile(r"(?:cp|ibm|windows)-?(\d{3,4})")

# Names that people write and Python does not know, and those that mean another one to SpamAssassin.
_OTHER_NAMES = {
    "gb_2312-80": "gb2312",
    "hz-gb-2312": "gb2312",
    "ks_c_5601-1987": "cp949",
    "tis-620": "iso8859-11",
    "ucs-2": "utf-16-be",
    "usascii": "ascii",
    "windows-31j": "cp932",
    "x-euc-jp": "euc_jp",
    "x-mac-roman": "mac-roman",
    "x-sjis": "shift_jis",
    "x-windows-949": "cp949",
}
_UNKNOWN = frozenset(
    "iso-2022-jp-2 iso-2022-jp-1 iso-2022-jp-3 iso-ir-6 ksc5601 unicode_escape raw_unicode_escape"
    " idna punycode undefined mbcs oem cp65001 kz1048 ptcp154".split()
)


@lru_cache(256)
def _codec(charset: str) -> str:
    """Python's name of a charset (lower case); `""` if it is unknown."""
    name = _OTHER_NAMES.get(charset, charset)
    page = _CODE_PAGE.fullmatch(name)
    if page is not None:
        name = f"cp{page[1]}"
    if _GB18030.fullmatch(name):
        name = "gbk"
    if name in _UNKNOWN:
        return ""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return ""
    return found.name if found._is_text_encoding else ""


def _utf16(data: bytes) -> str:
    """Which way UTF-16 without a byte order mark is written; `""` if that cannot be told."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ""
    even, odd = data[::2], data[1::2]
    pairs = [data[i : i + 2] for i in range(0, len(data), 2)]
    little = pairs.count(b"\x20\x00")
    big = pairs.count(b"\x00\x20")
    weight_even = sum(byte >> 4 for byte in even) + sum(byte & 15 for byte in even)
    weight_odd = sum(byte >> 4 for byte in odd) + sum(byte & 15 for byte in odd)
    little += weight_even > weight_odd * 4
    big += weight_odd * 4 > weight_even
    return "utf-16-le" if little > big else "utf-16-be" if big > little else ""


def decode(data: bytes, charset: str, *, insist: bool = False) -> str | None:
    """Octets as text; None if they are to be left as they are: ASCII and nothing else.

    insist: the declared charset it is, for better or worse, as for encoded words.
    """
    name = charset.lower()
    is_ascii = data.isascii()
    if is_ascii and (_ASCII_NAMES.fullmatch(name) or _SUPERSETS.fullmatch(name)):
        return None
    if not is_ascii and not insist:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            pass
    found = _declared(data, name, insist=insist, is_ascii=is_ascii)
    if found is not None:
        return found
    if is_ascii:
        return None
    # Windows-1252: of octets that it does not have, U+FFFD.
    return data.decode("cp1252", "replace")


def _declared(data: bytes, name: str, *, insist: bool, is_ascii: bool) -> str | None:
    if name in ("ascii", "us-ascii") and not insist:
        return None
    if _is_utf16(name):
        codec = _utf16(data)
    elif name in _LATIN:
        codec = "cp1252"
    elif name in ("utf-8", "utf8"):
        if not is_ascii and not insist:
            return None
        codec = "utf-8"
    else:
        codec = _codec(name)
    if not codec:
        return None
    try:
        return data.decode(codec, "replace" if insist else "strict")
    except (UnicodeError, ValueError):
        return None


def to_utf8(data: bytes, charset: str, *, insist: bool = False) -> bytes:
    """Octets of a charset as octets of UTF-8. UTF-16 stays as it is, as SpamAssassin has it in
    header fields."""
    text = decode(data, charset, insist=insist)
    if text is None or (_is_utf16(charset.lower()) and _utf16(data)):
        return data
    return text.encode("utf-8", "surrogatepass")


def _is_utf16(name: str) -> bool:
    return name.startswith(("utf-16", "utf16", "utf 16"))
