"""`$x` to marks, and how marks and octets are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.cf.definitions import Definitions
from filterd.mta.cf.marks import Names, octets, readable


def translated(text: str) -> tuple[str, list[str]]:
    names, said = Names(), []
    return names.show(names.translate(text, said.append)), said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("R$* < @ $=w > $*", "R$* < @ $=w > $*"),
        ("R$- ${Long} $={Long} $~{Long} $&{Long}", "R$- ${Long} $={Long} $~{Long} $&{Long}"),
        ("R$# local $@ h $: u $>Set", "R$# local $@ h $: u $>Set"),
        ("${x} is $x", "$x is $x"),
        ("a$$b", "a$b"),
        ("a$", "a$"),
        # A `#` ends the line, blanks before it go, too; `\\#` and `$#` are none.
        ("Dxa b  # comment", "Dxa b"),
        ("Dxa\\#b", "Dxa#b"),
        ("Dx$#b", "Dx$#b"),
        ("#whole line", "#whole line"),
        ("Dxa \t", "Dxa"),
        ("a#b\nc#d\ne", "a\\nc\\ne"),
    ],
)
def test_a_line_is_read(text: str, shown: str) -> None:
    assert translated(text) == (shown, [])


@pytest.mark.parametrize(
    ("text", "shown", "complaints"),
    [
        ("a${}b", "a$", ["Name required for macro/class"]),
        ("a${b-c}d", "a${bc}d", ["Invalid macro/class character -"]),
        (
            "a${bc",
            "a$",
            ["Unbalanced { on bc", "Unable to assign macro/class ID (mid = 0xffffffff)"],
        ),
        ("a$=", "a$=", ["Name required for macro/class"]),
    ],
)
def test_bad_names_end_the_line(text: str, shown: str, complaints: list[str]) -> None:
    assert translated(text) == (shown, complaints)


def test_octets_are_shown_as_sendmail_does() -> None:
    names = Names()
    assert names.show(octets("café")) == "cafM-CM-)"
    # This octet is sendmail's mark for `$#`.
    assert names.show(octets("Ö")) == "M-C$#"
    assert names.show("a\tb\x01") == "a\\tb"


def test_an_error_message_loses_the_highest_bit() -> None:
    names = Names()
    text = names.translate("R$*\t${Long}", lambda said: None)
    assert names.stripped(text) == 'R\x01*\t\x01"'
    assert names.complaint(octets("Ö")) == "C\x7f\x16"


def test_without_marks_text_is_octets_only() -> None:
    names = Names()
    text = names.translate("a$|b$>C", lambda said: None)
    # What a mark stands for is found when the text is expanded.
    marks = Definitions(names).expand(text, lambda said: None)
    assert names.without_marks(marks) == "a\udc9bb\udc99C"


@given(st.text(max_size=30))
def test_octets_and_back(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    assert readable(octets(text)) == text
    assert len(octets(text)) == len(text.encode())


@given(st.text(st.sampled_from("$*={}ab #\\&?.|\n"), max_size=30))
def test_any_line_can_be_read(text: str) -> None:
    names = Names()
    marked = names.translate(text, lambda said: None)
    Definitions(names).expand(marked, lambda said: None)
    names.show(marked)
    names.stripped(marked).encode("ascii")


def expanded(text: str, **values: str) -> str:
    names = Names()
    definitions = Definitions(names)
    for name, value in values.items():
        definitions.set(name, names.translate(value, lambda said: None))
    return names.show(definitions.expand(names.translate(text, lambda said: None), print))


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("$j.", {"j": "$w.$m", "w": "mx", "m": "x.test"}, "mx.x.test."),
        ("$?a yes $| no $.", {"a": "1"}, " yes "),
        ("$?a yes $| no $.", {"a": ""}, " no "),
        ("$?a yes $| no $.", {}, " no "),
        ("$?a 1 $?b 2 $| 3 $. 4 $| 5 $?b 6 $. 7 $. 8", {"a": "x"}, " 1  3  4  8"),
        ("$?a 1 $?b 2 $| 3 $. 4 $| 5 $?b 6 $. 7 $. 8", {"b": "x"}, " 5  6  7  8"),
        # What is skipped is not expanded, and what a value brings counts, too.
        ("$?a $b $.", {"b": "x"}, ""),
        ("$a", {"a": "$?b one $| two $.", "b": "x"}, " one "),
        ("$&j", {"j": "now"}, "$&j"),
        ("$.$|", {}, "$.$|"),
    ],
)
def test_macros(text: str, values: dict[str, str], expected: str) -> None:
    assert expanded(text, **values) == expected


def test_macros_that_need_each_other_end() -> None:
    names, said = Names(), []
    definitions = Definitions(names)
    definitions.set("a", names.translate("$b$b", said.append))
    definitions.set("b", names.translate("$a$a", said.append))
    text = definitions.expand(names.translate("$a", said.append), said.append)
    assert said == ["expand: recursion too deep (10 max)"]
    assert len(text) <= 4096
