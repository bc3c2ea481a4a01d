"""What a database can hold, without loading one."""

from __future__ import annotations


def storable(text: str) -> str:
    """The text as a database can hold it: without NUL and without lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode("utf-8")
