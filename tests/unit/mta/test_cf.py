"""Reading sendmail.cf: lines, macros, every kind of line, and what a site is made of it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from filterd.mta.cf.config import CfError, DaemonPort
from filterd.mta.cf.lines import logical_lines
from filterd.mta.cf.macros import expand
from filterd.mta.delivery.aliases import Aliases, parse_aliases
from filterd.mta.delivery.forward import forward
from filterd.mta.delivery.program import ProgramMailer, prepared
from filterd.mta.delivery.router import ConfigurationError, DeliveryError
from filterd.mta.mail.address import Route
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.sendmail.cf_files import parse_cf, read_cf
from filterd.mta.sendmail.router import CfRouter
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
    assert cf.status == status


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


# Addresses, aliases, programs


@pytest.fixture
def router(tmp_path: Path) -> CfRouter:
    aliases = tmp_path / "aliases"
    (tmp_path / "list").write_text("ann\n# comment\nbob@else.test\n")
    aliases.write_text(
        "# comment\npostmaster: root\nroot: ann\ntwo: ann,\n  bob\nloop1: loop2\nloop2: loop1\n"
        f'prog: "|/bin/cat -n"\nfile: /tmp/archive\nlist: :include:{tmp_path}/list\n'
        f"self: \\self, ann\nbroken: :include:{tmp_path}/none\n"
    )
    return CfRouter(parse_cf(CF.replace("OA/etc/aliases", f"O AliasFile={aliases}")))


@pytest.mark.parametrize(
    ("address", "route"),
    [
        ("joe", Route("local", "", "joe")),
        ("joe@here.test", Route("local", "", "joe")),
        ("joe@MX.example.test", Route("local", "", "joe")),
        ("joe@far.test", Route("esmtp", "far.test.", "joe@far.test")),
    ],
)
def test_where_addresses_go(router: CfRouter, address: str, route: Route) -> None:
    assert router.resolve(address) == route


def test_the_name_of_a_mailer_has_no_case() -> None:
    router = CfRouter(parse_cf(f"{CF}\nDSESMTP:gate.example\n"))
    assert router.resolve("joe@far.test") == Route("ESMTP", "gate.example", "joe@far.test")


@pytest.mark.parametrize("smart", ["", "DSgate.example\n", "DSnone:gate.example\n"])
def test_mail_for_a_mailer_that_is_not_there_is_refused(smart: str) -> None:
    text = "\n".join(line for line in CF.split("\n") if not line.startswith("Mesmtp"))
    router = CfRouter(parse_cf(f"{text}\n{smart}"))
    with pytest.raises(ConfigurationError, match="buildaddr: unknown mailer") as caught:
        router.resolve("joe@far.test")
    assert not caught.value.temporary
    with pytest.raises(ConfigurationError):
        router.mailer(Route("relay", "gate.example", "joe@far.test"))


@pytest.mark.parametrize(
    ("address", "route"),
    [
        ("|/bin/cat -n", Route("prog", "", "/bin/cat -n")),
        ("/tmp/file", Route("*file*", "", "/tmp/file")),
    ],
)
def test_programs_and_files_come_out_of_lists_only(
    router: CfRouter, address: str, route: Route
) -> None:
    assert router.resolve(address, listed=True) == route
    with pytest.raises(DeliveryError, match="Cannot mail"):
        router.resolve(address)
    (target,) = router.expand((Target(address),))
    assert not target.listed


@pytest.mark.parametrize(
    ("name", "people"),
    [
        ("joe", ["joe"]),
        ("postmaster", ["ann"]),
        ("two", ["ann", "bob"]),
        ("TWO+x", ["ann", "bob"]),
        ("loop1", ["loop1"]),
        ("prog", ["|/bin/cat -n"]),
        ("file", ["/tmp/archive"]),
        ("list", ["ann", "bob@else.test"]),
        ("self", ["\\self", "ann"]),
        ("broken", ["BROKEN"]),
    ],
)
def test_aliases(router: CfRouter, name: str, people: list[str], tmp_path: Path) -> None:
    wanted = [one.replace("BROKEN", f":include:{tmp_path}/none") for one in people]
    assert [one.address for one in router.expand((Target(name),))] == wanted


def test_a_list_that_cannot_be_read_goes_back_to_the_sender(router: CfRouter) -> None:
    (target,) = router.expand((Target("broken"),))
    with pytest.raises(DeliveryError) as caught:
        router.resolve(target.address)
    assert (caught.value.temporary, caught.value.code) == (False, "5.2.4")


def test_trouble_with_a_list_is_its_owners(tmp_path: Path) -> None:
    aliases = tmp_path / "aliases"
    aliases.write_text("list: ann, bob@far.test\nowner-list: sue\n")
    cf = parse_cf(CF.replace("OA/etc/aliases", f"O AliasFile={aliases}"))
    found = CfRouter(cf).expand((Target("list"), Target("joe")))
    assert [(one.address, one.sender) for one in found] == [
        ("ann", "sue"),
        ("bob@far.test", "sue"),
        ("joe", None),
    ]


def forwarding(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    """Where mail for the user who runs the tests goes with such a `.forward`."""
    name = pwd.getpwuid(os.getuid()).pw_name
    path = tmp_path / f"{name}.forward"
    path.write_text(text.replace("ME", name))
    cf = parse_cf(
        CF.replace("F=lsDFMA5", "F=lsDFMAw5") + f"O ForwardPath=/no/such:{tmp_path}/$u.forward\n"
    )
    found = CfRouter(cf).expand((Target(f"{name}+x"),))
    return [(one.address.replace(name, "ME"), one.user.replace(name, "ME")) for one in found]


def test_a_users_forward_file(tmp_path: Path) -> None:
    assert forwarding(tmp_path, '# mine\n\\ME, "|/usr/bin/vacation ME"\nann@far.test\n') == [
        ("\\ME", "ME"),
        ("|/usr/bin/vacation ME", "ME"),
        ("ann@far.test", "ME"),
    ]
    assert forwarding(tmp_path, "ME\n") == [("\\ME", "ME")]
    assert forwarding(tmp_path, "\n") == [("ME+x", "")]


def test_a_forward_file_that_others_can_write_does_not_count(tmp_path: Path) -> None:
    user = pwd.getpwuid(os.getuid())
    path = tmp_path / "forward"
    path.write_text("ann\n")
    assert forward(user, [path]) == ["ann"]
    path.chmod(0o666)
    assert forward(user, [path]) is None
    link = tmp_path / "link"
    link.symlink_to("/etc/passwd")
    assert forward(user, [link, tmp_path]) is None


def test_nobody_gets_a_message_twice(router: CfRouter) -> None:
    found = router.expand((Target("two"), Target("ann"), Target("Bob")))
    assert [one.address for one in found] == ["ann", "bob"]


def test_expn_says_what_is_wrong_with_a_list(router: CfRouter) -> None:
    assert router.members("two") == ["ann", "bob"]
    assert router.members("prog") == ['"|/bin/cat -n"']
    assert router.members("joe+x") == ["joe"]
    with pytest.raises(DeliveryError, match="Cannot open"):
        router.members("broken")


def test_with_flag_w_a_local_user_must_exist(tmp_path: Path) -> None:
    cf = parse_cf(CF.replace("F=lsDFMA5", "F=lsDFMAw5"))
    router = CfRouter(cf)
    assert router.resolve("root").user == "root"
    with pytest.raises(DeliveryError, match="User unknown"):
        router.resolve("nosuchuser")


def test_a_missing_aliases_file_is_an_empty_one(tmp_path: Path) -> None:
    assert "x" not in Aliases([tmp_path / "none"])


def test_quoted_members_keep_their_commas() -> None:
    assert parse_aliases('a: "|prog x, y", b') == {"a": ["|prog x, y", "b"]}


ENTRY = QueueEntry("ID", "ann@x.test", (Target("joe"),))


def program(script: str, user: str = "joe") -> ProgramMailer:
    return ProgramMailer("/bin/sh", f"sh -c '{script}' sh $u $g", "lPn", user, "", {})


def test_a_program_gets_the_message_and_its_words(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program(f'echo "$$@" > {out}; cat >> {out}', "joe; rm -rf x").deliver(
        ENTRY, ENTRY.targets[0], b"Subject: x\n\nbody\n"
    )
    assert out.read_text() == (
        "joe; rm -rf x ann@x.test\nReturn-Path: <ann@x.test>\nSubject: x\n\nbody\n"
    )


@pytest.mark.parametrize(
    ("script", "temporary", "code", "text"),
    [
        ("exit 75", True, "4.0.0", "Deferred"),
        ("exit 67", False, "5.1.1", "User unknown"),
        ("echo no room >&2; exit 73", False, "5.0.0", "Can't create output: no room"),
        ("exit 99", False, "5.3.0", "unknown mailer error 99"),
        ("kill -9 $$$$", True, "4.3.0", "killed by signal 9"),
    ],
)
def test_exit_statuses(script: str, temporary: bool, code: str, text: str) -> None:
    with pytest.raises(DeliveryError, match=text.replace("$", r"\$")) as caught:
        program(script).deliver(ENTRY, ENTRY.targets[0], b"x\n")
    assert (caught.value.temporary, caught.value.code) == (temporary, code)


def test_a_program_that_is_not_there_may_come_back() -> None:
    with pytest.raises(DeliveryError) as caught:
        ProgramMailer("/no/such", "x", "", "joe", "", {}).deliver(ENTRY, ENTRY.targets[0], b"")
    assert caught.value.temporary


def test_flags_of_a_mailer_shape_the_message() -> None:
    assert prepared(b"A: b\n\nFrom x\n", "a@x", "nPE") == (b"Return-Path: <a@x>\nA: b\n\n>From x\n")
    assert prepared(b"x\n", "", "").startswith(b"From MAILER-DAEMON ")
    cut = prepared(b"From abcdefgh\n", "a@b.example", "nPE", 10)
    assert cut == b"Return-Pa!\n th: <a@b!\n .example>\n>From abcd!\n efgh\n"
