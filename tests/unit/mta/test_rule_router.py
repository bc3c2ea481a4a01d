"""Where mail goes by the rules of a sendmail.cf: triples, aliases, lists, users."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from filterd.mta.delivery.forward import ForwardFile, forward_file
from filterd.mta.delivery.program import DeliveryProgram
from filterd.mta.delivery.router import ConfigurationError, DeliveryError
from filterd.mta.mail.address import Route
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.sendmail import users
from filterd.mta.sendmail.lists import INCLUDE_LIMIT
from filterd.mta.sendmail.router import RuleRouter
from filterd.mta.sendmail.users import LocalUsers, PasswdUser
from filterd.mta.sendmail.verify import RuleVerifier
from tests.helpers.mini_cf import router as router_of

pytestmark = pytest.mark.slow


@pytest.fixture
def router(tmp_path: Path) -> RuleRouter:
    aliases = tmp_path / "aliases"
    (tmp_path / "list").write_text("ann\n# comment\nbob@else.test\n")
    aliases.write_text(
        "# comment\npostmaster: root\nroot: ann\ntwo: ann,\n  bob\nloop1: loop2\nloop2: loop1\n"
        f'prog: "|/bin/cat -n"\nfile: /tmp/archive\nlist: :include:{tmp_path}/list\n'
        f"self: \\self, ann\nagain: again, ann\nbroken: :include:{tmp_path}/none\n"
        "plus: one\nplus+*: two\nplus+x: three\nodd: ann, @x.test, ann@\n"
    )
    return router_of(aliases=aliases)


def people(router: RuleRouter, *names: str) -> list[str]:
    return [one.address for one in router.expand(tuple(map(Target, names)))]


@pytest.mark.parametrize(
    ("address", "route"),
    [
        ("joe", Route("local", "", "joe")),
        ("joe@here.test", Route("local", "", "joe")),
        ("JOE@MX.example.test", Route("local", "", "joe")),
        ("<joe@far.test>", Route("esmtp", "far.test", "joe@far.test")),
        ("joe+x", Route("local", "+x", "joe")),
        ("plus+x", Route("local", "", "plus+x")),
    ],
)
def test_where_addresses_go(router: RuleRouter, address: str, route: Route) -> None:
    assert router.resolve(address) == route


@pytest.mark.parametrize(
    ("address", "reply"),
    [
        ("@x.test", "553 5.1.3 @x.test... User address required"),
        ("|/bin/cat -n", "550 5.7.1 |/bin/cat -n... Cannot mail directly to programs"),
        ("/tmp/file", "550 5.7.1 /tmp/file... Cannot mail directly to files"),
        (":include:/x", "550 5.7.1 :include:/x... Cannot mail directly to :include:s"),
        ("<joe", "553 5.0.0 <joe... Unbalanced '<'"),
        ("a" * 300, f"553 5.1.0 {'a' * 100}...{'a' * 100}... prescan: token too long"),
        ("", "501 5.0.0 Missing recipient"),
        ("\0", "501 5.0.0 Missing recipient"),
    ],
)
def test_what_is_refused_is_refused_with_sendmails_words(
    router: RuleRouter, address: str, reply: str
) -> None:
    with pytest.raises(DeliveryError) as caught:
        router.resolve(address)
    assert caught.value.reply is not None
    assert caught.value.reply.startswith(reply)
    assert not caught.value.temporary


def test_mail_for_a_mailer_that_is_not_there_is_refused() -> None:
    router = router_of("Sparse", "Rgone\t\t$#gone $@ h $: u")
    router.engine.program.rulesets[0].rules.insert(0, router.engine.program.rulesets[0].rules.pop())
    with pytest.raises(ConfigurationError, match="buildaddr: unknown mailer gone") as caught:
        router.resolve("gone")
    assert not caught.value.temporary
    assert caught.value.reply == "554 5.3.5 buildaddr: unknown mailer gone"


def test_programs_and_files_come_out_of_lists_only(router: RuleRouter) -> None:
    assert router.resolve('"|/bin/cat -n"', listed=True).mailer == "prog"
    assert router.resolve("/tmp/file", listed=True) == Route("*file*", "", "/tmp/file")
    (target,) = router.expand((Target("|/bin/sh"),))
    assert not target.listed
    with pytest.raises(DeliveryError, match="Cannot mail"):
        router.resolve(target.address)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("joe", ["joe"]),
        ("postmaster", ["ann"]),
        ("two", ["bob", "ann"]),
        ("TWO+x", ["bob", "ann"]),
        ("loop1", ["loop1"]),
        ("prog", ['"|/bin/cat -n"']),
        ("file", ["/tmp/archive"]),
        ("list", ["ann", "bob@else.test"]),
        ("self", ["ann", "\\self"]),
        ("again", ["again", "ann"]),
        ("plus", ["one"]),
        ("plus+y", ["bob", "ann"]),
        ("plus+x", ["three"]),
        ("odd", ["ann@", "@x.test", "ann"]),
    ],
)
def test_aliases(router: RuleRouter, name: str, wanted: list[str]) -> None:
    """The last member of a list is the first one, as in sendmail's queue."""
    assert people(router, name) == wanted


LOOPS = """\
postmaster: root
l1: l2, a1
l2: l1, a2
x3: y3, z3
y3: x3, z3
z3: x3, y3
ba: bb, bc
bb: joe, ba
bc: sue, bb, ba
u1: u2, u3
u2: u1, v@far.test
u3: u1, w@near.test
q2: news
news: uucp
uucp: q2, joe
w2: man
man: w1, proxy
w1: mail
mail: w2
me: me, joe
"""
USERS = frozenset(("joe", "sue", "news", "uucp", "man", "mail", "proxy"))


@pytest.mark.parametrize(
    ("flags", "name", "shown"),
    [
        # The address that was asked for keeps its mailbox, at its place.
        ("", "l1", "l1 a1 a2"),
        ("", "x3", "x3 z3"),
        ("", "z3", "z3 y3"),
        ("", "ba", "ba joe sue"),
        ("", "bb", "bb ba sue joe"),
        ("", "u2", "u2 u1 v@far.test w@near.test"),
        ("", "me", "me joe"),
        # Where users must exist it is the nearest one.
        ("w", "q2", "uucp joe"),
        ("w", "uucp", "uucp joe"),
        ("w", "w2", "proxy mail"),
        ("w", "man", "man proxy"),
        ("w", "l1", "550 5.1.1 a1... User unknown"),
        ("w", "x3", "554 5.4.6 aliasing/forwarding loop broken"),
        ("w", "me", "550 5.1.1 me... User unknown"),
    ],
)
def test_lists_that_name_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, name: str, shown: str
) -> None:
    def find(users: LocalUsers, name: str) -> PasswdUser | None:
        del users
        return PasswdUser(name, "/nowhere", 1, 1) if name in USERS else None

    monkeypatch.setattr(LocalUsers, "find", find)
    aliases = tmp_path / "aliases"
    aliases.write_text(LOOPS)
    router = router_of(aliases=aliases, flags=flags)
    reply = RuleVerifier("mx.example.test")(router, name, expand=True)
    said = [line.decode().replace("@mx.example.test", "") for line in reply.lines]
    expected = [f"250 2.1.5 <{one}>" for one in shown.split()]
    assert said == ([shown] if shown.startswith("5") else expected)


def test_nobody_gets_a_message_twice(router: RuleRouter) -> None:
    assert people(router, "two", "ann", "Bob@here.test", "list") == ["bob", "ann", "bob@else.test"]


def test_a_list_that_cannot_be_read_goes_back_to_the_sender(router: RuleRouter) -> None:
    (target,) = router.expand((Target("broken"),))
    with pytest.raises(DeliveryError, match=r"Cannot open .*: No such file") as caught:
        router.resolve(target.address, listed=target.listed)
    assert (caught.value.temporary, caught.value.code) == (False, "5.2.4")


def test_a_list_that_is_too_long_is_refused_and_not_cut(
    tmp_path: Path, router: RuleRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list").write_text("ann@far.test\n" * (INCLUDE_LIMIT // 13 + 1))
    found = router.send_list()
    problem = found.problem_below(found.add(found.parse("list")))
    assert problem is not None
    assert str(problem).endswith(f"larger than {INCLUDE_LIMIT} bytes")

    monkeypatch.setattr("filterd.mta.sendmail.send_list.MAX_RECIPIENTS", 4)
    found = router.send_list()
    assert found.problem_below(found.add(found.parse("two"))) is None
    (tmp_path / "list").write_text("a@far.test\nb@far.test\nc@far.test\n")
    problem = found.problem_below(found.add(found.parse("list")))
    assert problem is not None
    assert problem.reply == "452 4.5.3 Too many recipients"


@pytest.mark.parametrize(
    ("mode", "blame", "trouble"),
    [
        (0o644, "", ""),
        (0o664, "", "Group writable file"),
        (0o646, "", "World writable file"),
        (0o666, "", "Group writable file"),
        (0o666, "GroupWritableIncludeFile", "World writable file"),
        (0o666, "GroupWritableIncludeFile,WorldWritableIncludeFile", ""),
    ],
)
def test_a_list_that_others_can_write_is_refused_as_a_whole(
    tmp_path: Path, mode: int, blame: str, trouble: str
) -> None:
    (tmp_path / "list").write_text("ann\n")
    (tmp_path / "list").chmod(mode)
    (tmp_path / "aliases").write_text(f"list: :include:{tmp_path}/list\n")
    router = router_of(f"O DontBlameSendmail={blame}", aliases=tmp_path / "aliases")
    found = router.send_list()
    problem = found.problem_below(found.add(found.parse("list")))
    if not trouble:
        assert problem is None
        return
    assert problem is not None
    path = f"{tmp_path}/list"
    assert problem.reply == f"550 5.2.4 :include:{path}... Cannot open {path}: {trouble}"


def test_a_list_in_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o777)
    (place / "list").write_text("ann\n")
    (tmp_path / "aliases").write_text(f"list: :include:{place}/list\n")
    for blame, wanted in (("", ["World writable directory"]), ("IncludeFileInUnsafeDirPath", [])):
        router = router_of(f"O DontBlameSendmail={blame}", aliases=tmp_path / "aliases")
        found = router.send_list()
        problem = found.problem_below(found.add(found.parse("list")))
        # Only root looks at folders: an ordinary user's own files are the user's affair.
        said = [] if problem is None else [str(problem.reply).rpartition(": ")[2]]
        assert said == (wanted if os.geteuid() == 0 else [])


def test_a_list_that_others_can_write_names_no_programs(tmp_path: Path) -> None:
    (tmp_path / "aliases").write_text(f"list: :include:{tmp_path}/list\n")
    router = router_of(
        "O DontBlameSendmail=GroupWritableIncludeFile,WorldWritableIncludeFile",
        aliases=tmp_path / "aliases",
    )
    (tmp_path / "list").write_text('ann, "|/bin/cat", /tmp/file\n')
    (tmp_path / "list").chmod(0o666)
    found = router.send_list()
    found.add(found.parse("list"))
    place = f"550 5.7.1 {tmp_path}/list: line 1: "
    unsafe = f"Address :include:{tmp_path}/list is unsafe for mailing to"
    assert [one.problem.reply for one in found.all if one.problem is not None] == [
        f"{place}/tmp/file... {unsafe} files",
        f'{place}"|/bin/cat"... {unsafe} programs',
    ]
    # Nor when they are looked at again, at the delivery.
    *others, ann = router.expand((Target("list"),))
    assert (ann.address, ann.listed) == ("ann", True)
    for target in others:
        with pytest.raises(DeliveryError, match="Cannot mail directly"):
            router.resolve(target.address, listed=target.listed)


ME = pwd.getpwuid(os.getuid())


@pytest.mark.parametrize(
    ("shells", "trusted", "is_fit"),
    [
        ("# none\n/bin/other\n", "", False),
        (f"/bin/other\n{ME.pw_shell} # mine\n", "", True),
        ("/SENDMAIL/ANY/SHELL/\n", "", True),
        ("", ME.pw_name, True),
        (None, "", ME.pw_shell in ("/bin/sh", "/bin/csh")),
    ],
)
def test_a_list_needs_an_owner_with_a_shell_to_name_programs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shells: str | None,
    trusted: str,
    is_fit: bool,
) -> None:
    if shells is not None:
        (tmp_path / "shells").write_text(shells)
    monkeypatch.setattr(users, "SHELLS", tmp_path / "shells")
    (tmp_path / "list").write_text('# one\n"|/bin/cat"\n/tmp/file\n')
    (tmp_path / "aliases").write_text(f"list: :include:{tmp_path}/list\n")
    router = router_of(*([f"T{trusted}"] if trusted else []), aliases=tmp_path / "aliases")
    found = router.send_list()
    found.add(found.parse("list"))
    shell = f"User {ME.pw_name}@mx.example.test doesn't have a valid shell for mailing to"
    expected = [
        f'550 5.7.1 {tmp_path}/list: line 2: "|/bin/cat"... {shell} programs',
        f"550 5.7.1 {tmp_path}/list: line 3: /tmp/file... {shell} files",
    ]
    said = [one.problem.reply for one in found.all if one.problem is not None]
    assert said == ([] if is_fit else expected)
    # At the delivery it is the same.
    assert [one.listed for one in router.expand((Target("list"),))] == [is_fit, is_fit]


def test_for_a_forward_file_the_users_shell_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "SHELLS", tmp_path / "none")
    path = tmp_path / "forward"
    path.write_text('\n"|/bin/cat"\n')
    user = users.PasswdUser(ME.pw_name, str(tmp_path), ME.pw_uid, ME.pw_gid)
    monkeypatch.setattr(LocalUsers, "find", lambda *_: user)
    monkeypatch.setattr(LocalUsers, "shell_trouble", lambda *given: f"{given[1:]}")
    router = router_of(f"O ForwardPath={path}", flags="w")
    found = router.send_list()
    problem = found.problem_below(found.add(found.parse("joe")))
    assert problem is not None
    shown = f"{path}: line 2: \"|/bin/cat\"... ({ME.pw_uid}, 'mx.example.test') programs"
    assert problem.reply == f"550 5.7.1 {shown}"


def test_what_is_wrong_in_a_list_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("# one\n\nann, @x.test\n")
    (tmp_path / "aliases").write_text(f"list: more\nmore: :include:{tmp_path}/list\n")
    router = router_of(aliases=tmp_path / "aliases")
    reply = RuleVerifier("mx.example.test")(router, "list", expand=True)
    text = f"553 5.1.3 {tmp_path}/list: line 3: @x.test... User address required"
    assert reply.lines == (text.encode(),)


def test_trouble_with_a_list_is_its_owners(tmp_path: Path) -> None:
    aliases = tmp_path / "aliases"
    aliases.write_text("list: ann, bob@far.test\nowner-list: sue\nmany: ann\nowner-many: a, b\n")
    found = router_of(aliases=aliases).expand((Target("list"), Target("joe"), Target("many")))
    assert [(one.address, one.sender) for one in found] == [
        ("bob@far.test", "sue"),
        ("ann", "sue"),
        ("joe", None),
    ]
    (one,) = router_of(aliases=aliases).expand((Target("many"),))
    assert one.sender == "owner-many"


def test_aliases_that_cannot_be_looked_up_wait(tmp_path: Path) -> None:
    router = router_of(f"O AliasFile=hash:{tmp_path}/none")
    (target,) = router.expand((Target("joe"),))
    assert target.waits
    (tmp_path / "none").write_text("joe: ann\n")
    (target,) = router.expand((target,))
    assert (target.address, target.waits) == ("ann", False)


def test_rules_that_lead_to_each_other_end(tmp_path: Path) -> None:
    aliases = tmp_path / "aliases"
    aliases.write_text("".join(f"a{n}: a{n + 1}\n" for n in range(30)))
    router = router_of(aliases=aliases)
    found = router.send_list()
    found.add(found.parse("a0"))
    problems = [one.problem.reply for one in found.all if one.problem is not None]
    assert problems == ["554 5.4.6 aliasing/forwarding loop broken (11 aliases deep; 10 max)"]


def forwarding(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    """Where mail for the user who runs the tests goes with such a `.forward`."""
    name = pwd.getpwuid(os.getuid()).pw_name
    path = tmp_path / f"{name}.forward"
    path.write_text(text.replace("ME", name))
    router = router_of(f"O ForwardPath=/no/such:{tmp_path}/$u.forward", flags="w")
    found = router.expand((Target(f"{name}+x"),))
    return [(one.address.replace(name, "ME"), one.user.replace(name, "ME")) for one in found]


def test_a_users_forward_file(tmp_path: Path) -> None:
    assert forwarding(tmp_path, '# mine\n\\ME, "|/usr/bin/vacation ME"\nann@far.test\n') == [
        ('"|/usr/bin/vacation ME"', "ME"),
        ("\\ME", "ME"),
        ("ann@far.test", "ME"),
    ]
    assert forwarding(tmp_path, "\n") == [("ME+x", "")]


def test_a_forward_file_that_others_can_write_does_not_count(tmp_path: Path) -> None:
    user = pwd.getpwuid(os.getuid())
    path = tmp_path / "forward"
    path.write_text("ann\n")
    assert forward_file(user, [path]) == ForwardFile(path, "ann\n")
    path.chmod(0o666)
    assert forward_file(user, [path]) is None
    path.write_text("ann\n" * 20000)
    path.chmod(0o600)
    assert forward_file(user, [path]) is None
    link = tmp_path / "link"
    link.symlink_to("/etc/passwd")
    assert forward_file(user, [link, tmp_path]) is None


def test_expn_says_what_is_wrong_with_a_list(router: RuleRouter) -> None:
    assert router.members("two") == ["bob", "ann"]
    assert router.members("prog") == ['"|/bin/cat -n"']
    assert router.members("joe") == ["joe"]
    with pytest.raises(DeliveryError, match="Cannot open"):
        router.members("broken")


@pytest.mark.parametrize(
    ("argument", "expand", "lines"),
    [
        ("joe", False, ["250 2.1.5 <joe@mx.example.test>"]),
        ("<Joe@here.test>", False, ["250 2.1.5 <joe@mx.example.test>"]),
        ("two", False, ["250 2.1.5 <two@mx.example.test>"]),
        ("a@far.test", False, ["252 2.1.5 <a@far.test>"]),
        ("list", True, ["250 2.1.5 <ann@mx.example.test>", "250 2.1.5 <bob@else.test>"]),
        ("prog", True, ['250 2.1.5 <"|/bin/cat -n">']),
        ("odd", True, ["553 5.1.3 @x.test... User address required"]),
        ("|/bin/sh", False, ["550 5.7.1 |/bin/sh... Cannot mail directly to programs"]),
    ],
)
def test_vrfy_and_expn(router: RuleRouter, argument: str, expand: bool, lines: list[str]) -> None:
    found = RuleVerifier("mx.example.test")(router, argument, expand).lines
    assert [line.decode() for line in found] == lines


def test_with_flag_w_a_local_user_must_exist() -> None:
    router = router_of(flags="w")
    assert router.resolve("root").user == "root"
    with pytest.raises(DeliveryError, match="User unknown") as caught:
        router.resolve("nosuchuser@here.test")
    assert caught.value.reply == "550 5.1.1 nosuchuser@here.test... User unknown"


@pytest.mark.parametrize(
    ("option", "alias", "told"),
    [
        # The mailer local has the flag S: it keeps root, and becomes the user itself.
        ("", "ann", ("true", None, "")),
        ("", '"|/bin/cat"', ("sh", 1, "")),
        ("O DefaultUser=8:12", '"|/bin/cat"', ("sh", 8, "")),
        ("O DefaultUser=no-such-user", '"|/bin/cat"', ("sh", 1, "")),
    ],
)
def test_as_whom_root_runs_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, alias: str, told: object
) -> None:
    ran: list[object] = []

    def run(program: DeliveryProgram, message: bytes, user: str = "") -> str:
        del message
        ran.append((program.words[0], program.uid, user))
        return "done"

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(DeliveryProgram, "run", run)
    aliases = tmp_path / "aliases"
    aliases.write_text(f"list: {alias}\n")
    router = router_of(*([option] if option else []), aliases=aliases, user="")
    targets = tuple(router.expand((Target("list"),)))
    entry = QueueEntry("q1", "ann@x.test", targets)
    (outcome,) = router.deliver(entry, b"Subject: x\n\nhi\n")
    assert outcome.error is None
    assert ran == [told]


def test_the_lines_of_a_list_keep_their_order_and_the_members_of_a_line_are_turned_round(
    tmp_path: Path,
) -> None:
    (tmp_path / "members").write_text("ann, bob\n\n# more\ncarl\nfay@far.test\n")
    aliases = tmp_path / "aliases"
    aliases.write_text(f"lines: dora, :include:{tmp_path}/members, eve\n")
    expected = ["eve", "bob", "ann", "carl", "fay@far.test", "dora"]
    assert router_of(aliases=aliases).members("lines") == expected
