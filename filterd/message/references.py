"""Character references of HTML and XML, `&eacute;`, `&#233;`, resolved as browsers do.

`html.unescape` raises for a number of more than 4300 digits, which `int` does not read; to a
browser it is a number like any other that no character has (WHATWG HTML, §13.2.5.80).
"""

from __future__ import annotations

import html
import re

_DECIMAL = re.compile(r"&#(?=[0-9])0*+([0-9]{0,8})[0-9]*+")


def resolved(text: str) -> str:
    """The text without character references. Never raises."""
    try:
        return html.unescape(text)
    except ValueError:
        # Zeros before a number mean nothing, and eight digits are more than any character has.
        return html.unescape(_DECIMAL.sub(r"&#0\1", text))
