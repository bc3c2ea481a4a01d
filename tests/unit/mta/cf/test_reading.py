"""Reading a sendmail.cf: the complaints of each kind of line, and files of any octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.cf.class_files import fields
from filterd.mta.cf.host import Host
from filterd.mta.cf.lookup import MapAnswer
from filterd.mta.cf.observer import Observer
from filterd.mta.cf.parser import parse
from filterd.mta.cf.rewriting import Rewriter
from filterd.mta.cf.tokens import scan
from tests.helpers.rules import FixedMaps, Rules, cf_of, no_file


def complaints(*lines: str, head: str = "V10\n") -> list[str]:
    found = parse(head + "\n".join(lines) + "\n", "x.cf", no_file).problems
    return [one.partition(": ")[2].partition(": ")[2] for one in found]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("O NoSuch=1", "readcf: unknown option name NoSuch"),
        ("O =1", "readcf: null option name"),
        ("O  =1", "readcf: ambiguous option name  (matches SevenBitInput and EightBitMode)"),
        ("O T=1", "readcf: ambiguous option name T (matches TempFileMode and Timeout)"),
        ("O#x", "readcf: unknown option name 0x0"),
        ("O%x", "readcf: unknown option name 0x25"),
        ("Mm, P=/m", "Mm: A= argument required"),
        ("O PrivacyOptions=noexpn,nope", "readcf: Op line: nope unrecognized"),
        ("Qa", "QueueDir must be defined before queue groups"),
        ("Mm, A=m", "Mm: P= argument required"),
        ("M, P=/m, A=m", "name required for mailer"),
        ("Mm, P=/m, X", "mailer m: `=' expected"),
        ("Mm, P=/m, Y=1, A=m", "Mm: unknown mailer equate Y="),
        ("Mm, P=[IPC], A=TCP", "Mm: too few parameters for [IPC] mailer"),
        ("Mm, P=[TCP], A=TCP $h", "Mm: P=[TCP] must be replaced by P=[IPC]"),
        ("Mm, P=[FILE], A=FILE", "Mm: too few parameters for [FILE] mailer"),
        ("Mm, P=[FILE], A=X $u", "Mm: first argument in [FILE] mailer must be FILE"),
        ("Mm, P=/m, S=200, A=m", "bad ruleset 200 (100 max)"),
        ("Mm, P=/m, E=, A=m", "mailer m: null end-of-line string"),
        ("Mm, P=/m, Q=x, A=m", "mailer m: unknown queue x"),
        ("Mm, P=/m, U=nosuch, A=m", "readcf: mailer U= flag: unknown user nosuch"),
        ("Mm, P=/m, U=-1:5, A=m", "readcf: mailer U= flag: unknown user -1"),
        ("Mm, P=/m, U=-, A=m", "readcf: mailer U= flag: unknown user -"),
        ("Mm, P=/m, U=:5, A=m", "mailer m: null user name"),
        ("Mm, P=/m, U=1:no.such, A=m", "readcf: mailer U= flag: unknown group no.such"),
        ("Mm, P=/m, U=1:/, A=m", "mailer m: null group name"),
        ("SA=", 'bad ruleset definition "A=" (number required after `=\')'),
        ("SA=500", 'bad ruleset number 500 in "A=500" (100 max)'),
        ("S-a", 'invalid ruleset name: "-a"'),
        ("V", 'invalid argument to V line: ""'),
        ("V10/Other", 'invalid V line vendor code: "Other"'),
        ("Px", 'unknown configuration line "Px"'),
        ("Mm, P=/m, A=m,", "mailer m: `=' expected"),
        ("Mm, P=/m, U=, A=m", "mailer m: null user name"),
        ("Qa, P=/q, Z=1", "Qa: unknown queue equate Z="),
        ("Qa, P=/q, x", "queue a: `=' expected"),
        ("H?x: y", 'header syntax error, line "?x: y"'),
        ("H?x?y", 'header syntax error, line "?x"'),
        ("H?${x}?y", 'header syntax error, line "?$x"'),
        ("OM", "Name required for macro/class"),
        ("Cx $= a", "Name required for macro/class"),
        ("Fx$-o", "fileclass: cannot open '$-o': No such file or directory"),
        ("O AliasFile=foo:/x", "setalias: unknown alias class foo"),
        ("O AliasFile=regex:x", "setalias: map class regex can't handle aliases"),
        ("O AliasFile=/x, hash:-Q /x", "Illegal option Q map Alias1"),
        ("O AliasFile=sequence:x", "Sequence map Alias0: unknown member map x"),
        ("H?$?a: b", 'header syntax error, line "?$?a: b"'),
        ("K", "readcf: config K line: no map name"),
        ("Ka", "readcf: config K line, map a: no map class"),
        ("Fw", "fileclass: missing file name"),
        ('Fw"/no such"', "fileclass: cannot open '/no such': No such file or directory"),
    ],
)
def test_complaints(line: str, complaint: str) -> None:
    assert complaints(line) == [complaint]


@pytest.mark.parametrize(
    ("value", "user", "group"),
    [
        ("1:2", 1, 2),
        ("1 : 2", 1, 2),
        ("1x2y", 1, 2),
        ("0x10:010", 16, 8),
        ("1:11111111111", 1, -1773790777),
        ("7", 7, -1),
        ("7:", 7, -1),
    ],
)
def test_users_of_a_mailer_by_number(value: str, user: int, group: int) -> None:
    cf = parse(f"V10\nMm, P=/m, U={value}, A=m\n", "x.cf", no_file)
    mailer = cf.program.mailers.find("m")
    assert mailer is not None
    assert (cf.problems, mailer.user, mailer.group) == ([], user, group)


def test_there_are_at_most_25_mailers() -> None:
    """A line for one that is known is refused as well."""
    lines = [f"Mm{number}, P=/m, A=m" for number in range(22)]
    assert complaints(*lines) == []
    refused = "too many mailers defined (25 max)"
    assert complaints(*lines, "Mn, P=/m, A=m", "Mm3, P=/other, A=m", "Mprog, A=m") == [
        refused,
        refused,
        "Mprog: P= argument required",
    ]
    text = "\n".join(("V10", *lines, "Mm3, P=/other, A=m", ""))
    mailer = parse(text, "x.cf", no_file).program.mailers.find("m3")
    assert mailer is not None and mailer.path == "/m"


@pytest.mark.parametrize("line", ["Qa, P=", "Qa, x"])
def test_a_group_of_queues_needs_a_place(line: str) -> None:
    assert len(complaints(line)) == (2 if "=" in line else 1)
    assert complaints("O QueueDirectory=/q", "Qa") == []


def test_a_macro_as_an_option() -> None:
    assert cf_of("OMxfoo bar\nOM{long}$x\n").macros == {
        **cf_of("").macros,
        "x": "foo bar",
        "long": "$x",
    }


def test_an_octet_128_ends_what_is_said() -> None:
    # sendmail drops the highest bit of what it says, and NUL ends a text there.
    cf = parse("V10\n\udc80x\n", "x.cf", no_file)
    assert cf.notices == ['x.cf: line 2: unknown configuration line "\x7f\n']


def test_a_name_that_has_two_numbers_keeps_the_first() -> None:
    assert complaints("SA=5", "SA=6") == ["A=6: ruleset changed value (old 5, new 6)"]


def test_what_is_said_is_as_sendmail_says_it() -> None:
    cf = parse("V10\nO Blank=.\nSA\nR$*\t$: $1\nSA\nR$* $1\n", "x.cf", no_file)
    assert cf.notices == [
        "x.cf: line 2: Option Blank used as abbreviation for BlankSub\n",
        "WARNING: Ruleset A has multiple definitions\n",
        'x.cf: line 6: invalid rewrite line "R\x01* \x011" (tab expected)\n',
    ]
    assert cf.problems == ['x.cf: line 6: invalid rewrite line "R$* $1" (tab expected)']


def test_mailers_have_their_defaults() -> None:
    cf = cf_of("Ma, P=/a, A=a $h\nMb, P=[IPC], F=L, A=TCP $h\nMc, P=/c, A=c $u, E=\\r\n")
    a, b, c = (cf.mailers[name] for name in "abc")
    assert (a.end_of_line, c.end_of_line, a.max_recipients) == ("\r\n", "\r", 100)
    assert (b.types, b.line_limit, b.number) == (("dns", "rfc822", "smtp"), 990, 4)
    assert cf_of("Ma, P=/a, A=a $u\n").mailers["a"].end_of_line == "\n"


def test_old_levels_have_more_flags() -> None:
    cf = parse("V5\nMlocal, P=/m, F=l, A=m\n", "x.cf", no_file)
    assert cf.mailers["local"].flags == "/5:@Alqw|"


def test_options_of_the_command_line_count_more() -> None:
    cf = parse("V10\nO BlankSub=.\nDXfile\n", "x.cf", no_file, preset=["OB_", "DYline"])
    assert cf.program.tables.space == "_"
    assert cf.macros["Y"] == "line"


@pytest.mark.parametrize(
    ("host", "text", "macros"),
    [
        (Host(), "Djmx.own.test\n", {"w": "mx", "m": "own.test"}),
        (Host(), "Dwother\nDjmx.own.test\n", {"w": "other", "m": "own.test"}),
        (
            Host((("w", "real.host.test"), ("m", "host.test")), qualified=True),
            "Djmx.own.test\n",
            {"w": "real", "m": "host.test"},
        ),
        (Host((("w", "a.b"), ("m", "b")), qualified=True), "Dj$w.$m\n", {"j": "$w.$m"}),
    ],
)
def test_the_name_of_the_machine(host: Host, text: str, macros: dict[str, str]) -> None:
    cf = parse("V10\n" + text, "x.cf", no_file, host=host)
    assert {name: cf.macros.get(name) for name in macros} == macros


@pytest.mark.parametrize(
    ("form", "lines", "words"),
    [
        ("%s", "one two\n#x\n\n three\n", ["one", "three"]),
        ("%[^#]", "one two # x\n#y\nthree\n", ["one", "two", "three"]),
        ("user %s", "user ann x\nother bob\n", ["ann"]),
        ("%3s", "abcdef\n", ["abc"]),
        ("none", "a\n", []),
        ("%[a-c]", "abcd\n", ["abc"]),
    ],
)
def test_words_of_a_file(form: str, lines: str, words: list[str]) -> None:
    assert list(fields(lines, form)) == words


CHARACTERS = st.sampled_from(
    [*'RSDCMKHOVFPTEXQ$*+-=~@:><.|?()[]{}&#"\\,; \t\n19aAbB', "\0", "é", "Ö"]
)
LINES = st.lists(
    st.builds(
        lambda kind, rest: kind + rest,
        st.sampled_from("RRRRSDCMKHOVFPTEXQ"),
        st.text(CHARACTERS, max_size=25),
    ),
    max_size=8,
)


class AnyMap:
    strips_quotes, space, is_open = True, None, True
    defers, rests_when_deferred, failure_suffix = True, False, None

    def version(self) -> None:
        raise NotImplementedError

    def open(self) -> object:
        raise NotImplementedError

    def lookup(self, key: str, arguments: object = ()) -> MapAnswer:
        key.encode("ascii", "surrogateescape")
        return MapAnswer(key[:3] or None)


@given(LINES, st.text(CHARACTERS, max_size=20))
def test_any_lines_can_be_read_and_run(lines: list[str], typed: str) -> None:
    rules = Rules("S1\nR$*\t$: $1\n" + "\n".join(lines) + "\n")
    program = rules.program
    maps = FixedMaps(a=AnyMap(), host=AnyMap())  # type: ignore[arg-type]
    rewriter = Rewriter(program, maps, Observer())
    text = typed.encode().decode("ascii", "surrogateescape")
    tokens = scan(text, program.tables.rules, lambda said: None).tokens
    for ruleset in program.rulesets.all():
        rewriter.run(list(tokens or []), ruleset.number)
    for rule in program.rulesets[1].rules:
        "".join(map(program.names.show, (*rule.pattern.tokens, *rule.replacement.tokens)))


@pytest.mark.parametrize(
    ("lines", "strips"),
    [
        ("HSubject: $>A\n", True),
        ("HSubject: $>+A\n", False),
        ("HSubject: $>A\nHsubject: $>+B\n", True),
        ("HSubject: $>+A\nHSubject: $>B\n", True),
        ("HSubject: $>+A\nHTo: $>B\n", False),
    ],
)
def test_a_field_whose_comments_were_stripped_once_keeps_that(lines: str, strips: bool) -> None:
    cf = parse(f"V10\nSA\nSB\n{lines}", "x.cf", no_file)
    assert cf.program.header_checks["subject"].strips_comments == strips
