"""What surrounds an address in text: comments and phrases stay, the address becomes `$g`.

`Ann (at home) <ann@x.test>` → `Ann (at home) <$g>`. What is unbalanced is closed at the end, if
there is room for it; where there is none, only `<$g>` is left. sendmail counts the room so that a
quotation mark after the address uses it up, and so does this.

Source: sendmail 8.17 `headers.c` (crackaddr).
"""

from __future__ import annotations

from filterd.mta.cf.marks import MACRO

ROOM = 256
"""Octets of the result, MAXNAME."""

_SPACES = " \t\n\v\f\r"
_ADDRESS = MACRO + "g"


class _FullError(Exception):
    """There is no room for more."""


def cracked(text: str, *, colon_in_addresses: bool, must_quote: str) -> str:
    """The text with `$g` (marks) for the address. must_quote: characters of a phrase that have to.

    colon_in_addresses: `group:` is not special.
    """
    try:
        return _Cracker(text, colon_in_addresses, must_quote).run()
    except _FullError:
        return f"<{_ADDRESS}>"


class _Cracker:
    def __init__(self, text: str, colon_in_addresses: bool, must_quote: str) -> None:
        self._colon, self._must_quote = colon_in_addresses, must_quote
        self._text = text
        self._head = self._start = len(text) - len(text.lstrip(_SPACES))
        self._out: list[str] = []
        self._limit = ROOM  # less what has to be closed
        self._append(text[: self._start])
        self._kept = len(self._out)  # output that is final: blanks, a group's name
        self._copying = 0
        self._comments = self._open_comments = 0
        self._angle = self._close_angle = False
        self._open_quote = False
        self._saw_angle = self._saw_colon = False
        self._quote_phrase = False
        self._written = False

    def run(self) -> str:  # noqa: PLR0912  # the order of the questions is sendmail's
        text, at = self._text, self._start
        brackets = 0
        quoted = False
        while at < len(text):
            one = text[at]
            at += 1
            if self._copying > 0:
                self._append(one)
            if one == "\\":
                self._quote_phrase |= not self._comments and not quoted
                if self._copying > 0:
                    self._append(text[at : at + 1])
                at += 1
                self._put_address()
                continue
            if one == '"' and not self._comments:
                quoted = not quoted
                self._quote()
                continue
            if quoted:
                self._put_address()
                continue
            if one == "(":
                self._begin_comment()
            if self._comments:
                if one == ")":
                    self._end_comment()
                continue
            if one == ")" and self._copying > 0 and self._has_room and self._is_behind_kept:
                self._out.pop()
            brackets += (one == "[") - (one == "]")
            if one == ":" and not (self._angle or brackets > 0 or self._saw_colon or self._colon):
                at = self._group(at)
                continue
            if one == ";" and self._copying <= 0 and not self._colon:
                self._append(one)
            self._quote_phrase |= one in self._must_quote
            if one == "<":
                at = self._begin_angle(at)
            elif one == ">":
                self._end_angle(one)
            else:
                self._put_address()
        return self._closed()

    @property
    def _has_room(self) -> bool:
        return len(self._out) < self._limit <= ROOM

    @property
    def _is_behind_kept(self) -> bool:
        return len(self._out) > self._kept

    def _append(self, text: str) -> None:
        for one in text:
            if not self._has_room:
                raise _FullError
            self._out.append(one)

    def _closed(self) -> str:
        missing = '"' * self._open_quote + ")" * self._open_comments + ">" * self._close_angle
        out = "".join(self._out) + missing
        if len(out) >= ROOM:
            raise _FullError
        return out

    def _put_address(self) -> None:
        if self._copying <= 0 and not self._written:
            if self._out and self._out[-1] == ")":
                self._append(" ")
            self._append(_ADDRESS)
            self._written = True

    def _quote(self) -> None:
        if self._copying > 0 and self._has_room:
            # An opening one makes more room than there is: from here on there is none.
            self._limit += -1 if self._open_quote else 1
            self._open_quote = not self._open_quote

    def _begin_comment(self) -> None:
        self._comments += 1
        if not self._has_room:
            return
        self._limit -= 1
        self._open_comments += 1
        self._copying += 1
        if self._copying <= 1:
            if self._is_behind_kept:
                self._append(" ")
            self._append("(")

    def _end_comment(self) -> None:
        self._comments -= 1
        self._copying -= 1
        if self._has_room:
            self._open_comments -= 1
            self._limit += 1

    def _phrase(self, at: int, end: str, least: int) -> int:
        """Write what stood before `end`, quoted if it must be. Returns where to go on.

        least: length of the output with nothing but a quotation mark, which goes then.
        """
        del self._out[self._kept :]
        text = self._text
        if not self._quote_phrase:
            self._append(text[self._head : at])
            return at
        last = at - 1
        while last > self._start and text[last - 1] in _SPACES:
            last -= 1
        self._append('"')
        self._append(text[self._head : last].replace('"', '\\"'))
        if len(self._out) == least:
            self._out.pop()
        else:
            self._append('"')
        rest = text.find(end, last) + 1
        self._append(text[last:rest])
        return rest

    def _group(self, at: int) -> int:
        """`group: addresses`; `host::user` is none."""
        text = self._text
        if text[at : at + 1] and text[at] in ":.":
            self._quote_phrase = True
            if self._copying > 0:
                # sendmail writes the colon twice.
                self._append(":" + text[at])
            self._put_address()
            return at + 1
        self._saw_colon = True
        at = self._phrase(at, ":", self._kept + 1)
        while at < len(text) and text[at] in _SPACES:
            self._append(text[at])
            at += 1
        self._copying = 0
        self._written = self._quote_phrase = False
        self._kept, self._head = len(self._out), at
        return at

    def _begin_angle(self, at: int) -> int:
        # The first of two is bogus.
        self._quote_phrase |= self._saw_angle
        self._saw_angle = self._angle = True
        if self._has_room:
            self._limit -= not self._close_angle
            self._close_angle = True
        at = self._phrase(at, "<", 1)
        self._copying = 0
        self._written = self._quote_phrase = False
        return at

    def _end_angle(self, one: str) -> None:
        if self._angle:
            self._angle = False
            if self._has_room:
                self._limit += self._close_angle
                self._close_angle = False
        elif self._has_room:
            if self._copying > 0 and self._is_behind_kept:
                self._out.pop()
            self._quote_phrase = True
            return
        self._copying += 1
        if self._copying <= 1:
            self._append(one)
