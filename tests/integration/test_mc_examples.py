"""sendmail's own example mc files, and files as an administrator begins with: every one is built,
read, and asked about thirty addresses beside real `sendmail -bt`.

Each address is asked for its mailer (`3,0`, `5`, `/parse`), and for its looks as sender and
recipient, in envelope and header, to every mailer of the file (`/tryflags`, `/try`).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from filterd.mta.bt.machine import named_host
from filterd.mta.cf.config import SendmailCf
from filterd.mta.mc.build import make_cf
from filterd.mta.mc.macros import MacroFiles
from filterd.mta.sendmail.cf_files import parse_cf, read_text
from filterd.mta.sendmail.macros import VERSION
from tests.helpers import process
from tests.helpers.bt import session
from tests.helpers.process import require, unpacked
from tests.helpers.servers.sendmail import HOST, SHIM_SOURCE

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LIBEXEC = unpacked("sendmail") / "usr/libexec/sendmail"
CF = unpacked("sendmail") / "usr/share/sendmail/cf"
EXAMPLES = sorted((CF / "cf").glob("*.mc"))

ADDRESSES = """\
joe
joe@mx.example.test
joe@localhost
Joe.User@Far.Example
joe@far.example.
joe%cheetah
joe%far.example@mx.example.test
far!joe
a!b!joe@mx.example.test
joe@far!x
@hub.example:joe@far.example
<joe@far.example>
Joe User <joe@far.example>
joe@far.example (Joe User)
"joe user"@far.example
"joe user"
joe+detail
joe+detail@mx.example.test
joe@[192.0.2.1]
joe@[127.0.0.1]
joe@sub.mx.example.test
postmaster
root@mailspool.CS.Berkeley.EDU
MAILER-DAEMON
<>
joe@
@far.example
joe@far.uucp
bb+info@mx.example.test
info@virtual.test
""".splitlines()

KINDS = ("HS", "HR", "ES", "ER")

HEAD = """\
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.example.test')dnl
FEATURE(`nocanonify')dnl
define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit,MapInUnsafeDirPath')dnl
"""
TAIL = "MAILER(`local')dnl\nMAILER(`smtp')dnl\n"

FIRST_STEPS = {
    "nothing": "",
    "masquerading": "MASQUERADE_AS(`example.test')dnl\nFEATURE(`masquerade_envelope')dnl\n"
    "FEATURE(`allmasquerade')dnl\nEXPOSED_USER(`root')dnl\n",
    "masquerading of some": "MASQUERADE_AS(`example.test')dnl\n"
    "MASQUERADE_DOMAIN(`mx.example.test')dnl\nFEATURE(`limited_masquerade')dnl\n",
    "hub": "define(`MAIL_HUB', `hub.example')dnl\nLOCAL_USER(`root')dnl\n",
    "smart host": "define(`SMART_HOST', `gate.example')dnl\n",
    "smart host by another mailer": "define(`SMART_HOST', `relay:[gate.example]')dnl\n",
    "local relay": "define(`LOCAL_RELAY', `hub.example')dnl\n",
    "relay for unknown users": "define(`LUSER_RELAY', `hub.example')dnl\n",
    "null client": None,
    "local host names": "FEATURE(`use_cw_file')dnl\n"
    "define(`confCW_FILE', `FOLDER/local-host-names')dnl\n",
    "access": "FEATURE(`access_db', `hash -T<TMPF> FOLDER/access')dnl\n"
    "FEATURE(`blocklist_recipients')dnl\nFEATURE(`delay_checks')dnl\n",
    "domain table": "FEATURE(`domaintable', `hash FOLDER/domaintable')dnl\n",
    "mailer table": "FEATURE(`mailertable', `hash FOLDER/mailertable')dnl\n",
    "virtual users": "FEATURE(`virtusertable', `hash FOLDER/virtusertable')dnl\n"
    "VIRTUSER_DOMAIN(`virtual.test')dnl\n",
    "generics": "FEATURE(`genericstable', `hash FOLDER/genericstable')dnl\n"
    "GENERICS_DOMAIN(`mx.example.test')dnl\nFEATURE(`generics_entire_domain')dnl\n",
    "procmail": "FEATURE(`local_procmail', `/usr/bin/procmail')dnl\n",
    "no uucp": "FEATURE(`nouucp', `reject')dnl\n",
}
"""What an administrator adds first, one at a time. None: a file of its own."""

FILES = {
    "local-host-names": "sub.mx.example.test\nvirtual.test\n",
    "access": "far.example\tREJECT\nTo:joe@far.example\tERROR:5.7.1:550 not him\n192.0.2\tRELAY\n",
    "domaintable": "far.example\tnear.example\n",
    "mailertable": "far.example\trelay:hub.example\n.far.example\terror:nohost no such host\n"
    "virtual.test\tlocal:joe\n",
    "virtusertable": "info@virtual.test\tjoe\n@virtual.test\t%1@far.example\n",
    "genericstable": "joe\tjoe.user@example.test\nroot\troot@example.test\n",
}

SEEN = {
    "masquerading": ("/try esmtp joe", "addr = joe@example.test"),
    "hub": ("5 joe", "$# relay $@ hub . example $: joe"),
    "smart host": ("3,0 joe@far.example.", "$# relay $@ gate . example"),
    "smart host by another mailer": ("3,0 joe@far.example.", "$# relay $@ [ gate . example ]"),
    "local host names": ("3,0 joe@sub.mx.example.test", "$# local $: joe"),
    "domain table": ("3,0 Joe.User@Far.Example", "$# esmtp $@ near . example"),
    "mailer table": ("3,0 joe@far.example.", "$# relay $@ hub . example"),
    "virtual users": ("3,0 info@virtual.test", "$# local $: joe"),
    "generics": ("/try esmtp joe", "addr = joe.user@example.test"),
    "null client": ("5 joe", "$# relay $@ hub . example"),
}
"""What shows that a line does something: a question, and what is in sendmail's answer."""

RULE = """\
LOCAL_RULE_0
R$* < @ cheetah . > $*	$#esmtp $@ zoo.example $: $1 < @ cheetah > $2
R$* < @ cheetah > $*	$#esmtp $@ zoo.example $: $1 < @ cheetah > $2
"""


@dataclass
class Counts:
    """Answers by file."""

    asked: dict[str, int] = field(default_factory=dict)
    different: dict[str, int] = field(default_factory=dict)

    def table(self) -> Iterator[str]:
        yield f"{'file':32} {'answers':>8} {'different':>9}"
        for name, asked in self.asked.items():
            yield f"{name:32} {asked:8} {self.different[name]:9}"
        yield f"{'all':32} {sum(self.asked.values()):8} {sum(self.different.values()):9}"


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short one: sendmail cuts long names in what it says."""
    with process.folder("mc") as path:
        yield path


@pytest.fixture(scope="module")
def counts() -> Iterator[Counts]:
    counts = Counts()
    yield counts
    print("\n" + "\n".join(counts.table()))


@pytest.fixture(scope="module")
def files() -> MacroFiles:
    require("m4", "m4")
    require(LIBEXEC / "sendmail", "sendmail-cf")
    return MacroFiles.find(CF)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """For sendmail: the host's name, and no name server that is waited for."""
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    subprocess.run(
        [require("gcc", "gcc"), "-shared", "-fPIC", "-O1", "-o", library, SHIM_SOURCE], check=True
    )
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        "SHIM_HOST": HOST,
        "SHIM_LOG": str(library.with_name("log")),
        "RES_OPTIONS": "attempts:1 timeout:1",
    }


def questions(cf: SendmailCf) -> Iterator[str]:
    for rulesets in ("3,0", "5"):
        yield from (f"{rulesets} {address}" for address in ADDRESSES)
    for kind in KINDS:
        yield f"/tryflags {kind}"
        yield from (f"/parse {address}" for address in ADDRESSES)
        for mailer in cf.program.mailers.numbered():
            yield from (f"/try {mailer.name} {address}" for address in ADDRESSES)


def _answers(said: str) -> list[str]:
    """What stands behind each prompt; some questions are answered by nothing."""
    parts: list[str] = []
    for line in said.splitlines(keepends=True):
        while line.startswith("> "):
            parts.append("")
            line = line[2:]  # noqa: PLW2901
        if parts:
            parts[-1] += line
    return parts


def compared(
    folder: Path, environment: dict[str, str], counts: Counts, name: str
) -> list[tuple[str, str, str]]:
    """The questions that are answered differently, with both answers."""
    folder.chmod(0o755)
    (folder / "switch").write_text("hosts\tfiles\naliases\tfiles\n")
    (folder / "hosts").write_text(
        f"127.0.0.1 localhost\n192.0.2.7 far.example\n192.0.2.9 {HOST} mx\n"
    )
    options = [
        f"ServiceSwitchFile={folder}/switch",
        f"HostsFile={folder}/hosts",
        "DontProbeInterfaces=true",
    ]
    path = folder / "sendmail.cf"
    machine = named_host(HOST, VERSION, "t", "root", node=os.uname().nodename)
    cf = parse_cf(read_text(path), str(path), host=machine)
    asked = list(questions(cf))
    done = subprocess.run(
        [LIBEXEC / "sendmail", "-bt", "-C", path, *(f"-O{one}" for one in options)],
        input="".join(f"{line}\n" for line in asked).encode(),
        capture_output=True,
        check=False,
        env=environment,
    )
    # Folders above the test's may be open to all, which real sendmail says to root.
    said = re.sub(rb"WARNING: \w+ writable directory .*\n", b"", done.stdout)
    text = said.decode("utf-8", "surrogateescape")
    start, *own = session(path, asked, preset=[f"O {one}" for one in options], machine=machine)
    real = _answers(text)
    assert len(real) == len(asked) + 1, "and the last prompt"
    tried = [one for one, answer in zip(asked, real, strict=False) if "Rcode = " in answer]
    assert len(tried) > len(ADDRESSES) * len(KINDS)
    question, shown = SEEN.get(name, ("3,0 joe", ""))
    answer = real[asked.index(question)]
    assert shown in answer
    found = [one for one in zip(asked, real, own, strict=False) if one[1] != one[2]]
    if not text.startswith(start + "> "):
        found.append(("start", text[: len(start) + 100], start))
    counts.asked[name], counts.different[name] = len(asked), len(found)
    return found


def test_there_are_thirty_addresses_and_all_examples(files: MacroFiles) -> None:
    assert files.folder == CF.resolve()
    assert len(set(ADDRESSES)) == 30
    assert len(EXAMPLES) >= 33


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.stem))
def test_an_example_answers_as_with_sendmail(
    path: Path,
    files: MacroFiles,
    environment: dict[str, str],
    counts: Counts,
    tmp_path: Path,
) -> None:
    text = make_cf(path, files)
    (tmp_path / "sendmail.cf").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert compared(tmp_path, environment, counts, path.stem) == []


@pytest.mark.parametrize("name", FIRST_STEPS)
def test_first_steps_answer_as_with_sendmail(
    name: str,
    files: MacroFiles,
    environment: dict[str, str],
    counts: Counts,
    tmp_path: Path,
) -> None:
    lines = FIRST_STEPS[name]
    mc = HEAD + "FEATURE(`nullclient', `hub.example')dnl\n"
    if lines is not None:
        mc = HEAD + lines.replace("FOLDER", str(tmp_path)) + TAIL + RULE
    for table, content in FILES.items():
        file = tmp_path / table
        file.write_text(content)
        file.chmod(0o644)
        if table != "local-host-names":
            subprocess.run(
                [LIBEXEC / "makemap", "-C", "/dev/null", "hash", file],
                input=content.encode(),
                capture_output=True,
                check=True,
            )
            file.with_suffix(".db").chmod(0o644)
    (tmp_path / "site.mc").write_text(mc)
    (tmp_path / "sendmail.cf").write_text(make_cf(tmp_path / "site.mc", files))
    assert compared(tmp_path, environment, counts, name) == []
