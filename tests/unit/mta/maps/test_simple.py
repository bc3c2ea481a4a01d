"""Maps without files: what real sendmail 8.17 answers to `/map`."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.maps.simple import strtol
from tests.helpers.maps import Values, cf_of, look, maps_of

REGEX = [
    ("Kx regex -a<MATCH> ^[0-9]+$", "12", "<MATCH>"),
    ("Kx regex -a<MATCH> ^[0-9]+$", "1x", None),
    ("Kx regex -n -a@NO ^ok$", "ok", None),
    ("Kx regex -n -a@NO ^ok$", "no", "@NO"),
    ("Kx regex -f -a.Y ^Abc$", "Abc", ".Y"),
    ("Kx regex -f -a.Y ^Abc$", "abc", None),
    (r"Kx regex -b -a.Y ^\(a\)*b$", "aab", ".Y"),
    ("Kx regex -s1,2 -d: ^([a-z]+)-([a-z]+)$", "foo-bar", "foo:bar"),
    ("Kx regex -s2 (a)(b)?(c)", "ac", ""),
    ("Kx regex -s2 (a)(b)?(c)", "abc", "b"),
    ("Kx regex -s ^([^@]*)@(.*)$", "u@h.d", "u@h.d\udc9bu\udc9bh.d"),
    ("Kx regex -m -a.z x", "axb", "axb.z"),
    ("Kx regex ^joe", "joe", ""),
    ("Kx regex -s1 (.*)", "a(b", None),
    ("Kx regex -s1 (.*)", "a b", None),
    ("Kx regex -s1 (.*)", '"a b"', '"a b"'),
    ("Kx regex -a@M ^[[:alpha:]]{2,3}$", "ab", "@M"),
    ("Kx regex -a@M ^[[:alpha:]]{2,3}$", "abcd", None),
    ("Kx regex -s1 -d ^(.).(.)$", "abc", "a"),
    # Longest, not first; Python's re finds "a".
    ("Kx regex -s0 a|ab|abc", "abcd", "abc"),
    (r"Kx regex -s1 ^(a*)\1b$", "aaaab", "aa"),
]


@pytest.mark.parametrize(("line", "key", "value"), REGEX)
def test_a_regex_map_matches_as_posix_says(line: str, key: str, value: str | None) -> None:
    answer = look(line, key)
    assert (answer.value, answer.status) == (value, 0)


def test_an_argument_says_which_groups_of_a_regex_are_wanted() -> None:
    line = "Kx regex -s1,2 -d: ^([a-z]+)-([a-z]+)$"
    assert look(line, "foo-bar", "2,1").value == "bar:foo"
    answer = look(line, "foo-bar", "3")
    assert answer.status == 78
    assert answer.complaint == "field (3) out of range, only 3 substrings in pattern"


def test_a_pattern_that_takes_for_ever_is_a_temporary_failure(monkeypatch) -> None:
    monkeypatch.setattr("filterd.mta.maps.simple.REGEX_TIMEOUT", 0.5)
    answer = look(r"Kx regex ^(a*)(a*)(a*)(a*)(a*)\1\2\3\4\5b$", "a" * 200)
    assert answer.status == 75
    assert answer.complaint == "regex map x: no answer within 0.5 s"


def test_a_text_that_is_too_long_for_a_regex_is_a_temporary_failure() -> None:
    answer = look("Kx regex x", "a" * 1025)
    assert (answer.value, answer.status) == (None, 75)
    assert answer.complaint == "regex map x: text too long: 1025 octets, at most 1024"


ARITH = [
    ("+ 2 3", "5"),
    ("- 2 3", "-1"),
    ("* 2 3", "6"),
    ("/ 7 2", "3"),
    ("/ -7 2", "-3"),
    ("/ 7 0", None),
    ("% 7 0", None),
    ("% -7 2", "-1"),
    ("l 2 10", "TRUE"),
    ("l 10 2", "FALSE"),
    ("= 3 3", "TRUE"),
    ("= 3 4", "FALSE"),
    ("+ x 3", "3"),
    ("+ 0x1f 1", "32"),
    ("+ 010 1", "9"),
    ("- 5 9x", "-4"),
    ("+ 99999999999 1", "100000000000"),
    ("| 5 2", "7"),
    ("& 6 3", "2"),
    ("* 9999999999 9999999999", "776627961145224"),
    ("r 5 5", "5"),
    ("r 5 4", None),
    ("+ 1 2 3", "3"),
    ("lt 2 1", "FALSE"),
    ("+ 0x 1", "1"),
]


@pytest.mark.parametrize(("words", "value"), ARITH)
def test_arith_computes_like_c(words: str, value: str | None) -> None:
    operator, *operands = words.split()
    answer = look("Kx arith", operator, *operands)
    assert (answer.value, answer.status) == (value, 0)


@pytest.mark.parametrize("words", ["+ 1", "+", "a 2 3", "? 1 2"])
def test_arith_without_an_operation_is_a_mistake_of_the_configuration(words: str) -> None:
    operator, *operands = words.split()
    assert look("Kx arith", operator, *operands).status == 78


@given(st.from_regex(rb"\A[ \t]*[+-]?(0[xX]?)?[0-9a-fA-F]{0,25}[ -~]{0,3}\Z"))
def test_numbers_are_read_as_the_c_library_reads_them(text: bytes) -> None:
    library = ctypes.CDLL(None)
    library.strtol.restype = ctypes.c_long
    assert strtol(text) == library.strtol(ctypes.c_char_p(text), None, 0)


LONGS = st.integers(-(1 << 63), (1 << 63) - 1)


@given(st.sampled_from("+-*/%|&"), LONGS, LONGS)
def test_arith_agrees_with_c_arithmetic_of_64_bits(operator: str, left: int, right: int) -> None:
    value = look("Kx arith", operator, str(left), str(right)).value
    if right == 0 and operator in "/%":
        assert value is None
        return
    a, b = ctypes.c_int64(left), ctypes.c_int64(right)
    if operator in "/%":
        quotient = abs(a.value) // abs(b.value) * (1 if (a.value < 0) == (b.value < 0) else -1)
        exact = quotient if operator == "/" else a.value - quotient * b.value
    else:
        exact = {
            "+": a.value + b.value,
            "-": a.value - b.value,
            "*": a.value * b.value,
            "|": a.value | b.value,
            "&": a.value & b.value,
        }[operator]
    assert value == str(ctypes.c_int64(exact).value)[:15]


DEQUOTE = [
    ("Kx dequote", '"a"', "a"),
    ("Kx dequote", "a", None),
    ("Kx dequote", '"a b"', None),
    ("Kx dequote -s_", '"a b"', "a_b"),
    ("Kx dequote -a.z", '"a"', "a.z"),
    ("Kx dequote", '""', ""),
    ("Kx dequote", '"a(b"', None),
    ("Kx dequote", '"a<b"', None),
    ("Kx dequote", '"a<b>"', "a<b>"),
    ("Kx dequote", '"a', None),
    ("Kx dequote", '"a"b"c"', "abc"),
    ("Kx dequote", r'"a\"b"', r"a\"b"),
    # Only the first option counts.
    ("Kx dequote -a.z -s_", '"a b"', None),
]


@pytest.mark.parametrize(("line", "key", "value"), DEQUOTE)
def test_dequote_takes_quotes_off_sound_text(line: str, key: str, value: str | None) -> None:
    answer = look(line, key)
    assert (answer.value, answer.status) == (value, 0)


ARPA = [
    ("192.0.2.1", "1.2.0.192", 0),
    ("IPv6:::1", "1." + "0." * 30 + "0", 0),
    ("192.0.2", None, 65),
    ("x", None, 65),
]


@pytest.mark.parametrize(("key", "value", "status"), ARPA)
def test_arpa_turns_addresses_round(key: str, value: str | None, status: int) -> None:
    answer = look("Kx arpa", key)
    assert (answer.value, answer.status) == (value, status)


def test_a_macro_map_sets_and_unsets_macros() -> None:
    macros = Values()
    map = maps_of("Kst macro", macros=macros).find("ST")
    assert map is not None
    assert map.lookup("{Mine}", ["a", "b"]).value == ""
    assert map.lookup("q", [""]).value == ""
    assert macros == {"Mine": "a", "q": ""}
    assert map.lookup("{Mine}", []).value == ""
    assert macros == {"q": ""}


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("{.foo.}", "Invalid macro/class character .\nInvalid macro/class character ."),
        (
            "{foo",
            "Unbalanced { on foo\nUnable to assign macro/class ID (mid = 0xffffffff)",
        ),
        ("{}", "Name required for macro/class"),
    ],
)
def test_a_macro_map_complains_of_names(key: str, complaint: str) -> None:
    answer = look("Kx macro", key, "value")
    assert (answer.complaint, answer.trouble) == (complaint, 70)


PROBLEMS = [
    ("Kx regex ([", "pattern-compile-error: Invalid regular expression"),
    ("Kx regex -s7 (a)", "field (7) out of range, only 2 substrings in pattern"),
    ("Kx hash -x /etc/x", "Illegal option x map x"),
    ("Kx hash", "No file name for hash map x"),
    ("Kx dbm /etc/x", "readcf: map x: class dbm not available"),
    ("Kx hesiod x", "readcf: map x: class hesiod not available"),
    ("Kx dns -R NOSUCH", "dns map x: wrong type NOSUCH; dns map x: missing -R type"),
    ("Kx dns", "dns map x: missing -R type"),
    ("Kx sequence nope", "Sequence map x: unknown member map nope"),
    ("Kx syslog -LODD", "syslog_map_parseargs: Unknown priority ODD"),
    ("Kx ldap -h a -H ldap://b -k x", "Can not specify both an LDAP host and an LDAP URI in map x"),
    ("Kx ldap -v mail", "No filter given in map x"),
    ("K", "readcf: config K line: no map name"),
    ("Kx", "readcf: config K line, map x: no map class"),
]


@pytest.mark.parametrize(("line", "problems"), PROBLEMS)
def test_mistakes_in_k_lines_are_found_when_the_file_is_read(line: str, problems: str) -> None:
    expected = [f"x.cf: line 1: {one}" for one in problems.split("; ")]
    assert cf_of(line).problems == expected


def test_a_map_with_a_mistake_that_closes_it_is_not_open() -> None:
    map = maps_of("Kx regex ([").find("x")
    assert map is not None
    assert not map.open().is_open
    assert map.lookup("x").value is None
    assert map.lookup("x").status == 0


def test_null_finds_nothing_and_a_sequence_asks_its_members_in_order() -> None:
    assert look("Kx null", "a").status == 68
    maps = maps_of("Kn null", "Kr regex -a@R ^a$", "Ks regex -a@S ^[ab]$", "Kq sequence n r s")
    map = maps.find("q")
    assert map is not None
    assert [map.lookup(key).value for key in "abc"] == ["@R", "@S", None]
    assert map.lookup("c").status == 68
