"""Tags in patterns: `replace_tag`, `replace_rules` and the like put text in their place.

Source: Mail::SpamAssassin::Plugin::ReplaceTags(3). What a tag may do is limited: in each of the
passes, a tag may stand for text with more tags in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from filterd.rules.conf.lines import LineError

PATTERN_OCTETS = 1024 * 1024
"""Longest pattern that replacing makes."""

PASSES = 6
"""How often tags are looked for in what tags stand for."""

_TAG = re.compile(r"(<[^<>]++>)")


@dataclass(slots=True)
class Tags:
    """What the lines `replace_...` say. rules: names in `replace_rules`."""

    start: str = "<"
    end: str = ">"
    tag: dict[str, str] = field(default_factory=dict)
    pre: dict[str, str] = field(default_factory=dict)
    inter: dict[str, str] = field(default_factory=dict)
    post: dict[str, str] = field(default_factory=dict)
    rules: dict[str, None] = field(default_factory=dict)

    def replaced(self, source: str) -> str:
        """A pattern with text for its tags. Raises LineError when it becomes too long."""
        for _ in range(PASSES):
            source, again = self._once(source)
            if not again:
                break
        return source

    def _once(self, source: str) -> tuple[str, bool]:
        source, before = self._taken(source, "pre", self.pre)
        source, after = self._taken(source, "post", self.post)
        source, between = self._taken(source, "inter", self.inter)
        pieces = _TAG.split(source)
        while pieces and not pieces[-1]:
            pieces.pop()
        made: list[str] = []
        length, again = 0, False
        for piece in pieces:
            text = piece
            at = self._place(text)
            if at:
                # Before the first tag only, as SpamAssassin does it.
                text = text[: at[0]] + before + text[at[0] :]
            if after:
                text = self._after_each(text, after)
            if not text and made:
                text = between
            text, more = self._with_text(text)
            again = again or more
            made.append(text)
            length += len(text)
            if length > PATTERN_OCTETS:
                raise LineError(f"replace_rules makes a pattern of over {PATTERN_OCTETS} octets")
        return "".join(made), again

    def _taken(self, source: str, word: str, texts: Mapping[str, str]) -> tuple[str, str]:
        """The pattern without its first `<pre NAME>`, and the text of that name."""
        begin = f"{self.start}{word} "
        at = source.find(begin)
        name_at = at + len(begin)
        end = source.find(self.end, name_at + 1) if at >= 0 else -1
        if end < 0:
            return source, ""
        return source[:at] + source[end + len(self.end) :], texts.get(source[name_at:end], "")

    def _place(self, text: str, at: int = 0) -> tuple[int, int] | None:
        """Where the first tag begins and ends."""
        begin = text.find(self.start, at)
        if begin < 0:
            return None
        end = text.find(self.end, begin + len(self.start) + 1)
        return (begin, end + len(self.end)) if end >= 0 else None

    def _after_each(self, text: str, after: str) -> str:
        made: list[str] = []
        at = 0
        while place := self._place(text, at):
            made += text[at : place[1]], after
            at = place[1]
        return "".join(made) + text[at:]

    def _with_text(self, text: str) -> tuple[str, bool]:
        """A piece with the text of its first tag in each place of that tag, and whether that text
        has tags of its own."""
        place = self._place(text)
        if not place:
            return text, False
        tag = text[place[0] : place[1]]
        replacement = self.tag.get(tag[len(self.start) : -len(self.end)], "")
        if not replacement:
            return text, False
        if len(text) + text.count(tag) * len(replacement) > 2 * PATTERN_OCTETS:
            raise LineError(f"replace_rules makes a pattern of over {PATTERN_OCTETS} octets")
        return text.replace(tag, replacement), bool(_TAG.search(replacement))
