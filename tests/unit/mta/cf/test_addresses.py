"""From an address to mailer, host and user, and as a mailer sees it."""

from __future__ import annotations

import pytest

from filterd.mta.cf.addresses import AddressKind, AddressResolver, AddressState
from filterd.mta.cf.checks import Checker, CheckOutcome, HeaderChecker
from filterd.mta.cf.mailers import MailerLine
from filterd.mta.cf.statuses import status_of
from tests.helpers.rules import Rules

CF = r"""
Cw own.test
S3
R$* < $* > $*	$: $2
R$+ @ $+	$: $1 < @ $2 >
S4
R$* < $* > $*	$: $1 $2 $3
S0
Rerror $+ : $+	$# error $@ $1 $: $2
Rplain $+	$# error $: $1
Rnowhere	$# nosuch $@ h $: u
Rnouser	$# smtp $@ h
Rnohost	$# smtp $: u
Rnothing	$@ nothing
R$+ < @ $=w >	$# local $: $1
R$+ < @ $+ >	$# smtp $@ $2 $: $1 < @ $2 >
R$+	$# local $: $1
S1
R$+ < @ own.test >	$: $1 < @ masq.test >
SEnvTo
R$*	$: envelope $1
SHdrTo
R$*	$: header $1
Squeuegroup
R$* @ slow.test	$# slow
Mlocal, P=/bin/cat, F=lsDFMA5:|/@, A=cat
Mprog, P=/bin/sh, F=lsu, A=sh -c $u
Msmtp, P=[IPC], F=mu, R=EnvTo/HdrTo, A=TCP $h
"""


def resolver(text: str = CF) -> tuple[AddressResolver, list[str]]:
    rules = Rules(text)
    return AddressResolver(rules.rewriter), rules.record.messages


@pytest.mark.parametrize(
    ("text", "mailer", "host", "user"),
    [
        ("joe", "local", "", "joe"),
        ("JOE@own.test", "local", "", "joe"),
        # The mailer's flags keep the user's case, not the host's.
        ("Joe@Far.Test", "smtp", "far.test", "envelope.Joe@Far.Test"),
        ("Ann (home) <ann@far.test>", "smtp", "far.test", "envelope.ann@far.test"),
        ("|/bin/vacation", "prog", "", "|/bin/vacation"),
        ("/tmp/file", "*file*", "", "/tmp/file"),
        (":include:/tmp/list", "*include*", "", "/tmp/list"),
        ("@udb", "local", "", "udb"),
        ('"a b"', "local", "", '"a b"'),
        ("a b", "local", "", "a.b"),
    ],
)
def test_where_addresses_go(text: str, mailer: str, host: str, user: str) -> None:
    found, said = resolver()
    address = found.parse(text)
    assert address is not None
    assert (address.mailer, address.host, address.user) == (mailer, host, user)
    assert (address.state, said) == (AddressState.OK, [])


@pytest.mark.parametrize(
    ("text", "message", "status"),
    [
        ("error 5.1.1:nope", "error 5.1.1:nope... nope", 67),
        ('error nohost:"550 5.1.2 no such host"', "no such host", 68),
        ('error 4.2.0:"450 4.2.0 soon"', "soon", 75),
        ('error 77:"571 go away"', "go away", 77),
        ("plain words", "plain words... words", 69),
        ("nowhere", "buildaddr: unknown mailer nosuch", 0),
        ("nouser", "buildaddr: no user", 0),
        ("nohost", "buildaddr: no host", 0),
        ("nothing", "buildaddr: no mailer in parsed address", 0),
    ],
)
def test_errors(text: str, message: str, status: int) -> None:
    found, said = resolver()
    address = found.parse(text)
    assert address is not None
    assert address.state in (AddressState.BAD, AddressState.QUEUE)
    assert said[-1].endswith(message)
    assert address.status == status


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a" * 256, "too long (255 bytes max)"),
        ("Ö@x.test", "8-bit character in mailbox address"),
        ("", None),
    ],
)
def test_what_is_not_an_address(text: str, message: str | None) -> None:
    found, said = resolver()
    raw = text.encode().decode("ascii", "surrogateescape")
    assert found.parse(raw) is None
    assert (said == []) if message is None else (message in said[-1])


def test_a_user_with_control_characters_is_bad() -> None:
    found, said = resolver()
    address = found.parse("jo\x01e")
    assert address is not None
    assert (address.state, address.user) == (AddressState.BAD, "jo?e")
    assert said == ['Syntax error in mailbox address "jo?e" (non-printable character)']


def test_a_queue_group_may_be_chosen_by_a_ruleset() -> None:
    found, _said = resolver()
    slow, fast = found.parse("a@slow.test"), found.parse("a@fast.test")
    assert slow is not None
    assert fast is not None
    assert (slow.queue_group, fast.queue_group) == ("slow", "")


def rewritten(text: str, kind: AddressKind, domain: tuple[str, ...] = ()) -> str:
    found, _said = resolver()
    mailer = found._program.mailers.find("smtp")
    assert isinstance(mailer, MailerLine)
    return found.rewrite_for(text, mailer, kind, domain=domain)[0]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("joe@own.test", AddressKind(sender=True), "joe@masq.test"),
        (
            "Joe (x) <joe@own.test>",
            AddressKind(sender=True, header=True),
            "Joe (x) <joe@masq.test>",
        ),
        ("joe@far.test", AddressKind(), "envelope.joe@far.test"),
        ("joe@far.test", AddressKind(header=True), "header.joe@far.test"),
        ("(only)", AddressKind(), "(only)"),
    ],
)
def test_how_a_mailer_sees_an_address(text: str, kind: AddressKind, expected: str) -> None:
    assert rewritten(text, kind) == expected


def test_a_senders_domain_is_added_to_names_without_one() -> None:
    domain = ("@", "x", ".", "test")
    assert rewritten("joe", AddressKind(header=True), domain) == "header.joe@x.test"
    assert rewritten("joe@y.test", AddressKind(header=True), domain) == "header.joe@y.test"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (None, 69),
        ("5.1.1", 67),
        ("5.7.1", 65),
        ("4.9.9", 75),
        ("5.4.6", 78),
        ("2.0.0", 0),
        ("nouser", 67),
        ("TempFail", 75),
        ("what", 69),
        ("70", 70),
        ("x.y", 78),
    ],
)
def test_exit_statuses(host: str | None, status: int) -> None:
    assert status_of(host) == status


CHECKS = r"""
Scheck_mail
Rgood	$# OK
Rbad	$# error $@ 5.7.1 $: "550 no"
Rdrop	$# discard $: discard
Rhold	$# error $@ quarantine $: odd one
R$* $| $*	$: $2 then $1
SHeader
R$* bad $*	$# error $: "553 bad header"
SComments
R$* ( $* ) $*	$# error $: "553 comment"
HSubject: $>Header
HX-Note: $>+Comments
H*: $>Header
"""


def checker() -> tuple[Checker, HeaderChecker, Rules]:
    rules = Rules(CHECKS)
    found = AddressResolver(rules.rewriter)
    return Checker(rules.rewriter, found), HeaderChecker(rules.rewriter, found), rules


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("good", CheckOutcome.CONSENT),
        ("other", CheckOutcome.CONSENT),
        ("bad", CheckOutcome.ERROR),
        ("drop", CheckOutcome.DISCARD),
        ("hold", CheckOutcome.QUARANTINE),
    ],
)
def test_checks(text: str, outcome: CheckOutcome) -> None:
    check = checker()[0].check("check_mail", text)
    assert check.outcome == outcome
    if outcome == CheckOutcome.QUARANTINE:
        assert check.reason == "odd one"


def test_two_texts_are_joined_by_a_mark() -> None:
    assert checker()[0].check("check_mail", "a.b", "c").result == "c then a.b"


def test_a_check_that_does_not_exist_consents() -> None:
    assert checker()[0].check("check_none", "x").outcome == CheckOutcome.CONSENT


@pytest.mark.parametrize(
    ("line", "outcome", "flags"),
    [
        ("Subject: a bad one", CheckOutcome.ERROR, 0x58000),
        ("Subject: a good one", CheckOutcome.CONSENT, 0x58000),
        # Comments are no part of the text, except with `$>+`.
        ("To: ann (bad)", CheckOutcome.CONSENT, 0x40002),
        ("X-Note: a (b)", CheckOutcome.ERROR, 0x40000),
        ("no colon", CheckOutcome.CONSENT, 0),
        ("Message: x", CheckOutcome.CONSENT, 1),
    ],
)
def test_header_fields(line: str, outcome: CheckOutcome, flags: int) -> None:
    _, headers, rules = checker()
    assert headers.check(line) == flags
    assert headers.outcome.outcome == outcome
    if flags & 0x40000:
        assert rules.program.definitions.get("hdr_name") == line.partition(":")[0]
