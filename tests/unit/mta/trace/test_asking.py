"""Rules of strangers: what is answered, and what they cannot do."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from filterd.mta.trace import asking
from filterd.mta.trace.asking import TraceError, TraceUnavailableError, ask
from filterd.mta.trace.question import TraceQuestion
from filterd.mta.trace.request import TraceRequest
from filterd.system.confinement import can_confine_files
from tests.helpers.process import require, unpacked

pytestmark = pytest.mark.server

HEAD = "V10/Berkeley\nO OperatorChars=.:%@!^/[]+\n"
LOCAL = "Mlocal, P=/bin/cat, F=lsDFMA5, A=cat $u\nMsmtp, P=[IPC], F=mDFMuX, S=From, A=TCP $h\n"
ROUTE = """\
S3
R$+ @ $+	$: $1 < @ $2 >
S0
R$+ < @ $+ >	$#smtp $@ $2 $: $1 < @ $2 >
R$+	$#local $: $1
"""
TABLES = """\
Ktable hash -o /etc/mail/table
Kcolumns text -k0 -v1 /etc/mail/columns
Kdouble sequence table columns
Kregex regex -a@yes ^[0-9]+$
Kuser user -m
Krun program /bin/echo
Kname dns -R A
Klog syslog
Kreach socket inet:25@127.0.0.1
Klist ldap -k (uid=%0) -v mail -h localhost
O AliasFile=/etc/mail/aliases
F{Hosts}/etc/mail/hosts
F{More}/etc/mail/more
"""
MC = "OSTYPE(`linux')dnl\nMAILER(`local')dnl\nMAILER(`smtp')dnl\n"
LOOK = "S3\nR$* ask $*\t$: $1 $(table $2 $: none $)\nR$* $={Hosts}\t$: $1 ours\n"


def asked(text: str, *addresses: str, **more: Any) -> dict[str, Any]:
    return ask(TraceRequest(text, addresses or ("joe@far.test",), **more))


def steps(answer: dict[str, Any], kind: str = "rule") -> list[dict[str, Any]]:
    return [one for row in answer["addresses"] for one in row["steps"] if one["kind"] == kind]


def macros() -> Path:
    require("m4", "m4")
    require(unpacked("sendmail") / "usr/libexec/sendmail/sendmail", "sendmail-cf")
    if not can_confine_files():
        pytest.skip("this kernel has no Landlock")
    return unpacked("sendmail") / "usr/share/sendmail/cf"


def test_each_step_in_order() -> None:
    answer = asked(HEAD + ROUTE + LOCAL)
    (row,) = answer["addresses"]
    assert (row["answer"], row["mailer"], row["host"]) == (
        "mailer smtp, host far.test, user joe<@far.test>",
        "smtp",
        "far.test",
    )
    shown = [(one["kind"], one.get("result", one.get("given"))) for one in row["steps"]]
    assert shown[:5] == [
        ("ruleset", "joe @ far . test"),
        ("rule", "joe @ far . test"),
        ("result", "joe < @ far . test >"),
        ("return", "joe < @ far . test >"),
        ("ruleset", "joe < @ far . test >"),
    ]
    rule = steps(answer)[0]
    assert (rule["place"], rule["left"], rule["right"]) == (
        "sendmail.cf:4",
        "$+ @ $+",
        "$: $1 < @ $2 >",
    )
    assert [one["text"] for one in rule["taken"]] == ["joe", "far . test"]


def test_a_ruleset_that_is_called_is_deeper() -> None:
    answer = asked(HEAD + "S3\nR$* up\t$>Inner $1\nSInner\nR$*\t$@ $1 down\n" + LOCAL, "a up")
    depths = [(one["kind"], one["depth"]) for one in answer["addresses"][0]["steps"]][:6]
    assert depths == [
        ("ruleset", 0),
        ("rule", 0),
        ("ruleset", 1),
        ("rule", 1),
        ("result", 1),
        ("return", 1),
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"question": TraceQuestion(mailer="smtp")}, "for mailer smtp: joe<@far.test>"),
        ({"question": TraceQuestion(mailer="smtp", sender=True)}, "for mailer smtp: me<@far.test>"),
    ],
)
def test_as_a_mailer_sees_it(more: dict[str, Any], said: str) -> None:
    answer = asked(HEAD + ROUTE + "SFrom\nRjoe $*\t$: me $1\n" + LOCAL, **more)
    assert answer["addresses"][0]["answer"] == said


def test_tables_that_are_given_are_read_with_their_lines() -> None:
    answer = asked(
        HEAD + TABLES + LOOK + LOCAL,
        "x ask KEY",
        "x mine",
        files={"/etc/mail/table": "# one\nkey value\n", "/etc/mail/hosts": "mine\n"},
    )
    (lookup,) = [one for step in steps(answer) for one in step["lookups"]]
    assert (lookup["key"], lookup["value"], lookup["entry"]) == (
        "KEY",
        "value",
        "/etc/mail/table:2",
    )
    assert "ours" in json.dumps(answer)
    assert answer["not_read"] == ["/etc/mail/more"]
    assert answer["not_looked_up"] == []


@pytest.mark.parametrize(
    ("map", "why"),
    [
        ("table", "/etc/mail/table was not given"),
        ("double", "/etc/mail/table was not given"),
        ("user", "users of this machine are not looked up"),
        ("run", "programs are not run"),
        ("name", "name servers are not asked"),
        ("host", "name servers are not asked"),
        ("reach", "other services are not asked"),
        ("list", "other services are not asked"),
        ("log", "nothing is written to the log"),
        ("aliases", "/etc/mail/aliases was not given"),
    ],
)
def test_nobody_is_asked(map: str, why: str) -> None:
    rules = HEAD + TABLES + LOOK.replace("table", map) + LOCAL
    answer = asked(rules, "x ask root")
    (lookup,) = [one for step in steps(answer) for one in step["lookups"]]
    assert lookup["value"] in (None, "")
    assert why in [one["why"] for one in answer["not_looked_up"]]


def test_maps_that_answer_out_of_themselves_do() -> None:
    answer = asked(HEAD + TABLES + LOOK.replace("table", "regex") + LOCAL, "x ask 77")
    assert steps(answer)[0]["lookups"][0]["value"] == "@yes"
    assert answer["not_looked_up"] == []


def test_alias_and_column_files(tmp_path: Path) -> None:
    files = {"/etc/mail/aliases": "root: joe,\n sue\n", "/etc/mail/columns": "a b\nroot x\n"}
    for map, value, line in (("aliases", "joe, sue", 1), ("columns", "x", 2)):
        answer = asked(
            HEAD + TABLES + LOOK.replace("table", map) + LOCAL, "x ask root", files=files
        )
        (lookup,) = steps(answer)[0]["lookups"]
        assert lookup["value"] == value
        assert lookup["entry"] == f"/etc/mail/{map}:{line}"


def test_what_sendmail_would_refuse_is_told_and_the_rest_traced() -> None:
    answer = asked(HEAD + "Z what\n" + ROUTE + LOCAL)
    assert any("unknown configuration line" in one for one in answer["problems"])
    assert answer["addresses"][0]["mailer"] == "smtp"


@pytest.mark.parametrize("odd", ["\x80", "é", "\u2603", "\udcff", "\r", "\x01"])
def test_any_characters_go_through(odd: str) -> None:
    text = (
        HEAD + f"Z{odd}\nD{{x}}{odd}\n" + ROUTE.replace("local $: $1", f"local $: $1{odd}") + LOCAL
    )
    files = {"/etc/mail/table": f"{odd} {odd}\n"}
    answer = asked(text, f"jo{odd}e", f"{odd}@far.test", files=files)
    assert len(answer["addresses"]) == 2
    assert answer["problems"]


def test_the_host_is_the_one_that_was_named() -> None:
    rules = HEAD + "S3\nR$* < @ $=w > $*\t$@ $1 here $j\n" + LOCAL
    answer = asked(rules, "a<@MX.example.test>", host="mx.example.test")
    (result,) = steps(answer, "result")
    assert result["result"] == "a here mx . example . test"
    assert steps(asked(rules, "a<@mx.example.test>")) == []


def test_an_unknown_mailer_is_named() -> None:
    with pytest.raises(TraceError, match=r"nope: not in sendmail\.cf; it has .*smtp"):
        asked(HEAD + ROUTE + LOCAL, question=TraceQuestion(mailer="nope"))


LOOPS = {
    "calls": "S3\nR$*\t$>A $1\nSA\nR$*\t$>B $1 x\nSB\nR$*\t$>A $1\n",
    "growth": "S3\nR$*\t$1 $1\n",
    "one rule": "S3\nR$*\t$1\n",
    "many": "S3\n" + "R$*\t$: $1\n" * 12_000,
    "wildcards": "S3\n" + "R$* $* $* $* $* $* $* $* $* never\t$1\n" * 20,
    "macros": "".join(f"D{{m{n}}}${{m{n + 1}}}${{m{n + 1}}}\n" for n in range(40))
    + "S3\nRx\t${m0}\n",
    "regex": "Kr regex (a*)*b(a*)*c\nS3\nR$+\t$: $(r $1 $)\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("rules", LOOPS.values(), ids=LOOPS.keys())
def test_rules_without_an_end_have_one(rules: str) -> None:
    try:
        answer = asked(HEAD + rules + LOCAL, " ".join("a" * 100))
    except TraceError as error:
        assert "processor time" in str(error) or "memory" in str(error)
    else:
        assert len(answer["addresses"]) == 1


def test_an_answer_that_is_too_long_is_none() -> None:
    rules = "S3\nR$*\t$: $1 $1 $1 $1 $1\n" + "R$*\t$: $1\n" * 2900
    with pytest.raises(TraceError, match="the answer is longer than 4 MiB"):
        asked(HEAD + rules + LOCAL, " ".join("a" * 120))


def test_m4_is_run_and_lines_of_the_mc_are_named() -> None:
    mc = MC + "LOCAL_RULE_0\nRrobot\t$#local $: joe\n"
    answer = ask(TraceRequest(mc, ("robot",), True, host="mx.example.test"), macros())
    assert answer["is_mc"]
    assert answer["addresses"][0]["answer"] == "mailer local, user joe"
    (own,) = [one for one in steps(answer) if one["left"] == "robot"]
    assert own["place"].startswith("sendmail.mc:5 (line ")
    assert any("m4/proto.m4:" in one["place"] for one in steps(answer))


@pytest.mark.parametrize(
    "text",
    [
        "include(`FILE')",
        "sinclude(`FILE')",
        "undivert(`FILE')",
        "include(`../../../../../../../../../../../../FILE')",
        "define(`x', defn(`include'))x(`FILE')",
        # What stands in for include names the real one.
        "define(`y', regexp(defn(`include'), `_\\(f[0-9a-f]*\\)_file', `\\1'))"
        "indir(`_'y`_include', `FILE')",
        "indir(`_'regexp(defn(`include'), `_\\(f[0-9a-f]*\\)_file', `\\1')`_sinclude', `FILE')",
        "syscmd(`cat FILE')",
        "esyscmd(`cat FILE')",
        "popdef(`esyscmd')esyscmd(`cat FILE')",
        "LOCAL_CONFIG\nKrun program /bin/cat FILE\nF{Secret}FILE\nF{Secret}|/bin/cat FILE",
    ],
)
def test_a_file_of_this_machine_is_not_read(tmp_path: Path, text: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a-secret-word\n")
    tmp_path.chmod(0o755)
    mc = MC + text.replace("FILE", str(secret))
    mc += "\nLOCAL_RULE_0\nR$={Secret}\t$#local $: $1\n"
    answer = ask(TraceRequest(mc, ("a-secret-word", "joe"), True), macros())
    told = json.dumps({**answer, "addresses": [row["steps"] for row in answer["addresses"][1:]]})
    assert "a-secret-word" not in told
    # And it is not known whether the word is in there.
    assert "R$={Secret}" not in json.dumps(answer["addresses"])


@pytest.mark.parametrize("read", ["include", "undivert"])
def test_what_lies_beside_the_libraries_of_m4_is_not_read(read: str) -> None:
    beside = Path("/usr/lib/os-release")
    assert beside.is_file(), "os-release(5)"
    mc = f"{MC}LOCAL_CONFIG\n{read}(`{beside}')\n"
    answer = ask(TraceRequest(mc, ("joe",), True), macros())
    assert "NAME=" not in json.dumps([answer["problems"], answer["messages"]])
    assert "Permission denied" in json.dumps(answer["messages"])


@pytest.mark.slow
def test_m4_has_an_end() -> None:
    files = macros()
    with pytest.raises(TraceError, match="m4 did not come to an end"):
        ask(TraceRequest("define(`x', `x x')x\n", ("joe",), True), files)


def test_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    files = macros()
    monkeypatch.setattr(asking, "TIME_LIMIT", 0.5)
    with pytest.raises(TraceError, match="it did not come to an end"):
        ask(TraceRequest("define(`x', `x')x\n", ("joe",), True), files)


def test_without_landlock_an_mc_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from filterd.mta.trace import child

    files = macros()
    monkeypatch.setattr(child, "confine_files", lambda *_: False)
    with pytest.raises(child.TraceRefusedError, match="no Landlock"):
        child.answered(TraceRequest("OSTYPE(`linux')\n", ("joe",), True), files)


def test_no_more_than_two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_turns", threading.BoundedSemaphore(1))
    monkeypatch.setattr(asking, "WAIT", 0.0)
    with asking._turns, pytest.raises(TraceUnavailableError, match="others are tracing"):
        asked(HEAD + ROUTE + LOCAL)


def test_a_child_that_fails_is_told_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        asking, "python_command", lambda *_: ["/bin/sh", "-c", "echo no >&2; exit 3"]
    )
    with pytest.raises(TraceUnavailableError, match="the log says why"):
        asked(HEAD + ROUTE + LOCAL)
    assert "status 3: no" in caplog.text


def test_where_no_child_can_be_started_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(asking.tempfile, "TemporaryFile", full)
    with pytest.raises(TraceUnavailableError, match="the log says why"):
        asked(HEAD + ROUTE + LOCAL)
    assert "No space left on device" in caplog.text
