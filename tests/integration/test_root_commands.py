"""Commands as root on a store of another user: nothing in it becomes root's, and mail goes on.

Every command of the command line is run, those of tomorrow as well: one that this file does not
know fails the first test.
"""

from __future__ import annotations

import getpass
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import filterd
from filterd.system import privileges
from tests.helpers.commands import commands, forked
from tests.helpers.feedback import feedback
from tests.helpers.messages import GTUBE, message
from tests.helpers.milter import MilterClient
from tests.helpers.process import Program, answers, folder, free_port, listens, wait_for

pytestmark = pytest.mark.minutes

if os.geteuid() != 0:
    pytest.skip("only root can act as another user: run the tests as root", allow_module_level=True)

NOBODY = pwd.getpwnam("nobody")

SETTINGS = """\
[daemon]
socket = "unix:{store}/run/s"
spool = "{store}/spool"
[workers]
count = 1
[chain]
filters = ["senders", "gtube", "bayes"]
[quarantine]
folder = "{store}/quarantine"
release_port = {closed}
release_timeout = 5
[digest]
sender = "postmaster@mx.example"
[notices]
sender = "postmaster@mx.example"
[report]
sender = "postmaster@mx.example"
to = ["postmaster@mx.example"]
plots = false
[dmarc]
org_name = "Example"
email = "reports@mx.example"
[web]
port = {web}
release_socket = "{store}/run/release"
url = "http://127.0.0.1"
[filters.bayes]
models = "{store}/models"
[filters.gtube]
score = 9
[filters.rules]
stock = false
[filters.senders]
file = "{store}/senders.list"
[mta]
port = {mta}
spool = "{store}/mta"
mail = "{store}/mail"
"""

CF = """\
V10/Berkeley
O AliasFile={private}/aliases
S3
S0
R$*		$#local $: $1
Mlocal, P=/bin/true, F=lsA, A=true $u
"""

SERVERS = [("run",), ("web",), ("mta", "run"), ("quarantine", "release-service")]
"""They stay until they are told to end, and have tests of their own below."""

ID = "ID"
"""Stands for the id of a held message."""

ARGUMENTS: dict[tuple[str, ...], list[str]] = {
    ("check",): [],
    ("init",): ["{store}/fresh"],
    ("setup", "postfix"): ["--postfix={private}/main.cf"],
    ("setup", "sendmail"): ["--sendmail={private}/asks.cf", "--m4-folder={private}"],
    ("backup",): ["{private}/backup.tar.gz"],
    # The daemon runs, and restore waits for nobody.
    ("restore",): ["{private}/backup.tar.gz"],
    ("scan",): ["{private}/spam.eml"],
    ("explain",): ["{private}/spam.eml"],
    ("train",): [
        "--spam={private}/spam.eml",
        "--ham={private}/ham.eml",
        "--doubted={private}/doubted",
    ],
    ("learn", "spam"): ["{private}/spam.eml"],
    ("learn", "ham"): ["{private}/ham.eml"],
    ("learn", "forget"): ["{private}/ham.eml"],
    ("learn", "auto"): [],
    ("evaluate",): ["{private}/corpus", "--model=site", "--scores={private}/scores"],
    ("model", "list"): [],
    ("model", "show"): [],
    ("model", "recipients"): [],
    ("model", "compare"): ["1", "1", "{private}/corpus"],
    ("model", "merge"): ["{store}/models/site-000001.fdm", "-o", "{private}/merged.fdm"],
    ("model", "activate"): ["1"],
    ("model", "shadow"): ["1"],
    ("model", "undo"): ["1"],
    ("model", "rollback"): ["1"],
    ("rules", "test"): ["{private}/spam.eml"],
    ("rules", "stats"): ["{private}/corpus"],
    ("rules", "weigh"): ["{private}/corpus"],
    ("digest", "show"): ["joe@mx.example.test"],
    ("digest", "send"): [],
    ("notice", "show"): [],
    ("notice", "queue"): [],
    ("notice", "test"): ["--to=joe@mx.example.test"],
    ("replay",): [ID],
    ("quarantine", "list"): [],
    ("quarantine", "show"): [ID],
    ("quarantine", "raw"): [ID],
    ("quarantine", "stats"): [],
    ("quarantine", "audit"): [],
    ("quarantine", "export"): [ID, "--to={private}"],
    ("quarantine", "fsck"): [],
    ("quarantine", "release"): [ID],
    ("quarantine", "retry"): [],
    ("quarantine", "pin"): [ID],
    ("quarantine", "learn"): ["spam", ID],
    ("quarantine", "rescan"): [ID],
    ("quarantine", "allow"): [ID],
    ("quarantine", "block"): [ID, "--for-all"],
    ("quarantine", "expire"): [],
    ("quarantine", "delete"): [ID],
    ("quarantine", "undelete"): [ID],
    ("clamd", "stats"): [],
    ("clamd", "reload"): [],
    ("greylist", "list"): [],
    ("greylist", "allow"): ["--client=192.0.2.0/24"],
    ("report", "send"): [],
    ("report", "show"): [],
    ("rates", "list"): [],
    ("rates", "free"): ["user", "joe"],
    ("known", "show"): ["ann@a.example"],
    ("known", "forget"): ["ann@a.example"],
    ("rules", "check"): ["{private}/rules.cf"],
    ("rules", "list"): ["{private}/rules.cf"],
    ("rules", "show"): ["A", "{private}/rules.cf"],
    ("rules", "fetch"): ["--channel=nothing.invalid"],
    ("dkim", "genkey"): ["mx.example", "--selector=root"],
    ("dkim", "check"): [],
    ("status",): [],
    ("reload",): [],
    ("doctor",): [],
    ("search",): ["subject:x"],
    ("history",): [],
    ("history", "show"): [ID],
    ("web", "account", "add"): ["ann", "--admin"],
    ("web", "account", "list"): [],
    ("web", "account", "password"): ["ann"],
    ("web", "account", "factor-off"): ["ann"],
    ("web", "account", "remove"): ["ann"],
    ("web", "token", "add"): ["script", "--admin"],
    ("web", "token", "list"): [],
    ("web", "token", "remove"): ["script"],
    ("mta", "test"): ["joe@mx.example.test"],
    ("mta", "send"): [
        "--to=joe@mx.example.test",
        "--server=127.0.0.1:{closed}",
        "{private}/ham.eml",
    ],
    ("mta", "passwd"): ["{store}/passwords", "ann"],
    ("mta", "makemap"): ["hash", "{private}/map"],
    ("mta", "newaliases"): ["-C", "{private}/sendmail.cf"],
    ("mta", "bt"): ["-C", "{private}/sendmail.cf"],
    ("mta", "trace"): ["joe", "--cf={private}/sendmail.cf"],
    ("mta", "diff"): ["{private}/sendmail.cf", "{private}/sendmail.cf", "joe"],
    ("mta", "build"): ["{private}/sendmail.mc", "--dry-run"],
    ("dmarc", "report"): ["yesterday", "--send"],
    ("dmarc", "read"): ["{private}/report.xml"],
    ("mta", "queue", "list"): [],
    ("mta", "queue", "release"): ["nosuch"],
    ("mta", "queue", "delete"): ["nosuch"],
    ("selftest",): [],
    ("demo",): ["--help"],
}
"""What to say to each command; `--config` is added where it is taken. The demo takes no settings
and makes a folder of its own."""

ELSEWHERE = {
    ("demo",),
    ("setup", "postfix"),
    ("setup", "sendmail"),
    ("dmarc", "read"),
    ("model", "merge"),
    ("mta", "send"),
    ("mta", "makemap"),
    ("mta", "newaliases"),
    ("mta", "bt"),
    ("mta", "trace"),
    ("mta", "diff"),
    ("mta", "build"),
}
"""Commands of which nothing belongs to the store."""


@dataclass
class Site:
    """A store of somebody else, settings and mail that only root may read."""

    folder: Path
    values: dict[str, str]
    user: pwd.struct_passwd = NOBODY

    @property
    def config(self) -> Path:
        return self.folder / "private" / "filterd.toml"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def strange(self) -> dict[str, str]:
        """What in the store is not its user's, and whose it is."""
        found = {}
        for path in [self.store, *self.store.rglob("*")]:
            told = path.lstat()
            if (told.st_uid, told.st_gid) != (self.user.pw_uid, self.user.pw_gid):
                found[str(path.relative_to(self.folder))] = f"{told.st_uid}:{told.st_gid}"
        return found

    def run(self, *arguments: str) -> tuple[int, str]:
        """A command as root: status, and all that it prints."""
        return forked(self.folder / "output", *arguments)

    def daemon(self) -> Program:
        """`filterd run` as root."""
        environment = {"NOTIFY_SOCKET": ""}
        command = [sys.executable, "-m", "filterd", "run", "--config", self.config]
        program = Program(command, self.folder, environment)
        program.start(lambda: listens(self.store / "run" / "s"))
        return program

    def hold(self) -> str:
        """Have the daemon hold a message; return its id."""
        with MilterClient(self.store / "run" / "s") as client:
            client.hello()
            outcome = client.message(body=GTUBE + b"\r\n")
        assert outcome.word != "tempfail", outcome
        return wait_for("a held message", lambda: sorted(self.store.glob("quarantine/*/*.eml")))[
            -1
        ].stem


@pytest.fixture
def site() -> Iterator[Site]:
    """A store of `nobody`, and settings that only root may read."""
    with folder("root") as path:
        for name, mode in (("store", 0o755), ("private", 0o700)):
            (path / name).mkdir()
            (path / name).chmod(mode)
        (path / "store/run").mkdir()
        for place in (path / "store", path / "store/run"):
            os.chown(place, NOBODY.pw_uid, NOBODY.pw_gid)
        values = {
            "store": str(path / "store"),
            "private": str(path / "private"),
            **{name: str(free_port()) for name in ("closed", "web", "mta")},
        }
        site = Site(path, values)
        site.config.write_text(SETTINGS.format(**values))
        private = path / "private"
        (private / "spam.eml").write_bytes(message(b"buy " + GTUBE + b"\r\n"))
        (private / "ham.eml").write_bytes(message())
        (private / "sendmail.cf").write_text(CF.format(private=private))
        (private / "sendmail.mc").write_text("OSTYPE(`linux')dnl\nMAILER(`local')dnl\n")
        (private / "main.cf").write_text("")
        (private / "asks.cf").write_text(CF.format(private=private))
        (private / "rules.cf").write_text("body A /a/\n")
        (private / "aliases").write_text("postmaster: root\n")
        (private / "report.xml").write_bytes(feedback())
        for kind in ("spam", "ham"):
            (private / "corpus" / kind).mkdir(parents=True)
            shutil.copy(private / f"{kind}.eml", private / "corpus" / kind)
        for place in (site.config, *private.glob("*.eml")):
            place.chmod(0o600)
        yield site


def test_every_command_is_known_here() -> None:
    assert {words for words, _ in commands()} == {*ARGUMENTS, *SERVERS}


@pytest.mark.timeout(1500)
def test_no_command_makes_anything_that_is_roots(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The system's own would write below /var/lib, and SpamAssassin then read from there.
    monkeypatch.setattr("filterd.rules.update.PROGRAM", "/bin/true")
    taken = dict(commands())
    daemon = site.daemon()
    (site.store / "mta").mkdir()
    os.chown(site.store / "mta", NOBODY.pw_uid, NOBODY.pw_gid)
    id = site.hold()
    report = {}
    for words, arguments in ARGUMENTS.items():
        said = [id if one == ID else one.format(**site.values) for one in arguments]
        options = {name for one in taken[words].params for name in one.opts}
        if "--config" in options and words not in ELSEWHERE:
            said.append(f"--config={site.config}")
        status, output = site.run(*words, *said)
        assert "Traceback" not in output, (words, output)
        assert "Permission denied" not in output, (words, output)
        assert site.strange() == {}, (words, output)
        report[" ".join(words)] = status
    trouble = {name: status for name, status in report.items() if status}
    # clamd, the MTA for releases, an id, a name, an address or a key that nobody knows, m4 files
    # that are not installed, aliases below /tmp, where everybody may write.
    assert set(trouble) <= {
        "doctor",
        "quarantine release",
        "quarantine retry",
        "mta queue release",
        "mta queue delete",
        "mta send",
        "mta build",
        "mta newaliases",
        "digest send",
        "notice test",
        "report send",
        "dkim check",
        "known show",
        "rules weigh",
        "known forget",
        "model undo",
        "restore",
        "setup postfix",
        "setup sendmail",
        "rates free",
    }, trouble
    daemon.stop()
    assert site.strange() == {}
    # What the commands wrote for the person who runs them is that person's.
    for name in ("doubted", "scores", "merged.fdm", "backup.tar.gz", f"{id}.eml"):
        assert (site.folder / "private" / name).stat().st_uid == 0


def test_the_daemon_of_that_user_goes_on_after_commands_of_root(site: Site) -> None:
    """Also where the commands were the first to touch the store."""
    status, output = site.run("quarantine", "list", f"--config={site.config}")
    assert status == 0, output
    as_user(site)
    id = site.hold()
    for words in (("allow", id), ("show", id)):
        status, output = site.run("quarantine", *words, f"--config={site.config}")
        assert status == 0, output
    site.hold()
    assert site.strange() == {}


def test_a_program_that_only_root_can_read(site: Site) -> None:
    """A checkout below /root: a command that acts as another user still reads all of filterd."""
    program = site.folder / "private" / "program"
    source = Path(filterd.__file__).parent
    shutil.copytree(source, program / "filterd", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-P", "-m", "filterd", "quarantine", "list", "--config", site.config]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(program)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (site.store / "quarantine").is_dir()
    assert site.strange() == {}


def test_a_list_in_a_folder_of_root_can_be_read_by_the_daemon(site: Site) -> None:
    lists = site.folder / "etc"
    lists.mkdir()
    config = site.config.read_text().replace(f"{site.store}/senders.list", f"{lists}/senders.list")
    site.config.write_text(config)
    site.daemon()
    id = site.hold()
    status, output = site.run("quarantine", "block", id, f"--config={site.config}")
    assert status == 0, output
    made = {path.name: path.stat().st_uid for path in lists.iterdir()}
    assert made == {"senders.list": NOBODY.pw_uid, ".senders.list.lock": NOBODY.pw_uid}
    assert lists.stat().st_uid == 0
    site.hold()


def as_user(site: Site) -> Program:
    """The daemon by setpriv(1) as that user, with no more than the right to read this checkout,
    which may lie where only root reads, and with settings of its own."""
    read = "+dac_read_search"
    config = site.folder / "filterd.toml"
    shutil.copyfile(site.config, config)
    command = [
        "setpriv",
        f"--reuid={site.user.pw_uid}",
        f"--regid={site.user.pw_gid}",
        "--clear-groups",
        f"--inh-caps={read}",
        f"--ambient-caps={read}",
        sys.executable,
        "-m",
        "filterd",
        "run",
        "--config",
        config,
    ]
    program = Program(command, site.folder, {"NOTIFY_SOCKET": ""})
    program.start(lambda: listens(site.store / "run" / "s"))
    return program


@pytest.mark.parametrize("words", SERVERS, ids=" ".join)
def test_a_server_gives_root_up(site: Site, words: tuple[str, ...]) -> None:
    ready: dict[tuple[str, ...], Callable[[], bool]] = {
        ("run",): lambda: listens(site.store / "run" / "s"),
        ("web",): lambda: answers(int(site.values["web"])),
        ("mta", "run"): lambda: answers(int(site.values["mta"])),
        ("quarantine", "release-service"): lambda: listens(site.store / "run" / "release"),
    }
    command = [sys.executable, "-m", "filterd", *words, f"--config={site.config}"]
    program = Program(command, site.folder, {"NOTIFY_SOCKET": ""})
    program.start(ready[words])
    told = Path(f"/proc/{program.pid}/status").read_text()
    uid, gid = site.user.pw_uid, site.user.pw_gid
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n" in told
    assert f"Gid:\t{gid}\t{gid}\t{gid}\t{gid}\n" in told
    # No capability but to listen on ports below 1024, and to read where this checkout and these
    # settings can be read by root only.
    (permitted,) = re.findall(r"CapPrm:\t(\w+)", told)
    assert int(permitted, 16) & ~(1 << 1 | 1 << 2 | 1 << 10) == 0, told
    # What it starts, or forks, listens on no ports.
    for child in Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split():
        told = Path(f"/proc/{child}/status").read_text()
        (permitted,) = re.findall(r"CapPrm:\t(\w+)", told)
        assert int(permitted, 16) & ~(1 << 1 | 1 << 2) == 0, told
    program.stop()
    assert site.strange() == {}


def test_what_root_made_before_is_given_back(site: Site) -> None:
    quarantine = site.store / "quarantine"
    quarantine.mkdir()
    for name in ("index.sqlite", ".senders.list.lock"):
        (quarantine / name).touch()
    (quarantine / "2026-11-01").mkdir()
    (quarantine / "2026-11-01" / "a.json").touch()
    outside = site.folder / "private" / "secret"
    outside.touch()
    (quarantine / "second").hardlink_to(outside)
    (quarantine / "link").symlink_to(outside)
    os.chown(quarantine, NOBODY.pw_uid, NOBODY.pw_gid)
    status, output = site.run("quarantine", "list", f"--config={site.config}")
    assert status == 0, output
    # A second name of a file elsewhere may be somebody's trick, and stays what it is.
    assert site.strange() == {"store/quarantine/second": "0:0"}
    assert outside.stat().st_uid == 0


@pytest.mark.parametrize(
    ("strange", "says"),
    [
        (["quarantine"], "daemon.spool: {store}/spool belongs to root, and nobody may not open it"),
        (["spool"], "daemon.spool: {store}/spool belongs to nobody, expected root or root"),
        (["models"], "filters.bayes.models: {store}/models belongs to nobody"),
        (["spool", "quarantine", "models"], ""),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_folders_of_one_daemon_belong_to_one_user(
    site: Site, command: str, strange: list[str], says: str
) -> None:
    os.chown(site.store, 0, 0)
    for name in ("spool", "quarantine", "models"):
        (site.store / name).mkdir(mode=0o700)
        uid = NOBODY.pw_uid if name in strange else 0
        os.chown(site.store / name, uid, uid)
    if command == "run" and not says:
        site.daemon().stop()
        return
    status, output = site.run(command, f"--config={site.config}")
    assert status == (78 if says else 0), output
    assert says.format(**site.values) in output


def test_the_audit_names_the_person(site: Site) -> None:
    site.daemon()
    id = site.hold()
    site.run("quarantine", "pin", id, f"--config={site.config}")
    _, output = site.run("quarantine", "audit", "--json", f"--config={site.config}")
    assert f'"who": "cli:{getpass.getuser()}"' in output


# The mechanism itself


@pytest.mark.parametrize(
    ("there", "owner"),
    [
        ({"a": NOBODY.pw_uid, "b": 0}, "nobody"),
        ({"a": 0, "b": NOBODY.pw_uid}, None),
        ({"b": NOBODY.pw_uid}, "nobody"),
        ({}, None),
        ({"a": 64321}, "uid 64321"),
    ],
)
def test_the_first_folder_that_is_there_decides(
    there: dict[str, int], owner: str | None, tmp_path: Path
) -> None:
    for name, uid in there.items():
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, uid, uid)
    found = privileges.owner([tmp_path / "a", tmp_path / "b" / "below"])
    assert (found and found.name) == owner


def test_the_person_writes_what_they_named(tmp_path: Path) -> None:
    """In a child: a process has one identity."""
    with folder("caller") as path:
        (path / "store").mkdir()
        os.chown(path / "store", NOBODY.pw_uid, NOBODY.pw_gid)
        (path / "root").mkdir(mode=0o700)
        secret = path / "root" / "secret"
        secret.write_text("mail")
        script = f"""
from pathlib import Path
from filterd.system import privileges
privileges.act_as_owner([Path({str(path / "store")!r})])
here = Path({str(path)!r})
assert (here / "root/secret").read_text() == "mail"
(here / "store/made").touch()
try:
    (here / "root/refused").touch()
except PermissionError:
    print("refused")
with privileges.as_caller():
    (here / "root/made").touch()
(here / "store/later").touch()
print((here / "root/secret").read_text())
privileges.give_up_root()
with privileges.as_caller():
    try:
        (here / "root/again").touch()
    except PermissionError:
        print("gone for good")
"""
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout.split("\n")[:3] == ["refused", "mail", "gone for good"]
        owners = {p.name: p.stat().st_uid for p in path.rglob("*") if p.is_file()}
        nobody = NOBODY.pw_uid
        assert owners == {"secret": 0, "made": owners["made"], "later": nobody}
        assert (path / "root/made").stat().st_uid == 0
        assert (path / "store/made").stat().st_uid == nobody
