"""sendmail.mc files through m4 and sendmail's own macro files: what is built, what is said."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from filterd.mta.cf.parser import parse
from filterd.mta.mc import knowledge
from filterd.mta.mc import run as running
from filterd.mta.mc.build import AnyUsers, Build, McError, build, without_stamp
from filterd.mta.mc.explain import explain
from filterd.mta.mc.macros import MacroFiles
from filterd.mta.sendmail.cf_files import read_cf
from tests.helpers.process import require, unpacked

CF = unpacked("sendmail") / "usr/share/sendmail/cf"
EXAMPLES = sorted((CF / "cf").glob("*.mc"))


@pytest.fixture
def files() -> MacroFiles:
    require("m4", "m4")
    require(unpacked("sendmail") / "usr/libexec/sendmail/sendmail", "sendmail-cf")
    return MacroFiles.find(CF)


def made(files: MacroFiles, folder: Path, text: str) -> Build:
    path = folder / "site.mc"
    path.write_text(text, encoding="utf-8")
    return build(path, files)


def said(files: MacroFiles, folder: Path, text: str) -> list[str]:
    """The messages, without the file's name."""
    found = made(files, folder, text)
    return [message.text("mc").removeprefix("mc:") for message in found.messages]


def test_there_are_examples(files: MacroFiles) -> None:
    assert files.folder == CF.resolve()
    assert len(EXAMPLES) > 30


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.stem))
def test_an_example_is_what_m4_makes_of_it(files: MacroFiles, path: Path) -> None:
    plain = subprocess.run(
        ["m4", f"-D_CF_DIR_={CF}/", CF / "m4/cf.m4", path],
        cwd=CF / "cf",
        capture_output=True,
        check=True,
    ).stdout.decode("utf-8", "surrogateescape")
    ours = build(path, files)
    assert without_stamp(ours.text) == without_stamp(plain)
    assert not ours.failed, ours.messages
    lines = ours.text.split("\n")
    assert len(ours.origins) == len(lines)
    # Lines that stand in the mc file itself come from there, word for word.
    source = path.read_text("utf-8", "surrogateescape").split("\n")
    own = [
        (line, source[origin.line - 1])
        for line, origin in zip(lines, ours.origins, strict=True)
        if origin.file == str(path) and line.startswith(("R", "S", "K")) and "`" not in line
    ]
    assert all(line == there or "(" in there for line, there in own)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.stem))
def test_our_reader_takes_an_example(files: MacroFiles, path: Path) -> None:
    cf = parse(build(path, files).text, path.name, lambda _path: b"", users=AnyUsers())
    assert cf.problems == []
    assert "local" in cf.mailers


HEAD = "OSTYPE(`linux')dnl\n"
TAIL = "MAILER(`local')dnl\nMAILER(`smtp')dnl\n"
ROUTE = "LOCAL_RULE_0\n"

MISTAKES = [
    # (lines between OSTYPE on line 1 and the mailers, what is said)
    pytest.param("FEATURE(`access_db')dnl\n", [], id="nothing"),
    pytest.param(
        "FEATURE(`acces_db')dnl\n",
        ["2: error: FEATURE.`acces_db'. is not known: .*; expected `access_db'"],
        id="unknown feature",
    ),
    pytest.param(
        "FEATURE(‘access_db’)dnl\n",
        ["2: error: ‘access_db’ is not quoted: .*; expected `access_db'"],
        id="quotes as printed",
    ),
    pytest.param(
        "FEATURE('access_db')dnl\n",
        ["2: error: 'access_db' is not quoted: .*; expected `access_db'"],
        id="apostrophes",
    ),
    pytest.param(
        'define(`confTO_IDENT\', "0s")dnl\n',
        ['2: warning: "0s" is not quoted: .*; expected `0s\''],
        id="double quotes",
    ),
    pytest.param(
        "FEATURE(`access_db`)dnl\n",
        ["2: error: the quote that begins here does not end: .*; expected `access_db'"],
        id="backticks on both sides",
    ),
    pytest.param(
        "define(`confTO_IDENT, `0s')dnl\n",
        ["2: error: the quote that begins here does not end: .*"],
        id="missing quote",
    ),
    pytest.param(
        "define(`confTO_IDENT', `0s'dnl\n",
        [r"2: error: the parenthesis of define does not close: .*; expected \)"],
        id="missing parenthesis",
    ),
    pytest.param(
        "define (`confTO_IDENT', `0s')dnl\n",
        ["2: error: a blank stands between define and its parenthesis: .*"],
        id="blank before the parenthesis",
    ),
    pytest.param(
        "FEATURE(`access_db' , `hash /x')dnl\n",
        ["2: error: the blank behind `access_db' belongs to the argument; .*"],
        id="blank before the comma",
    ),
    pytest.param(
        "FEATURE `access_db'\n",
        [r"2: error: FEATURE without a parenthesis; expected FEATURE\(`…'\)"],
        id="no parenthesis",
    ),
    pytest.param(
        "define(confTO_IDENT, `0s')dnl\n",
        ["2: warning: confTO_IDENT is not quoted: .*"],
        id="unquoted name",
    ),
    pytest.param(
        "define(`confSMTP_LOGIN_MSG', `Don't do that')dnl\n",
        ["2: warning: the ' in `Don't do that' ends the quoted text there; .*"],
        id="apostrophe in the text",
    ),
    pytest.param(
        "DAEMON_OPTIONS(Name=MTA, Port=smtp)dnl\n",
        [
            "2: warning: DAEMON_OPTIONS takes 1 argument; m4 drops Port=smtp; "
            "expected `Name=MTA, Port=smtp' in quotes"
        ],
        id="unquoted commas",
    ),
    pytest.param(
        "FEATRUE(`access_db')dnl\n",
        # A line that begins with F is about a class for sendmail: nothing else notices.
        [r"2: warning: FEATRUE is not a macro: m4 copies the line; expected FEATURE\(…\)"],
        id="misspelt directive",
    ),
    pytest.param(
        "feature(`access_db')dnl\n",
        [r"2: error: feature is not a macro: m4 copies the line; expected FEATURE\(…\)"],
        id="directive in lower case",
    ),
    pytest.param(
        "define(`confTO_IDNET', `0s')dnl\n",
        ["2: warning: nothing reads confTO_IDNET: .*; expected `confTO_IDENT'"],
        id="unknown define",
    ),
    pytest.param(
        "define(`SMART_HOTS', `gate.example')dnl\n",
        ["2: warning: nothing reads SMART_HOTS: .*; expected `SMART_HOST'"],
        id="unknown define without conf",
    ),
    pytest.param("define(`mine', `gate')dnl\ndefine(`SMART_HOST', mine)dnl\n", [], id="own name"),
    pytest.param(
        "# FEATURE(`access_db')dnl\n",
        ["2: warning: FEATURE behind a # is carried out: .*; expected dnl in the place of #"],
        id="comment with #",
    ),
    pytest.param(
        "FEATURE(`access_db') # who may send\n",
        ["2: warning: # who may send goes into the sendmail.cf: .*; expected dnl .*"],
        id="dnl forgotten before a comment",
    ),
    pytest.param(
        "FEATURE(`access_db') who may send\n",
        ["2: warning: m4 copies who may send into the sendmail.cf; expected dnl .*"],
        id="comment without a mark",
    ),
    pytest.param(
        "dln who may send\n",
        ["2: error: dln is not dnl; expected dnl"],
        id="dnl misspelt",
    ),
    pytest.param(
        "dnlFEATURE(`access_db')dnl\n",
        ["2: error: dnlFEATURE is one word, and not dnl; expected dnl FEATURE"],
        id="dnl without a blank",
    ),
    pytest.param(
        "FEATURE(`greet_pause', `1000')dnl\nFEATURE(`access_db')dnl\n",
        ["3: warning: m4: FEATURE.`greet_pause'. before FEATURE.`access_db'. .*"],
        id="greet_pause before access_db",
    ),
    pytest.param(
        "FEATURE(`blocklist_recipients')dnl\n",
        [
            "2: warning: FEATURE.`blocklist_recipients'. looks into the access table, and there is "
            "none; expected FEATURE.`access_db'. above it",
        ],
        id="access feature without access_db",
    ),
    pytest.param(
        "FEATURE(`access_db')dnl\nFEATURE(`access_db')dnl\n",
        ["3: warning: FEATURE.`access_db'. stands on line 2 already; expected it once"],
        id="feature twice",
    ),
    pytest.param(
        "define(`confTO_IDENT', `0s')dnl\ndefine(`confTO_IDENT', `5s')dnl\n",
        ["3: warning: confTO_IDENT has a value on line 2 already, which is lost here; .*"],
        id="define twice",
    ),
    pytest.param(
        "INPUT_MAIL_FILTER(`f1', `S=unix:/run/f1, F=T,T+S:5m')dnl\n",
        [r"2: error: T\+S:5m has no equals sign; expected T=S:5m"],
        id="plus in the place of the equals sign",
    ),
    pytest.param(
        "INPUT_MAIL_FILTER(`f1', `S=unix:/run/f1, F=T+S:5m')dnl\n",
        [r"2: warning: F=T\+S:5m has flags and timeouts in one; expected F=T, T=S:5m"],
        id="flags and timeouts in one",
    ),
    pytest.param(
        "INPUT_MAIL_FILTER(`f1', `S=unix:/run/f1, F=T, T=S:5m, R:5m')dnl\n",
        ["2: error: R:5m stands behind a comma; expected a semicolon: T=…;R:5m"],
        id="comma between timeouts",
    ),
    pytest.param(
        "INPUT_MAIL_FILTER(`f1', `S=unix:/run/f1; F=T')dnl\n",
        ["2: warning: S=unix:/run/f1; F=T has F= in the socket; expected a comma before F="],
        id="semicolon between equates",
    ),
    pytest.param(
        "INPUT_MAIL_FILTER(`f1', `S=unix:/run/f1, F=X')dnl\n",
        ["2: warning: F=X: X is not a flag; expected T, R or 4, or none"],
        id="unknown flag",
    ),
    pytest.param(
        "INPUT_MAIL_FILTER(`f1', `F=T')dnl\n",
        ["2: error: Xf1: empty or missing socket information; .*"],
        id="filter without a socket",
    ),
    pytest.param(
        "INPUT_MAIL_FILTER(`f1', `S=unix:/a')dnl\nINPUT_MAIL_FILTER(`f1', `S=unix:/b')dnl\n",
        ["3: error: the filter f1 is defined on line 2 already; expected another name"],
        id="filter twice",
    ),
    pytest.param(
        "MAIL_FILTER(`f1', `S=unix:/a')dnl\ndefine(`confINPUT_MAIL_FILTERS', `f1,f2')dnl\n",
        ["3: error: there is no filter f2: sendmail does not start; expected one of f1"],
        id="unknown filter",
    ),
    pytest.param(
        "INPUT_MAIL_FILTER(`f1', `S=unix:/a')dnl\nINPUT_MAIL_FILTER(`f2', `S=unix:/b')dnl\n"
        "define(`confINPUT_MAIL_FILTERS', `f1 f2')dnl\n",
        [
            "2: warning: the filter f1 is never asked; .*",
            "3: warning: the filter f2 is never asked; .*",
            "4: error: there is no filter f1 f2: .*; expected commas between the names",
            "4: warning: this list is in the place of .*",
        ],
        id="blanks between filters",
    ),
    pytest.param(
        "MAIL_FILTER(`f1', `S=unix:/a')dnl\n",
        ["2: warning: the filter f1 is never asked; expected INPUT_MAIL_FILTER, .*"],
        id="filter that is not asked",
    ),
    pytest.param(
        "DAEMON_OPTIONS(`Name=MSA, Port=587, M=Ea')dnl\n",
        ["2: warning: sendmail listens on port 587 without this line already; .*"],
        id="second daemon on 587",
    ),
    pytest.param(
        "DAEMON_OPTIONS(`Name=MTA Port=smtp')dnl\n",
        ["2: warning: Name=MTA Port=smtp has Port= in the value; expected a comma before Port="],
        id="daemon without commas",
    ),
    pytest.param(
        "DAEMON_OPTIONS(`Name=MTA, Modifier=Z')dnl\n",
        ["2: warning: M=Z: Z is not a modifier; .*"],
        id="unknown modifier",
    ),
    pytest.param(
        "MAIL_FILTER(`f1', `S=unix:/a')dnl\n"
        "DAEMON_OPTIONS(`Name=MTA, InputMailFilters=f1;f9')dnl\n",
        ["3: error: there is no filter f9: sendmail does not start; expected one of f1"],
        id="daemon with an unknown filter",
    ),
    pytest.param(
        "include(`/nowhere/site.m4')dnl\n",
        ["2: error: m4: cannot open `/nowhere/site.m4': .*; expected that file, or sinclude .*"],
        id="include of nothing",
    ),
    pytest.param(
        "define(`confREAD_TIMEOUT', `5m')dnl\n",
        ["2: warning: m4: confREAD_TIMEOUT is obsolete. .*"],
        id="m4's own complaint, which it makes at the end",
    ),
    pytest.param(
        "INPUT_MAIL_FILTER(‘f1’, ‘S=unix:/a, F=T’)\n",
        [
            "2: error: ‘f1’ is not quoted: .*; expected `f1'",
            "2: error: ‘S=unix:/a, F=T’ is not quoted: .*; expected `S=unix:/a, F=T'",
        ],
        id="a filter with quotes as printed",
    ),
    pytest.param(
        "DAEMON_OPTIONS('Port=smtp, Name=MTA')dnl\n",
        [
            "2: warning: 'Port=smtp, Name=MTA' is not quoted: .*; expected `Port=smtp, Name=MTA'",
            r" error: sendmail would refuse line \d+ of the cf, O DaemonPortOptions=Port=smtp': "
            'service "smtp\'" unknown',
        ],
        id="apostrophes around commas",
    ),
    pytest.param(
        "INPUT_MAIL_FILTER(`f1',\n `S=unix:/a,\n F=T,T+S:5m;R:5m')dnl\n",
        [r"3: error: T\+S:5m;R:5m has no equals sign; expected T=S:5m;R:5m"],
        id="a filter on several lines",
    ),
    pytest.param(
        "INPUT_MAIL_FILTER(`f1' `S=unix:/a')dnl\n",
        ["2: error: between `f1' and `S=unix:/a' there is no comma; expected `f1', `S=unix:/a'"],
        id="missing comma",
    ),
    pytest.param(
        "MASQUERADE_AS(`example.org') dnl\n",
        ["2: error: a blank goes into the sendmail.cf, as a line .*; expected dnl right behind .*"],
        id="blank before dnl, as the first thing of a section",
    ),
    pytest.param(
        "VIRTUSER_DOMAIN(`a.example')dnl\n",
        ["2: warning: VIRTUSER_DOMAIN does nothing without FEATURE.`virtusertable'.; .*"],
        id="directive without its feature",
    ),
    pytest.param(
        "FEATURE(`virtusertable', `hash -o /etc/mail/virtusertable.db')dnl\n",
        ["2: warning: sendmail adds the ending to /etc/mail/virtusertable.db once more; .*"],
        id="database with its ending",
    ),
    pytest.param(
        "FEATURE(`mailertable', `/etc/mail/mailertable')dnl\n",
        ["2: error: sendmail would refuse line .*: readcf: .*map mailertable: .*"],
        id="map without its type",
    ),
]


@pytest.mark.parametrize(("lines", "expected"), MISTAKES)
def test_a_mistake_is_named_with_its_line(
    files: MacroFiles, tmp_path: Path, lines: str, expected: list[str]
) -> None:
    found = said(files, tmp_path, HEAD + lines + TAIL)
    assert len(found) == len(expected), found
    for message in found:
        assert any(re.fullmatch(pattern, message) for pattern in expected), message
    for pattern in expected:
        assert any(re.fullmatch(pattern, message) for message in found), pattern


ORDER = [
    pytest.param(
        HEAD + TAIL + "FEATURE(`access_db')dnl\n",
        ["4: warning: FEATURE(`access_db') is below MAILER on line 2; expected every FEATURE .*"],
        id="feature after mailers",
    ),
    pytest.param(
        HEAD + TAIL + "define(`LOCAL_MAILER_PATH', `/opt/deliver')dnl\n",
        [
            "4: warning: define(`LOCAL_MAILER_PATH', …) is below MAILER(`local') on line 2, which "
            "reads it: it comes too late; expected it above line 2"
        ],
        id="define after the mailer",
    ),
    pytest.param(
        HEAD + TAIL + "MODIFY_MAILER_FLAGS(`LOCAL', `-w')dnl\n",
        [
            "4: warning: MODIFY_MAILER_FLAGS(`LOCAL', …) is below MAILER(`local') on line 2, which "
            "reads it: it comes too late; expected it above line 2"
        ],
        id="flags after the mailer",
    ),
    pytest.param(
        HEAD
        + "FEATURE(`access_db')dnl\ndefine(`DATABASE_MAP_TYPE', `btree')dnl\n"
        + "FEATURE(`mailertable')dnl\n"
        + TAIL,
        [
            "3: warning: define(`DATABASE_MAP_TYPE', …) is below FEATURE(`access_db') on line 2, "
            "which reads it: it comes too late; expected it above line 2"
        ],
        id="define between two features that read it",
    ),
    pytest.param(
        "define(`LOCAL_MAILER_PATH', `/opt/deliver')dnl\nOSTYPE(`solaris8')dnl\n" + TAIL,
        [
            "1: warning: OSTYPE(`solaris8') on line 2 sets LOCAL_MAILER_PATH again; "
            "expected it below line 2"
        ],
        id="define above OSTYPE, which sets it again",
    ),
    pytest.param(
        "define(`LOCAL_MAILER_PATH', `/opt/deliver')dnl\nOSTYPE(`unknown')dnl\n" + TAIL,
        ["2: warning: m4: You have not specified a valid operating system type. .*"],
        id="define above an OSTYPE that leaves it",
    ),
    pytest.param(
        "FEATURE(`access_db')dnl\n" + HEAD + TAIL,
        ["2: warning: OSTYPE(`linux') is below FEATURE(`access_db') on line 1; expected .*"],
        id="OSTYPE after a feature",
    ),
    pytest.param(
        TAIL,
        [" warning: m4: No system type defined (use OSTYPE macro)"],
        id="no OSTYPE",
    ),
    pytest.param(
        HEAD + "MAILER(`procmail')dnl\n" + TAIL,
        [
            "2: warning: MAILER(`procmail') is above MAILER(`smtp') on line 4, whose rules it uses"
            "; expected MAILER(`smtp') above it"
        ],
        id="procmail before smtp",
    ),
    pytest.param(
        HEAD + "MAILER(`local')dnl\n",
        [" warning: there is no mailer for other hosts: .*"],
        id="no smtp",
    ),
    pytest.param(
        HEAD + TAIL + "LOCAL_RULESETS\nSLocal_check_mail\nR$*    $: ok\n",
        ["6: error: the rule R$* $: ok has blanks where sendmail needs a tab; expected a tab .*"],
        id="rule without a tab",
    ),
]


@pytest.mark.parametrize(("text", "expected"), ORDER)
def test_what_is_in_the_wrong_place(
    files: MacroFiles, tmp_path: Path, text: str, expected: list[str]
) -> None:
    found = said(files, tmp_path, text)
    for pattern in expected:
        escaped = re.escape(pattern).replace(r"\.\*", ".*")
        assert any(re.fullmatch(escaped, message) for message in found), (pattern, found)
    assert bool(found) == bool(expected), found


def test_each_line_knows_its_origin(files: MacroFiles, tmp_path: Path) -> None:
    mc = (
        HEAD
        + "define(`confTO_IDENT', `0s')dnl\n"
        + "FEATURE(`dnsbl', `a.example')dnl\nFEATURE(`dnsbl', `b.example')dnl\n"
        + "EXPOSED_USER(`root')dnl\nINPUT_MAIL_FILTER(`f1', `S=unix:/a')dnl\n"
        + "DAEMON_OPTIONS(`Name=MTA, Port=smtp')dnl\nMASQUERADE_AS(`example.org')dnl\n"
        + TAIL
        + "LOCAL_RULE_0\nRjoe%cheetah\t$#local $: joe\n"
    )
    ours = made(files, tmp_path, mc)
    assert ours.messages == []
    lines = ours.text.split("\n")

    def origin(beginning: str) -> tuple[str, int]:
        (number,) = (n for n, line in enumerate(lines, 1) if line.startswith(beginning))
        found = ours.origin(number)
        assert found is not None
        return Path(found.file).name, found.mc

    assert origin("O Timeout.ident=0s") == ("proto.m4", 2)
    assert origin("R$-.$-.$-.$-\t\t$: <?> $(dnsbl $4.$3.$2.$1.a.") == ("dnsbl.m4", 3)
    assert origin("R$-.$-.$-.$-\t\t$: <?> $(dnsbl $4.$3.$2.$1.b.") == ("dnsbl.m4", 4)
    assert origin("C{E}root") == ("site.mc", 5)
    assert origin("Xf1, S=unix:/a") == ("proto.m4", 6)
    assert origin("O DaemonPortOptions=Name=MTA, Port=smtp") == ("proto.m4", 7)
    assert origin("DMexample.org") == ("proto.m4", 8)
    assert origin("Mlocal,") == ("local.m4", 9)
    assert origin("Rjoe%cheetah") == ("site.mc", 12)
    assert origin("Sparse=0") == ("proto.m4", 0)


@pytest.mark.parametrize(
    "line",
    [
        "syscmd(`touch {0}')",
        "esyscmd(`touch {0}')",
        "builtin(`syscmd', `touch {0}')",
        "indir(`syscmd', `touch {0}')",
        "indir(`builtin', `syscmd', `touch {0}')",
        "define(`run', defn(`syscmd'))run(`touch {0}')",
        "popdef(`syscmd')syscmd(`touch {0}')",
        "undefine(`syscmd')syscmd(`touch {0}')",
        "debugfile(`{0}')traceon(`len')len(`x')",
        "changequote([, ])syscmd([touch {0}])changequote",
        "m4wrap(`syscmd(`touch {0}')')",
        "maketemp(`{0}XXXXXX')mkstemp(`{0}XXXXXX')",
        "pushdef(`x', `syscmd(`touch {0} makeinfo.sh')')x",
    ],
)
def test_a_strangers_file_runs_nothing(files: MacroFiles, tmp_path: Path, line: str) -> None:
    path = tmp_path / "harm"
    made(files, tmp_path, HEAD + line.format(path) + "\n" + TAIL)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["site.mc"]


def test_a_command_that_is_not_run_is_named(files: MacroFiles, tmp_path: Path) -> None:
    assert said(files, tmp_path, HEAD + "define(`x', esyscmd(`hostname'))dnl\n" + TAIL)[-1] == (
        "2: warning: esyscmd is not run: an mc file may not start programs here; "
        "expected the text itself, or an include of a file that a program wrote before"
    )


@pytest.mark.parametrize(
    "line", ["define(`x', `x x')x", "define(`x', `x')x", "define(`x', ``y' x')x"]
)
def test_a_macro_without_end_is_stopped(
    files: MacroFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(running, "CPU_LIMIT", 1)
    with pytest.raises(McError, match="m4 did not come to an end"):
        made(files, tmp_path, HEAD + line + "\n" + TAIL)


def test_debians_own_file_is_built_from_other_macros(files: MacroFiles, tmp_path: Path) -> None:
    """It includes its macro files by where the package installs them."""
    text = (CF / "debian/sendmail.mc").read_text()
    for name in ("dialup", "provider"):
        (tmp_path / f"{name}.m4").touch()
        text = text.replace(f"/etc/mail/m4/{name}.m4", f"{name}.m4")
    ours = made(files, tmp_path, text)
    assert not ours.failed, ours.messages
    assert re.search(r"(?m)^Mesmtp,", ours.text)
    ours_or_theirs = (str(CF.resolve()), str(tmp_path))
    assert all(origin.file.startswith(ours_or_theirs) for origin in ours.origins if origin.mc)


def filterd(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "filterd", "mta", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_writes_and_shows_what_changed(files: MacroFiles, tmp_path: Path) -> None:
    mc, cf = tmp_path / "sendmail.mc", tmp_path / "sendmail.cf"
    mc.write_text(HEAD + "define(`confTO_IDENT', `0s')dnl\n" + TAIL)
    done = filterd("build", mc, "-o", cf, "--macros", CF)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rf"{re.escape(str(cf))}: new, \d+ lines\n", done.stdout)
    assert read_cf(cf).option("Timeout.ident") == "0s"
    assert cf.stat().st_mode & 0o777 == 0o644
    assert filterd("build", mc, "-o", cf, "--macros", CF).stdout == f"{cf}: no change\n"
    mc.write_text(
        HEAD + "define(`confTO_IDENT', `5s')dnl\nFEATURE(`mailertable')dnl\n"
        "EXPOSED_USER(`root')dnl\n" + TAIL
    )
    done = filterd("build", mc, "-o", cf, "--macros", CF)
    assert done.stdout.startswith(f"{cf}: changed: classes 1, maps 1, options 1, rules 2\n")
    assert "options: Timeout.ident\n  - O Timeout.ident=0s\n  + O Timeout.ident=5s\n" in done.stdout
    assert "classes: {E}\n  + C{E}root\n" in done.stdout
    assert "maps: mailertable\n  + Kmailertable hash /etc/mail/mailertable\n" in done.stdout
    before = cf.read_bytes()
    mc.write_text(HEAD + "FEATURE(`nosuch')dnl\n" + TAIL)
    done = filterd("build", mc, "-o", cf, "--macros", CF)
    assert done.returncode == 78
    assert f"{mc}:2: error: FEATURE(`nosuch') is not known" in done.stderr
    assert f"filterd: {cf}: not written\n" in done.stderr
    assert cf.read_bytes() == before


def test_a_link_stays_and_what_is_not_a_file_is_refused(files: MacroFiles, tmp_path: Path) -> None:
    (tmp_path / "sendmail.mc").write_text(HEAD + TAIL)
    (tmp_path / "link.cf").symlink_to("real.cf")
    (tmp_path / "real.cf").write_text("")
    assert filterd("build", tmp_path / "sendmail.mc", "-o", tmp_path / "link.cf", "--macros", CF)
    assert (tmp_path / "link.cf").is_symlink()
    assert "Mlocal," in (tmp_path / "real.cf").read_text()
    done = filterd("build", tmp_path / "sendmail.mc", "-o", "/dev/null", "--macros", CF)
    assert (done.returncode, done.stderr) == (73, "filterd: /dev/null: is not a regular file\n")


def test_every_name_of_sendmails_files_has_its_sentence(files: MacroFiles) -> None:
    assert set(files.choices("FEATURE")) <= set(knowledge.FEATURES)
    assert set(files.choices("MAILER")) <= set(knowledge.MAILERS)
    assert [name for name in files.options if not knowledge.meaning(name)] == []
    settings = {
        name
        for name in files.names
        if re.fullmatch(r"conf[A-Z][A-Z0-9_]*[A-Z0-9]|[A-Z0-9]+_MAILER_[A-Z]+", name)
    }
    assert sorted(name for name in settings if not knowledge.meaning(name)) == []


def test_directives_are_explained_with_what_they_make(files: MacroFiles, tmp_path: Path) -> None:
    mc = (
        HEAD
        + "define(`confTO_IDENT', `0s')dnl\ndefine(`confLOG_LEVEL', `9')dnl\n"
        + "FEATURE(`greet_pause', `1000')dnl\nFEATURE(`nouucp', `reject')dnl\n"
        + "define(`mine', `x')dnl\nMASQUERADE_AS(`example.org')dnl\n"
        + TAIL
        + "LOCAL_RULE_0\nRjoe%cheetah\t$#local $: joe\n"
    )
    found = {one.directive: one for one in explain(made(files, tmp_path, mc))}
    ident = found["define(`confTO_IDENT', `0s')"]
    assert (ident.line, ident.made, ident.taken) == (2, ("O Timeout.ident=0s",), ())
    assert (
        ident.meaning == "How long to wait for the client's ident answer; 0 asks nothing. Here: 0s"
    )
    assert found["define(`confLOG_LEVEL', `9')"].made == ()
    pause = found["FEATURE(`greet_pause', `1000')"]
    assert "the pause is 1000 ms" in pause.meaning
    assert pause.made is not None and "Sgreet_pause" in pause.made
    uucp = found["FEATURE(`nouucp', `reject')"]
    assert uucp.meaning == "a!b is not a UUCP address (reject)."
    assert uucp.taken is not None and "Tuucp" in uucp.taken
    assert found["define(`mine', `x')"].meaning.endswith("filterd does not know this one.")
    masquerade = found["MASQUERADE_AS(`example.org')"]
    assert masquerade.made is not None and "DMexample.org" in masquerade.made
    assert found["LOCAL_RULE_0"].made == ("Rjoe%cheetah\t$#local $: joe",)


def test_the_command_explains(files: MacroFiles, tmp_path: Path) -> None:
    mc = tmp_path / "sendmail.mc"
    mc.write_text(HEAD + "define(`SMART_HOST', `gate.example')dnl\n" + TAIL)
    done = filterd("build", mc, "--explain", "--macros", CF)
    assert (
        f"{mc}:2: define(`SMART_HOST', `gate.example')\n"
        "    The host that gets all mail for others. Here: gate.example\n"
        "    + DSgate.example\n    - DS\n"
    ) in done.stdout


def test_the_page_shows_what_the_commands_print(files: MacroFiles, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/mc.md").read_text(encoding="utf-8")
    mistakes, explained, changed = re.findall(r"(?s)```\n(\$ .*?)```", page)
    (tmp_path / "sendmail.mc").write_text(HEAD + "define(`SMART_HOST', `gate.example')dnl\n" + TAIL)
    done = filterd("build", tmp_path / "sendmail.mc", "--explain", "--macros", CF)
    assert done.stdout.replace(f"{tmp_path}/", "").startswith(explained.split("\n", 1)[1])
    mc, printed = re.fullmatch(
        r"(?s)\$ cat site.mc\n(.*)\$ filterd mta build site.mc\n(.*)", mistakes
    ).groups()  # type: ignore[union-attr]
    (tmp_path / "site.mc").write_text(mc)
    done = filterd("build", tmp_path / "site.mc", "--macros", CF)
    assert done.stderr.replace(f"{tmp_path}/", "") == printed
    command, printed = changed.split("\n", 1)
    assert command == "$ filterd mta build sendmail.mc -o sendmail.cf"
    for seconds in (5, 0):
        (tmp_path / "sendmail.mc").write_text(
            HEAD + f"define(`confTO_IDENT', `{seconds}s')dnl\n" + TAIL
        )
        done = filterd(
            "build", tmp_path / "sendmail.mc", "-o", tmp_path / "sendmail.cf", "--macros", CF
        )
    assert done.stdout.replace(f"{tmp_path}/", "") == printed


def test_without_output_it_prints_the_cf(files: MacroFiles, tmp_path: Path) -> None:
    mc = tmp_path / "sendmail.mc"
    mc.write_text(HEAD + TAIL)
    done = filterd("build", mc, "--macros", CF)
    assert "\nMlocal," in done.stdout
    assert filterd("test", "--mc", mc, "--macros", CF, "x@far.example").stdout.startswith("x@far")
    assert filterd("build", mc, "--macros", tmp_path).returncode == 78
    assert filterd("build", tmp_path / "none.mc", "--macros", CF).returncode == 78
