"""Reading sendmail.cf: lines, macros, every kind of line, and what a site is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.mta.cf.config import CfError
from filterd.mta.cf.lines import logical_lines
from filterd.mta.cf.macros import expand
from filterd.mta.cf.ports import ClientPort, DaemonPort
from filterd.mta.sendmail.cf_files import checked, parse_cf, read_cf
from filterd.mta.sendmail.site import site

CF = """\
V10/Berkeley
# a comment
Cwlocalhost here.test
Djmx.example.test
DnMAILER-DAEMON
D{Long}value of $j
DZ1.2
Kaccess hash -o /etc/mail/access
O SmtpGreetingMessage=$j Sendmail $v/$Z; $b
O DaemonPortOptions=Name=MTA, Family=inet, Addr=127.0.0.1, Port=2525
O DaemonPortOptions=Name=MSA, Addr=127.0.0.1, Port=2526, InputMailFilters=f2;f1
O PrivacyOptions=noexpn,novrfy
O MaxMessageSize=1000
O QueueDirectory=/var/spool/$n
OA/etc/aliases
O InputMailFilters=f1
O Milter.macros.connect=j, {daemon_name}
Plist=-30
Troot daemon
HReceived: $?sfrom $s $.by $j
\tid $i
H?D?Date: $a
SParse0
R$* < @ $=w > $*\t\t$#local $: $1\ta comment
R$+\t$#esmtp $@ $1
Xf1, S=unix:/run/f1,
\tF=T, T=C:1m
Xf2, S=inet:8891@127.0.0.1
EFOO=bar
Mlocal,\t\tP=/bin/cat, F=lsDFMA5:/|@qSPfhn9, S=EnvFromL/HdrFromL,
\t\tT=DNS/RFC822/X-Unix,
\t\tA=cat -d $u
Mesmtp,\t\tP=[IPC], F=mDFMuXa, E=\\r\\n, A=TCP $h
"""


def test_continuation_lines_belong_to_the_line_above() -> None:
    assert list(logical_lines("a\n b\n#c\n\nd\n\te\nf")) == [(2, "a\n b"), (6, "d\n\te"), (7, "f")]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        # What sendmail 8.17 -bt takes and what it calls an unknown configuration line.
        ("V10\n# c\n \n# d\nDxa\n", ["V10", "Dxa"]),
        ("V10\n# c\n\tDxb\nDxa", ["V10", "Dxa"]),
        ("V10\n#\n\t\n\t\n\nDxa", ["V10", "Dxa"]),
        ("V10\n#c\\\nDxa\n", ["V10", "Dxa"]),
        ("V10\r\n# c\r\n \r\nDxa\r\n\r\n", ["V10", "Dxa"]),
        ("\n# c\nV10\n", ["V10"]),
        ("V10\n \nDxa\n", ["V10\n ", "Dxa"]),
        ("V10\nDxa\n #x\n\t\n", ["V10", "Dxa\n #x\n\t"]),
        ("V10\n\n \nDxa\n", ["V10", "\n ", "Dxa"]),
        ("V10\n\r\n \r\nDxa\n", ["V10", "\n ", "Dxa"]),
        ("V10\n\n\tfoo\nDxa\n", ["V10", "\n\tfoo", "Dxa"]),
        (" \nV10\n", [" ", "V10"]),
        ("\t#x\nV10\n", ["\t#x", "V10"]),
    ],
)
def test_blank_lines_and_comments_are_continued_too(text: str, lines: list[str]) -> None:
    assert [line for _number, line in logical_lines(text)] == lines
    assert bool(parse_cf(text).problems) == any(line[0] in " \t\n" for line in lines)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$j and ${long}", "mx and value"),
        ("$$x", "$x"),
        ("$&j", "mx"),
        ("$z", ""),
        ("$?jyes$|no$.", "yes"),
        ("$?zyes$|no$.", "no"),
        ("$?{long}a$.b", "ab"),
        ("$?z$?jinner$.$|$?jelse$.$.", "else"),
        ("$?e.$.x", "x"),
    ],
)
def test_macros(text: str, expanded: str) -> None:
    assert expand(text, {"j": "mx", "long": "value", "e": ""}) == expanded


def test_every_kind_of_line_is_understood() -> None:
    cf = parse_cf(CF)
    assert cf.problems == []
    assert cf.level == 10
    assert cf.macros["Long"] == "value of $j"
    assert cf.classes["w"] == {"localhost", "here.test", "mx.example.test"}
    assert cf.classes["t"] == {"root", "daemon"}
    assert cf.option("QueueDirectory") == "/var/spool/MAILER-DAEMON"
    assert cf.option("AliasFile") == "/etc/aliases"
    assert cf.maps["access"].type == "hash"
    assert cf.precedences == {"list": -30}
    assert cf.headers == ["Received: $?sfrom $s $.by $j\n\tid $i", "?D?Date: $a"]
    assert [(rule.line, rule.left, rule.right) for rule in cf.rulesets["Parse0"]] == [
        (24, "$* < @ $=w > $*", "$#local $: $1"),
        (25, "$+", "$#esmtp $@ $1"),
    ]
    assert cf.filters["f1"].on_failure == "T"
    assert cf.filters["f1"].time_limits.connect == 60
    assert cf.mailers["local"].argv == "cat -d $u"
    assert cf.environment == {"FOO": "bar"}
    assert cf.milter_macros == {"connect": ("j", "{daemon_name}")}
    assert cf.daemons() == (
        DaemonPort("MTA", "127.0.0.1", 2525),
        DaemonPort("MSA", "127.0.0.1", 2526, ("f2", "f1")),
    )


def test_the_letters_of_port_options() -> None:
    text = """\
V10/Berkeley
O DaemonPortOptions=port=smtp, family=inet6, addr=IPv6:2001:db8::1, m=bO
O DaemonPortOptions=Junk, P=70000
O ClientPortOptions=Addr=192.0.2.1
O ClientPortOptions=Family=inet6, Port=26, M=h
O ClientPortOptions=Addr=192.0.2.2
"""
    cf = parse_cf(text)
    assert cf.daemons() == (
        DaemonPort("Daemon0", "2001:db8::1", 25, modifiers="bO", family="inet6"),
        DaemonPort("Daemon1", "", 4464),
    )
    assert cf.clients() == (ClientPort("inet", "192.0.2.2"), ClientPort("inet6", "", 26, "h"))


@pytest.mark.parametrize("option", ["DaemonPortOptions", "ClientPortOptions"])
@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("Family=bogus", "Unknown address family bogus in Family=option"),
        ("Family=Inet6, Addr=1.2.3.4", 'host "1.2.3.4" unknown'),
        ("Addr=2001:db8::1", 'host "2001:db8::1" unknown'),
        ("Addr=[127.0.0.1]", 'host "[127.0.0.1]" unknown'),
        ("Addr=", 'host "" unknown'),
        ("Port=nosuch", 'service "nosuch" unknown'),
        ("Port=-1", 'service "-1" unknown'),
        ("DeliveryMode=x", "Unknown delivery mode x"),
        ("Name=x, Children=1", 'PortOptions parameter "Children=1" unknown'),
        ("=x", 'PortOptions parameter "=x" unknown'),
        ("Family=unix, children=3, delay, Port=25x, D=q", None),
        ("F=inet6, A=::1", None),
    ],
)
def test_port_options_that_sendmail_complains_of(
    option: str, value: str, complaint: str | None
) -> None:
    cf = parse_cf(f"V10/Berkeley\nO {option}={value}\n", "cf")
    assert cf.problems == ([f"cf: line 2: {complaint}"] if complaint else [])
    assert cf.status == (70 if complaint else 0)


@pytest.mark.parametrize(
    ("line", "complaint", "status"),
    [
        ("Zbad line", 'cf: line 1: unknown configuration line "Zbad line"', 70),
        ("R$*\t$1", 'cf: line 1: missing valid ruleset for "R$*\t$1"', 70),
        ("S3\nR$*", 'cf: line 2: invalid rewrite line "R$*" (tab expected)', 70),
        ("S3\nR$*\t$9", "cf: line 2: replacement $9 out of bounds", 70),
        ("Q", "cf: line 1: name required for queue", 70),
        ("Mlocal", "cf: line 1: Mlocal: A= argument required", 70),
        ("O NoSuchOption=1", "cf: line 1: readcf: unknown option name NoSuchOption", 70),
        ("C", "cf: line 1: Name required for macro/class", 70),
        ("Kbad nosuchtype x", "cf: line 1: readcf: map bad: class nosuchtype not available", 70),
        ("S", 'cf: line 1: invalid ruleset name: ""', 70),
        ("HBadHeader", 'cf: line 1: header syntax error, line "BadHeader"', 70),
        ("Xf1, S=", "cf: line 1: Xf1: empty or missing socket information", 70),
        ("Xf1, S=unix:/a\nXf1, S=unix:/b", "cf: line 2: Xf1: duplicate filter definition", 70),
        (
            "Fw/no/such/file",
            "cf: line 1: fileclass: cannot open '/no/such/file': No such file or directory",
            66,
        ),
        (
            "O InputMailFilters=f9",
            "451 4.0.0 InputFilter f9 not defined: No such file or directory",
            78,
        ),
        (
            "O Milter.macros.connect=" + " ".join(f"{{m{n}}}" for n in range(60)),
            "cf: line 1: milter_set_option: too many macros in Milter.macros.connect (max 50)",
            70,
        ),
    ],
)
def test_complaints_are_sendmails(line: str, complaint: str, status: int) -> None:
    cf = parse_cf(line, "cf")
    assert cf.problems == [complaint]
    with pytest.raises(CfError) as caught:
        checked(cf)
    assert caught.value.status == status


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CfError, match="cannot open: No such file"):
        read_cf(tmp_path / "none.cf")


def test_the_lectures_filter_line_ends_with_78_and_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "sendmail.cf"
    path.write_text("O InputMailFilters=m\nXm, S=unix:/s, F=T,T+S:5m;R:5m\n")
    with pytest.raises(CfError, match="expected T=S:5m;R:5m") as caught:
        read_cf(path)
    assert caught.value.status == 78
    assert f"{path}: line 2: Xm: `=' expected" in str(caught.value)


def test_users_of_mailers_are_those_of_this_machine() -> None:
    cf = parse_cf(CF + "Mcyrus, P=/bin/cat, U=root:root, F=, A=cat $u\n")
    assert (cf.mailers["cyrus"].user, cf.problems) == (0, [])
    assert any(
        "unknown user nobody-here" in one
        for one in parse_cf(CF + "Mcyrus, P=/bin/cat, U=nobody-here, F=, A=cat $u\n").problems
    )


def test_a_site_is_made_of_a_file(tmp_path: Path) -> None:
    made = site(parse_cf(CF), spool=tmp_path / "spool")
    assert made.settings.hostname == "mx.example.test"
    assert made.settings.max_message_size == 1000
    assert [f.name for f in made.listeners[0].filters] == ["f1"]
    assert [f.name for f in made.listeners[1].filters] == ["f2", "f1"]
    assert made.settings.macros["connect"] == ("j", "{daemon_name}")
