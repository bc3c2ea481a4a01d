"""Map files and lookups beside real makemap, newaliases and `sendmail -bt`: files that each reads
of the other, and the same messages."""

from __future__ import annotations

import io
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.mta.maps.makemap import makemap
from filterd.mta.maps.writing import entries_of
from tests.helpers import process
from tests.helpers.process import require, unpacked
from tests.helpers.servers.sendmail import SHIM_SOURCE

pytestmark = pytest.mark.integration

SOURCE = b"A x\nb y\na z\n c\nonly\n#c\n\nd  v w  \nlong " + b"v" * 900 + b"\n"
LONG_LINES = (
    b"k "
    + b"v" * 1020
    + b"\nk2 "
    + b"v" * 1019
    + b"\nx "
    + b"y" * 3000
    + b"\nz 1\nl "
    + b"z" * 1021
)
MANY = b"".join(b"key%d\tvalue %d\n" % (one, one * one) for one in range(5000))


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short one: sendmail cuts long names in what it says."""
    with process.folder("maps") as path:
        yield path


@pytest.fixture(scope="module")
def programs() -> Path:
    folder = unpacked("sendmail") / "usr/libexec/sendmail"
    require(folder / "makemap", "sendmail-bin")
    return folder


Said = tuple[int, bytes, bytes]


def _real(programs: Path, folder: Path, arguments: list[str], source: bytes) -> Said:
    done = subprocess.run(
        [programs / "makemap", *arguments],
        executable=programs / "makemap",
        input=source,
        capture_output=True,
        cwd=folder,
        check=False,
    )
    errors = done.stderr.replace(os.fsencode(programs / "makemap"), b"makemap")
    return done.returncode, done.stdout, errors


def _own(folder: Path, arguments: list[str], source: bytes) -> Said:
    done = subprocess.run(
        [sys.executable, "-m", "filterd", "mta", "makemap", *arguments],
        input=source,
        capture_output=True,
        cwd=folder,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def _called(folder: Path, arguments: list[str], source: bytes, monkeypatch) -> Said:
    """The same without a process of its own."""
    out, errors = io.BytesIO(), io.BytesIO()
    monkeypatch.chdir(folder)
    status = makemap(arguments, io.BytesIO(source), out, errors)
    return status, out.getvalue(), errors.getvalue()


CALLS = [
    "hash m",
    "-v hash m",
    "-r hash m",
    "-d btree m",
    "-N -v hash m",
    "-e hash m",
    "-f hash m",
    "-D b hash m",
    "-t: hash m",
    "-t= -v btree m",
    "-o hash none",
    "-u hash none",
    "foo m",
    "dbm m",
    "implicit m",
    "hash /nonexistent/m",
    "-z hash m",
    "hash",
    "hash m x",
    "-vNf hash m",
    "hash m.db",
    "cf m",
    "-i btree cf m",
    "-i btree -v cf m",
    "hash folder",
    "-u hash junk",
    "-o hash junk",
    "hash junk",
    "hash link",
    "hash hard",
    "-s hash link",
    "hash open/m",
    "hash open/link",
    "-s hash open/link",
]


def _furnish(folder: Path) -> Path:
    folder.mkdir()
    (folder / "x.cf").write_text("V10/Berkeley\nO TrustedUser=root\n")
    (folder / "folder.db").mkdir()
    (folder / "junk.db").write_text("junk")
    (folder / "target.db").touch()
    (folder / "link.db").symlink_to("target.db")
    (folder / "other.db").touch()
    os.link(folder / "other.db", folder / "hard.db")
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    (folder / "open/link.db").symlink_to("../target.db")
    return folder


@pytest.mark.parametrize("call", CALLS)
def test_makemap_says_and_stores_what_the_real_one_does(
    programs: Path, tmp_path: Path, monkeypatch, call: str
) -> None:
    arguments = ["-C", "x.cf", *call.split()]
    sources = (SOURCE, b"new 1\nlast 2") if "-o" not in call else (SOURCE,)
    for source in sources:
        left = _real(programs, _furnish(tmp_path / "real"), arguments, source)
        right = _called(_furnish(tmp_path / "own"), arguments, source, monkeypatch)
        assert right == left
        for name in ("m.db", "target.db", "junk.db", "open/m.db"):
            for type in ("hash", "btree"):
                dumps = []
                for folder in ("real", "own"):
                    path = tmp_path / folder / name
                    dump = _real(programs, path.parent, ["-C", "/dev/null", "-u", type, name], b"")
                    dumps.append((dump[0], sorted(dump[1].split(b"\n")), dump[2]))
                    if path.exists():
                        dumps[-1] += (path.stat().st_mode,)
                assert dumps[0] == dumps[1], name
        shutil.rmtree(tmp_path / "real")
        shutil.rmtree(tmp_path / "own")


@pytest.mark.parametrize("type", ["hash", "btree"])
@pytest.mark.parametrize("source", [LONG_LINES, MANY, b""], ids=["long", "many", "empty"])
def test_files_are_read_in_both_directions(
    programs: Path, tmp_path: Path, type: str, source: bytes
) -> None:
    arguments = ["-C", "/dev/null", type, "m"]
    for name in ("real", "own"):
        (tmp_path / name).mkdir()
    assert _own(tmp_path / "own", arguments, source) == _real(
        programs, tmp_path / "real", arguments, source
    )
    real, own = (entries_of(tmp_path / name / "m.db", type) for name in ("real", "own"))
    assert real == own
    dump = ["-C", "/dev/null", "-u", type, "m"]
    read = [
        sorted(_real(programs, tmp_path / name, dump, b"")[1].splitlines())
        for name in ("real", "own")
    ]
    assert read[0] == read[1]
    assert len(read[0]) == len(real)
    # And each goes on with the other's file.
    more = b"added 1\nkey7 2\n"
    again = ["-C", "/dev/null", "-o", type, "m"]
    assert _real(programs, tmp_path / "own", again, more) == _own(tmp_path / "real", again, more)
    assert entries_of(tmp_path / "own/m.db", type) == entries_of(tmp_path / "real/m.db", type)


@pytest.mark.parametrize("type", ["hash", "btree"])
@pytest.mark.parametrize("count", [20, 300, 3000])
def test_every_key_is_found_by_the_real_one(
    programs: Path, tmp_path: Path, type: str, count: int, monkeypatch
) -> None:
    """Berkeley DB searches pages by halves, so their order has to be its own."""
    chosen = random.Random(count)
    keys = {bytes(chosen.choices(b"ab\xff\x01z", k=chosen.randrange(1, 9))) for _ in range(count)}
    keys |= {b"x" * length for length in range(1, 900, 50)}
    source = b"".join(key + b" 1\n" for key in keys)
    arguments = ["-C", "/dev/null", "-f", type, "m"]
    assert _called(tmp_path, arguments, source, monkeypatch) == (0, b"", b"")
    status, _, errors = _real(programs, tmp_path, ["-o", *arguments], source)
    assert (status, errors.count(b"duplicate key\n")) == (65, len(keys))


@pytest.mark.parametrize("type", ["hash", "btree"])
def test_duplicates_are_read_in_both_directions(programs: Path, tmp_path: Path, type: str) -> None:
    source = b"".join(b"k%d\tv%d\n" % (one % 7, one) for one in range(4000)) + b"single x\n"
    for name in ("real", "own"):
        (tmp_path / name).mkdir()
    arguments = ["-C", "/dev/null", "-d", type, "m"]
    assert _real(programs, tmp_path / "real", arguments, source)[0] == 0
    assert _own(tmp_path / "own", arguments, source)[0] == 0
    assert entries_of(tmp_path / "real/m.db", type) == entries_of(tmp_path / "own/m.db", type)
    dump = ["-C", "/dev/null", "-u", type, "m"]
    read = [_real(programs, tmp_path / name, dump, b"")[1].splitlines() for name in ("real", "own")]
    assert sorted(read[0]) == sorted(read[1])
    # The values of one key stay in order.
    assert [one for one in read[1] if one.startswith(b"k3\t")] == [
        b"k3\tv%d" % one for one in range(3, 4000, 7)
    ]


@pytest.mark.parametrize("type", ["hash", "btree"])
def test_berkeleys_own_check_finds_nothing_wrong(tmp_path: Path, type: str, monkeypatch) -> None:
    verify = require("db5.3_verify", "db5.3-util")
    sources = [b"", SOURCE, MANY, MANY + b"".join(b"k v%d\n" % one for one in range(3000))]
    for index, source in enumerate(sources):
        _called(tmp_path, ["-C", "/dev/null", "-d", type, f"m{index}"], source, monkeypatch)
        subprocess.run([verify, f"m{index}.db"], cwd=tmp_path, check=True, capture_output=True)


# sendmail -bt

CF = r"""V10/Berkeley
Djmx.example.test
Dmexample.test
O DontBlameSendmail={blame}
O ServiceSwitchFile={folder}/switch
O HostsFile={folder}/hosts
O AliasFile={folder}/aliases
O QueueDirectory={folder}
Kh hash {folder}/h
Khf hash -f {folder}/h
Khm hash -m -a<M> {folder}/h
Khn hash -N {folder}/n
Kho hash -O {folder}/n
Kn hash {folder}/n
Kb btree -a.x {folder}/b
Kabsent hash {folder}/absent
Koptional hash -o {folder}/absent
Kempty hash {folder}/empty
Kjunk hash {folder}/junk
Kkind btree {folder}/h
Kopen hash {folder}/open/h
Klink hash {folder}/open/link
Kopentext text {folder}/open/t
Ktext text -k0 -v2 -z: {folder}/t
Ktextb text -k 1 -v 0 {folder}/t2
Ktextn text -k x {folder}/t
Ktexto text -o {folder}/absent
Kseq sequence absent text h
Kswh switch hosts
Kswn switch nothing
Kimp implicit {folder}/h
Kimpn implicit {folder}/absent
Kdq dequote -s_ -a.x
Kdqa dequote -a.x -s_
Kar arpa
Kmac macro
Krx regex -s1,2 -d: ^(a|ab)(c|bcd)(d*)$
Krb regex -b -a.y ^\(x*\)y$
Kuser user -v gecos
Knull null
Kdns dns -R NOSUCH
Kpg program /bin/echo a b
Kpn program /no/such
Ksk socket inet:1
Ksl socket foo:bar
Kdup hash {folder}/d
Kbad hash
Kbad2 hash -x {folder}/h
Mlocal, P=/bin/true, F=lsDFMAw5:/|@qPSXfmnz9, A=true
Mprog, P=/bin/sh, F=lsDFMoqeu9, A=sh -c $u
S0
R$*	$#local $:$1
S3
R$*	$:$1
"""

KEYS = {
    "h": ["Key", "key", "a b", '"q"', "percent", "absent", "long", "trailing"],
    "hf": ["Key", "key"],
    "hm": ["KEY"],
    "hn": ["key"],
    "ho": ["key"],
    "n": ["key", "key"],
    "b": ["k", "x" * 300],
    "absent": ["x", "y"],
    "optional": ["x"],
    "empty": ["x"],
    "junk": ["x"],
    "kind": ["key"],
    "open": ["key"],
    "link": ["key"],
    "opentext": ["a"],
    "text": ["a", "B", "none", "#x"],
    "textb": ["one", "two", "three"],
    "textn": ["a"],
    "texto": ["a"],
    "seq": ["a", "key", "none"],
    "swh": ["x"],
    "swn": ["x"],
    "imp": ["key"],
    "impn": ["x"],
    "dq": ['"a b"', '"a"', "a", '"a<b"'],
    "dqa": ['"a b"', '"a"'],
    "ar": ["192.0.2.1", "IPv6:2001:db8::1", "x"],
    "rx": ["abcd", "acd", "abd"],
    "rb": ["xxy", "z"],
    "mac": ["{M}", "{.x.}"],
    "user": ["root", "nobody-at-all"],
    "null": ["x"],
    "dns": ["x"],
    "pg": ["x y"],
    "pn": ["x"],
    "sk": ["x"],
    "sl": ["x"],
    "dup": ["k"],
    "bad": ["x"],
    "bad2": ["key"],
    "nosuch": ["x"],
    "aliases": ["root", "Ann", "nobody"],
    "Alias0": ["root"],
    "aliases.files": ["root"],
    "host": ["localhost", "nine", "[127.0.0.1]", "[127.0.0.9]", "[x"],
}


@pytest.fixture(params=["real", "own"])
def configuration(request, programs: Path, tmp_path: Path, monkeypatch) -> Path:
    """A sendmail.cf with files that one makemap or the other has made."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "mail"
    folder.mkdir()
    texts = {
        "h": 'Key\tUpper\n"q"\tquoted\npercent\t100%% %a %9\nlong\t'
        + "v" * 900
        + "\ntrailing\tblanks  \n",
        "b": "k\tv\n",
        "n": "key\tnul\n",
        "d": "k\tone\nk\ttwo\n",
        "t": "a:1:x\nb:2:y\n# c\n#x:3:z\n",
        "t2": "one  1\ntwo\t2 extra\n",
        "aliases": "root: ann\nann: a@b.test,\n c\n",
        "switch": "hosts\tfiles\naliases\tfiles\n",
        "hosts": "127.0.0.1 localhost\n127.0.0.9 nine.test nine\n",
        "empty.db": "",
        "junk.db": "junk" * 3000,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)
    for name, letters, type in (
        ("h", "", "hash"),
        ("n", "-N", "hash"),
        ("b", "", "btree"),
        ("d", "-d", "hash"),
    ):
        arguments = ["-C", "/dev/null", *letters.split(), type, name]
        source = texts[name].encode()
        if request.param == "real":
            assert _real(programs, folder, arguments, source)[0] == 0
        else:
            assert _called(folder, arguments, source, monkeypatch)[0] == 0
        (folder / f"{name}.db").chmod(0o644)
    # As newaliases makes it, which would read the whole of the file below.
    source = b"root ann\nann a@b.test,  c\n@ @\n"
    assert _real(programs, folder, ["-C", "/dev/null", "-N", "hash", "aliases"], source)[0] == 0
    (folder / "open").mkdir()
    shutil.copy(folder / "h.db", folder / "open/h.db")
    shutil.copy(folder / "t", folder / "open/t")
    (folder / "open").chmod(0o777)
    (folder / "open/link.db").symlink_to("../h.db")
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """For sendmail: a host name with a dot, for which it waits long where there is none."""
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    subprocess.run(
        [require("gcc", "gcc"), "-shared", "-fPIC", "-O1", "-o", library, SHIM_SOURCE], check=True
    )
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        "SHIM_HOST": "mx.example.test",
        "SHIM_LOG": str(library.with_name("log")),
        "RES_OPTIONS": "attempts:1 timeout:1",
    }


def _dialogue(
    command: list[str | Path], folder: Path, environment: dict[str, str] | None = None
) -> list[tuple[str, str]]:
    """What is said to each lookup."""
    asked = [f"/map {name} {key}" for name, keys in KEYS.items() for key in keys]
    done = subprocess.run(
        [*map(str, command), "-C", str(folder / "sendmail.cf")],
        input="".join(f"{line}\n" for line in asked).encode(),
        capture_output=True,
        check=False,
        env=environment,
    )
    # Folders above the test's may be open to all, which real sendmail says to root.
    said = re.sub(rb"WARNING: \w+ writable directory .*\n", b"", done.stdout)
    start, *answers = re.split(r"^> ", said.decode("utf-8", "surrogateescape"), flags=re.M)
    complaints = re.findall(r"sendmail\.cf: line .*", start)
    return [("start", "\n".join(complaints)), *zip(asked, answers, strict=False)]


BLAME = [
    "Safe",
    "MapInUnsafeDirPath",
    "MapInUnsafeDirPath,LinkedMapInWritableDir",
    "TrustStickyBit",
]


@pytest.mark.parametrize("blame", BLAME)
def test_lookups_are_answered_as_by_sendmail(
    programs: Path, configuration: Path, environment: dict[str, str], blame: str
) -> None:
    (configuration / "sendmail.cf").write_text(CF.format(folder=configuration, blame=blame))
    real = _dialogue([programs / "sendmail", "-bt"], configuration, environment)
    own = _dialogue([sys.executable, "-m", "filterd", "mta", "bt"], configuration)
    for one, two in zip(own, real, strict=True):
        assert one == two


# newaliases

ALIASES = """\
# comment
postmaster: root
Root: ann, bob
list: a@x.test,
  b@x.test
nocolon
 lead
empty:
dup: a
dup: b
remote@far.test: x
"quo ted": joe
A.B: c
prog: "|/bin/cat"
"""


def test_newaliases_says_and_stores_what_sendmail_does(
    programs: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    said, found = [], []
    for name, command in (
        ("real", [programs / "sendmail", "-bi"]),
        ("own", [sys.executable, "-m", "filterd", "mta", "newaliases"]),
    ):
        folder = tmp_path / name
        folder.mkdir(0o755)
        (folder / "aliases").write_text(ALIASES)
        (folder / "aliases").chmod(0o644)
        cf = CF.format(folder=folder, blame="MapInUnsafeDirPath,TrustStickyBit").split("\nKh ")[0]
        rules = (
            CF[CF.index("Mlocal") :]
            .replace(
                "R$*\t$#local $:$1\n", "R$*@far.test\t$#esmtp $@far.test $:$1\nR$*\t$#local $:$1\n"
            )
            .replace("Mprog", "Mesmtp, P=[IPC], F=mDFMuXa8, A=TCP $h\nMprog")
        )
        (folder / "sendmail.cf").write_text(f"{cf}\n{rules}")
        done = subprocess.run(
            [*map(str, command), "-C", str(folder / "sendmail.cf")],
            capture_output=True,
            check=False,
            text=True,
            env=environment if name == "real" else None,
        )
        text = done.stdout.replace(str(folder), "FOLDER")
        said.append((done.returncode, [one for one in text.splitlines() if "WARNING" not in one]))
        found.append(entries_of(folder / "aliases.db", "hash"))
    assert said[0] == said[1]
    assert found[0] == found[1]
