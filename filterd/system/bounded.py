"""Reading what others wrote: regular files up to a size, JSON and TOML up to a depth.

A FIFO in place of a file would hold the reader for ever, and so it is refused before it is read.
JSON that nests deeply is refused before it is parsed: the parser is C and recurses, and from Python
3.12 on its limit counts calls, not the octets of the stack that they take; a thread with a small
stack dies of it. TOML is parsed by Python code, which has a limit that holds.
"""

from __future__ import annotations

import codecs
import errno
import json
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

NESTING_LIMIT = 64
"""Arrays and objects inside of each other. Settings, answers and records nest five deep."""

# Everything but brackets, and strings with the brackets in them; one that does not end goes on to
# the end. Nothing in it is tried twice.
_NO_BRACKETS = re.compile(r'[^][{}"]++|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading. Raises OSError, also for what is not a regular file: its
    `strerror` says so, and nothing was waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, limit: int) -> bytes:
    """The whole content of a file of up to `limit` octets. Raises OSError as `open_regular` does,
    with EFBIG for a larger one."""
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"is larger than {limit} bytes", str(path))
    return content


_WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""Byte order marks; that of UTF-32 comes first, since it begins with one of UTF-16."""


def plain_text(data: bytes, errors: str = "strict") -> str:
    """The text of a file that people write: UTF-8, a byte order mark at its beginning left out.

    errors: as `bytes.decode` takes it. Raises ValueError for UTF-16 and UTF-32, for NUL, and, where
    `errors` is strict, for what is not UTF-8; it says at which octet, or how to convert the file.
    """
    wide = next((name for mark, name in _WIDE_MARKS.items() if data.startswith(mark)), "")
    zero = data.find(0)
    if not wide and zero in (0, 1) and len(data) % 2 == 0:
        wide = "UTF-16"
    if wide:
        raise ValueError(
            f"is {wide}, expected UTF-8: save it as UTF-8, or use iconv -f {wide} -t UTF-8"
        )
    if zero >= 0:
        raise ValueError(f"octet {zero} is NUL, expected text in UTF-8")
    mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    try:
        return data[mark:].decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise ValueError(f"octet {mark + error.start} is not UTF-8") from None


def json_value(data: bytes | str) -> Any:
    """The value of a JSON text (RFC 8259; octets are UTF-8).

    Raises ValueError for what is not JSON or nests deeper than `NESTING_LIMIT`. Takes time and
    stack in proportion to the length, and no stack for the depth beyond the limit.
    """
    text = data if isinstance(data, str) else data.decode("utf-8", "surrogatepass")
    if text.count("[") + text.count("{") > NESTING_LIMIT:
        _check_nesting(text)
    return json.loads(text)


JsonForm = Mapping[str, type | list[type[str]]]
"""Keys of an object and their types; `[str]` is an array of strings."""


def json_object(value: Any, form: JsonForm) -> dict[str, Any]:
    """A value of JSON as an object with just these keys, of these types. Raises
    ValueError, which names the key."""
    if not isinstance(value, dict) or value.keys() != form.keys():
        raise ValueError(f"expected an object with {', '.join(form)}")
    for name, kind in form.items():
        if isinstance(kind, list):
            if not isinstance(value[name], list) or not all(
                isinstance(one, str) for one in value[name]
            ):
                raise ValueError(f"{name}: expected an array of strings")
        elif not isinstance(value[name], kind):
            raise ValueError(f"{name}: expected {kind.__name__}")
    return value


def _check_nesting(text: str) -> None:
    brackets = _NO_BRACKETS.sub("", text)
    for _ in range(NESTING_LIMIT):
        if not brackets:
            return
        # The innermost pairs, all over the text.
        brackets = brackets.replace("[]", "").replace("{}", "")
    if brackets:
        raise ValueError(f"unbalanced brackets, or more than {NESTING_LIMIT} deep")


def toml_table(text: str) -> dict[str, Any]:
    """The table of a TOML text. Raises tomllib.TOMLDecodeError, a ValueError, for what is not TOML
    or nests deeper than `NESTING_LIMIT`."""
    too_deep = f"more than {NESTING_LIMIT} nested arrays or tables"
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError(too_deep) from None
    level: list[Any] = [table]
    for _ in range(NESTING_LIMIT):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return table
    raise tomllib.TOMLDecodeError(too_deep)


def _inside(value: Any) -> list[Any]:
    values = value.values() if isinstance(value, dict) else value
    return [one for one in values if isinstance(one, dict | list)]
