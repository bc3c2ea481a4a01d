"""makemap and newaliases: messages, exit statuses and files as sendmail 8.17 has them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from filterd.mta.maps.makemap import USAGE, makemap
from filterd.mta.maps.newaliases import NewAliases
from filterd.mta.maps.writing import entries_of
from tests.helpers.maps import cf_of, look_in

SOURCE = b"A x\nb y\na z\n c\nonly\n#c\n\nd  v w  \n"
TRUST = "O DontBlameSendmail=MapInUnsafeDirPath"


def _run(*arguments: str, source: bytes = SOURCE) -> tuple[int, str, str]:
    out, errors = io.BytesIO(), io.BytesIO()
    status = makemap(["-C", "/dev/null", *arguments], io.BytesIO(source), out, errors)
    # Folders above the test's may be writable for all.
    said = [one for one in errors.getvalue().decode().splitlines() if "writable dir" not in one]
    return status, out.getvalue().decode(), "".join(f"{one}\n" for one in said)


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


SPACE = "makemap: m: line 4: syntax error (leading space)\n"
ONLY = "makemap: m: line 5: no RHS for LHS only\n"
DUPLICATE = "makemap: m: line 3: key a: duplicate key\n"

OPTIONS = [
    ("", DUPLICATE + SPACE + ONLY, {"a": "x", "b": "y", "d": "v w  "}),
    ("-r", SPACE + ONLY, {"a": "z", "b": "y", "d": "v w  "}),
    ("-e", DUPLICATE + SPACE, {"a": "x", "b": "y", "only": "", "d": "v w  "}),
    ("-f", SPACE + ONLY, {"A": "x", "a": "z", "b": "y", "d": "v w  "}),
    ("-N", DUPLICATE + SPACE + ONLY, {"a\0": "x\0", "b\0": "y\0", "d\0": "v w  \0"}),
    (
        "-D b",
        DUPLICATE + SPACE + ONLY + "makemap: m: line 6: no RHS for LHS #c\n",
        {"a": "x", "d": "v w  "},
    ),
]


@pytest.mark.parametrize("type", ["hash", "btree", "cdb"])
@pytest.mark.parametrize(("options", "said", "entries"), OPTIONS)
def test_what_makemap_stores_and_says(
    in_folder: Path, type: str, options: str, said: str, entries: dict[str, str]
) -> None:
    assert _run(*options.split(), type, "m") == (65, "", said)
    path = in_folder / ("m.cdb" if type == "cdb" else "m.db")
    found = entries_of(path, type)
    assert found == {key.encode(): [value.encode()] for key, value in entries.items()}
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("type", ["hash", "btree", "cdb"])
def test_duplicates_verbose_output_a_separator_and_the_way_back(type: str) -> None:
    status, out, said = _run("-dvt:", type, "m", source=b"k:one\nk:two words\nK2::x\n")
    assert (status, said) == (0, "")
    assert out == "key=`k', val=`one'\nkey=`k', val=`two words'\nkey=`k2', val=`x'\n"
    status, out, said = _run("-u", type, "m")
    assert sorted(out.splitlines()) == ["k\tone", "k\ttwo words", "k2\tx"]
    assert _run("-ut", "=", type, "m")[1].count("=") == 3


@pytest.mark.parametrize("type", ["hash", "btree", "cdb"])
def test_the_letter_o_adds_to_a_file(in_folder: Path, type: str) -> None:
    assert _run(type, "m", source=b"a 1\n")[0] == 0
    status, _, said = _run("-o", type, "m", source=b"a 2\nb 2\n")
    assert (status, said) == (65, "makemap: m: line 1: key a: duplicate key\n")
    assert sorted(_run("-u", type, "m")[1].splitlines()) == ["a\t1", "b\t2"]
    said = f"makemap: error opening type {type} map none: No such file or directory\n"
    assert _run("-o", type, "none") == (73, "", said)
    assert _run("-u", type, "none") == (73, "", said)


def test_long_lines_are_told_piece_by_piece() -> None:
    source = b"k " + b"v" * 1020 + b"\nx " + b"y" * 3000 + b"\nz 1\n"
    status, _, said = _run("hash", "m", source=source)
    assert status == 65
    assert (
        said
        == "".join(f"makemap: m: line {line}: line too long (1024 bytes max)\n" for line in (2, 3))
        + "makemap: m: line 4: no RHS for LHS "
        + "y" * (3002 - 2 * 1023)
        + "\n"
    )
    assert sorted(line[:3] for line in _run("-u", "hash", "m")[1].splitlines()) == ["k\tv", "z\t1"]


USAGES = [
    (("-z", "hash", "m"), "makemap: invalid option -- 'z'\n" + USAGE),
    (("hash",), USAGE),
    (("hash", "m", "x"), USAGE),
    (("-t",), "makemap: option requires an argument -- 't'\n" + USAGE),
]


@pytest.mark.parametrize(("arguments", "said"), USAGES)
def test_wrong_arguments(arguments: tuple[str, ...], said: str) -> None:
    assert _run(*arguments) == (64, "", said)


def test_the_types_are_listed() -> None:
    assert _run("-l") == (0, "hash\nbtree\ncdb\nimplicit\n", "")
    assert _run("-L") == (0, "cf\nCF\nhash\nbtree\ncdb\nimplicit\n", "")
    assert _run("foo", "m")[2] == "makemap: error opening type foo map m: Unknown database type\n"
    assert _run("dbm", "m")[2] == "makemap: Need to recompile with -DNDBM for dbm support\n"


def test_the_type_can_come_from_the_configuration(in_folder: Path) -> None:
    (in_folder / "x.cf").write_text("Kaccess btree -T<TMPF> /etc/mail/access.db\nKv hash -o K/v\n")
    arguments = ("-C", "x.cf", "CF", "access")
    assert _run(*arguments, source=b"a 1\n")[0] == 0
    assert entries_of(in_folder / "access.db", "btree") == {b"a": [b"1"]}
    assert _run("-C", "x.cf", "cf", "access")[::2] == (
        65,
        "makemap: mapfile access: not found in x.cf\n",
    )
    said = "makemap: mapfile q: not found in x.cf, using fallback hash\n"
    assert _run("-vi", "hash", "-C", "x.cf", "cf", "q", source=b"")[::2] == (0, said)
    assert _run("-C", "none.cf", "cf", "q")[::2] == (
        66,
        "makemap: none.cf: No such file or directory\n",
    )


def test_links_other_things_and_what_is_no_database_are_refused(in_folder: Path) -> None:
    assert _run("hash", "m")[0] == 65
    Path("link.db").symlink_to("m.db")
    os.link("m.db", "hard.db")
    (in_folder / "folder.db").mkdir()
    (in_folder / "junk.db").write_text("junk")

    def why(*arguments: str) -> str:
        status, _, said = _run(*arguments)
        assert status == 73
        return said.rpartition(": ")[2].rstrip()

    assert why("hash", "link") == "Symbolic links not allowed"
    assert why("hash", "hard") == "Hard links not allowed"
    assert why("hash", "folder") == "Regular files only"
    assert why("-u", "hash", "junk") == "Invalid argument"
    assert why("-o", "hash", "junk") == "Invalid argument"
    assert why("hash", "absent/m") == "No such file or directory"
    assert _run("-s", "hash", "link", source=b"new 1\n")[0] == 0
    assert (in_folder / "link.db").is_symlink()
    assert entries_of(in_folder / "m.db", "hash") == {b"new": [b"1"]}


def test_a_file_keeps_its_mode_and_nothing_is_left_behind(in_folder: Path) -> None:
    assert _run("hash", "m", source=b"a 1\n")[0] == 0
    (in_folder / "m.db").chmod(0o600)
    assert _run("hash", "m", source=b"a 2\n")[0] == 0
    assert (in_folder / "m.db").stat().st_mode & 0o777 == 0o600
    assert [one.name for one in in_folder.iterdir()] == ["m.db"]


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
me@mx.test: y
"quo ted": joe
A.B: c
prog: "|/bin/cat"
"""


RULES = (
    "O OperatorChars=.:@",
    "S3",
    "R$* @ $=w	$1",
    "S0",
    "R$* @ $*	$#esmtp $@ $2 $: $1 @ $2",
    "R$*	$#local $: $1",
    "Mlocal, P=/m, F=lA, A=m",
    "Mesmtp, P=/m, F=m, A=m",
)


def _newaliases(*lines: str) -> tuple[int, list[str]]:
    said: list[str] = []
    cf = cf_of("V10", "Djmx.test", "Cwmx.test", *lines, *RULES)
    status = NewAliases(cf, said.append).run()
    return status, said


@pytest.mark.parametrize("type", ["implicit", "hash", "btree", "cdb"])
def test_newaliases_makes_the_databases_of_the_configuration(in_folder: Path, type: str) -> None:
    file = in_folder / "aliases"
    file.write_text(ALIASES)
    file.chmod(0o644)
    spec = str(file) if type == "implicit" else f"{type}:{file}"
    status, said = _newaliases(TRUST, f"O AliasFile={spec}")
    assert status == 70
    assert said == [
        f"{file}: line 7: missing colon",
        f"{file}: line 8: empty:... missing value for alias",
        f"{file}: line 10: dup... Warning: duplicate alias name dup",
        f"{file}: line 11: remote@far.test... cannot alias non-local names",
        f"{file}: 9 aliases, longest 19 bytes, 91 bytes total",
    ]
    real = "hash" if type == "implicit" else type
    found = entries_of(in_folder / ("aliases.cdb" if type == "cdb" else "aliases.db"), real)
    end = b"\0" if type == "implicit" else b""
    assert {key.removesuffix(end): one.removesuffix(end) for key, (one,) in found.items()} == {
        b"@": b"@",
        b"postmaster": b"root",
        b"root": b"ann, bob",
        b"list": b"a@x.test,  b@x.test",
        b"dup": b"b",
        b"me": b"y",
        b'"quo ted"': b"joe",
        b"a.b": b"c",
        b"prog": b'"|/bin/cat"',
    }
    answer = look_in((TRUST, f"Ka {real} {file}"), "ROOT")
    assert answer.value == "ann, bob"


def test_newaliases_does_not_read_what_others_may_write(in_folder: Path) -> None:
    file = in_folder / "aliases"
    assert _newaliases(f"O AliasFile={file}") == (
        0,
        [f"newaliases: cannot open {file}: No such file or directory"],
    )
    file.write_text("root: ann\n")
    file.chmod(0o664)
    line = f"O AliasFile={file}"
    assert _newaliases(line) == (0, [f"newaliases: cannot open {file}: Group writable file"])
    assert _newaliases(f"{TRUST},GroupWritableAliasFile", line)[1] == [
        f"{file}: 1 aliases, longest 3 bytes, 7 bytes total"
    ]


def test_a_map_in_a_folder_that_others_may_write_to_is_refused(in_folder: Path) -> None:
    """As for root, who is the one that others would want to cheat."""
    from filterd.mta.maps.safety import Owner, trouble_with

    folder = in_folder / "open"
    folder.mkdir()
    (folder / "m.db").write_bytes(b"")
    (folder / "m.db").chmod(0o644)
    uid, gid = os.getuid(), os.getgid()
    above = frozenset({"truststickybit"})

    def trouble(mode: int, *blame: str) -> str:
        folder.chmod(mode)
        owner = Owner(uid, gid, "", 0, uid, above | set(blame))
        return trouble_with(str(folder / "m.db"), owner, owner.map_checks())

    assert trouble(0o755) == ""
    assert trouble(0o777) == "World writable directory"
    assert trouble(0o775) == "Group writable directory"
    assert trouble(0o775, "groupwritabledirpathsafe") == ""
    assert trouble(0o777, "mapinunsafedirpath") == ""
    (folder / "l.db").symlink_to("m.db")
    owner = Owner(uid, gid, "", 0, uid, above | {"mapinunsafedirpath"})
    found = trouble_with(str(folder / "l.db"), owner, owner.map_checks())
    assert found == "Symbolic links not allowed"
