"""MIMEEval: the structure of a message, encodings and charsets that fit badly.

Source: Mail::SpamAssassin::Plugin::MIMEEval(3), RFC 2045, RFC 2046.
"""

from __future__ import annotations

import re

from filterd.rules.evals.locales import is_charset_ok, ok_locales
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.content_type import ContentType, parse_content_type
from filterd.rules.view.parts import PartView
from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::MIMEEval", "ok_locales")

LINE_LENGTH = 78
"""Octets of a line of quoted-printable; longer ones are counted as long (RFC 5322 §2.1.1)."""

LEAST_TEXT = 200
"""Octets of text below which capitals say nothing."""

_ASCII_NAMES = re.compile(
    r"ascii|ansi_x3\.4-19(?:68|86)|iso-ir-6|iso_646\.irv:1991|us|(?:ibm|cp)367"
)
_NEEDLESS_ESCAPE = re.compile(rb"=(?:09|3[0-9ABCEF]|[2456][0-9A-F]|7[0-9A-E])")
_NOT_ASCII = re.compile(rb"[\x00\r\x80-\xff]")
_ENTITY = re.compile(rb"&#x[0-9A-F]{4};")
_RATIO = re.compile(r"\d{0,3}\.\d{1,3}")
_WORDS = re.compile(rb"\S\s++\S")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/=]{60,76} ){2}")
_CHARSET = re.compile(rb"charset=(?:\"([^\"]+)\"|'([^']+)'|(\S+))", re.IGNORECASE)
_FEW_CAPITALS = re.compile(
    r"koi|jp|jis|euc|gb|big5|isoir|cp1251|windows-1251|georgianps|pt154|tis", re.IGNORECASE
)
_CHARSET_NAME = re.compile(r"[-_a-z0-9]+", re.IGNORECASE)
_UPPER, _LOWER = bytes(range(0x41, 0x5B)), bytes(range(0x61, 0x7B)) + b"0123456789"

_FLAGS = {
    "missing_head_body_separator": "lacks_separator",
    "missing_mime_headers": "lacks_part_header",
    "missing_mime_head_body_separator": "lacks_part_separator",
    "mime_epilogue_exists": "has_epilogue",
    "truncated_header": "is_truncated",
    "mimepart_limit_exceeded": "has_too_many_parts",
}


class Structure:
    """What was counted in the parts of a message.

    values: the results that `check_for_mime` can be asked for, by name. charsets: all charsets
    that parts name. longest_base64: octets of the longest line of base64.
    """

    def __init__(self, view: View) -> None:
        self.charsets: list[str] = []
        self.longest_base64 = 0
        self.values: dict[str, float] = dict.fromkeys(
            (
                "mime_base64_count mime_base64_encoded_text mime_body_html_count"
                " mime_body_text_count mime_faraway_charset mime_missing_boundary"
                " mime_multipart_alternative mime_qp_count mime_qp_long_line mime_qp_ratio"
                " mime_ascii_text_illegal mime_text_unicode_ratio mime_attachment"
                " mime_bad_iso_charset mime_qp_bytes"
            ).split(),
            0,
        )
        self.values["mime_multipart_ratio"] = 1.0
        self._locales = ok_locales(view)
        self._escapes = self._entities = self._characters = 0
        self._sizes: list[tuple[str, int]] = []
        root = view.parts
        for part in root.walk():
            if part.type:
                self._look_at(part)
        self._sum_up()
        self.values["mime_missing_boundary"] = any(root.open_boundaries.values())

    def _look_at(self, part: PartView) -> None:
        content_type = parse_content_type(part.header(b"content-type"))
        encoding = part.header(b"content-transfer-encoding").lower()
        disposition = part.header(b"content-disposition").lower()
        values = self.values
        if content_type.type == "multipart/alternative":
            values["mime_multipart_alternative"] = 1
        if content_type.type == "text/html":
            values["mime_body_html_count"] += 1
        elif content_type.type.startswith("text"):
            values["mime_body_text_count"] += 1
        if b"base64" in encoding:
            values["mime_base64_count"] += 1
        elif b"quoted-printable" in encoding:
            values["mime_qp_count"] += 1
        if b"attachment" in disposition:
            values["mime_attachment"] += 1
        self._look_at_charset(content_type, encoding, disposition)
        if part.raw is not None:
            self._look_at_text(part.raw, content_type, encoding, disposition)

    def _look_at_charset(self, found: ContentType, encoding: bytes, disposition: bytes) -> None:
        charset = (found.charset or b"").lower().decode("latin-1")
        values = self.values
        if (
            found.type.startswith("text")
            and b"base64" in encoding
            and (charset in ("", "0") or _ASCII_NAMES.search(charset))
            and not disposition.startswith((b"attachment", b"inline"))
        ):
            values["mime_base64_encoded_text"] = 1
        if is_odd_iso_charset(charset):
            values["mime_bad_iso_charset"] = 1
        if re.search("[a-z]", charset):
            self.charsets += charset.split()
            if "all" not in self._locales and not is_charset_ok(charset, self._locales):
                values["mime_faraway_charset"] = 1

    def _look_at_text(
        self, raw: bytes, found: ContentType, encoding: bytes, disposition: bytes
    ) -> None:
        values = self.values
        if b"attachment" not in disposition:
            counts = values["mime_multipart_alternative"] and found.type in (
                "text/plain",
                "text/html",
            )
            self._sizes.append((found.type, len(raw) if counts else 0))
        if encoding == b"quoted-printable":
            self._look_at_quoted(raw)
        if encoding == b"base64" and found.type != "application/ics":
            self.longest_base64 = max(self.longest_base64, longest_line(raw))
        if found.type != "text/plain":
            return
        if found.charset is None or found.charset.lower() == b"us-ascii":
            values["mime_ascii_text_illegal"] += _NOT_ASCII.search(raw) is not None
        if encoding in (b"", b"7bit", b"8bit"):
            entities = len(_ENTITY.findall(raw)) if b"&#x" in raw else 0
            self._entities += entities
            self._characters += len(raw) - 8 * entities

    def _look_at_quoted(self, raw: bytes) -> None:
        for line in _lines(raw):
            if line.startswith(b"SPAM: "):
                continue
            if len(line) > LINE_LENGTH + 1:
                self.values["mime_qp_long_line"] = 1
            self.values["mime_qp_bytes"] += len(line)
            if b"=" in line:
                escapes = len(_NEEDLESS_ESCAPE.findall(line))
                # Blanks at the end of a line have to be encoded.
                self._escapes += escapes - _blanks_at_end(line) if escapes else 0

    def _sum_up(self) -> None:
        values = self.values
        if values["mime_qp_bytes"]:
            values["mime_qp_ratio"] = self._escapes / values["mime_qp_bytes"]
            values["mime_qp_count"] = self._escapes
        if self._characters:
            values["mime_text_unicode_ratio"] = self._entities / self._characters
        if values["mime_multipart_alternative"]:
            last = dict(self._sizes)
            plain, html = last.get("text/plain"), last.get("text/html", 0)
            if plain is not None and html > 0:
                values["mime_multipart_ratio"] = plain / html


def is_odd_iso_charset(charset: str) -> bool:
    """True for what looks like an ISO charset and is none (`iso-0159-7`)."""
    start = charset.find("iso-")
    if start < 0 or charset[start + 4 :].rpartition("-")[0] == "":
        return False
    return re.search(r"iso-(?:8859-\d{1,2}|2022-(?:jp|kr))\b", charset) is None


def longest_line(raw: bytes) -> int:
    """Octets of the longest line with its line end."""
    return max(map(len, _lines(raw)), default=0)


def _lines(raw: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in raw.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines


def _blanks_at_end(line: bytes) -> int:
    text = line.rstrip()
    end = len(text)
    while text[max(end - 3, 0) : end] in (b"=09", b"=20"):
        end -= 3
    return (len(text) - end) // 3


def structure(view: View) -> Structure:
    """What was counted in the parts of the message, once a message."""
    found = view.notes.get("mime_eval")
    if not isinstance(found, Structure):
        found = view.notes["mime_eval"] = Structure(view)
    return found


@PLUGIN.test("check_for_mime")
def check_for_mime(view: View, name: str) -> bool:
    """A result by its name (`mime_qp_long_line`, ...) is not zero."""
    return bool(structure(view).values.get(name))


@PLUGIN.test("check_for_mime_html")
def check_for_mime_html(view: View) -> bool:
    """A part is HTML."""
    return _is_html(view) or structure(view).values["mime_body_html_count"] > 0


@PLUGIN.test("check_for_mime_html_only")
def check_for_mime_html_only(view: View) -> bool:
    """Parts are HTML, none is plain text."""
    values = structure(view).values
    return _is_html(view) or (
        values["mime_body_html_count"] > 0 and values["mime_body_text_count"] == 0
    )


def _is_html(view: View) -> bool:
    return (view.header("Content-Type") or b"")[:9].lower() == b"text/html"


@PLUGIN.test("check_mime_multipart_ratio")
def check_mime_multipart_ratio(view: View, least: str, below: str) -> bool:
    """Plain text to HTML in octets, of the last part of each: at least, and below."""
    return float(least) <= structure(view).values["mime_multipart_ratio"] < float(below)


@PLUGIN.test("check_msg_parse_flags")
def check_msg_parse_flags(view: View, name: str) -> bool:
    """A fault that was met when the message was taken apart, by SpamAssassin's name for it."""
    return name in _FLAGS and bool(getattr(view.parts, _FLAGS[name]))


@PLUGIN.test("check_for_ascii_text_illegal")
def check_for_ascii_text_illegal(view: View) -> bool:
    """Octets in plain text that US-ASCII does not have."""
    return structure(view).values["mime_ascii_text_illegal"] > 0


@PLUGIN.test("check_abundant_unicode_ratio")
def check_abundant_unicode_ratio(view: View, least: str) -> bool:
    """Entities of HTML to other octets in plain text."""
    if _RATIO.fullmatch(least) is None:
        return False
    return structure(view).values["mime_text_unicode_ratio"] >= float(least)


@PLUGIN.test("check_qp_ratio")
def check_qp_ratio(view: View, least: str) -> bool:
    """Escapes that nobody needs to octets of quoted-printable."""
    return structure(view).values["mime_qp_ratio"] >= float(least)


@PLUGIN.test("check_base64_length")
def check_base64_length(view: View, least: str, most: str | None = None) -> bool:
    """Octets of the longest line of base64."""
    longest = structure(view).longest_base64
    return float(least) <= longest and (most is None or longest <= float(most))


@PLUGIN.test("check_ma_non_text")
def check_ma_non_text(view: View) -> bool:
    """A multipart/alternative with something that is not text in it."""
    return any(
        part.is_leaf
        and part.type not in ("", "multipart/related", "application/rtf")
        and not part.type.startswith("text/")
        for alternative in view.parts.walk()
        if alternative.type == "multipart/alternative"
        for part in alternative.children or ()
    )


@PLUGIN.test("check_for_faraway_charset")
def check_for_faraway_charset(view: View) -> bool:
    """The message's charset is unusual here, and its text has many octets that need it."""
    locales = ok_locales(view)
    charset = _message_charset(view)
    if "all" in locales or charset is None or is_charset_ok(charset, locales):
        return False
    text = b"\n".join(view.body)
    high = len(text) - len(text.translate(None, bytes(range(0x80, 0x100))))
    return high > 3 and len(text) - high <= high


def _message_charset(view: View) -> str | None:
    found = _CHARSET.search(view.header("Content-Type") or b"")
    return (found[1] or found[2] or found[3]).decode("latin-1") if found is not None else None


@PLUGIN.test("check_for_uppercase")
def check_for_uppercase(view: View, above: str, most: str) -> bool:
    """Capitals in a hundred letters and digits: more than, and at most."""
    capitals = view.notes.get("mime_eval.capitals")
    if not isinstance(capitals, float):
        capitals = view.notes["mime_eval.capitals"] = _capitals(view)
    return float(above) < capitals <= float(most)


def _capitals(view: View) -> float:
    charset = _message_charset(view)
    for name in (charset or "", *structure(view).charsets):
        if _CHARSET_NAME.fullmatch(name) and _FEW_CAPITALS.search(name):
            return 0.0
    size = lower = upper = 0
    for line in view.body:
        # Lines of one word, and base64 of a message that was forwarded.
        if _WORDS.search(line) is None or _BASE64.match(line) is not None:
            continue
        text = _without_jis(line)
        size += len(text)
        rest = text.translate(None, _LOWER)
        lower += len(text) - len(rest)
        upper += len(rest) - len(rest.translate(None, _UPPER))
    if size < LEAST_TEXT or upper + lower == 0:
        return 0.0
    return 100 * upper / (upper + lower)


def _without_jis(line: bytes) -> bytes:
    """The line without what stands in JIS X 0208 (ISO-2022-JP)."""
    start, end = line.find(b"\x1b$B"), line.rfind(b"\x1b(B")
    return line[:start] + line[end + 3 :] if start >= 0 and start + 3 <= end else line
