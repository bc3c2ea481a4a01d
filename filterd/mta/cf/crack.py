"""What surrounds an address in text: comments and phrases stay, the address becomes `$g`.

`Ann (at home) <ann@x.test>` → `Ann (at home) <$g>`. Source: sendmail 8.17 `headers.c` (crackaddr).
"""

from __future__ import annotations

from filterd.mta.cf.marks import MACRO

MAX_CRACKED = 256
"""Octets of the result; of a longer one only `<$g>` is left."""

_SPACES = " \t\n\v\f\r"
_ADDRESS = MACRO + "g"


def cracked(text: str, *, colon_in_addresses: bool, must_quote: str) -> str:
    """The text with `$g` (marks) for the address. must_quote: characters of a phrase that have to.

    colon_in_addresses: `group:` is not special.
    """
    return _Cracker(text, colon_in_addresses, must_quote).run()


class _Cracker:
    def __init__(self, text: str, colon_in_addresses: bool, must_quote: str) -> None:
        self._colon, self._must_quote = colon_in_addresses, must_quote
        self._text = text
        body = text.lstrip(_SPACES)
        self._head = self._start = len(text) - len(body)
        self._out: list[str] = list(text[: self._start])
        self._kept = len(self._out)  # output that is final: blanks, a group's name
        self._copying = 0
        self._angle = False
        self._saw_angle = self._saw_colon = False
        self._quote_phrase = False
        self._written = False

    def run(self) -> str:  # noqa: PLR0912  # the order of the questions is sendmail's
        text, at = self._text, self._start
        comments = brackets = 0
        quoted = open_quote = False
        while at < len(text):
            one = text[at]
            at += 1
            if self._copying:
                self._out.append(one)
            if one == "\\":
                self._quote_phrase |= not comments and not quoted
                if self._copying:
                    self._out.append(text[at : at + 1])
                at += 1
                self._put_address()
                continue
            if one == '"' and not comments:
                quoted = not quoted
                if self._copying:
                    open_quote = not open_quote
                continue
            if quoted:
                self._put_address()
                continue
            if one == "(":
                comments += 1
                self._begin_comment()
            if comments:
                if one == ")":
                    comments -= 1
                    self._copying -= 1
                continue
            if one == ")" and self._copying and len(self._out) > self._kept:
                self._out.pop()
            brackets += (one == "[") - (one == "]")
            if one == ":" and not (self._angle or brackets > 0 or self._saw_colon or self._colon):
                at = self._group(at)
                continue
            if one == ";" and self._copying <= 0 and not self._colon:
                self._out.append(one)
            self._quote_phrase |= one in self._must_quote
            if one == "<":
                at = self._open_angle(at)
            elif one == ">":
                self._close_angle(one)
            else:
                self._put_address()
        out = "".join(self._out)
        out += '"' * open_quote + ")" * comments + ">" * self._angle
        return out if len(out) < MAX_CRACKED else f"<{_ADDRESS}>"

    def _put_address(self) -> None:
        if self._copying <= 0 and not self._written:
            if self._out and self._out[-1] == ")":
                self._out.append(" ")
            self._out.append(_ADDRESS)
            self._written = True

    def _begin_comment(self) -> None:
        self._copying += 1
        if self._copying <= 1:
            if len(self._out) > self._kept:
                self._out.append(" ")
            self._out.append("(")

    def _phrase(self, at: int, end: str) -> int:
        """Write what stood before `end`, quoted if it must be. Returns where to go on."""
        del self._out[self._kept :]
        text = self._text
        if not self._quote_phrase:
            self._out += text[self._head : at]
            return at
        last = at - 1
        while last > self._start and text[last - 1] in _SPACES:
            last -= 1
        phrase = text[self._head : last].replace('"', '\\"')
        if phrase:
            self._out += f'"{phrase}"'
        rest = text.find(end, last)
        self._out += text[last : rest + 1]
        return rest + 1

    def _group(self, at: int) -> int:
        """`group: addresses`; `host::user` is none."""
        text = self._text
        if text[at : at + 1] and text[at] in ":.":
            self._quote_phrase = True
            if self._copying:
                self._out += ":" + text[at]
            self._put_address()
            return at + 1
        self._saw_colon = True
        at = self._phrase(at, ":")
        while at < len(text) and text[at] in _SPACES:
            self._out.append(text[at])
            at += 1
        self._copying = 0
        self._written = self._quote_phrase = False
        self._kept, self._head = len(self._out), at
        return at

    def _open_angle(self, at: int) -> int:
        # The first of two is bogus.
        self._quote_phrase |= self._saw_angle
        self._saw_angle = self._angle = True
        at = self._phrase(at, "<")
        self._copying = 0
        self._written = self._quote_phrase = False
        return at

    def _close_angle(self, one: str) -> None:
        if not self._angle:
            if self._copying and len(self._out) > self._kept:
                self._out.pop()
            self._quote_phrase = True
            return
        self._angle = False
        self._copying += 1
        if self._copying <= 1:
            self._out.append(one)
