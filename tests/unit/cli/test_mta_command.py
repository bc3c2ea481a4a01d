"""`filterd mta` as a program."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.queue.spool import Spool
from tests.helpers.process import wait_for

pytestmark = pytest.mark.server


CF = """\
V10
Djmx.example.test
Cwlocalhost
O DaemonPortOptions=Name=MTA, Addr=127.0.0.1, Port=0
O QueueDirectory={folder}/mqueue
O InputMailFilters=f1
Xf1, S=unix:{folder}/f1.sock, F=T, T=R:2s
Mlocal, P={folder}/deliver, F=lsDFMA5:/|@qSPhn9, A=deliver -d $u
Mprog, P=/bin/sh, F=lsDFMoqeu9, A=sh -c $u
Mesmtp, P=[IPC], F=mDFMuXa, A=TCP $h
O OperatorChars=.:%@!^/[]+
O DontBlameSendmail=truststickybit,groupwritabledirpathsafe
S3
R<>\t$@ <@>
R$* < $* > $*	$: $2
R$* @ $+	$: $1 < @ $2 >
S0
R<@>\t$#local $: <>
R$+ < @ localhost >	$#local $: $1
R$+ < @ $j >	$#local $: $1
R$+ < @ $+ >	$#esmtp $@ $2 $: $1 < @ $2 >
R$+	$#local $: $1
S4
R$* < @ $+ >	$1 @ $2
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "filterd", "mta", *arguments]


def run(*arguments: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=60, check=False, input=input
    )


@pytest.fixture
def cf(tmp_path: Path) -> Path:
    deliver = tmp_path / "deliver"
    deliver.write_text(f"#!/bin/sh\ncat > {tmp_path}/got-$2\n")
    deliver.chmod(0o755)
    path = tmp_path / "sendmail.cf"
    path.write_text(CF.format(folder=tmp_path))
    return path


@pytest.fixture
def port(cf: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    more = getattr(request, "param", ["--fault", "f1: quarantine at unknown"])
    server = subprocess.Popen(
        command("run", "--cf", str(cf), *more), stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line.startswith("filterd mta: listening on 127.0.0.1 port ")
        yield int(line.split()[-1])
    finally:
        server.terminate()
        assert server.wait(timeout=20) == 0
        assert server.stdout is not None
        server.stdout.close()


def test_a_sendmail_cf_is_run_and_delivers_with_its_own_program(cf: Path, port: int) -> None:
    message = cf.parent / "message.eml"
    message.write_bytes(b"Subject: one\n\nbody\n")
    sent = run("send", str(message), "--to", "joe", "--server", f"127.0.0.1:{port}", "--json")
    assert sent.returncode == 0, sent.stderr
    result = json.loads(sent.stdout)
    assert (result["code"], result["stage"], result["refused"]) == (250, "message", [])
    delivered = cf.parent / "got-joe"
    wait_for("the delivery", lambda: delivered.exists() and delivered.read_bytes())
    assert delivered.read_bytes().endswith(b"Subject: one\n\nbody\n")


def test_the_file_is_read_again_at_sighup_and_the_last_good_one_kept(cf: Path) -> None:
    rule = 'Rjoe\t$#error $@ 5.1.1 $: "550 {}"\n'
    good = cf.read_text().replace("S0\n", "S0\n" + rule.format("first"))
    cf.write_text(good)
    server = subprocess.Popen(
        command("run", "--cf", str(cf), "--fault", "f1: quarantine at unknown"),
        stdout=subprocess.PIPE,
        stderr=(cf.parent / "log").open("wb"),
        text=True,
    )

    def said(words: str) -> bool:
        return words in (cf.parent / "log").read_text()

    def told(port: int) -> str:
        sent = run("send", str(message), "--to", "joe", "--server", f"127.0.0.1:{port}", "--json")
        return str(json.loads(sent.stdout)["refused"][0][1])

    message = cf.parent / "message.eml"
    message.write_bytes(b"Subject: one\n\nbody\n")
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline().split()[-1])
        assert told(port) == "550 5.1.1 <joe>... first"
        cf.write_text(good.replace("550 first", "550 second"))
        server.send_signal(signal.SIGHUP)
        wait_for("the file to be read", lambda: said("configuration read again"))
        assert told(port) == "550 5.1.1 <joe>... second"
        cf.write_text(good.replace("S0\n", "S0\nnonsense\n"))
        server.send_signal(signal.SIGHUP)
        wait_for("the file to be refused", lambda: said("configuration not changed"))
        assert said('unknown configuration line "nonsense"')
        assert told(port) == "550 5.1.1 <joe>... second"
    finally:
        server.terminate()
        assert server.wait(timeout=20) == 0
        server.stdout.close()


@pytest.mark.parametrize("port", [["--fault", "f1: close at eom"]], indirect=True)
def test_a_fault_shows_what_the_flags_do(cf: Path, port: int) -> None:
    message = cf.parent / "message.eml"
    message.write_bytes(b"Subject: one\n\nbody\n")
    sent = run("send", str(message), "--to", "joe", "--server", f"127.0.0.1:{port}")
    assert sent.returncode == 75
    assert "451 4.3.2 Please try again later" in sent.stdout
    assert sent.stderr == "1 deferred\n"


def test_a_bad_cf_ends_with_sendmails_words_and_status(cf: Path) -> None:
    cf.write_text(cf.read_text().replace("F=T, T=R:2s", "F=T,T+S:5m;R:5m"))
    ended = run("run", "--cf", str(cf))
    assert ended.returncode == 78
    lines = ended.stderr.splitlines()
    assert lines[0] == f"{cf}: line 7: Xf1: `=' expected"
    assert lines[1].startswith("451 4.0.0 InputFilter f1 not defined")
    assert lines[2] == "hint: line 7: expected T=S:5m;R:5m"


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--fault", "f9: close at body"], 64, "no filter 'f9'"),
        (["--fault", "nonsense"], 64, "expected"),
        (["--mail", "/tmp"], 64, "one of the two"),
    ],
)
def test_options_that_make_no_sense(cf: Path, arguments: list[str], status: int, text: str) -> None:
    ended = run("run", "--cf", str(cf), *arguments)
    assert ended.returncode == status
    assert text in ended.stderr
    assert "Traceback" not in ended.stderr


def test_sending_nowhere_is_temporary(tmp_path: Path) -> None:
    message = tmp_path / "message.eml"
    message.write_bytes(b"x\n")
    ended = run("send", str(message), "--to", "joe", "--server", "127.0.0.1:1")
    assert ended.returncode == 75
    assert "1 not sent" in ended.stderr
    assert run("send", str(message), "--to", "joe", "--server", "nowhere").returncode == 64


def test_the_queue_is_listed_released_and_deleted(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    for id in ("ONE", "TWO"):
        spool.store(QueueEntry(id, "a@x", (Target("joe"),), held="why"), b"x\n")
    at = ("--spool", str(tmp_path))
    listed = [json.loads(line) for line in run("queue", "list", *at, "--json").stdout.splitlines()]
    assert [(row["id"], row["held"]) for row in listed] == [("ONE", "why"), ("TWO", "why")]
    assert run("queue", "release", "ONE", *at).returncode == 0
    assert run("queue", "delete", "TWO", *at).returncode == 0
    assert run("queue", "delete", "TWO", *at).returncode == 65
    assert [entry.id for entry in spool.entries()] == ["ONE"]
    assert list(spool.held()) == []


def test_a_password_is_set_and_set_again(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    for password in ("one", "two"):
        assert run("passwd", str(path), "ann", input=password + "\n").returncode == 0
    (line,) = path.read_text().splitlines()
    assert line.startswith("ann:scrypt$")
    assert path.stat().st_mode & 0o777 == 0o600


def test_addresses_and_filters_are_explained_without_running(cf: Path) -> None:
    aliases = cf.parent / "aliases"
    aliases.write_text('list: ann, "|/bin/cat x", bob@far.test\nowner-list: sue\n')
    cf.write_text(cf.read_text() + f"OA{aliases}\nMprog, P=/bin/sh, F=ls, A=sh -c $u\n")
    done = run("test", "--cf", str(cf), "list", "joe", "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {key: rows[0][key] for key in ("filter", "flags", "on_failure", "missing")} == {
        "filter": "f1",
        "flags": "T",
        "on_failure": "451, try again",
        "missing": True,
    }
    # T= of the file names one timeout; the others are sendmail's defaults.
    limits = (rows[0]["connect"], rows[0]["write"], rows[0]["read"], rows[0]["eom"])
    assert limits == (300.0, 10.0, 2.0, 300.0)
    people = [(one["to"], one["mailer"], one["errors_to"]) for one in rows[1]["deliveries"]]
    assert people == [
        ("bob@far.test", "esmtp", "sue"),
        ('"|/bin/cat x"', "prog", "sue"),
        ("ann", "local", "sue"),
    ]
    assert rows[2]["resolves"] == {"mailer": "local", "host": "", "user": "joe"}


def test_an_address_that_gets_no_mail_ends_with_sendmails_status(cf: Path) -> None:
    done = run("test", "--cf", str(cf), "|/bin/sh", "joe")
    assert done.returncode == 67
    assert "  to |/bin/sh: refused 5.7.1 Cannot mail directly to programs\n" in done.stdout
    assert "joe: mailer local, user joe\n" in done.stdout
    assert "timeouts: connect 300 s, write 10 s, read 2 s, eom 300 s\n" in done.stdout


def test_postfixs_filters_are_explained_in_its_own_words(tmp_path: Path) -> None:
    empty = tmp_path / "filterd.toml"
    empty.touch()
    done = run(
        "test",
        "--config",
        str(empty),
        "--flavour",
        "postfix",
        "--filter",
        "f1: { unix:/none, default_action=accept }",
        "joe@x.test",
    )
    assert done.returncode == 0, done.stderr
    assert "when it fails: accept\n" in done.stdout
    assert "timeouts: connect 30 s, command 30 s, content 300 s\n" in done.stdout
