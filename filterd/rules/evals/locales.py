"""Which charsets are usual where mail is read: `ok_locales`.

Source: Mail::SpamAssassin::Conf(3), ok_locales. Western charsets are usual everywhere.
"""

from __future__ import annotations

import re

from filterd.rules.view.view import View

_CYRILLIC = frozenset("KOI8R KOI8U KOI8T ISOIR111 CP1251 GEORGIANPS PT154 CP866".split())
_SIMPLIFIED = frozenset("GB1988 GB2312 GB231219800 GB18030 GBK ISO2022CN".split())
_TRADITIONAL = frozenset("BIG5HKSCS BIG5 EUCTW".split())
_CHARSETS = {
    "ja": frozenset(
        "EUCJP SHIFTJIS SJIS ISO2022JP JIS7 JISX0201 JISX0208 JISX0212 JISX020119760"
        " JISX020819830 JISX020819900 JISX020819970 JISX021219900 JISX021320001"
        " JISX021320002".split()
    ),
    "ko": frozenset(("EUCKR", "KSC56011987")),
    "th": frozenset(("TIS620",)),
    "zh": _SIMPLIFIED | _TRADITIONAL,
    **dict.fromkeys(("be", "bg", "ka", "ru", "tg", "uk"), _CYRILLIC),
}
_ALWAYS = frozenset("USASCII ASCII IBM852 XUNKNOWN ISO".split())
_ALWAYS_BEGIN = (
    *("ISO8859", "ISO10646", "UTF", "UCS", "CP125", "WINDOWS", "UNICODE11UTF7", "UNICODE11UTF8"),
)
_IGNORED = re.compile(r"[^A-Z0-9]")


def ok_locales(view: View) -> tuple[str, ...]:
    """The locales whose mail is wanted; `all` without the option."""
    options = view.options.get("ok_locales", ())
    return tuple(options[-1].words()) if options else ("all",)


def is_charset_ok(charset: str, locales: tuple[str, ...]) -> bool:
    """True if mail in that charset is usual in one of the locales."""
    name = _IGNORED.sub("", charset.upper())
    while name.startswith("3D"):  # an equals sign in quoted-printable
        name = name[2:]
    if name in _ALWAYS or name.startswith(_ALWAYS_BEGIN) or "all" in locales:
        return True
    return any(name in _CHARSETS.get(locale[:2], ()) for locale in locales)
