"""What leaves by the rules: header addresses, groups of recipients, any octets."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.cf.tokens import TokenTables
from filterd.mta.delivery.router import DeliveryError, DeliveryOutcome
from filterd.mta.mail.address import Route, to_text
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.sendmail.header_addresses import addresses, rewritten
from filterd.mta.sendmail.router import RuleRouter
from tests.helpers.lmtp_program import lmtp_program
from tests.helpers.mini_cf import router as router_of
from tests.helpers.process import folder
from tests.helpers.smtp_server import HELLO, OK, server

TABLE = TokenTables.of(".:%@!^/[]+").addresses
ROUTER = router_of()
MESSAGE = b"From: joe\nTo: far@far.test\nSubject: one\n\nbody\n"


def fields(*given: tuple[str, str], old_style: bool = True) -> list[tuple[str, str]]:
    """Fields rewritten by a mailer that puts S or R in front of each address."""
    found = rewritten(
        [(name.encode(), value.encode()) for name, value in given],
        TABLE,
        lambda text, sender: f"{'S' if sender else 'R'}-{text}",
        old_style=old_style,
    )
    return [(name.decode(), value.decode()) for name, value in found]


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("To", " a@x.test", " R-a@x.test"),
        ("from", " Ann (at home) <ann@x.test>", " S-Ann (at home) <ann@x.test>"),
        ("Cc", " a,b ,\n  c", " R-a, R-b, R-c"),
        ("To", ' "Q, R" <a@x.test>, grp: b, c;', ' R-"Q, R" <a@x.test>, R-grp: b, R-c;'),
        ("To", " one two three", " R-one, R-two, R-three"),
        ("To", " one @ x.test two", " R-one @ x.test, R-two"),
        ("Reply-To", " one two", " S-one two"),
        ("Errors-To", " a", " S-a"),
        ("X-To", " a", " a"),
        ("Subject", " a, b", " a, b"),
        ("To", " ,", " "),
        ("To", "", ""),
    ],
)
def test_each_address_of_a_field_is_rewritten(name: str, value: str, wanted: str) -> None:
    assert fields((name, value)) == [(name, wanted)]


def test_a_comma_in_any_field_means_that_blanks_do_not_separate() -> None:
    assert fields(("To", " one two"), ("Cc", " a, b"))[0] == ("To", " R-one two")
    assert fields(("To", " one two"), old_style=False) == [("To", " R-one two")]


def test_long_fields_are_folded_between_addresses() -> None:
    ((_, value),) = fields(("To", ", ".join(f"user{n}@example.test" for n in range(10))))
    assert all(len(line) <= 78 for line in f"To:{value}".split("\n"))
    assert value.replace("\n" + " " * 8, " ") == ", ".join(
        f"R-user{n}@example.test" for n in range(10)
    )


@given(st.binary(max_size=300), st.sampled_from([",", " "]))
def test_any_octets_are_cut_into_addresses(octets: bytes, delimiter: str) -> None:
    text = to_text(octets)
    found = list(addresses(text, TABLE, delimiter))
    assert sum(map(len, found)) <= len(text)


@given(st.binary(max_size=300))
def test_any_octets_are_an_address_or_refused(octets: bytes) -> None:
    text = to_text(octets)
    for listed in (False, True):
        try:
            ROUTER.resolve(text, listed=listed)
        except DeliveryError as error:
            assert error.reply is None or error.reply[0] in "45"
    assert all(isinstance(one, Target) for one in ROUTER.expand((Target(text),)))


# Deliveries


def deliver(
    router: RuleRouter, *recipients: str, sender: str = "joe", message: bytes = MESSAGE
) -> list[DeliveryOutcome]:
    entry = QueueEntry("ID", sender, router.expand(tuple(map(Target, recipients))))
    return list(router.deliver(entry, message))


def mailer(script: str, name: str = "local", flags: str = "lsmDFMA5:/|@PSn9") -> str:
    return f"M{name}, P=/bin/sh, F={flags}, S=EnvFromL, A=sh -c {script} $u"


def test_recipients_of_one_mailer_go_together_and_no_more_than_it_takes(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/out\ncat >/dev/null\n')
    script.chmod(0o755)
    line = f"Mlocal, P={script}, F=lsmDFMA5:/|@PSfn9, S=EnvFromL, r=2, A=deliver -h $h -d $u"
    people = ("dora+z", "ann", "bob", "Carl", "eve+x")
    found = deliver(router_of(line), *people, sender="sue@far.test")
    assert [(one.mailer, one.error) for one in found] == [("local", None)] * 5
    # Details do not part them: `$h` is that of the first.
    assert (tmp_path / "out").read_text() == (
        "-f sue@far.test -h  -d ann bob\n-f sue@far.test -h  -d carl eve\n"
        "-f sue@far.test -h +z -d dora\n"
    )


def test_a_delivery_sees_macros_of_the_session(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/out\ncat >/dev/null\n')
    script.chmod(0o755)
    line = f"Mlocal, P={script}, F=lsDFMA5:/|@PSn9, A=deliver $s ${{daemon_flags}} $u"
    entry = QueueEntry("ID", "joe", (Target("ann"),), macros={"s": "c.test", "{daemon_flags}": "f"})
    assert [one.error for one in router_of(line).deliver(entry, MESSAGE)] == [None]
    assert (tmp_path / "out").read_text() == "c.test f ann\n"


def test_another_mailer_gets_the_recipients_of_one_host_at_a_time(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/out\ncat >/dev/null\n')
    script.chmod(0o755)
    line = f"Mesmtp, P={script}, F=smS, A=send $h $u"
    deliver(router_of(line), "a@one.test", "b@two.test", "c@one.test")
    assert (tmp_path / "out").read_text() == (
        "one.test a@one.test c@one.test\ntwo.test b@two.test\n"
    )


def test_recipients_of_one_host_go_in_one_transaction() -> None:
    refused = b"550 5.1.1 unknown\r\n"
    replies = [*HELLO, OK, OK, refused, b"354 go on\r\n", b"250 2.0.0 taken\r\n", b"221 bye\r\n"]
    with server(replies) as heard:
        line = f"Mesmtp, P=[IPC], F=mDFMuXa, S=HeadSmtp, R=HeadSmtp, A=TCP $h {heard.port}"
        router = router_of(line, "D{h}x")
        found = deliver(router, "a@[127.0.0.1]", "b@[127.0.0.1]")
    assert [one.error is None for one in found] == [True, False]
    error = found[1].error
    assert error is not None
    assert (error.temporary, error.code) == (False, "5.1.1")
    assert b"MAIL FROM:<joe@mx.example.test>" in heard.data
    assert b"From: joe@mx.example.test\r\nTo: far@far.test\r\n" in heard.data
    assert heard.data.count(b"RCPT TO:") == 2


@pytest.mark.parametrize(
    ("given", "message", "wanted"),
    [
        ("BODY=8BITMIME", MESSAGE, b" BODY=7BIT\r\n"),
        ("BODY=8BITMIME", MESSAGE + b"\xfc\n", b" BODY=8BITMIME\r\n"),
        ("BODY=7BIT", MESSAGE + b"\xfc\n", b" BODY=7BIT\r\n"),
        ("RET=FULL", MESSAGE + b"\xfc\n", b"> RET=FULL\r\n"),
    ],
)
def test_a_body_is_announced_as_what_it_is(given: str, message: bytes, wanted: bytes) -> None:
    with server([*HELLO, OK, b"550 no\r\n", OK, OK]) as heard:
        router = router_of(f"Mesmtp, P=[IPC], F=mDFMuXa, A=TCP $h {heard.port}")
        targets = router.expand((Target("a@[127.0.0.1]"),))
        entry = QueueEntry("ID", "joe", targets, sender_parameters=(given,))
        assert len(list(router.deliver(entry, message))) == 1
    assert wanted in heard.data


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("Mlocal, P=/bin/cat, F=lsA5, M=10, A=cat $u", "5.2.3", "Message is too large"),
        ("Mlocal, P=[IPC], F=lsA5, A=TCP $h nosuchport", "5.3.5", "unknown service name"),
        ("Mlocal, P=/no/such, F=lsA5, A=cat $u", "4.3.5", "No such file"),
    ],
)
def test_what_a_mailer_cannot_take(line: str, code: str, words: str) -> None:
    (outcome,) = deliver(router_of(line), "ann")
    assert outcome.error is not None
    assert outcome.error.code == code
    assert words in str(outcome.error)


def test_marks_that_rules_leave_in_an_address_are_octets(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\ncat > {tmp_path}/out; echo "$1" > {tmp_path}/user\n')
    script.chmod(0o755)
    router = router_of(
        "Slocaladdr=5",
        "Rmarked\t$#local $: a $| b",
        "SEnvFromL",
        "Rjoe\t$: joe $| x",
        "SHeadIn",
        "R$+\t$: $1 $| y",
        f"Mlocal, P={script}, F=lsA5:/|@PSn9, S=EnvFromL/HeadIn, R=0/HeadIn, A=deliver $u",
    )
    (outcome,) = deliver(router, "marked")
    assert outcome.error is None
    assert (tmp_path / "user").read_bytes() == b"a\x9bb\n"
    assert (tmp_path / "out").read_bytes().startswith(b"Return-Path: <joe\x9bx>\nFrom: joe\x9by\n")


def test_a_route_of_rules_that_are_gone_is_found_again() -> None:
    target = Target("ann", route=Route("procmail", "", "ann"))
    (outcome,) = router_of().deliver(QueueEntry("q1", "joe", (target,)), MESSAGE)
    assert (outcome.error, outcome.mailer) == (None, "local")


def test_too_many_hops_stay_in_the_queue() -> None:
    looping = b"Received: by a\n" * 4 + MESSAGE
    (outcome,) = deliver(router_of("O MaxHopCount=3"), "ann", message=looping)
    assert outcome.error is not None
    assert (outcome.error.temporary, str(outcome.error)) == (True, "Too many hops 4 (3 max)")


def test_check_compat_is_asked_about_each_recipient() -> None:
    line = 'Scheck_compat\nR<joe> $| <ann>\t$#error $@ 5.7.1 $: "550 not you"\n'
    line += 'R<joe> $| <bob>\t$#discard\nR<joe> $| <carl>\t$#error $@ 4.7.1 $: "450 later"'
    router = router_of("D{x}y", *line.split("\n"))
    found = {one.target.address: one for one in deliver(router, "ann", "bob", "carl", "dora")}
    refused, later = found["ann"].error, found["carl"].error
    assert refused is not None
    assert later is not None
    assert (refused.temporary, refused.code, str(refused)) == (False, "5.7.1", "not you")
    assert later.temporary
    assert [found[name].mailer for name in ("bob", "dora")] == ["discard", "local"]


def test_a_program_and_a_file_of_a_list_get_the_message(tmp_path: Path) -> None:
    aliases = tmp_path / "aliases"
    aliases.write_text(f'list: "|cat > {tmp_path}/piped", {tmp_path}/file\n')
    # Programs run as DefaultUser if the MTA is root.
    us = f"O DefaultUser={os.getuid()}:{os.getgid()}"
    found = deliver(router_of(us, aliases=aliases), "list", sender="")
    assert [one.error for one in found] == [None, None]
    assert (tmp_path / "piped").read_bytes().endswith(b"From: joe\n" + MESSAGE.split(b"\n", 1)[1])
    assert b"Return-Path: <>" not in (tmp_path / "file").read_bytes()
    assert (tmp_path / "file").read_bytes().startswith(b"From MAILER-DAEMON ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_what_a_user_names_is_written_with_the_users_rights() -> None:
    user = pwd.getpwnam("nobody")
    with folder("forward") as name:
        place = Path(name)
        place.chmod(0o711)
        (place / "mine").mkdir()
        os.chown(place / "mine", user.pw_uid, user.pw_gid)
        (place / "roots").touch(0o600)
        (place / "nobody.forward").write_text(f"{place}/mine/box, {place}/roots\n")
        router = router_of("Tnobody", f"O ForwardPath={place}/$u.forward", flags="w")
        by_place = {one.target.address: one.error for one in deliver(router, "nobody")}
        assert by_place[f"{place}/mine/box"] is None
        assert (place / "mine/box").stat().st_uid == user.pw_uid
        assert by_place[f"{place}/roots"] is not None
        assert (place / "roots").read_bytes() == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_list_gives_its_owner_no_more_rights() -> None:
    user = pwd.getpwnam("nobody")
    with folder("list") as name:
        place = Path(name)
        place.chmod(0o711)
        (place / "mine").mkdir()
        (place / "list").write_text(
            f'"|id -un > {place}/mine/who", {place}/mine/box, {place}/new\n'
        )
        for path in (place / "mine", place / "list"):
            os.chown(path, user.pw_uid, user.pw_gid)
        aliases = place / "aliases"
        aliases.write_text(f"friends: :include:{place}/list\n")
        # Of class t, since nobody has no shell of /etc/shells.
        found = deliver(router_of("Tnobody", aliases=aliases), "friends")
        by_place = {one.target.address: one.error for one in found}
        assert by_place[f"{place}/mine/box"] is None
        assert (place / "mine/who").read_text() == "nobody\n"
        assert by_place[f"{place}/new"] is not None
        assert not (place / "new").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_user_names_no_list_that_only_root_can_read() -> None:
    with folder("include") as name:
        place = Path(name)
        place.chmod(0o711)
        (place / "secret").write_text("root:$y$secret\n")
        (place / "secret").chmod(0o600)
        (place / "open").write_text("ann@far.test\n")
        forward = place / "nobody.forward"
        router = router_of(f"O ForwardPath={place}/$u.forward", flags="w")

        def problems(text: str) -> list[str]:
            forward.write_text(text)
            found = router.send_list()
            found.add(found.parse("nobody"))
            return [str(one.problem) for one in found.all if one.problem is not None]

        (said,) = problems(f":include:{place}/secret\n")
        assert said.endswith(f"Cannot open {place}/secret: Permission denied")
        assert problems(f":include:{place}/open\n") == []
        forward.unlink()
        forward.hardlink_to(place / "secret")
        assert router.expand((Target("nobody"),))[0].address == "nobody"


def test_mail_for_dev_null_is_delivered(tmp_path: Path) -> None:
    aliases = tmp_path / "aliases"
    aliases.write_text("nobody: /dev/null\n")
    (outcome,) = deliver(router_of(aliases=aliases), "nobody")
    assert (outcome.error, outcome.place) == (None, "/dev/null")


def test_a_fifo_in_place_of_a_mailbox_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "box")
    aliases = tmp_path / "aliases"
    aliases.write_text(f"list: {tmp_path}/box\n")
    (outcome,) = deliver(router_of(aliases=aliases), "list")
    assert outcome.error is not None
    assert outcome.error.temporary


# LMTP


def states(outcomes: list[DeliveryOutcome]) -> dict[str, str]:
    return {
        one.target.address: one.mailer
        if one.error is None
        else f"{'later' if one.error.temporary else 'never'} {one.error.code}"
        for one in outcomes
    }


def lmtp_line(path: str, arguments: str, flags: str = "lsmDFMA5:/|@PSn9z") -> str:
    return f"Mlocal, P={path}, F={flags}, S=EnvFromL, E=\\r\\n, A={arguments}"


WANTED = {"ann": "local", "no": "never 5.1.1", "full": "later 4.2.2", "bad": "never 5.6.0"}


def test_a_program_speaks_lmtp_for_several_recipients(tmp_path: Path) -> None:
    program = lmtp_program(tmp_path)
    router = router_of(lmtp_line(str(program), f"lmtp {tmp_path}/heard"))
    assert states(deliver(router, *WANTED)) == WANTED
    heard = (tmp_path / "heard").read_bytes().decode().replace("\r", "")
    assert heard.startswith("LHLO mx.example.test\nMAIL FROM:<joe>")
    assert "Return-Path: <joe>\nFrom: joe\n" in heard  # the flag P
    assert heard.endswith("QUIT\n")


def test_a_program_without_the_flag_is_spoken_to_by_smtp(tmp_path: Path) -> None:
    program = lmtp_program(tmp_path)
    line = lmtp_line(str(program), f"smtp {tmp_path}/heard", "lsmDFMA5:/|@Sn9")
    assert states(deliver(router_of(line), "ann")) == {"ann": "local"}
    heard = (tmp_path / "heard").read_text()
    assert heard.startswith("HELO ")
    assert "Return-Path" not in heard


def test_lmtp_over_a_socket() -> None:
    replies = [b"220 box\r\n", b"250 box\r\n", OK, OK, OK, b"354 go on\r\n"]
    after = b"250 2.0.0 stored\r\n450 4.2.0 later\r\n"
    replies += [after, b"221 bye\r\n"]
    with folder("socket") as place, server(replies, path=f"{place}/lmtp"):
        router = router_of(lmtp_line("[IPC]", f"FILE {place}/lmtp"))
        assert states(deliver(router, "ann", "bob")) == {"ann": "local", "bob": "later 4.2.0"}


@pytest.mark.parametrize(
    ("path", "arguments", "code", "words"),
    [
        ("[IPC]", "FILE /no/such/socket", "4.3.5", "unsafe domain socket /no/such/socket"),
        ("[IPC]", "FILE socket", "5.3.5", "expected the path of a socket"),
        ("[LPC]", "FILE x", "4.3.5", "P=[LPC]"),
        ("/bin/true", "true", "4.4.1", "connection closed"),
        ("/bin/cat", "cat", "4.4.1", "timed out"),
        ("/no/such", "such", "4.3.5", "No such file"),
    ],
)
def test_what_is_no_lmtp_server(
    path: str, arguments: str, code: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.mta.delivery.local_server.CONNECT_TIMEOUT", 0.2)
    (outcome,) = deliver(router_of(lmtp_line(path, arguments)), "ann")
    assert outcome.error is not None
    assert outcome.error.code == code
    assert words in str(outcome.error)


def test_lmtp_is_turned_off_for_a_program_that_is_told_its_users(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line = lmtp_line("/bin/sh", f"sh -c 'cat>{tmp_path}/out' $u").replace(
        f"sh -c 'cat>{tmp_path}/out'", f"sh {tmp_path}/script"
    )
    (tmp_path / "script").write_text(f"cat > {tmp_path}/out\n")
    assert states(deliver(router_of(line), "ann")) == {"ann": "local"}
    assert (tmp_path / "out").read_bytes().startswith(b"Return-Path: <joe>")
    assert "Warning: mailer local: LMTP flag (F=z) turned off" in caplog.text
