"""Reading a long file: the short ways give what the long ones do."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.cf.definitions import Definitions
from filterd.mta.cf.marks import FI, IF, MACRO, Names
from filterd.mta.cf.parser import parse
from tests.helpers.rules import no_file

PIECES = st.sampled_from(
    ["$", "$$", "{", "}", "{name}", "{a b}", "=", "~", "&", "?", "#", "\\#", "*", "w", " ", "\t"]
)
LINES = st.lists(PIECES | st.text("ab$#{}=\n\udc81", max_size=3), max_size=12).map("".join)


@given(LINES, st.booleans())
def test_names_behind_dollars(line: str, comments: bool) -> None:
    told: list[str] = []
    slow_told: list[str] = []
    names, slow = Names(), Names()
    slow._translated = lambda _: None  # type: ignore[method-assign, assignment, misc]
    found = names.translate(line, told.append, comments=comments)
    assert found == slow.translate(line, slow_told.append, comments=comments)
    assert told == slow_told


@given(st.lists(st.sampled_from([MACRO, "a", "b", "c", "1", "=", "x" * 2000, "\n"]), max_size=8))
def test_macros_in_a_text(pieces: list[str]) -> None:
    definitions = Definitions(Names())
    definitions.set("a", "value")
    definitions.set("b", f"{MACRO}a {MACRO}c {MACRO}1")
    text = "".join(pieces)
    told: list[str] = []
    expected = definitions.expand(f"{text}{IF}n{FI}", told.append)
    if not text.endswith(MACRO):
        assert definitions.expand(text, told.append) == expected


@pytest.mark.parametrize("text", ["V10\nDXx\n", "V10\nO DeliveryMode=x\nDXx\n"])
def test_garbage_is_collected_again_after_a_file(text: str) -> None:
    parse(text, "x.cf", no_file)
    assert gc.isenabled()
