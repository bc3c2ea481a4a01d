"""F lines: words of a class from files, programs and maps. What is said, and which words there
are, is sendmail 8.17's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filterd.mta.cf.config import SendmailCf
from filterd.mta.sendmail.cf_files import parse_cf

WORDS = "one two\n# no\nthree\n\nFour five#six\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file of words, a program, a table, and a folder that others can write."""
    tmp_path.chmod(0o755)
    for above in tmp_path.parents:
        if above.stat().st_uid == os.getuid() and above.name.startswith(("pytest", "popen-")):
            above.chmod(0o755)
    (tmp_path / "words").write_text(WORDS)
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\necho "$# given"\necho "$AGENT second"\nexit 3\n')
    program.chmod(0o755)
    (tmp_path / "table").write_text("k1 v1\nk2 v2\n")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open/words").write_text(WORDS)
    (tmp_path / "open/link").symlink_to(tmp_path / "words")
    return tmp_path


def read(folder: Path, *lines: str, allows_programs: bool = True) -> SendmailCf:
    # A folder like /tmp is not what is looked at here.
    head = "V10/Berkeley\nO DontBlameSendmail=TrustStickyBit\n"
    text = "".join(f"{line}\n" for line in lines).replace("D/", f"{folder}/")
    return parse_cf(head + text, "x.cf", allows_programs=allows_programs)


def told(folder: Path, *lines: str, allows_programs: bool = True) -> tuple[set[str], list[str]]:
    cf = read(folder, *lines, allows_programs=allows_programs)
    problems = [one.replace(str(folder), "D") for one in cf.problems]
    return cf.classes.get("x", set()), [one.partition(": line 3: ")[2] for one in problems]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("FxD/words", "one three Four"),
        ("Fx-o D/words %[^\\#]", "one two three Four five"),
        ("Fx-o D/missing", ""),
        ("Fx-owords D/words", "one three Four"),
        ("Fx|D/program", "0 sendmail"),
        ("Fx -o |D/program a b", "0 sendmail"),
        ('Fx"|D/program a b" %s', "2 sendmail"),
        ("Fx-o |D/missing", ""),
        ("Fx|", ""),
        ("Fxk1@text:-k0 -v1 D/table", "v1"),
        ("Fx-o k1@text:-k0 -v1 -a.more D/table", "v1.more"),
        ("Fxk3@text:D/table", ""),
        ("Fxroot@user:-vuid", "0"),
        ("Fxk1@null:x", ""),
        ("Fxk1@program:D/program", ""),
        ("Fx-o nosuchuser@user:-vuid", ""),
        ("Fxk1@text:-o D/missing", ""),
    ],
)
def test_words_come_from_files_programs_and_maps(folder: Path, line: str, words: str) -> None:
    found, problems = told(folder, line)
    assert found == set(words.split())
    failed = ["fileclass: F{x}: map lookup failed"] if "@program" in line else []
    assert problems == failed


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("FxD/missing", "cannot open 'D/missing': No such file or directory"),
        ("FxD/", "cannot open 'D/': Regular files only"),
        ("FxD/wo\\ rds", "cannot open 'D/wo': No such file or directory"),
        ("Fx|D/missing a", "cannot open '|D/missing': No such file or directory"),
        ("Fx|echo hi", "cannot open '|echo': No such file or directory"),
        ("Fxk1@hash", "cannot open 'k1@hash': No such file or directory"),
        ("Fxk1@:x", "cannot open 'k1@:x': No such file or directory"),
        ("FxD/a@hash:x", "cannot open 'D/a@hash:x': No such file or directory"),
        ("Fxk1@nosuch:x", "F{x}: class nosuch not available"),
        ("Fxa@b@regex:-a@M ^a", "F{x}: class b@regex not available"),
        ("Fxnosuchuser@user:-vuid", "F{x}: map lookup failed"),
        ("Fx-o", "missing file name"),
    ],
)
def test_what_cannot_be_read_is_told(folder: Path, line: str, words: str) -> None:
    assert told(folder, line) == (set(), [f"fileclass: {words}"])


def test_a_map_that_cannot_be_opened_is_told_with_its_reason(folder: Path) -> None:
    reason = 'hash map "x": missing map file D/missing.db: No such file or directory'
    failed = "fileclass: F{x}: map open failed"
    assert told(folder, "Fxk1@hash:D/missing") == (set(), [reason, failed])
    assert told(folder, "Fx-o k1@hash:D/missing") == (set(), [reason])
    assert told(folder, "Fxk1@hash:-o D/missing") == (set(), [])


def test_programs_are_run_only_where_that_is_allowed(folder: Path) -> None:
    words, problems = told(folder, "Fx|D/program", allows_programs=False)
    assert words == set()
    assert problems == [
        "fileclass: programs are not run without --allow-programs for class x: |D/program"
    ]


@pytest.mark.skipif(os.getuid() != 0, reason="sendmail checks the folders of root's files only")
@pytest.mark.parametrize(
    ("blame", "name", "reason"),
    [
        ("GroupWritableDirPathSafe", "open/words", "World writable directory"),
        ("LinkedClassFileInWritableDir", "open/words", "World writable directory"),
        ("ClassFileInUnsafeDirPath", "open/words", ""),
        ("ClassFileInUnsafeDirPath", "open/link", "Symbolic links not allowed"),
        ("GroupWritableDirPathSafe", "secret", "Permission denied"),
    ],
)
def test_a_file_of_words_must_be_one_that_nobody_else_can_replace(
    folder: Path, blame: str, name: str, reason: str
) -> None:
    (folder / "secret").write_text(WORDS)
    (folder / "secret").chmod(0)
    cf = read(folder, f"O DontBlameSendmail=TrustStickyBit,{blame}", f"FxD/{name}")
    expected = [f"x.cf: line 4: fileclass: cannot open '{folder / name}': {reason}"]
    assert cf.problems == (expected if reason else [])


def test_root_reads_them_before_it_becomes_another_user(folder: Path) -> None:
    (folder / "own").write_text(WORDS)
    (folder / "own").chmod(0o600)
    cf = read(folder, "O RunAsUser=nobody", "FxD/own")
    assert (cf.classes["x"], cf.problems) == ({"one", "three", "Four"}, [])
