"""Colours and sizes of HTML text, and whether anybody can read it.

Source: HTML 4.01 §6.5, CSS Color Module Level 3 §4.3 (names); the results of SpamAssassin 4.0.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

_COLORS = """
    aliceblue:f0f8ff antiquewhite:faebd7 aqua:00ffff aquamarine:7fffd4 azure:f0ffff beige:f5f5dc
    bisque:ffe4c4 black:000000 blanchedalmond:ffebcd blue:0000ff blueviolet:8a2be2 brown:a52a2a
    burlywood:deb887 cadetblue:5f9ea0 chartreuse:7fff00 chocolate:d2691e coral:ff7f50
    cornflowerblue:6495ed cornsilk:fff8dc crimson:dc143c cyan:00ffff darkblue:00008b
    darkcyan:008b8b darkgoldenrod:b8860b darkgray:a9a9a9 darkgreen:006400 darkgrey:a9a9a9
    darkkhaki:bdb76b darkmagenta:8b008b darkolivegreen:556b2f darkorange:ff8c00
    darkorchid:9932cc darkred:8b0000 darksalmon:e9967a darkseagreen:8fbc8f darkslateblue:483d8b
    darkslategray:2f4f4f darkslategrey:2f4f4f darkturquoise:00ced1 darkviolet:9400d3
    deeppink:ff1493 deepskyblue:00bfff dimgray:696969 dimgrey:696969 dodgerblue:1e90ff
    firebrick:b22222 floralwhite:fffaf0 forestgreen:228b22 fuchsia:ff00ff gainsboro:dcdcdc
    ghostwhite:f8f8ff gold:ffd700 goldenrod:daa520 gray:808080 green:008000 greenyellow:adff2f
    grey:808080 honeydew:f0fff0 hotpink:ff69b4 indianred:cd5c5c indigo:4b0082 ivory:fffff0
    khaki:f0e68c lavender:e6e6fa lavenderblush:fff0f5 lawngreen:7cfc00 lemonchiffon:fffacd
    lightblue:add8e6 lightcoral:f08080 lightcyan:e0ffff lightgoldenrodyellow:fafad2
    lightgray:d3d3d3 lightgreen:90ee90 lightgrey:d3d3d3 lightpink:ffb6c1 lightsalmon:ffa07a
    lightseagreen:20b2aa lightskyblue:87cefa lightslategray:778899 lightslategrey:778899
    lightsteelblue:b0c4de lightyellow:ffffe0 lime:00ff00 limegreen:32cd32 linen:faf0e6
    magenta:ff00ff maroon:800000 mediumaquamarine:66cdaa mediumblue:0000cd mediumorchid:ba55d3
    mediumpurple:9370db mediumseagreen:3cb371 mediumslateblue:7b68ee mediumspringgreen:00fa9a
    mediumturquoise:48d1cc mediumvioletred:c71585 midnightblue:191970 mintcream:f5fffa
    mistyrose:ffe4e1 moccasin:ffe4b5 navajowhite:ffdead navy:000080 oldlace:fdf5e6 olive:808000
    olivedrab:6b8e23 orange:ffa500 orangered:ff4500 orchid:da70d6 palegoldenrod:eee8aa
    palegreen:98fb98 paleturquoise:afeeee palevioletred:db7093 papayawhip:ffefd5
    peachpuff:ffdab9 peru:cd853f pink:ffc0cb plum:dda0dd powderblue:b0e0e6 purple:800080
    red:ff0000 rosybrown:bc8f8f royalblue:4169e1 saddlebrown:8b4513 salmon:fa8072
    sandybrown:f4a460 seagreen:2e8b57 seashell:fff5ee sienna:a0522d silver:c0c0c0 skyblue:87ceeb
    slateblue:6a5acd slategray:708090 slategrey:708090 snow:fffafa springgreen:00ff7f
    steelblue:4682b4 tan:d2b48c teal:008080 thistle:d8bfd8 tomato:ff6347 turquoise:40e0d0
    violet:ee82ee wheat:f5deb3 white:ffffff whitesmoke:f5f5f5 yellow:ffff00 yellowgreen:9acd32
"""
COLORS = dict(pair.split(":") for pair in _COLORS.split())
"""Six hexadecimal digits by name."""

INVALID = "invalid"

CACHED = 2048
"""Colours, declarations and styles whose meaning is remembered."""

CACHED_SIZE = 300
"""Characters of declarations that are remembered."""

COLOR_LIMIT = 200
"""Characters of a colour that are looked at."""

CONTRAST = 12.0
"""Weighted distance of two colours below which text is not read."""

BLANKS = " \t\n\r\f\x0b"

_COLOR = re.compile(r"[#a-f0-9]*")
_RGB = re.compile(r"rgb\((\d{1,9})(%?),\s*+(\d{1,9})(%?),\s*+(\d{1,9})(%?)\s*+\)")
_NOT_HEX = re.compile(r"[^a-f0-9]+")
_NOT_RGB = re.compile(r"[^0-9,]+")
_HEX = re.compile(r"#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})")
_IMPORTANT = re.compile(r"(?<!\s)\s*+!\s*+important$")
_NUMBER = re.compile(r"\s*+([+-]?)(\d{1,9})")


class Style(NamedTuple):
    """How text is shown. tag: the element that says so. size: 1 to 7, 3 is usual, may be beyond."""

    tag: str = "default"
    foreground: str = "#000000"
    background: str = "#ffffff"
    size: int = 3
    display: str = ""
    visibility: str = ""

    def changed(self, changes: Mapping[str, str]) -> Style:
        """The same with other texts, by the name of the field."""
        return Style(
            self.tag,
            changes.get("foreground", self.foreground),
            changes.get("background", self.background),
            self.size,
            changes.get("display", self.display),
            changes.get("visibility", self.visibility),
        )


class Sight(NamedTuple):
    """Whether text in a style is hidden, and which finding it is."""

    hidden: bool
    finding: str = ""


@lru_cache(CACHED)
def _color(text: str) -> str:
    """A colour as `#` and six digits; INVALID for what no reader knows."""
    text = text.lower().strip(BLANKS)
    named = COLORS.get(text)
    if named is not None:
        return "#" + named
    if _COLOR.fullmatch(text) is None:
        found = _RGB.search(text)
        if found is None or len({found[2], found[4], found[6]}) > 1:
            return INVALID
        values = [int(found[i]) for i in (1, 3, 5)]
        if found[2]:
            values = [value * 255 // 100 for value in values]
        text = "#" + "".join([f"{value:02x}" for value in values])
    if not text.startswith("#"):
        return INVALID
    text = _NOT_HEX.sub("", text)[:6]
    if 3 < len(text) < 6:
        text = text[:3]
    text += "0" * (-len(text) % 3)
    if len(text) == 3:
        text = "".join([digit * 2 for digit in text])
    return "#" + text


def color(text: str) -> str:
    """A colour as `#` and six digits; INVALID for what no reader knows."""
    return _color(text[:COLOR_LIMIT])


def size(text: str, base: int, current: int) -> int:
    """The size that an attribute `size` says; `current` if it says none."""
    found = _NUMBER.match(text)
    if found is None:
        return current
    number = int(found[2])
    return base - number if found[1] == "-" else base + number if found[1] else number


def _changes(text: str) -> dict[str, str]:
    changes: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition(":")
        head = name.strip(BLANKS)
        lowered = head.lower()
        # A declaration begins with the name; behind `color` no blank may stand.
        if lowered in ("color", "background-color") and name[-1] not in BLANKS:
            if value and "\n" not in value.strip(BLANKS):
                changes |= _css_color(lowered, value.lower().strip(BLANKS))
        elif head == "background" and name[-1] not in BLANKS:
            found = next(filter(None, map(_valid, _bottom_layer(value.strip(BLANKS).lower()))), "")
            if found:
                changes["background"] = found
        elif head in ("display", "visibility"):
            value = value.strip(BLANKS)
            if value and "\n" not in value:
                changes[head] = value
    return changes


_cached_changes = lru_cache(CACHED)(_changes)


def with_css(style: Style, text: str, parent: Style) -> Style:
    """A style with the declarations of an attribute `style`."""
    changes = _cached_changes(text) if len(text) <= CACHED_SIZE else _changes(text)
    new = style.changed(changes) if changes else style
    if new.background == "transparent":
        new = new._replace(background=parent.background)
    if new.foreground == "transparent":
        new = new._replace(foreground=new.background)
    return new


def _css_color(name: str, value: str) -> dict[str, str]:
    which = "foreground" if name == "color" else "background"
    value = _IMPORTANT.sub("", value)
    if "rgb" in value:
        numbers = _NOT_RGB.sub("", value).split(",")[:3]
        numbers += ["0"] * (3 - len(numbers))
        return {which: "#" + "".join([f"{_octet(number):02x}" for number in numbers])}
    if value == "inherit":
        return {}
    return {which: value if value == "transparent" else color(value)}


def _octet(digits: str) -> int:
    digits = digits.lstrip("0")
    return 255 if len(digits) > 3 else min(255, int(digits or "0"))


def _valid(value: str) -> str:
    found = color(value)
    return "" if found == INVALID else found


def _bottom_layer(value: str) -> list[str]:
    """The values of the last layer of a CSS background: words, and functions with what they are
    given."""
    layers: list[list[str]] = [[]]
    word: list[str] = []
    quote = ""
    depth = 0

    def close() -> None:
        if word:
            layers[-1].append("".join(word))
            word.clear()

    for character in value:
        if quote:
            word.append(character)
            if character == quote:
                quote = ""
        elif character in "\"'":
            word.append(character)
            quote = character
        elif depth:
            word.append(character)
            if character == ")":
                depth = 0
                close()
        elif character == "(":
            word.append(character)
            depth = 1
        elif character == " ":
            close()
        elif character == ",":
            close()
            layers.append([])
        else:
            word.append(character)
    close()
    return (
        next((layer for layer in reversed(layers) if layer), []) if not layers[-1] else layers[-1]
    )


def sight(style: Style) -> Sight:
    """Whether text in that style is hidden from a reader."""
    return _sight(*style[1:])


@lru_cache(CACHED)
def _sight(foreground: str, background: str, size: int, display: str, visibility: str) -> Sight:
    if foreground[-6:] == background[-6:] or _is_close(foreground, background):
        return Sight(True, "font_low_contrast")
    if INVALID in (foreground, background):
        return Sight(True, "font_invalid_color")
    hidden = size <= 1 or display.lower() == "none"
    return Sight(hidden or visibility.lower() == "hidden")


def _is_close(first: str, second: str) -> bool:
    one, other = _HEX.fullmatch(first), _HEX.fullmatch(second)
    if one is None or other is None:
        return False
    red, green, blue = (int(one[i], 16) - int(other[i], 16) for i in (1, 2, 3))
    # The eye sees green best and blue worst (luma of ITU-R BT.709).
    distance = (0.2126 * red) ** 2 + (0.7152 * green) ** 2 + (0.0722 * blue) ** 2
    return float(distance**0.5) < CONTRAST
