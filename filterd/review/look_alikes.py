"""Domains that look like others: mixed scripts, and letters that look like Latin ones.

The table has the letters that cannot be told from a Latin one in the fonts of mail programs; the
list of Unicode (UTS 39, confusables) has thousands, most of which nobody takes for a letter.

Sources: UTS 39 §5.2 (highly restrictive); RFC 5890 §4.4.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

LABELS_LIMIT = 12
"""Labels of a domain, from its end, that are looked at."""

LENGTH_LIMIT = 255
"""Characters of a domain that are looked at."""

_LETTERS: Mapping[str, str] = {
    "CYRILLIC": "аa вb сc ԁd еe гr һh нh іi јj кk ӏl мm оo пn рp ԛq ѕs тt уy хx ԝw ьb",
    "GREEK": "αa γy ηn ιi κk νv οo ρp τt υu χx ωw",
    "ARMENIAN": "ցg հh յj ոn օo զq սu",
    "LATIN": "ɑa ɡg ıi",
}
"""By script: a letter, and the one of ASCII that it looks like."""

_LATIN = {ord(pair[0]): pair[1] for row in _LETTERS.values() for pair in row.split()}
_SAME = {**_LATIN, ord("0"): "o", ord("1"): "l", ord("5"): "s", ord("i"): "l", ord("ı"): "l"}

_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))
"""Letters that look like another one side by side."""

_TOGETHER = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
"""Scripts that honest labels have together."""

_OTHER_NAMES = {"KATAKANA-HIRAGANA": "KATAKANA", "IDEOGRAPHIC": "CJK"}


def skeleton(domain: str) -> str:
    """What remains of a domain, in U-labels, for an eye that reads in haste: two domains with one
    skeleton look alike."""
    plain = unicodedata.normalize("NFKD", domain[-LENGTH_LIMIT:].lower())
    text = "".join(c for c in plain if not unicodedata.combining(c)).translate(_SAME)
    for pair, letter in _PAIRS:
        text = text.replace(pair, letter)
    return text


def look_alike(domain: str) -> str:
    """Why a domain, in U-labels, may be taken for another one; `""` where nothing says so."""
    labels = domain[-LENGTH_LIMIT:].split(".")[-LABELS_LIMIT:]
    is_national = not labels[-1].isascii()
    for label in labels:
        if label.isascii():
            continue
        scripts = _scripts(label)
        if len(scripts) > 1 and not any(scripts <= one for one in _TOGETHER):
            names = " and ".join(name.title() for name in sorted(scripts))
            return f"“{label}” has letters of different scripts, {names}"
        # Where the top-level domain is of that script as well, nobody expects Latin letters.
        if scripts - {"LATIN"} and not is_national and label.translate(_LATIN).isascii():
            (script,) = scripts
            return f"the {script.title()} letters of “{label}” look like Latin ones"
    return ""


def _scripts(label: str) -> frozenset[str]:
    """The scripts of a label's letters, by the first word of their names in Unicode."""
    words = {unicodedata.name(c, "other").partition(" ")[0] for c in label if c.isalpha()}
    return frozenset(_OTHER_NAMES.get(word, word) for word in words)
