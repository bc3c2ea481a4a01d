"""Fields of Word documents: those that start a program by DDE.

What a field is, its first word says: `HYPERLINK "https://a.example/DDE"` and `XE "DDE"` are none.
Word puts the pieces of a field together, in which other fields may stand that give some of its
letters (`QUOTE 68 68 69`). Sources: ECMA-376 part 1 §17.16.2, §17.16.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from filterd.message.references import resolved

NESTING_LIMIT = 100
"""Fields within fields that are told apart; what is deeper counts to the innermost of these."""

_PREFIX = rb"(?:[A-Za-z_][\w.-]{0,60}+:)?"
# Text may stand in CDATA sections, or have comments in it.
_TOKEN = re.compile(
    rb"<"
    + _PREFIX
    + rb"(?:fldChar\b([^<>]*+)|instrText\b[^<>]*+>((?:[^<]|<!)*+)|(?:fldSimple\b|p\b)([^<>]*+))"
)
_KIND = re.compile(rb"fldCharType\s{0,9}=\s{0,9}[\"'](begin|separate|end)")
_INSTRUCTION = re.compile(rb"\binstr\s{0,9}=\s{0,9}(?:\"([^\"]*+)|'([^']*+))")
_MARKS = re.compile(rb"<!\[CDATA\[|\]\]>|<!--(?:[^-<]|-(?!->)|<(?!!--))*+-->")
_DDE = re.compile(r"(?i)[\s\"]*+DDE(?:AUTO)?\b")
_QUOTE = re.compile(r"(?i)\s*+QUOTE\b(.*)", re.DOTALL)
_CODE = re.compile(r"\d{1,5}")


@dataclass(slots=True)
class _Field:
    """pieces: of its instruction, until the result begins."""

    pieces: list[str] = field(default_factory=list)
    is_result: bool = False


def has_dde(content: bytes) -> bool:
    """True if a field of the document (the XML of one of its parts) is a DDE field."""
    if b"instr" not in content:
        return False
    stack = [_Field()]
    for mark, text, attributes in _TOKEN.findall(content):
        if text:
            if not stack[-1].is_result:
                stack[-1].pieces.append(_text(text))
        elif mark:
            kind = _KIND.search(mark)
            if kind and _moved(stack, kind[1]):
                return True
        else:
            instruction = _INSTRUCTION.search(attributes)
            if instruction and _DDE.match(_text(instruction[1] or instruction[2])):
                return True
    return any(map(_is_dde, stack))


def _moved(stack: list[_Field], kind: bytes) -> bool:
    """Go into a field, to its result, or out of it. True if it is a DDE field."""
    if kind == b"begin":
        if len(stack) < NESTING_LIMIT:
            stack.append(_Field())
        return False
    if kind == b"separate":
        stack[-1].is_result = len(stack) > 1
        return False
    if len(stack) == 1:
        return False
    ended = stack.pop()
    quoted = _QUOTE.match("".join(ended.pieces))
    if quoted and not stack[-1].is_result:
        stack[-1].pieces.append(_quoted(quoted[1]))
    return _is_dde(ended)


def _is_dde(one: _Field) -> bool:
    return _DDE.match("".join(one.pieces)) is not None


def _quoted(text: str) -> str:
    """What a QUOTE field gives: letters by their codes, or the text itself."""
    words = text.split("\\*", maxsplit=1)[0].split()
    if words and all(_CODE.fullmatch(word) for word in words):
        return "".join(chr(int(word)) for word in words)
    return text.strip().strip('"')


def _text(octets: bytes) -> str:
    if b"<!" in octets:
        octets = _MARKS.sub(b"", octets)
    return resolved(octets.decode("utf-8", "replace"))
