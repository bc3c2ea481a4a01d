"""Test mode: commands in, sendmail's answers out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from filterd.mta.bt.debug import DebugLevels
from tests.helpers.bt import session

CF = """\
V10/Berkeley
Djmx.own.test
DMmasq.test
D{Long}one $j two
Cw own.test
C{Hosts}a.test b.test
O OperatorChars=.:%@!^/[]+
O HelpFile=HELP
Karith arith
Kcount text -o /no/such/file
Scanonify=3
R$* < $* > $*	$: $2
R$+ @ $+	$: $1 < @ $2 >
Sfinal=4
R$* < $* > $*	$: $1 $2 $3
Sparse=0
Rbad $*	$# error $@ 5.1.1 $: "550 no such user"
R$+ < @ $=w >	$# local $: $1
R$+ < @ $+ >	$# smtp $@ $2 $: $1 < @ $2 >
R$+	$# local $: $1
SAVeryLongNameOfARuleset
R$* a $*	$: $(arith + $@ $1 $@ 1 $) $&{Run}
SFrom
R$+	$: from $1
Mlocal, P=/bin/cat, F=lsDFMA5, A=cat -d $u
Msmtp, P=[IPC], F=mDFMuX, S=From/0, E=\\r\\n, L=990, T=DNS/RFC822/SMTP, A=TCP $h
"""


@pytest.fixture
def cf(tmp_path: Path) -> Path:
    help_file = tmp_path / "help"
    help_file.write_text("#vers\t2\nsmtp\tnot this\n-bt\tHelp of $j:\n-bt\t?\t :this\nother\tno\n")
    path = tmp_path / "x.cf"
    path.write_text(CF.replace("HELP", str(help_file)))
    return path


def talk(cf: Path, *lines: str, debug: Sequence[str] = ()) -> str:
    """The answers to some lines, without what comes before them."""
    return "".join(session(cf, lines, debug=debug)[1:])


def test_the_start(cf: Path) -> None:
    assert session(cf, ())[0] == (
        "ADDRESS TEST MODE (ruleset 3 NOT automatically invoked)\nEnter <ruleset> <address>\n"
    )


def test_mistakes_of_the_file_come_first(cf: Path) -> None:
    cf.write_text("V9\nZbad\nS1\nR$*\n" + cf.read_text().replace("V10/Berkeley\n", ""))
    start = session(cf, ())[0].splitlines()
    assert start[:2] == [
        f'{cf}: line 2: unknown configuration line "Zbad"',
        f'{cf}: line 4: invalid rewrite line "R\x01*" (tab expected)',
    ]
    assert start[2].startswith("Warning: .cf file is out of date: sendmail 8.17")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (
            "3 joe@far.test",
            "canonify           input: joe @ far . test\n"
            "canonify         returns: joe < @ far . test >\n",
        ),
        (
            "3,0 joe@far.test",
            "canonify           input: joe @ far . test\n"
            "canonify         returns: joe < @ far . test >\n"
            "parse              input: joe < @ far . test >\n"
            "parse            returns: $# smtp $@ far . test $: joe < @ far . test >\n",
        ),
        (
            "canonify a, b",
            "canonify           input: a\ncanonify         returns: a\n"
            "canonify           input: b\ncanonify         returns: b\n",
        ),
        (
            "AVeryLongNameOfARuleset 4 a",
            "AVeryLongNameOfA   input: 4 a\nAVeryLongNameOfA returns: 5\n",
        ),
        ("Nope,3 a", "Undefined ruleset Nope,3\n"),
        ("150 a", "bad ruleset 150 (100 max)\nUndefined ruleset 150\n"),
        ("3", "No address!\n"),
        ("3 ", ""),
        (
            "3 <a",
            "<a... Unbalanced '<'\ncanonify           input: < a >\ncanonify         returns: a\n",
        ),
        ("# nothing", ""),
        ("", ""),
        ("$j", "mx.own.test\n"),
        ("${Long}", "one $j two\n"),
        ("$Q", "Undefined\n"),
        ("$={Hosts}", "a.test\nb.test\n"),
        ("$", "Name required for macro/class\n"),
        ("=SFrom", "R$+ \t\t$: from $1 \n"),
        ("=SNope", "Undefined ruleset Nope\n"),
        ("=Q", 'Unknown "=" command =Q\n'),
        ("=", "Usage: =Sruleset or =M\n"),
        ("-x", 'Unknown "-" command -x\n'),
        ("-", "Usage: -d{debug arguments}\n"),
        (".Q", 'Unknown "." command .Q\n'),
        (".", "Usage: .[DC]macro value(s)\n"),
        ("/", "Usage: /[canon|map|mx|parse|try|tryflags]\n"),
        ("/canon [127.0.0.1]", "getcanonname([127.0.0.1]) returns [127.0.0.1]\n"),
        ("/nope", 'Unknown "/" command /nope\n'),
        ("/parse", "Usage: /parse address\n"),
        ("/try smtp", "Usage: /try mailer address\n"),
        ("/try nope a", "Unknown mailer nope\n"),
        ("/map", "Usage: /map mapname key\n"),
        ("/map arith", "No key specified\n"),
        ("/map nope a", 'Map named "nope" not found\n'),
        ("/map count a", 'Map named "count" not open\n'),
        ("/map arith +", "map_lookup: arith (+) no match (78)\n"),
        ("/expand $j", "$j"),
        ("/header nope", 'header syntax error, line "nope"\nul = 00000000\n'),
        ("/header Subject: x", "ul = 0x00048000\n"),
        ("/mx [192.0.2.1]", "getmxrr([192.0.2.1]) returns 1 value(s):\n\t[192.0.2.1]\n"),
        ("?", "Help of mx.own.test:\n?\t :this\nEnd of HELP info\n"),
    ],
)
def test_commands(cf: Path, line: str, answer: str) -> None:
    assert talk(cf, line) == answer


def test_parse(cf: Path) -> None:
    assert talk(cf, "/parse Joe <joe@own.test> (x)") == (
        "Cracked address = Joe <$g> (x)\n"
        "Parsing envelope recipient address\n"
        "canonify           input: Joe < joe @ own . test >\n"
        "canonify         returns: joe < @ own . test >\n"
        "parse              input: joe < @ own . test >\n"
        "parse            returns: $# local $: joe\n"
        "2                  input: joe\n"
        "2                returns: joe\n"
        "final              input: joe\n"
        "final            returns: joe\n"
        "mailer local, user joe\n"
    )


def test_parse_an_error(cf: Path) -> None:
    answer = talk(cf, "/parse bad joe")
    assert answer.endswith(
        'bad joe... no such user\nmailer *error*, host 5.1.1, user "550 no such user"\n'
    )


def test_parse_what_is_not_an_address(cf: Path) -> None:
    assert talk(cf, "/parse " + "a." * 130).endswith("too long (255 bytes max)\nCannot parse\n")


def test_flags_choose_the_rulesets_of_try(cf: Path) -> None:
    recipient = talk(cf, "/try smtp joe")
    sender = talk(cf, "/tryflags ES", "/try smtp joe")
    header = talk(cf, "/tryflags hs", "/try smtp joe")
    assert recipient.startswith("Trying envelope recipient address joe for mailer smtp\n")
    assert sender.endswith("Rcode = 0, addr = from joe\n")
    assert header.endswith("Rcode = 0, addr = joe\n")
    assert "From               input: joe\n" in sender
    assert talk(cf, "/tryflags hs", "${addr_type}") == "h s\n"


def test_macros_and_classes_may_be_set(cf: Path) -> None:
    assert talk(cf, ".D{Run}x y", "${Run}") == "x y\n"
    assert talk(cf, ".D{Run}r", "AVeryLongNameOfARuleset 1 a").endswith("returns: 2 r\n")
    assert talk(cf, ".Cw new.test", "3,0 a@new.test").endswith("returns: $# local $: a\n")
    assert talk(cf, ".C{Both}$={Hosts} c.test", "$={Both}") == "a.test\nb.test\nc.test\n"


def test_mailers(cf: Path) -> None:
    assert talk(cf, "=M").splitlines()[3:] == [
        "mailer 3 (local): P=/bin/cat S=parse/parse R=parse/parse M=0 U=-1:-1 F=5ADFMls L=0 "
        "E=\\n T=<undefined>/<undefined>/<undefined> r=100 A=cat -d $u",
        "mailer 4 (smtp): P=[IPC] S=From/parse R=parse/parse M=0 U=-1:-1 F=DFMXmu L=990 "
        "E=\\r\\n T=DNS/RFC822/SMTP r=100 A=TCP $h",
    ]


def test_debug_output(cf: Path) -> None:
    assert talk(cf, "-d21.12", "-d60.5", "AVeryLongNameOfARuleset 4 a", "-d0-99.0", "3 a") == (
        "AVeryLongNameOfA   input: 4 a\n"
        "-----trying rule: $* a $*\n"
        "-----rule matches: $: $( arith + $@ $1 $@ 1 $) $&{Run}\n"
        'rewrite: RHS $&{Run} => "(NULL)"\n'
        "map_lookup(arith, +, %0=+, %1=4, %2=1) => 5 (0), ad=0\n"
        "rewritten as: 5\n"
        "AVeryLongNameOfA returns: 5\n"
        "canonify           input: a\n"
        "canonify         returns: a\n"
    )


@pytest.mark.parametrize(
    ("text", "category", "level"),
    [
        ("21.4", 21, 4),
        ("21", 21, 1),
        ("20-22.3", 21, 3),
        ("60.1,21.7", 21, 7),
        ("", 21, 1),
        ("21.4 21.0", 21, 0),
        ("120.4", 99, 4),
        ("ANSI.1", 21, 0),
    ],
)
def test_levels(text: str, category: int, level: int) -> None:
    levels = DebugLevels()
    levels.set(text)
    assert levels.level(category) == level


def test_after_quit_there_is_nothing(cf: Path) -> None:
    assert talk(cf, "/QUIT", "3 a") == ""


@pytest.mark.server
def test_the_command(cf: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "filterd",
            "mta",
            "bt",
            "-C",
            str(cf),
            "-d21.2",
            "-M{Run}now",
            "-O",
            "BlankSub=_",
            "-oQ/nowhere",
        ],
        input=b"AVeryLongNameOfARuleset 4 a\n3 a\xc3\xa9\nNope x\n$[\n",
        capture_output=True,
        check=False,
    )
    lines = done.stdout.decode().split("\n")
    assert lines[2:5] == [
        "> AVeryLongNameOfA   input: 4 a",
        'rewrite: RHS $&{Run} => "now"',
        "AVeryLongNameOfA returns: 5 now",
    ]
    assert lines[5] == "> canonify           input: aM-CM-)"
    assert lines[-1] == "> "
    assert done.returncode == 0


@pytest.mark.server
def test_a_fault_is_the_exit_status(cf: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "filterd", "mta", "bt", f"-C{cf}"],
        input=b"3 a\n150 a\n",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 70


@pytest.mark.server
@pytest.mark.parametrize("arguments", [["-C"], ["--what"], ["file"]])
def test_arguments_that_are_wrong(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "filterd", "mta", "bt", *arguments],
        input=b"",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 64
    assert b"Usage: filterd mta bt" in done.stderr
