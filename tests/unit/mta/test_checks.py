"""Rulesets `check_*`, header checks and limits of a sendmail.cf, as SMTP sessions.

What must be said is what sendmail 8.17 says with the same rules.
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from filterd.mta.queue.spool import Spool
from filterd.mta.sendmail.cf_files import parse_cf
from filterd.mta.sendmail.engine import RuleEngine
from filterd.mta.sendmail.router import RuleRouter
from tests.helpers.cf_mta import HEAD, CfMta, cf_mta
from tests.helpers.process import wait_for

pytestmark = pytest.mark.server

Run = Callable[..., CfMta]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with ExitStack() as stack:
        yield lambda text, **more: stack.enter_context(cf_mta(tmp_path, text, **more))


RELAY = """
Scheck_relay
R$* $| 127.0.0.2\t$#error $@ 5.7.1 $: "550 Access denied"
R$* $| 127.0.0.3\t$#error $@ 4.7.0 $: "421 come later"
R$* $| 127.0.0.4\t$#error $@ 4.7.1 $: "450 not now"
R$* $| 127.0.0.5\t$#discard $: discard
R$* $| 127.0.0.6\t$#error $@ quarantine $: odd client
R$* $| 127.0.0.7\t$@ OK
"""


def test_a_client_that_check_relay_refuses_hears_it_at_each_command(run: Run) -> None:
    mta = run(RELAY)
    mta.play("""
        S: 220 mx.test ESMTP Sendmail 8.17.1.9/ours
        C: EHLO c.test
        S: 250 mx.test Hello [127.0.0.2], pleased to meet you
        C: MAIL FROM:<a@x.test>
        S: 550 5.7.1 Access denied
        C: RCPT TO:<joe@mx.test>
        S: 550 5.7.1 Access denied
        C: RSET
        S: 250 2.0.0 Reset state
        C: QUIT
        S: 221 2.0.0 mx.test closing connection
    """)
    mta.play(
        """
        S: 421 4.7.0 come later
        S:
        """,
        source="127.0.0.3",
    )
    mta.play(
        """
        S: 220 mx.test ESMTP Sendmail 8.17.1.9/ours
        C: MAIL FROM:<a@x.test>
        S: 450 4.7.1 not now
        """,
        source="127.0.0.4",
    )


GREETED = """
    S: 220 mx.test ESMTP Sendmail 8.17.1.9/ours
    C: EHLO c.test
    S: 250 mx.test Hello [{source}], pleased to meet you
"""


def greeted(mta: CfMta, script: str, source: str = "127.0.0.9") -> None:
    mta.play(GREETED.format(source=source) + script, source)


def test_discard_at_the_connection_drops_all_mail_and_quarantine_holds_none(run: Run) -> None:
    mta = run(RELAY + "O DeliveryMode=q\n")
    for source in ("127.0.0.5", "127.0.0.6", "127.0.0.7"):
        greeted(
            mta,
            """
            C: MAIL FROM:<a@x.test>
            S: 250 2.1.0 <a@x.test>... Sender ok
            C: RCPT TO:<joe@mx.test>
            S: 250 2.1.5 <joe@mx.test>... Recipient ok
            C: DATA
            S: 354 End data with <CR><LF>.<CR><LF>
            C: .one
            S: 250 2.0.0 ID Message accepted for delivery
            """,
            source,
        )
    assert mta.queued() == ["", ""]


ENVELOPE = """
Scheck_mail
R< no @ $* >\t$#error $@ 5.7.1 $: "550 no such sender"
R< tmp @ $* >\t$#error $@ 4.1.8 $: "451 wait"
R< two @ $* >\t$#error $@ 5.1.8 $: "553 5.7.9 two codes"
R< plain @ $* >\t$#error $: words only
R< lost @ $* >\t$(nosuch x $)
R< q @ $* >\t$#error $@ quarantine $: odd sender
R< d @ $* >\t$#discard $: d
R< ok @ $* >\t$#nosuch $: x
Scheck_rcpt
R< no @ $* >\t$#error $@ 5.7.1 $: "550 no such recipient"
R< full @ $* >\t$#error $@ 4.2.2 $: "452 full"
R< close @ $* >\t$#error $@ 4.7.0 $: "421 later"
R< d @ $* >\t$#discard $: d
R< q @ $* >\t$#error $@ quarantine
R< rm @ $* >\t$: $&{rcpt_mailer} $&{rcpt_addr} $&{addr_type}
R esmtp rm @ x . test e r\t$#error $@ 5.7.1 $: "550 by mailer"
Scheck_data
R3\t\t$#error $@ 5.5.0 $: "550 three"
"""


def test_sender_and_recipients_are_checked_with_their_addresses_in_the_replies(run: Run) -> None:
    greeted(
        run(ENVELOPE),
        """
        C: MAIL FROM:<no@x.test>
        S: 550 5.7.1 <no@x.test>... no such sender
        C: RCPT TO:<joe@mx.test>
        S: 503 5.0.0 Need MAIL before RCPT
        C: MAIL FROM:<tmp@x.test>
        S: 451 4.1.8 wait
        C: MAIL FROM:<two@x.test>
        S: 553 5.7.9 <two@x.test>... two codes
        C: MAIL FROM:<plain@x.test>
        S: 553 5.3.0 <plain@x.test>... words only
        C: MAIL FROM:<lost@x.test>
        S: 554 5.3.0 rewrite: map nosuch not found
        C: MAIL FROM:<ok@x.test> FOO
        S: 555 5.5.4 FOO parameter unrecognized
        C: MAIL FROM:<ok@x.test> (c)
        S: 555 5.5.4  parameter unrecognized
        C: MAIL FROM:<ok@x.test
        S: 553 5.0.0 <ok@x.test... Unbalanced '<'
        C: MAIL FROM:<ok@x.test>
        S: 250 2.1.0 <ok@x.test>... Sender ok
        C: RCPT TO:<no@mx.test>
        S: 550 5.7.1 <no@mx.test>... no such recipient
        C: RCPT TO:<full@mx.test>
        S: 452 4.2.2 full
        C: RCPT TO:<close@mx.test>
        S: 421 4.7.0 later
        C: RCPT TO:<rm@x.test>
        S: 550 5.7.1 <rm@x.test>... by mailer
        C: RCPT TO:<1@mx.test>
        S: 250 2.1.5 <1@mx.test>... Recipient ok
        C: RCPT TO:<2@mx.test>
        S: 250 2.1.5 <2@mx.test>... Recipient ok
        C: RCPT TO:<far@far.test>
        S: 250 2.1.5 <far@far.test>... Recipient ok
        C: DATA
        S: 550 5.5.0 three
        C: RCPT TO:<4@mx.test>
        S: 250 2.1.5 <4@mx.test>... Recipient ok
        C: RSET
        S: 250 2.0.0 Reset state
        """,
    )


@pytest.mark.parametrize(
    ("sender", "recipients", "held", "queued"),
    [
        ("ok@x.test", ["joe@mx.test"], [], [""]),
        ("d@x.test", ["joe@mx.test"], [], []),
        ("q@x.test", ["joe@mx.test"], ["odd sender"], []),
        ("ok@x.test", ["joe@mx.test", "d@mx.test"], [], []),
        ("q@x.test", ["q@mx.test"], ["check_rcpt"], []),
        ("q@x.test", ["d@mx.test"], [], []),
    ],
)
def test_discard_and_quarantine_in_the_envelope_count_for_the_message(
    run: Run, sender: str, recipients: list[str], held: list[str], queued: list[str]
) -> None:
    mta = run(ENVELOPE + "O DeliveryMode=q\n")
    rcpt = "".join(
        f"C: RCPT TO:<{one}>\nS: 250 2.1.5 <{one}>... Recipient ok\n" for one in recipients
    )
    greeted(
        mta,
        f"""
        C: MAIL FROM:<{sender}>
        S: 250 2.1.0 <{sender}>... Sender ok
        {rcpt}
        C: DATA
        S: 354 End data with <CR><LF>.<CR><LF>
        C: .one
        S: 250 2.0.0 ID Message accepted for delivery
        """.replace("\nS:", "\n        S:"),
    )
    assert (mta.held(), mta.queued()) == (held, queued)


CONTENT = """
O DeliveryMode=q
O MaxHeadersLength=300
O RejectNUL=True
HSubject: $>CheckSubject
SCheckSubject
Rbad\t\t$#error $@ 5.7.1 $: "553 Bad subject"
Rlater\t\t$#error $@ 4.7.1 $: "451 later"
Rdrop\t\t$#discard $: d
Rhold\t\t$#error $@ quarantine $: odd subject
HX-Comment: $>+CheckComment
SCheckComment
R$* (c) $*\t$#error $@ 5.7.1 $: "554 a comment"
H*: $>CheckAll
SCheckAll
R$*\t\t$: $&{hdr_name}
RX-Any\t\t$#error $@ 5.7.1 $: 550 no $&{hdr_name}
Scheck_eoh
R5 $| $*\t$#error $@ 5.7.1 $: 550 five fields $1 octets
Scheck_eom
R46\t\t$#error $@ 5.7.1 $: "550 size"
"""


@pytest.mark.parametrize(
    ("message", "reply", "held", "queued"),
    [
        ("fine", "", [], [""]),
        ("bad", "553 5.7.1 Bad subject", [], []),
        ("later", "451 4.7.1 later", [], []),
        ("drop", "", [], []),
        ("hold", "", ["odd subject"], []),
        ("one|X-Comment: a (c) b", "554 5.7.1 a comment", [], []),
        ("one|X-Any: x", "550 5.7.1 no X-Any", [], []),
        ("one|A: 1|B: 2|C: 3", "550 5.7.1 five fields 48 octets", [], []),
        ("bad|X-Any: x|A: 1|B: 2", "550 5.7.1 five fields 52 octets", [], []),
        ("bad|X-Any: x", "550 5.7.1 no X-Any", [], []),
        ("123456789", "", [], [""]),
        ("1234567890", "", [], [""]),
        ("12345678901", "550 5.7.1 size", [], []),
        ("one|X-Long: " + "x" * 300, "552 5.6.0 Headers too large (300 max)", [], []),
        ("one\0", "554 5.6.1 NUL byte not allowed", [], []),
    ],
)
def test_header_fields_and_content_are_checked(
    run: Run, message: str, reply: str, held: list[str], queued: list[str]
) -> None:
    mta = run(CONTENT)
    greeted(
        mta,
        f"""
        C: MAIL FROM:<a@x.test>
        S: 250 2.1.0 <a@x.test>... Sender ok
        C: RCPT TO:<joe@mx.test>
        S: 250 2.1.5 <joe@mx.test>... Recipient ok
        C: DATA
        S: 354 End data with <CR><LF>.<CR><LF>
        C: .{message}
        S: {reply or "250 2.0.0 ID Message accepted for delivery"}
        C: MAIL FROM:<a@x.test>
        S: 250 2.1.0 <a@x.test>... Sender ok
        """,
    )
    assert (mta.held(), mta.queued()) == (held, queued)


def test_octets_and_lines_are_taken_as_the_file_wants_them(run: Run) -> None:
    mta = run("""
O DeliveryMode=q
O SevenBitInput=True
O SingleLineFromHeader=True
""")
    greeted(
        mta,
        """
        C: MAIL FROM:<a@x.test>
        S: 250 2.1.0 <a@x.test>... Sender ok
        C: RCPT TO:<joe@mx.test>
        S: 250 2.1.5 <joe@mx.test>... Recipient ok
        C: DATA
        S: 354 End data with <CR><LF>.<CR><LF>
        C: .\u00fc|Reply-To: Ann| <ann@x.test>|X-Other: a| b
        S: 250 2.0.0 ID Message accepted for delivery
        """,
    )
    (message,) = mta.messages()
    assert b"\nSubject: C<\nReply-To: Ann  <ann@x.test>\nX-Other: a\n b\n" in message


def test_mail_is_refused_where_the_disk_is_nearly_full(run: Run) -> None:
    greeted(
        run(f"O MinFreeBlocks={1 << 40}\n"),
        """
        C: MAIL FROM:<a@x.test>
        S: 452 4.4.5 Insufficient disk space; try again later
        """,
    )


def test_vrfy_expn_and_etrn_have_checks_of_their_own(run: Run) -> None:
    mta = run("""
Scheck_vrfy
Rno\t\t$#error $@ 5.7.1 $: "550 vrfy no"
Scheck_expn
Rno\t\t$#error $@ 5.7.1 $: "550 expn no"
Scheck_etrn
Rno . test\t$#error $@ 4.7.1 $: "459 etrn no"
""")
    greeted(
        mta,
        """
        C: VRFY no
        S: 550 5.7.1 vrfy no
        C: VRFY joe
        S: 250 2.1.5 <joe@mx.test>
        C: EXPN no
        S: 550 5.7.1 expn no
        C: ETRN no.test
        S: 459 4.7.1 etrn no
        C: ETRN x.test
        S: 250 2.0.0 Queuing for node x.test started
        """,
    )


@pytest.mark.parametrize(
    ("mode", "sender", "recipient"),
    [
        ("queue", "550 5.7.1 <a@bad.test>... no", "250 2.1.5 <joe@away.test>... Recipient ok"),
        (
            "deferred",
            "250 2.1.0 <a@bad.test>... Sender ok",
            "250 2.1.5 <joe@away.test>... Recipient ok (will queue)",
        ),
    ],
)
def test_maps_may_rest_in_the_mode_deferred(
    run: Run, tmp_path: Path, mode: str, sender: str, recipient: str
) -> None:
    (tmp_path / "table").write_text("a@bad.test no\naway.test mx.test\n")
    lookup = "R$* < @ $* >\t$: $1 < @ $(t $2 $: $2 $) >\n"
    text = f"""
Kt text -D -k0 -v1 {tmp_path}/table
O DontBlameSendmail=TrustStickyBit
O DeliveryMode={mode}
Scheck_mail
R< $* >\t$: $(t $1 $: yes $)
Rno\t$#error $@ 5.7.1 $: "550 no"
"""
    mta = run(text, head=HEAD.replace("Sparse=0\n", f"Sparse=0\n{lookup}"))
    greeted(
        mta,
        f"""
        C: MAIL FROM:<a@bad.test>
        S: {sender}
        C: RSET
        S: 250 2.0.0 Reset state
        C: MAIL FROM:<ann@x.test>
        S: 250 2.1.0 <ann@x.test>... Sender ok
        C: RCPT TO:<joe@away.test>
        S: {recipient}
        """,
    )


@pytest.mark.parametrize(
    ("option", "sender", "recipients", "gets"),
    [
        ("", "joe@mx.test", "l1", "bob joe ann"),
        ("O MeToo=True", "joe@mx.test", "l1", "bob joe ann"),
        ("O MeToo=False", "joe@mx.test", "l1", "bob ann"),
        ("O MeToo=False", "JOE+x", "l2", "bob ann"),
        # Who is named alone, or by the client, gets a copy.
        ("O MeToo=False", "joe", "l3", "joe"),
        ("O MeToo=False", "joe", "joe l1", "joe bob ann"),
        ("O MeToo=False", "joe", "l1 joe", "bob joe ann"),
        ("O MeToo=False", "joe@far.test", "l1", "bob joe ann"),
        ("O MeToo=False", "", "l1", "bob joe ann"),
    ],
)
def test_the_sender_of_a_list(
    run: Run, tmp_path: Path, option: str, sender: str, recipients: str, gets: str
) -> None:
    aliases = tmp_path / "aliases"
    aliases.write_text("postmaster: root\nl1: ann, joe, bob\nl2: l1, joe\nl3: joe\n")
    head = HEAD.replace("F=lsDFMPnq", "F=lsDFMPnqA")
    options = f"O AliasFile={aliases}\nO DontBlameSendmail=TrustStickyBit\nO DeliveryMode=q\n"
    mta = run(f"{options}{option}\n", head=head)
    with smtplib.SMTP("127.0.0.1", mta.port, "client.test", timeout=20) as client:
        client.sendmail(sender, recipients.split(), b"Subject: one\r\n\r\nbody\r\n")
    (entry,) = Spool(mta.spool).entries()
    assert [one.address for one in entry.targets] == gets.split()


def test_lists_are_looked_into_before_the_reply_where_the_client_waits(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "aliases").write_text("list: ann, <a@b\n")
    head = HEAD.replace("F=lsDFMPnq", "F=lsDFMPnqA")
    options = f"O AliasFile={tmp_path}/aliases\nO DontBlameSendmail=TrustStickyBit\n"
    mta = run(f"{options}O DeliveryMode=i\n", head=head)
    greeted(
        mta,
        """
        C: MAIL FROM:<a@x.test>
        S: 250 2.1.0 <a@x.test>... Sender ok
        C: RCPT TO:<list@mx.test>
        S: 553 5.0.0 <a@b... Unbalanced '<'
        """,
    )


def test_lists_are_looked_into_later_where_it_does_not(run: Run, tmp_path: Path) -> None:
    (tmp_path / "aliases").write_text("list: ann, <a@b\nus: ann, bob\n")
    head = HEAD.replace("F=lsDFMPnq", "F=lsDFMPnqA")
    options = f"O AliasFile={tmp_path}/aliases\nO DontBlameSendmail=TrustStickyBit\n"
    mta = run(f"{options}O DeliveryMode=q\n", head=head)
    with smtplib.SMTP("127.0.0.1", mta.port, "client.test", timeout=20) as client:
        named = ["list@mx.test", "us", "ann"]
        assert client.sendmail("x@x.test", named, b"Subject: one\r\n\r\nbody\r\n") == {}
    (entry,) = Spool(mta.spool).entries()
    assert [one.address for one in entry.targets] == ["<a@b", "ann", "bob"]
    router = RuleRouter(RuleEngine(parse_cf(head + options)))
    failed = {
        one.target.address: str(one.error) for one in router.deliver(entry, b"\n") if one.error
    }
    assert failed == {"<a@b": "Unbalanced '<'"}


def test_vrfy_and_expn_take_lists(run: Run, tmp_path: Path) -> None:
    aliases = tmp_path / "aliases"
    aliases.write_text("postmaster: root\nlist: joe, sue, far@far.test\n")
    head = HEAD.replace("F=lsDFMPnq", "F=lsDFMPnqA")
    mta = run(f"O AliasFile={aliases}\nO DontBlameSendmail=TrustStickyBit\n", head=head)
    greeted(
        mta,
        """
        C: VRFY joe, sue
        S: 250-2.1.5 <sue@mx.test>
        S: 250 2.1.5 <joe@mx.test>
        C: EXPN list
        S: 250-2.1.5 <sue@mx.test>
        S: 250-2.1.5 <joe@mx.test>
        S: 250 2.1.5 <far@far.test>
        C: VRFY far@far.test
        S: 252 2.1.5 <far@far.test>
        C: VRFY list
        S: 250 2.1.5 <list@mx.test>
        C: SEND FROM:<a@x.test>
        S: 502 5.5.1 Command not implemented: "SEND FROM:<a@x.test>"
        """,
    )


def test_a_client_that_does_not_wait_for_the_greeting_is_refused(run: Run) -> None:
    mta = run("""
Sgreet_pause
R$* $| 127.0.0.3\t$# 0
R$*\t\t$# 60000
""")
    mta.play("""
        C: EHLO c.test
        S: 554 mx.test ESMTP not accepting messages
        S: 250 mx.test Hello [127.0.0.2], pleased to meet you
        C: MAIL FROM:<a@x.test>
        S: 550 5.0.0 Command rejected
        C: QUIT
        S: 221 2.0.0 mx.test closing connection
    """)
    mta.play("S: 220 mx.test ESMTP Sendmail 8.17.1.9/ours", source="127.0.0.3")


def test_connections_are_counted_for_the_rules(run: Run) -> None:
    mta = run("""
Kless arith
Scheck_relay
R$*\t\t$: $(less l $@ 2 $@ $&{client_rate} $) $| $&{total_rate}
RTRUE $| $*\t$#error $@ 4.3.2 $: 421 Connection rate limit exceeded $1 of all
""")
    for _ in range(2):
        mta.play("S: 220 mx.test ESMTP Sendmail 8.17.1.9/ours")
    mta.play("S: 421 4.3.2 Connection rate limit exceeded 3 of all")
    mta.play("S: 220 mx.test ESMTP Sendmail 8.17.1.9/ours", source="127.0.0.3")


def test_what_srv_features_forbids_is_neither_announced_nor_allowed(run: Run) -> None:
    mta = run("""
Ssrv_features
R$* 127.0.0.9 $* $| $*\t$# X l
R$* 127.0.0.8 $* $| $*\t$# temp
""")
    greeted(
        mta,
        """
        C: EXPN joe
        S: 502 5.7.0 Sorry, we do not allow this operation
        C: VERB
        S: 502 5.7.0 Verbose unavailable
        C: MAIL FROM:<a@x.test>
        S: 530 5.7.0 Authentication required
        """,
    )
    greeted(
        mta,
        """
        C: MAIL FROM:<a@x.test>
        S: 450 4.3.0 Please try again later.
        """,
        "127.0.0.8",
    )


def test_modifiers_of_a_daemon(run: Run) -> None:
    mta = run("""
O DaemonPortOptions=Name=MSA, Port=0, M=Eaf
Scheck_vrfy
R$*\t\t$#error $@ 5.7.1 $: 550 $&{daemon_name} has $&{daemon_flags}
""")
    greeted(
        mta,
        """
        C: VRFY joe
        S: 550 5.7.1 MSA has EE a f
        C: ETRN x.test
        S: 502 5.7.0 Sorry, we do not allow this operation
        C: MAIL FROM:<a@x.test>
        S: 530 5.7.0 Authentication required
        """,
    )


def test_clients_that_name_many_bad_recipients_are_disconnected(run: Run) -> None:
    text = """
O BadRcptShutdown=2
O BadRcptShutdownGood=70
Scheck_rcpt
R< no @ $* >\t$#error $@ 5.1.1 $: "550 no"
"""
    mta = run(text)
    no = """
        C: RCPT TO:<no@mx.test>
        S: 550 5.1.1 <no@mx.test>... no
    """
    greeted(
        mta,
        f"""
        C: MAIL FROM:<a@x.test>
        S: 250 2.1.0 <a@x.test>... Sender ok
        C: RCPT TO:<joe@mx.test>
        S: 250 2.1.5 <joe@mx.test>... Recipient ok
        {no}{no}{no}
        C: RCPT TO:<no@mx.test>
        S: 421 4.7.0 mx.test Too many bad recipients; closing connection
        S:
        """,
    )


def test_softbounce_makes_every_refusal_temporary(run: Run) -> None:
    greeted(
        run(ENVELOPE + "O SoftBounce=True\n"),
        """
        C: MAIL FROM:<no@x.test>
        S: 450 4.7.1 <no@x.test>... no such sender
        C: NOSUCH
        S: 400 4.5.1 Command unrecognized: "NOSUCH"
        """,
    )


def test_bogus_names_at_helo_are_taken_and_ignored_where_the_file_allows_them(run: Run) -> None:
    mta = run("O AllowBogusHELO=True\nScheck_mail\nR$*\t$#error $: $&s\n")
    mta.play("""
        S: 220 mx.test ESMTP Sendmail 8.17.1.9/ours
        C: HELO
        S: 250 mx.test Hello [127.0.0.2], pleased to meet you
        C: HELO a b
        S: 250 mx.test Hello [127.0.0.2], pleased to meet you
        C: HELO c!x
        S: 250 mx.test Hello [127.0.0.2], accepting invalid domain name
        C: MAIL FROM:<a@x.test>
        S: 553 5.3.0 <a@x.test>... a
    """)


def test_privacy_flags_about_helo_and_receipts(run: Run) -> None:
    mta = run("O PrivacyOptions=needvrfyhelo,needexpnhelo,noreceipts\n")
    mta.play("""
        S: 220 mx.test ESMTP Sendmail 8.17.1.9/ours
        C: VRFY joe
        S: 503 5.0.0 I demand that you introduce yourself first
        C: EXPN joe
        S: 503 5.0.0 I demand that you introduce yourself first
        C: HELO c.test
        S: 250 mx.test Hello [127.0.0.2], pleased to meet you
        C: VRFY joe
        S: 250 2.1.5 <joe@mx.test>
        C: MAIL FROM:<a@x.test> RET=FULL
        S: 504 5.7.0 Sorry, RET not supported, we do not allow DSN
        C: MAIL FROM:<a@x.test>
        S: 250 2.1.0 <a@x.test>... Sender ok
        C: RCPT TO:<joe@mx.test> NOTIFY=NEVER
        S: 504 5.7.0 Sorry, NOTIFY not supported, we do not allow DSN
    """)


def test_macros_that_rules_set_last_as_long_as_the_message(run: Run) -> None:
    mta = run("""
Kset macro
C{persistentMacros}{kept}
Scheck_mail
R$*\t\t$: $&{once} $&{kept} $(set {once} $@ once $) $(set {kept} $@ kept $) $| $1
R$* $| $*\t$: $1
Ronce kept\t$#error $: never
Rkept\t\t$#error $: second
""")
    greeted(
        mta,
        """
        C: MAIL FROM:<a@x.test>
        S: 250 2.1.0 <a@x.test>... Sender ok
        C: RSET
        S: 250 2.0.0 Reset state
        C: MAIL FROM:<a@x.test>
        S: 553 5.3.0 <a@x.test>... second
        """,
    )


def test_a_client_that_speaks_http_is_turned_away(run: Run) -> None:
    run("").play("""
        S: 220 mx.test ESMTP Sendmail 8.17.1.9/ours
        C: GET / HTTP/1.0
        S: 421 4.7.0 mx.test Rejecting open proxy [127.0.0.2]
        S:
    """)


def test_check_compat_is_asked_before_a_delivery_and_knows_our_own_reports(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "filterd.mta")
    mta = run("""
Scheck_compat
R$* $| < no @ $* >\t$#error $@ 5.7.1 $: "550 not to $1"
R$* $| < drop @ $* >\t$#discard $: d
R<> $| $*\t\t$#error $@ 5.7.1 $: "550 no null sender"
""")
    greeted(
        mta,
        """
        C: MAIL FROM:<ann@mx.test>
        S: 250 2.1.0 <ann@mx.test>... Sender ok
        C: RCPT TO:<no@mx.test>
        S: 250 2.1.5 <no@mx.test>... Recipient ok
        C: RCPT TO:<drop@mx.test>
        S: 250 2.1.5 <drop@mx.test>... Recipient ok
        C: DATA
        S: 354 End data with <CR><LF>.<CR><LF>
        C: .one
        S: 250 2.0.0 ID Message accepted for delivery
        """,
    )
    wait_for("the report", lambda: "to=<ann@mx.test>, mailer=local" in caplog.text)
    assert "to=<no@mx.test>, dsn=5.7.1, stat=Failed" in caplog.text
    assert "to=<drop@mx.test>, mailer=discard" in caplog.text
    wait_for("the queue", lambda: not mta.queued())


def test_line_ends_in_a_table_make_no_second_reply(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "table"
    table.write_text("x\t550 no\r250 yes\n")
    mta = run(f"""
O DontBlameSendmail=TrustStickyBit
Ktable text -k0 -v1 -z\\t {table}
Scheck_mail
R$*\t\t$: $(table x $)
R$*\t\t$#error $@ 5.7.1 $: $1
""")
    greeted(
        mta,
        """
        C: MAIL FROM:<a@x.test>
        S: 550 5.7.1 <a@x.test>... no 250 yes
        """,
    )


def test_a_map_that_is_not_there_is_a_matter_of_the_rules(run: Run) -> None:
    mta = run("""
Kaccess hash -T<TMPF> /nowhere/access
Scheck_mail
R< plain @ $* >\t$@ $(access x $)
R$*\t\t$: $(access x $)
R$* <TMPF>\t$#error $@ 4.3.0 $: "451 Temporary system failure. Please try again later."
""")
    greeted(
        mta,
        """
        C: MAIL FROM:<a@x.test>
        S: 451 4.3.0 Temporary system failure. Please try again later.
        C: MAIL FROM:<plain@x.test>
        S: 250 2.1.0 <plain@x.test>... Sender ok
        """,
    )


def test_a_ruleset_that_never_ends_is_a_refusal(run: Run) -> None:
    mta = run("Scheck_mail\nR< loop @ $* >\t$>again x\nSagain\nR$*\t$>again $1\n")
    greeted(
        mta,
        """
        C: MAIL FROM:<loop@x.test>
        S: 554 5.0.0 rewrite: excessive recursion (max 50), ruleset again
        C: MAIL FROM:<a@x.test>
        S: 250 2.1.0 <a@x.test>... Sender ok
        """,
    )
