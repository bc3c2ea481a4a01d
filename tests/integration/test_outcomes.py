"""Each outcome behind each MTA: what the client saw, what was delivered, what filterd kept.

joe has the default thresholds, sue's mail is only labelled, max's is held but never refused.
"""

from __future__ import annotations

import re

import pytest

from tests.helpers import messages
from tests.helpers.messages import told
from tests.helpers.process import wait_for
from tests.helpers.servers.clamd import VIRUS
from tests.helpers.servers.filterd import Filterd, id_in
from tests.helpers.servers.mta import Mta
from tests.helpers.servers.own_mta import OwnMta
from tests.helpers.servers.postfix import Postfix
from tests.helpers.servers.sendmail import Sendmail
from tests.helpers.smtp import Conversation, send

JOE, SUE, MAX = (f"{user}@mx.example.test" for user in ("joe", "sue", "max"))


def lf(octets: bytes) -> bytes:
    """As a mailbox has it: LF line ends."""
    return octets.replace(b"\r\n", b"\n")


@pytest.fixture(autouse=True)
def nothing_left(mta: Mta) -> None:
    """No test finds another's mail."""
    mta.settled()
    assert mta.mailboxes == {}


def test_clean_mail_is_delivered_as_it_came(mta: Mta, filterd: Filterd) -> None:
    before = filterd.stored

    seen = send(mta.port, messages.message())

    assert seen.final.code == 250
    (mail,) = mta.mail()
    assert mail.body == lf(messages.CLEAN_BODY)
    assert mail.value("X-Spam-Status") == "No, score=0.0 required=5.0 tests=none"
    assert mail.value("X-Virus-Status") == "Clean"
    assert mail.value("X-Virus-Scanned").startswith("ClamAV ")
    assert mail.value("X-Virus-Scanned").endswith(" at mx.example.test")
    assert mail.values("X-Spam-Flag") == []
    assert mail.value("Subject") == "Minutes of the meeting"
    assert filterd.stored == before


def test_our_fields_stand_above_what_came(mta: Mta) -> None:
    send(mta.port, messages.message())

    (mail,) = mta.mail()
    ours = [n for n, name in enumerate(mail.names) if name.startswith(("X-Spam-", "X-Virus-"))]
    theirs = mail.names.index("From")
    assert ours
    assert max(ours) < theirs


def test_spam_above_the_label_threshold_is_labelled(mta: Mta, filterd: Filterd) -> None:
    data = told("score=6")
    seen = send(mta.port, data)

    assert seen.final.code == 250
    (mail,) = mta.mail()
    assert mail.value("X-Spam-Flag") == "YES"
    assert mail.value("X-Spam-Status") == "Yes, score=6.0 required=5.0 tests=OBEDIENT"
    assert mail.value("X-Spam-Score") == "6.0"
    assert mail.value("X-Spam-Level") == "******"
    assert mail.body == lf(data.partition(b"\r\n\r\n")[2])
    assert filterd.last()["labelled"] is True


def test_gtube_is_labelled_for_a_recipient_who_wants_everything(mta: Mta) -> None:
    seen = send(mta.port, messages.gtube(), [SUE])

    assert seen.final.code == 250
    (mail,) = mta.mail(user="sue")
    assert mail.value("X-Spam-Flag") == "YES"
    assert mail.value("X-Spam-Level") == "*" * 50
    assert messages.GTUBE in mail.body


def test_gtube_is_refused_and_a_copy_kept(mta: Mta, filterd: Filterd) -> None:
    seen = send(mta.port, messages.gtube())

    assert str(seen.final).startswith("550 5.7.1 Message refused as spam (id=")
    id = id_in(seen.final.text)
    entry = filterd.entry(id)
    assert (entry.reason, entry.action, entry.held_for) == ("spam", "reject", ())
    assert entry.recipients == (JOE,)
    assert messages.GTUBE in filterd.original(id)
    mta.settled()
    assert mta.mailboxes == {}
    if not isinstance(mta, OwnMta):
        wait_for("the reply in the log", lambda: id in mta.log)


def test_a_virus_is_refused_and_a_copy_kept(mta: Mta, filterd: Filterd) -> None:
    for data in (messages.eicar(), messages.eicar_zip()):
        seen = send(mta.port, data)

        assert str(seen.final).startswith("554 5.7.0 Message refused, it contains a virus (id=")
        entry = filterd.entry(id_in(seen.final.text))
        assert (entry.reason, entry.virus) == ("virus", VIRUS)
        assert filterd.original(entry.id) == data
    mta.settled()
    assert mta.mailboxes == {}


def test_a_banned_attachment_is_taken_out_and_nothing_else(mta: Mta, filterd: Filterd) -> None:
    data = messages.multipart(
        [("plan.pdf", b"%PDF-1.4 harmless"), ("tool.exe", messages.program()), ("b.txt", b"b")]
    )

    seen = send(mta.port, data)

    assert seen.final.code == 250
    (mail,) = mta.mail()
    removed = lf(messages.attachment("tool.exe", messages.program()))
    before, _, after = lf(data).partition(b"\n\n")[2].partition(removed)
    assert mail.body.startswith(before)
    assert mail.body.endswith(after)
    notice = mail.body[len(before) : len(mail.body) - len(after)].decode()
    assert "tool.exe was removed" in notice
    id = mail.value("X-Quarantine-ID")
    assert id in notice
    entry = filterd.entry(id)
    assert entry.reason == "stripped"
    assert [part.filename for part in entry.removed] == ["tool.exe"]
    assert filterd.original(id) == data


def test_spam_above_the_quarantine_threshold_is_held(mta: Mta, filterd: Filterd) -> None:
    before = filterd.stored
    data = told("score=9")

    seen = send(mta.port, data)

    assert seen.final.code == 250
    (id,) = filterd.stored - before
    entry = filterd.entry(id)
    assert (entry.reason, entry.action, entry.held_for) == ("spam", "quarantine", (JOE,))
    assert (entry.sender, entry.helo) == ("ann@client.example", "client.example")
    assert filterd.original(id) == data
    mta.settled()
    assert mta.mailboxes == {}


def test_discarded_mail_is_kept_too(mta: Mta, filterd: Filterd) -> None:
    before = filterd.stored

    seen = send(mta.port, told("discard"))

    assert seen.final.code == 250
    (id,) = filterd.stored - before
    assert filterd.entry(id).action == "discard"
    mta.settled()
    assert mta.mailboxes == {}


@pytest.mark.parametrize(
    ("order", "reply"),
    [
        ("tempfail", "451 4.7.1 Message not accepted now, please try again later (id="),
        ("raise", "451 4.3.0 Message could not be checked, please try again later (id="),
        ("die", "451 4.3.0 Message could not be checked, please try again later (id="),
        ("loop", "451 4.3.0 Message could not be checked, please try again later (id="),
    ],
    ids=["tempfail", "raise", "die", "loop"],
)
def test_trouble_is_a_temporary_failure(mta: Mta, filterd: Filterd, order: str, reply: str) -> None:
    seen = send(mta.port, told(order))

    assert str(seen.final).startswith(reply)
    assert filterd.last()["action"] == "tempfail"
    mta.settled()
    assert mta.mailboxes == {}
    assert send(mta.port, messages.message()).final.code == 250
    mta.mail()


def test_forged_fields_of_ours_are_removed(mta: Mta) -> None:
    forged = (
        b"X-Spam-Status: No, score=-99.0 required=5.0 tests=ALLOWED",
        b"x-SPAM-flag: NO",
        b"X-Spam-Flag:\r\n NO",
        b"X-Virus-Status: Clean as can be",
        b"X-Quarantine-ID: 42",
        b"X-Spam-Level:",
        b"X-Spam-Report: stays, since it is not ours",
        b"X-Spam-Status: No, once more",
    )

    send(mta.port, told("score=6", *forged))

    (mail,) = mta.mail()
    assert mail.value("X-Spam-Status").startswith("Yes, score=6.0")
    assert mail.value("X-Spam-Flag") == "YES"
    assert mail.value("X-Virus-Status") == "Clean"
    assert mail.value("X-Spam-Level") == "******"
    assert mail.value("X-Spam-Report") == "stays, since it is not ours"
    assert mail.values("X-Quarantine-ID") == []


def test_recipients_who_differ_get_what_each_one_wants(mta: Mta, filterd: Filterd) -> None:
    """joe would refuse, max hold, sue have it labelled: sue gets it, the others' copy is kept."""
    before = filterd.stored

    seen = send(mta.port, messages.gtube(), [JOE, SUE, MAX])

    assert seen.final.code == 250
    (mail,) = mta.mail(user="sue")
    assert mail.value("X-Spam-Flag") == "YES"
    (id,) = filterd.stored - before
    assert sorted(filterd.entry(id).held_for) == [JOE, MAX]
    assert mail.value("X-Quarantine-ID") == id
    mta.settled()
    assert mta.mailboxes == {}
    assert filterd.last()["dropped"] == f"{JOE},{MAX}"


def test_held_for_one_recipient_where_nobody_is_left(mta: Mta, filterd: Filterd) -> None:
    seen = send(mta.port, messages.gtube(), [JOE, MAX])

    assert seen.final.code == 250
    mta.settled()
    assert mta.mailboxes == {}


def test_several_messages_on_one_connection(mta: Mta, filterd: Filterd) -> None:
    with Conversation(mta.port) as client:
        client.ehlo()
        codes = [
            client.transaction(data).final.code
            for data in (
                messages.message(),
                messages.gtube(),
                told("score=6"),
                messages.eicar(),
                messages.message(),
            )
        ]
        client.quit()

    assert codes == [250, 550, 250, 554, 250]
    flags = [mail.values("X-Spam-Flag") for mail in mta.mail(3)]
    assert flags.count([b"YES"]) == 1
    assert flags.count([]) == 2


def test_reset_forgets_the_message(mta: Mta, filterd: Filterd) -> None:
    with Conversation(mta.port) as client:
        client.ehlo()
        client.say("MAIL FROM:<forgotten@client.example>")
        client.say(f"RCPT TO:<{SUE}>")
        assert client.say("RSET").code == 250
        assert client.transaction(messages.message()).final.code == 250
        client.quit()

    mta.mail()
    line = filterd.last()
    assert (line["from"], line["to"]) == ("ann@client.example", JOE)


def test_the_log_line_names_the_mtas_message(mta: Mta, filterd: Filterd) -> None:
    seen = send(mta.port, told("score=6"))

    mta.mail()
    found = re.search(
        {
            Sendmail: r"2\.0\.0 (\S+) Message accepted",
            OwnMta: r"2\.0\.0 (\S+) Message accepted",
            Postfix: r"queued as (\S+)",
        }[type(mta)],
        seen.final.text,
    )
    assert found is not None, seen.final
    line = filterd.last(found[1])
    assert line["message_id"] == "<m1@client.example>"
    assert (line["from"], line["to"], line["action"]) == ("ann@client.example", JOE, "accept")
    assert str(line["client"]).endswith("[127.0.0.1]")
    assert line["score"] == 6.0
    assert line["symbols"] == "OBEDIENT:6.0"


def test_the_null_sender_and_a_large_message(mta: Mta, filterd: Filterd) -> None:
    """A body over 1 MiB takes another way through the daemon; it must come out the same."""
    body = b"".join(b"line %07d of a long text that says nothing\r\n" % n for n in range(40_000))

    seen = send(mta.port, messages.message(body), sender="")

    assert seen.final.code == 250
    (mail,) = mta.mail()
    assert mail.body == lf(body)
    line = filterd.last()
    assert line["from"] == ""
    assert not list((filterd.folder / "spool").iterdir())
