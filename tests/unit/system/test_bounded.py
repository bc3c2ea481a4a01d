"""Files that are none, JSON and TOML that nest without end: refused, quickly, with a reason."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.system.bounded import NESTING_LIMIT, json_value, open_regular, read_regular, toml_table
from tests.helpers.growth import is_linear

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('[]{}"\\ a'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('[]{}"\\ a'), inner),
    max_leaves=100,
)


@pytest.mark.slow
@given(JSON, st.booleans())
def test_ordinary_json_is_read_as_the_library_reads_it(value: Any, ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii)
    assert json_value(text) == json_value(text.encode()) == json.loads(text)


def test_many_values_side_by_side_are_not_deep() -> None:
    value = [{"n": [n, {"]": '[[[[{{{{\\"', "\\": "}"}]} for n in range(5000)]
    assert json_value(json.dumps(value)) == value


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_the_limit_itself_is_read_and_one_more_is_not(brackets: str) -> None:
    opening, closing = (brackets[0] + '"a":' if brackets == "{}" else "[", brackets[1])
    for depth, fits in ((NESTING_LIMIT, True), (NESTING_LIMIT + 1, False)):
        text = opening * (depth - 1) + brackets + closing * (depth - 1)
        if fits:
            json_value(text)
        else:
            with pytest.raises(ValueError, match="deep"):
                json_value(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '["' + '\\"' * 50_000 + "[" * 100_000,
        '"a' + "[" * 200,
        "]" * 200 + "[" * 200,
        "[}" * 200,
    ],
)
def test_deep_or_broken_json_is_a_value_error_in_a_thread_with_a_small_stack(text: str) -> None:
    caught: list[str] = []

    def read() -> None:
        try:
            json_value(text)
        except ValueError as error:
            caught.append(str(error))

    before = threading.stack_size(64 << 10)
    try:
        thread = threading.Thread(target=read)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert len(caught) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ['"\\', '\\"', '"', "[", "[]", "[{", '{"a":', "x" * 10, '[""],', "[[[[]]]],"]
)
def test_the_check_is_linear(unit: str) -> None:
    def read(text: str) -> None:
        with contextlib.suppress(ValueError):
            json_value(text)

    assert is_linear(read, lambda n: unit * n, 100_000 // len(unit))


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "[" * 70 + "]" * 70,
        "a = " + "{b = " * 5000 + "1" + "}" * 5000,
        ".".join("a" * 300) + " = 1",
        "[" + ".".join("a" * 300) + "]",
    ],
)
def test_deep_toml_is_a_toml_error(text: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError, match="nested arrays or tables"):
        toml_table(text)


def test_ordinary_toml() -> None:
    assert toml_table('[a.b]\nc = [[1], {d = "["}]\n') == {"a": {"b": {"c": [[1], {"d": "["}]}}}


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes") as caught:
        read_regular(tmp_path / "file", 4)
    assert caught.value.errno == errno.EFBIG


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(OSError, match="not a regular file"):
            open_regular(path)
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "nothing")
