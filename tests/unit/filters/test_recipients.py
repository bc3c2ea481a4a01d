"""Unknown recipients are refused at RCPT: by files, a program, servers; clients that guess."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.chain import replies
from filterd.chain.services import Services
from filterd.chain.stages import Session, Stage, stages_of
from filterd.chain.verdict import NO_OPINION, Action, Verdict
from filterd.filters.recipients.asking import AskingError, is_unknown
from filterd.filters.recipients.filter import Recipients
from filterd.filters.recipients.known import KnownError
from filterd.filters.recipients.settings import (
    RecipientServer,
    RecipientsSettings,
    ServerAddress,
)
from filterd.message import Client, Envelope, Recipient
from filterd.smtp.client import ServerReply
from filterd.system.mistakes import SettingsError
from tests.helpers.clock import Clock
from tests.helpers.full_state import FullState
from tests.helpers.receiving_mta import running
from tests.helpers.smtp_server import server

DOMAINS = ("mx.example", ".sub.example", "müller.example")


class Site:
    """A filter and its clock."""

    def __init__(self, services: Services | None = None, **settings: object) -> None:
        self.clock = Clock()
        self.clock.now = 1_700_000_000.0
        values = {"domains": DOMAINS, **settings}
        self.filter = Recipients(
            RecipientsSettings(**values),  # type: ignore[arg-type]
            services or Services(),
            self.clock,
        )

    def rcpt(
        self,
        recipient: str,
        *,
        address: str = "192.0.2.1",
        user: str = "",
        resolved: str = "",
        deadline: float = float("inf"),
    ) -> Verdict:
        macros = {"j": "mta.mx.example", **({"{auth_authen}": user} if user else {})}
        envelope = Envelope("ann@a.example", (), Client("x", address), macros=macros)
        session = Session("s", Stage.RECIPIENT, envelope, "m", deadline=deadline)
        return self.filter.recipient(session, Recipient(recipient, (), resolved))


def refused(verdict: Verdict) -> bool:
    if verdict.action is Action.REJECT:
        assert verdict.reply == replies.RECIPIENT
        assert [symbol.name for symbol in verdict.symbols] == ["RCPT_UNKNOWN"]
        return True
    assert verdict is NO_OPINION
    return False


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "recipients"
    path.write_text(
        "# known\n"
        "joe@mx.example\n"
        "  Eve@MX.example   OK  # as in Postfix's tables\r\n"
        '"o b"@mx.example x\n'
        "\n"
        "info@m\u00fcller.example\n"
        "@all.sub.example\n"
    )
    return path


@pytest.mark.parametrize(
    ("recipient", "is_refused"),
    [
        ("joe@mx.example", False),
        ("<JOE+list@mx.example.>", False),
        ("eve@mx.example", False),
        ('"O b"@mx.example', False),
        ("info@xn--mller-kva.example", False),
        ("info@m\udcc3\udcbcller.example", False),
        ("anybody@all.sub.example", False),
        ("Postmaster@mx.example", False),
        ("postmaster", False),
        ("joe@other.example", False),
        ("bob@mx.example", True),
        ("joe@x.sub.example", True),
        ("@mx.example", True),
        ('"\r\nRSET"@mx.example', True),
        ("x> NOTIFY=NEVER@mx.example", True),
        ("x@y> NOTIFY=NEVER.sub.example", True),
        ("\udcff@mx.example", True),
    ],
)
def test_recipients_of_files(file: Path, recipient: str, is_refused: bool) -> None:
    assert refused(Site(files=(file,)).rcpt(recipient)) is is_refused


def test_a_recipient_is_also_known_as_the_mta_resolved_it(file: Path) -> None:
    site = Site(files=(file,))
    assert refused(site.rcpt("alias@mx.example"))
    assert not refused(site.rcpt("alias@mx.example", resolved="joe@mx.example"))


def test_files_that_change_are_read_again(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    site = Site(files=(file,))
    site.filter.prepare()
    assert refused(site.rcpt("bob@mx.example"))
    file.write_text("bob@mx.example\n")
    os.utime(file, ns=(1, 1))
    assert not refused(site.rcpt("bob@mx.example"))
    assert refused(site.rcpt("joe@mx.example"))
    file.write_text("bob@mx.example\njoe@@\n")
    os.utime(file, ns=(2, 2))
    with caplog.at_level(logging.ERROR):
        assert not refused(site.rcpt("bob@mx.example"))
    file.unlink()
    with caplog.at_level(logging.ERROR):
        assert not refused(site.rcpt("bob@mx.example"))
    assert [f"{file}:2: " in caplog.messages[0], "No such file" in caplog.messages[1]] == [True] * 2


def test_files_that_cannot_be_used_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "recipients"
    with pytest.raises(FileNotFoundError):
        Site(files=(path,)).filter.prepare()
    path.write_text("joe@mx.example\n*@mx.example*\n")
    with pytest.raises(KnownError, match=r"recipients:2: .*wildcards"):
        Site(files=(path,)).rcpt("joe@mx.example")


@given(st.text(max_size=80))
def test_no_address_raises(recipient: str) -> None:
    with tempfile.NamedTemporaryFile() as empty:
        for site in (Site(), Site(files=(Path(empty.name),))):
            assert site.rcpt(f"{recipient}@mx.example").action in (Action.ACCEPT, Action.REJECT)


def program(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "knows"
    path.write_text(f"#!/bin/sh\necho >> {tmp_path}/asked\n{text}\n")
    path.chmod(0o755)
    return (str(path),)


def asked(tmp_path: Path) -> int:
    path = tmp_path / "asked"
    return len(path.read_text().split("\n")) - 1 if path.exists() else 0


KNOWS_JOE = "read -r a; case $a in joe@*|-joe@*|jürgen@*) exit 0;; *) exit 67;; esac"


def test_a_program_is_asked_once(tmp_path: Path) -> None:
    site = Site(command=program(tmp_path, KNOWS_JOE))
    for _ in range(2):
        assert not refused(site.rcpt("joe@mx.example"))
        assert not refused(site.rcpt("jürgen@mx.example"))
        # An option of the program it cannot become.
        assert not refused(site.rcpt("-joe@mx.example"))
        assert refused(site.rcpt("bob@mx.example"))
    assert asked(tmp_path) == 4
    site.clock.now += 3601
    assert refused(site.rcpt("bob@mx.example"))
    assert not refused(site.rcpt("joe@mx.example"))
    assert asked(tmp_path) == 5
    site.clock.now += 86400
    assert not refused(site.rcpt("joe@mx.example"))
    assert asked(tmp_path) == 6


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo broken; exit 1", r"knows ended with status 1: broken"),
        ("kill -9 $$", r"knows ended with status -9"),
        ("sleep 60", r"knows took longer than 0\.5 s"),
    ],
)
def test_a_program_that_does_not_know(tmp_path: Path, text: str, why: str) -> None:
    site = Site(command=program(tmp_path, text), command_seconds=0.5)
    with pytest.raises(AskingError, match=why):
        site.rcpt("joe@mx.example")


def test_a_program_that_is_missing() -> None:
    with pytest.raises(AskingError, match="/nonexistent/knows"):
        Site(command=("/nonexistent/knows",)).rcpt("joe@mx.example")


def test_who_was_known_stays_known_while_nobody_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(command=program(tmp_path, KNOWS_JOE))
    assert not refused(site.rcpt("joe@mx.example"))
    program(tmp_path, "exit 75")
    site.clock.now += 2 * 86400
    with caplog.at_level(logging.WARNING):
        assert not refused(site.rcpt("joe@mx.example"))
    assert "joe@mx.example was known before" in caplog.text
    site.clock.now += 32 * 86400
    with pytest.raises(AskingError):
        site.rcpt("joe@mx.example")


def test_what_is_answered_counts_also_if_it_cannot_be_remembered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = FullState()
    state.is_full = True
    site = Site(Services(state=lambda: state), command=program(tmp_path, KNOWS_JOE))
    for _ in range(2):
        assert not refused(site.rcpt("joe@mx.example"))
        assert refused(site.rcpt("bob@mx.example"))
    assert asked(tmp_path) == 4
    assert "no memory left; nothing of joe@mx.example is remembered" in caplog.text
    assert "no memory left; nothing of 192.0.2.1/32 is remembered" in caplog.text


def test_an_smtp_server_is_asked() -> None:
    with running() as mta:
        mta.answers = {
            "RCPT:bob@mx.example": "550 5.1.1 unknown",
            "RCPT:policy@mx.example": "550 5.7.1 go away",
            "RCPT:busy@mx.example": "451 4.3.0 busy",
        }
        site = Site(servers=(RecipientServer(f"smtp:127.0.0.1:{mta.port}"),))
        assert not refused(site.rcpt("joe@mx.example"))
        found = site.rcpt("bob@mx.example")
        assert refused(found)
        assert found.symbols[0].detail == (
            f"bob@mx.example: not known to smtp:127.0.0.1:{mta.port}"
        )
        for name, why in (("policy", "550 5.7.1 go away"), ("busy", "451 4.3.0 busy")):
            with pytest.raises(AskingError, match=f"neither known nor unknown: {why}"):
                site.rcpt(f"{name}@mx.example")
        # Neither the cache nor another domain asks.
        mta.answers = {"RCPT:joe@mx.example": "550 5.1.1 unknown"}
        assert not refused(site.rcpt("joe@mx.example"))
        assert not refused(site.rcpt("joe@other.example"))


def test_an_lmtp_server_on_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "lmtp")
    answers = [b"220 lmtp\r\n", b"250-lmtp\r\n250 SMTPUTF8\r\n", b"250 ok\r\n"]
    answers += [b"250 2.1.5 ok\r\n", b"221 bye\r\n"]
    probe = RecipientServer(f"lmtp:unix:{path}", sender="probe@mx.example")
    with server(answers, path=path) as heard:
        assert not refused(Site(servers=(probe,)).rcpt("jürgen@MÜLLER.example"))
        heard.wait_for(b"QUIT\r\n")
    assert heard.data.decode() == (
        "LHLO mta.mx.example\r\n"
        "MAIL FROM:<probe@mx.example> SMTPUTF8\r\n"
        "RCPT TO:<jürgen@xn--mller-kva.example>\r\n"
        "QUIT\r\n"
    )


def test_a_server_that_takes_no_utf8_has_no_such_mailbox() -> None:
    with running() as mta:
        site = Site(servers=(RecipientServer(f"smtp:127.0.0.1:{mta.port}"),))
        assert refused(site.rcpt("jürgen@mx.example"))
        assert not refused(site.rcpt("info@müller.example"))


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([b"554 no\r\n"], "554 no"),
        ([b"220 x\r\n", b"502 what\r\n"], "502 what"),
        ([b"220 x\r\n", b"250 x\r\n", b"452 full\r\n"], "452 full"),
        ([b"220 x\r\n", b"250 x\r\n", b"250 x\r\n", b"hello\r\n"], "not an SMTP reply"),
        ([b"220 x\r\n", b"250 x\r\n", b"250 x\r\n", b""], "closed by the server"),
    ],
)
def test_a_server_that_does_not_know(answers: list[bytes], why: str) -> None:
    with server(answers, flood=b"") as heard:
        site = Site(servers=(RecipientServer(f"smtp:127.0.0.1:{heard.port}", seconds=5.0),))
        with pytest.raises(AskingError, match=why):
            site.rcpt("joe@mx.example")


def test_a_server_that_is_silent_or_away() -> None:
    with server([b"220 x\r\n"]) as heard:
        site = Site(servers=(RecipientServer(f"smtp:127.0.0.1:{heard.port}", seconds=30),))
        with pytest.raises(AskingError, match="timed out"):
            site.rcpt("joe@mx.example", deadline=time.monotonic() + 0.2)
        with pytest.raises(AskingError, match="no time was left"):
            site.rcpt("joe@mx.example", deadline=0.0)
        port = heard.port
    site = Site(servers=(RecipientServer(f"smtp:127.0.0.1:{port}"),))
    with pytest.raises(AskingError, match="refused"):
        site.rcpt("joe@mx.example")


def test_each_domain_has_its_server_and_the_program_the_rest(tmp_path: Path) -> None:
    with running() as one, running() as other:
        for mta, name in ((one, "one"), (other, "other")):
            mta.answers = {
                f"RCPT:{name}@{d}": "550 5.1.1 no" for d in ("mx.example", "a.sub.example")
            }
        site = Site(
            servers=(
                RecipientServer(f"smtp:127.0.0.1:{one.port}", ("mx.example",)),
                RecipientServer(f"smtp:127.0.0.1:{other.port}", (".sub.example",)),
            ),
            command=program(tmp_path, KNOWS_JOE),
        )
        verdicts = {
            name: refused(site.rcpt(name))
            for name in (
                "one@mx.example",
                "other@mx.example",
                "one@a.sub.example",
                "other@a.sub.example",
                "joe@müller.example",
                "bob@müller.example",
            )
        }
    assert verdicts == {
        "one@mx.example": True,
        "other@mx.example": False,
        "one@a.sub.example": False,
        "other@a.sub.example": True,
        "joe@müller.example": False,
        "bob@müller.example": True,
    }


@pytest.mark.parametrize(
    ("code", "text", "unknown"),
    [
        (550, "5.1.1 User unknown", True),
        (550, "no such user", True),
        (550, "", True),
        (551, "5.1.6 moved", True),
        (553, "5.1.3 bad address", True),
        (550, "5.1.10 null MX", True),
        (550, "5.1.8 <probe@a.example>: Sender address rejected: Domain not found", False),
        (553, "5.1.7 bad sender", False),
        (550, "5.7.1 blocked", False),
        (550, "5.2.1 disabled", False),
        (552, "5.2.2 full", False),
        (554, "5.1.1 odd", False),
        (450, "4.1.1 later", False),
        (550, "5.1.1.1 odd", True),
    ],
)
def test_replies_that_say_unknown(code: int, text: str, unknown: bool) -> None:
    assert is_unknown(ServerReply(code, (text,))) is unknown


def test_a_client_that_guesses_is_deferred_for_all_recipients(file: Path) -> None:
    site = Site(files=(file,), attack_limit=3, attack_seconds=60)
    for number in range(3):
        assert refused(site.rcpt(f"guess{number}@mx.example"))
    for recipient in ("guess4@mx.example", "joe@mx.example", "postmaster@mx.example"):
        found = site.rcpt(recipient)
        assert (found.action, found.reply) == (Action.TEMPFAIL, replies.HARVEST)
        assert found.symbols[0].name == "RCPT_HARVEST"
        assert found.symbols[0].detail == "192.0.2.1/32: 3 unknown recipients"
    assert site.rcpt("joe@other.example") is NO_OPINION
    assert not refused(site.rcpt("joe@mx.example", address="192.0.2.2"))
    assert not refused(site.rcpt("joe@mx.example", user="ann"))
    # What was counted fades within the next window, and does not vanish at once.
    begin = site.clock.now - site.clock.now % 60
    site.clock.now = begin + 60.01
    assert site.rcpt("joe@mx.example").action is Action.TEMPFAIL
    site.clock.now = begin + 60 + 25
    assert not refused(site.rcpt("joe@mx.example"))


@pytest.mark.parametrize(
    "who",
    [{"user": "ann"}, {"address": "127.0.0.1"}, {"address": ""}, {"address": "::ffff:127.0.0.1"}],
    ids=str,
)
def test_who_may_guess(file: Path, who: dict[str, str]) -> None:
    site = Site(files=(file,), attack_limit=1)
    for _ in range(3):
        assert refused(site.rcpt("guess@mx.example", **who))  # type: ignore[arg-type]


def test_a_trusted_relay_names_whom_others_name_to_it(file: Path) -> None:
    site = Site(Services(trusted_networks=("192.0.2.1",)), files=(file,), attack_limit=1)
    for _ in range(3):
        assert refused(site.rcpt("guess@mx.example"))
    assert not refused(site.rcpt("joe@mx.example"))


def test_clients_with_ipv6_are_their_network(file: Path) -> None:
    site = Site(files=(file,), attack_limit=1)
    assert refused(site.rcpt("guess@mx.example", address="2001:db8::1"))
    assert site.rcpt("joe@mx.example", address="2001:db8::2").action is Action.TEMPFAIL


def test_nothing_is_asked_unless_the_settings_say_whom() -> None:
    site = Site()
    assert stages_of(site.filter) == {Stage.RECIPIENT}
    assert site.rcpt("bob@mx.example") is NO_OPINION


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("smtp:mx.example:2525", ("smtp", "mx.example", 2525)),
        ("smtp:mx.example", ("smtp", "mx.example", 25)),
        ("lmtp:[::1]:24", ("lmtp", "::1", 24)),
        ("lmtp:::1", ("lmtp", "::1", 24)),
        ("lmtp:unix:/run/lmtp", ("lmtp", "/run/lmtp", 0)),
    ],
)
def test_addresses_of_servers(text: str, address: tuple[str, str, int]) -> None:
    found = ServerAddress.parse(text)
    assert (found.protocol, found.host, found.port) == address


@pytest.mark.parametrize(
    "text", ["", "mx.example:25", "smtp:", "smtp:x:0", "smtp:x:y", "lmtp:unix:run", "http:x:1"]
)
def test_what_is_not_a_server(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        ServerAddress.parse(text)


def test_settings_that_cannot_be_right() -> None:
    with pytest.raises(SettingsError) as caught:
        RecipientsSettings(
            ("ann@mx.example",),
            (Path("recipients"),),
            command=("knows",),
            servers=(RecipientServer("x", ("a b",), "not an address"),),
            except_clients=("x",),
        )
    assert [key for key, _text in caught.value.found] == [
        ("domains", 0),
        ("files", 0),
        ("command",),
        ("servers", 0, "server"),
        ("servers", 0, "domains", 0),
        ("servers", 0, "sender"),
        ("except_clients", 0),
    ]
    with pytest.raises(SettingsError, match="nothing is looked up"):
        RecipientsSettings(command=("/bin/true",))
