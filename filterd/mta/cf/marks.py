"""The marks of sendmail's language (`$*`, `$1`, `$#`, `$x` …) inside text, and their names.

While a line is read, `$x` becomes a mark and the name of a macro, one character each. Marks are
code points that no decoded octet can have, so that text from outside never turns into one.

Text of rules and addresses is in octet form: one character for each octet, those from 128 on as
surrogates (surrogateescape), because sendmail counts, compares and prints octets.

Source: sendmail 8.17 `readcf.c` (translate_dollars), `macro.c` (macid_parse), `util.c` (xputs).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Complain = Callable[[str], object]
"""Takes an error message without file and line."""

MAX_NAME = 25
"""Characters of a macro's or class's name in braces, MAXMACNAMELEN."""


def _mark(character: str) -> str:
    return chr(0xD800 + ord(character))


MACRO = _mark("$")
"""Before a macro's name: `$x`, expanded when the text is used."""
RUNTIME = _mark("&")
"""Before a macro's name: `$&x`, expanded when the rule is used."""
ANY = _mark("*")
SOME = _mark("+")
ONE = _mark("-")
CLASS = _mark("=")
NOT_CLASS = _mark("~")
REFERENCE = _mark("n")
"""Before a digit: `$1`."""
MAILER = _mark("#")
HOST = _mark("@")
USER = _mark(":")
CALL = _mark(">")
IF = _mark("?")
ELSE = _mark("|")
FI = _mark(".")
HOST_LOOKUP = _mark("[")
HOST_LOOKUP_END = _mark("]")
LOOKUP = _mark("(")
LOOKUP_END = _mark(")")

METASYMBOLS = {one: _mark(one) for one in "*+-=~#@:>?|.[]()&"}
"""What stands after a `$`, and its mark. They are macros of one character, as in sendmail."""

ALL_MARKS = frozenset((MACRO, REFERENCE, *METASYMBOLS.values()))

TERMINATED = "\0"
"""Stands in a line where a bad name was: nothing behind it counts."""

_OCTETS = {
    0x81: MACRO,
    0x82: RUNTIME,
    0x85: LOOKUP,
    0x86: LOOKUP_END,
    0x90: ANY,
    0x91: SOME,
    0x92: ONE,
    0x93: CLASS,
    0x94: NOT_CLASS,
    0x95: REFERENCE,
    0x96: MAILER,
    0x97: HOST,
    0x98: USER,
    0x99: CALL,
    0x9A: IF,
    0x9B: ELSE,
    0x9C: FI,
    0x9D: HOST_LOOKUP,
    0x9E: HOST_LOOKUP_END,
}
"""The octets that sendmail has for its marks; test mode takes them from the keyboard."""

_TYPED = {0xDC00 + octet: mark for octet, mark in _OCTETS.items()}
_OCTET_OF = {mark: octet for octet, mark in _OCTETS.items()}
_FIRST_LONG_NAME = 0xE000
_FIRST_NAMES = ("opMode", "load_avg")
"""Names that sendmail has before it reads a file; in its error messages names are numbers."""

_NAME = re.compile(rf"[A-Za-z0-9_]{{1,{MAX_NAME - 1}}}")
_WORD = re.compile(r"[A-Za-z0-9_]")
_MARK_OCTET = re.compile("[\udc80-\udc9f\udcff]")
_SPACES = " \t\n\v\f\r"
_PIECE = re.compile(
    f"[{MACRO}{RUNTIME}][=~&?]?[^\ud800-\udbff]?|"
    f"[{CLASS}{NOT_CLASS}{REFERENCE}][^\ud800-\udbff]?|[\ud800-\udbff]"
)


def octets(text: str) -> str:
    """Text in octet form."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("ascii", "surrogateescape")


def readable(text: str) -> str:
    """Text in octet form, as UTF-8 where it is that."""
    if text.isascii():
        return text
    return text.encode("ascii", "surrogateescape").decode("utf-8", "surrogateescape")


def typed_marks(text: str) -> str:
    """The text with octets that are sendmail's marks as marks; only for people who test."""
    return text if text.isascii() else text.translate(_TYPED)


def quoted(text: str) -> str:
    """Text from outside with an octet 255 before each octet that is sendmail's mark."""
    return text if text.isascii() else _MARK_OCTET.sub("\udcff\\g<0>", text)


class Names:
    """The names of macros and classes: one character for each, long names by number."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}
        self._names: list[str] = []
        self._in_tables: dict[str, str] = {}
        for name in _FIRST_NAMES:
            self.code(name)

    def code(self, name: str) -> str:
        """The character for a name, which is without braces."""
        if len(name) == 1:
            return name
        code = self._codes.get(name)
        if code is None:
            code = self._codes[name] = chr(_FIRST_LONG_NAME + len(self._names))
            self._names.append(name)
        return code

    def codes_of(self, names: Iterable[str]) -> list[str]:
        """The characters for names as they stand in a macro table, `i` or `{client_addr}`."""
        known = self._in_tables
        return [known.get(name) or self._code_in_table(name) for name in names]

    def _code_in_table(self, name: str) -> str:
        code = self._in_tables[name] = self.code(name.strip("{}"))
        return code

    def name(self, code: str) -> str:
        """The name for a character, without braces."""
        if code <= " ":
            return "***UNDEFINED MACRO***"
        number = ord(code) - _FIRST_LONG_NAME
        return self._names[number] if 0 <= number < len(self._names) else code

    def parse(self, text: str, start: int, complain: Complain) -> tuple[str, int]:
        """The character for the name at `start` and where the text goes on; "" for a bad name."""
        if start >= len(text) or text.startswith("{}", start):
            complain("Name required for macro/class")
            return "", start
        if text[start] != "{":
            return text[start], start + 1
        name, at, trouble = "", start + 1, ""
        while at < len(text) and text[at] != "}" and len(name) < MAX_NAME:
            if _WORD.match(text[at]):
                name += text[at]
            else:
                complain(f"Invalid macro/class character {text[at]}")
            at += 1
        if at == len(text):
            trouble = f"Unbalanced {{ on {name}"
        elif text[at] != "}":
            trouble = f"Macro/class name ({{{name}}}) too long ({MAX_NAME} chars max)"
        if trouble:
            complain(trouble)
            complain("Unable to assign macro/class ID (mid = 0xffffffff)")
            return "", at
        return self.code(name), at + 1

    def translate(self, text: str, complain: Complain, *, comments: bool = True) -> str:
        """A line with marks for its `$`. comments: whether a `#` inside ends it (level 3 on)."""
        plain = self._translated(text)
        if plain is None:
            plain = self._translate(text, complain, comments)
        text = plain
        return text.rstrip(_SPACES) or text[:1]

    def _translated(self, text: str) -> str | None:
        """A line without a comment, if each `$` in it has a name that is valid; else None."""
        first, *rest = text.split("$")
        if "#" in first[1:]:
            return None
        out = [first]
        for one in rest:
            if "#" in one[1:]:
                return None
            if one[:1] == "{":
                name, closed, tail = one[1:].partition("}")
                if not closed or _NAME.fullmatch(name) is None:
                    return None
                out += (MACRO, self.code(name), tail)
            elif not one or (one[0] in "=~&?" and (len(one) == 1 or one[1] == "{")):
                # `$$`, the end of the line, or a long name.
                return None
            else:
                out += (MACRO, one)
        return "".join(out)

    def _translate(self, text: str, complain: Complain, comments: bool) -> str:
        out: list[str] = []
        at = 0
        while at < len(text):
            one = text[at]
            at += 1
            if one == "#" and out and comments:
                if out[-1] == "\\":
                    out[-1] = "#"
                    continue
                while len(out) > 1 and out[-1] in " \t\v\f\r":
                    out.pop()
                end = text.find("\n", at)
                at = len(text) if end < 0 else end
            elif one != "$" or at == len(text):
                out.append(one)
            elif text[at] == "$":
                out.append("$")
                at += 1
            else:
                out.append(MACRO)
                if text[at] in "=~&?":
                    out.append(text[at])
                    at += 1
                code, at = self.parse(text, at, complain)
                if not code:
                    # sendmail puts the end of the line here.
                    break
                out.append(code)
        return "".join(out)

    def show(self, text: str) -> str:
        """Text as sendmail prints it: marks as `$x`, octets from 128 on as `M-x`."""
        if text.isascii() and text.isprintable():
            return text
        out: list[str] = []
        rest = iter(typed_marks(text))
        for one in rest:
            if one in (MACRO, RUNTIME):
                out.append("$" if one == MACRO else "$&")
                name = next(rest, "")
                if name and name in "=~&?":
                    out.append(name)
                    name = next(rest, "")
                out.append(self._shown_name(name))
            elif one == REFERENCE:
                out.append("$" + _printed(next(rest, "")))
            elif one in ALL_MARKS:
                out.append("$" + chr(ord(one) - 0xD800))
                if one in (CLASS, NOT_CLASS):
                    out.append(self._shown_name(next(rest, "")))
            elif one >= "\x80":
                out.append("M-" + _printed(chr(ord(one) & 0x7F)))
            else:
                out.append(_printed(one))
        return "".join(out)

    def _shown_name(self, code: str) -> str:
        return f"{{{self.name(code)}}}" if code >= "\x80" else code

    def dollars(self, text: str) -> str:
        """Text with its marks written as in a file, octets as they are."""
        return text if text.isascii() else _PIECE.sub(lambda piece: self.show(piece[0]), text)

    def without_marks(self, text: str) -> str:
        """The text with sendmail's octets for its marks: for maps, which take octets only."""
        if text.isascii():
            return text
        return "".join(
            one if one < "\ud800" or "\udc00" <= one < "\ue000" else chr(0xDC00 + self.octet(one))
            for one in text
        )

    def stripped(self, text: str) -> str:
        """Text as in an error message: the highest bit of every octet is lost, of marks as well.

        An octet 128 becomes NUL so, which ends the message.
        """
        shown = "".join(one if one < "\x80" else chr(self.octet(one) & 0x7F) for one in text)
        return shown.partition("\0")[0]

    def complaint(self, text: str) -> str:
        """A line of the file or of a person, as in an error message.

        sendmail puts an octet 255 before those that are its marks.
        """
        return self.stripped(quoted(text))

    def octet(self, one: str) -> int:
        """The octet that sendmail has for a character, a mark or a name."""
        code = ord(one)
        if code < 0x80:
            return code
        if one in _OCTET_OF:
            return _OCTET_OF[one]
        return 0xA0 + code - _FIRST_LONG_NAME if code >= _FIRST_LONG_NAME else code - 0xDC00


def _printed(one: str) -> str:
    if one and one in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[one]
    return one if one.isprintable() else ""
