"""Notices from beginning to end: what the history has is told once, and nobody waits for it."""

from __future__ import annotations

import email
import email.policy
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from filterd.chain.marks import Verifier, load_key
from filterd.chain.verdict import Action, Failure, FailureKind, Outcome
from filterd.cli.notice import app as command
from filterd.config.assembly import open_history, site_state
from filterd.config.load import Settings, load
from filterd.digest.links import Signer
from filterd.filters.rates.counting import HELD
from filterd.history import Record
from filterd.message import Client, Envelope, Message, Recipient
from filterd.notices import sending
from filterd.notices.counts import NoticeCounts
from filterd.notices.finding import SETTLED
from filterd.notices.queue import AGE_LIMIT, NoticeQueue
from filterd.notices.run import NoticeSchedule
from filterd.notices.sending import TRIES_LIMIT
from filterd.quarantine import Store
from filterd.quarantine.copies import mark
from filterd.state.facts import state_key
from tests.helpers.entries import new
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.reports import record
from tests.helpers.webhook import Receiver, receiving

pytestmark = pytest.mark.slow

ADMIN, JOE, SUE = "root@mx.test", "joe@mx.test", "sue@mx.test"
BEGIN = 1_800_000_000.0


class Site:
    """Settings, a clock, an MTA, a receiver, and the daemon's part of it."""

    def __init__(self, folder: Path, mta: Mta, receiver: Receiver) -> None:
        self.folder, self.mta, self.receiver = folder, mta, receiver
        self.now = BEGIN
        self.counts = NoticeCounts()
        secret = folder / "secret"
        secret.write_text("c" * 44)
        secret.chmod(0o600)
        self.settings = self.configured("")

    def configured(self, notices: str, chain: str = "", more: str = "") -> Settings:
        file = self.folder / "filterd.toml"
        file.write_text(
            f"[chain]\nfilters = [{chain}]\n"
            f'[quarantine]\nfolder = "{self.folder}/q"\nrelease_port = {self.mta.port}\n'
            f'release_timeout = 5.0\n{more}\n[notices]\nsender = "postmaster@mx.test"\n'
            f'admins = ["{ADMIN}"]\ndomains = ["mx.test"]\n{notices}'
        )
        return load(file)

    def use(self, notices: str, chain: str = "", more: str = "") -> None:
        """Settings; from here on things are told."""
        self.settings = self.configured(notices, chain, more)
        self.schedule = NoticeSchedule(lambda: self.settings, self.counts, lambda: self.now)
        self.look()

    def hook(self, events: str = '"held"', more: str = "") -> str:
        return (
            f'[[notices.webhooks]]\nurl = "http://127.0.0.1:{self.receiver.port}/key"\n'
            f'secret = "{self.folder}/secret"\nevents = [{events}]\n{more}\n'
        )

    def came(self, *messages: Record) -> None:
        history = open_history(self.settings)
        history.add(messages)
        history.close()

    def look(self, seconds: float = SETTLED + 1) -> list[str]:
        """Some time passes, then it is looked; who got a notice, one word each."""
        self.now += seconds
        before = len(self.mta.taken)
        self.schedule.once()
        return [taken.rcpt[0] for taken in self.mta.taken[before:]]

    def text(self, number: int = -1) -> str:
        found = email.message_from_bytes(self.mta.taken[number].data, policy=email.policy.default)
        body = found.get_body()
        assert body is not None
        return f"{found['Subject']}\n{body.get_content()}".replace("\r\n", "\n")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running() as mta, receiving() as receiver:
        yield Site(tmp_path, mta, receiver)


def held(id: str, *to: str, at: float = BEGIN, **changes: object) -> Record:
    values = {
        "action": "quarantine",
        "reason": "spam",
        "sender": "eve@e.test",
        "recipients": to or (JOE,),
        "subject": f"offer {id}",
        "stored": True,
        "score": 9.0,
        "required": 5.0,
    }
    return record(id, at, **{**values, **changes})  # type: ignore[arg-type]


def test_each_event_is_told_once(site: Site) -> None:
    site.came(held("old"))
    site.use('held = ["admin"]')
    assert site.look() == []
    site.came(held("a"), record("ok", BEGIN), held("b"))
    assert site.look() == [ADMIN]
    assert re.findall(r"Id: +(.*)", site.text()) == ["a", "b"]
    assert "offer" not in site.text()
    assert site.look() == []
    # After a restart, too.
    site.use('held = ["admin"]')
    assert site.look() == []
    assert site.counts.values == {("mail", "sent"): 1}


def test_an_admin_gets_the_page_of_a_kept_message(site: Site) -> None:
    site.use('held = ["admin"]', more='[web]\nurl = "https://mail.test"')
    site.came(held("a"), held("b", stored=False))
    site.look()
    assert re.findall(r"https://.*", site.text()) == ["https://mail.test/message/a"]


def test_recipients_hear_of_their_own_mail(site: Site) -> None:
    web = '[web]\nurl = "https://mail.test"'
    site.use('held = ["recipient"]', more=web)
    site.came(held("a", JOE, SUE), held("b", "Joe@MX.test", "far@other.test"))
    assert sorted(site.look()) == [JOE, SUE]
    told = {taken.rcpt[0]: n for n, taken in enumerate(site.mta.taken)}
    assert re.findall(r"Subject: (.*)", site.text(told[JOE])) == ["offer a", "offer b"]
    assert re.findall(r"Subject: (.*)", site.text(told[SUE])) == ["offer a"]
    tokens = re.findall(r"https://mail.test/held/(\S+)", site.text(told[SUE]))
    link = Signer(site.settings.quarantine.folder).link(tokens[0], site.now)
    assert (link.id, link.recipient) == ("a", SUE)


def test_a_notice_is_from_nobody_and_passes_our_own_filters(site: Site) -> None:
    site.use('held = ["admin"]')
    site.came(held("a"))
    site.look()
    (taken,) = site.mta.taken
    assert taken.mail.startswith("MAIL FROM:<> ")
    parameters = tuple(taken.mail.split(" ")[2:])
    envelope = Envelope(
        "", (Recipient(ADMIN),), Client("", "127.0.0.1"), sender_parameters=parameters
    )
    key = load_key(site.settings.quarantine.folder)
    mark = Verifier(key, ["127.0.0.0/8"])(Message(taken.data, envelope, "x"))
    assert mark is not None
    assert mark.id.startswith("notice-")


def test_no_notice_about_a_notice(site: Site) -> None:
    """Neither if it comes back with its mark, nor without one and held as spam, nor if the scanner
    is away that it has to pass."""
    away = (Failure("clamav", FailureKind.UNAVAILABLE, "refused"),)
    site.use('held = ["admin"]\nfailed = ["admin"]\n' + site.hook('"held", "failed"'))
    site.came(held("a"))
    site.look()
    id = email.message_from_bytes(site.mta.taken[0].data)["Message-ID"]
    site.came(replace(held("back", message_id=id), failures=away))
    site.came(replace(record("x", BEGIN, released="notice-1"), failures=away))
    assert site.look() == []
    site.came(replace(record("y", BEGIN), failures=away))
    assert site.look() == [ADMIN]
    assert len(site.receiver.posts) == 2


def test_what_is_too_much_is_counted_and_told_with_the_next(site: Site) -> None:
    site.use('held = ["admin", "ops@mx.test"]\nper_hour = 1')
    site.came(held("a"))
    assert site.look() == [ADMIN, "ops@mx.test"]
    site.came(held("b"), held("c"))
    assert site.look() == []
    site.came(held("d"))
    assert site.look() == []
    assert site.counts.values["mail", "suppressed"] == 4
    site.now += 7200
    site.came(held("e", at=site.now))
    assert len(site.look()) == 2
    assert "3 held before were not told" in site.text()
    site.now += 7200
    site.came(held("f", at=site.now))
    assert len(site.look()) == 2
    assert "not told" not in site.text()


def test_all_addresses_have_a_limit_together(site: Site) -> None:
    site.use('held = ["recipient"]\nall_per_hour = 3')
    site.came(held("a", *(f"u{number}@mx.test" for number in range(9))))
    assert len(site.look()) == 3


def test_an_mta_that_is_away_costs_no_notice(site: Site) -> None:
    site.use('held = ["admin"]\nstripped = ["admin"]')
    site.mta.answers["MAIL"] = "451 4.3.0 later"
    site.came(held("a"))
    assert site.look() == []
    assert len(NoticeQueue.of(site.settings)) == 1
    site.mta.answers.clear()
    assert site.look(30) == []
    assert site.look(60) == [ADMIN]
    assert len(NoticeQueue.of(site.settings)) == 0


def test_what_nobody_takes_is_given_up(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.use('held = ["admin"]')
    site.mta.answers["MAIL"] = "451 4.3.0 later"
    site.came(held("a"))
    for _ in range(TRIES_LIMIT):
        site.look(4000)
    assert len(NoticeQueue.of(site.settings)) == 0
    assert site.counts.values == {("mail", "failed"): 1}
    assert "outcome=given up" in caplog.text


def test_who_is_refused_is_not_tried_again(site: Site) -> None:
    site.use('held = ["admin"]')
    site.mta.answers[f"RCPT:{ADMIN}"] = "550 5.1.1 no such user"
    site.came(held("a"))
    site.look()
    assert len(NoticeQueue.of(site.settings)) == 0
    assert site.counts.values == {("mail", "failed"): 1}


def test_a_wrong_template_leaves_the_others(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    (site.folder / "held.txt").write_text("no subject")
    site.use(f'held = ["admin"]\nstripped = ["admin"]\ntemplates = "{site.folder}"\n' + site.hook())
    site.came(held("a"), held("b", action="accept", reason="stripped"))
    assert site.look() == [ADMIN]
    assert "held.txt:1" in caplog.text
    assert len(site.receiver.posts) == 1


def test_failures_of_filters(site: Site) -> None:
    site.use('failed = ["admin"]')
    away = (Failure("clamav", FailureKind.UNAVAILABLE, "127.0.0.1:3310: refused"),)
    site.came(*(replace(record(f"m{n}", BEGIN), failures=away) for n in range(3)))
    assert site.look() == [ADMIN]
    assert "Filter clamav failed" in site.text()
    assert "no opinion of 3 messages" in site.text()


def test_old_events_are_not_news(site: Site) -> None:
    site.use('held = ["admin"]')
    site.came(held("a"))
    assert site.look(AGE_LIMIT + 10) == []


def test_a_history_that_was_removed_is_read_from_its_beginning(site: Site) -> None:
    site.use('held = ["admin"]')
    site.came(held("a"), held("b"))
    assert site.look() == [ADMIN]
    for file in site.settings.quarantine.folder.glob("history.sqlite3*"):
        file.unlink()
    site.came(held("c"))
    assert site.look() == [ADMIN]
    assert re.findall(r"Id: +(.*)", site.text()) == ["c"]


def test_an_account_that_sends_spam(site: Site) -> None:
    chain, more = '"rates"', "[filters.rates]\nrefused = [{by = 'user'}]\n"
    site.use('account = ["admin"]', chain, more)
    state = site_state(site.settings)
    state.put(state_key(HELD, "user", "ann"), site.now, 86400.0, "24 of 60 messages refused")
    assert site.look() == [ADMIN]
    assert "user ann: 24 of 60 messages refused; held until" in site.text()
    assert site.look() == []
    # Freed, and held again.
    state.delete(state_key(HELD, "user", "ann"))
    state.put(state_key(HELD, "user", "ann"), site.now, 86400.0, "9 of 20 messages refused")
    state.close()
    assert site.look() == [ADMIN]


def test_a_request_for_release_is_told_once(site: Site) -> None:
    more = '[users]\nenabled = true\nrequest = ["banned"]\n[web]\nurl = "https://mail.test"\n'
    site.use('request = ["admin"]', more=more)
    with closing(Store(site.settings.quarantine, lambda: site.now)) as store:
        store.put(replace(new("a"), held_for=(JOE, SUE)))
        mark(store, "requested", "a", [JOE], f"web:{JOE}", "the drawings\r\nBcc: x@x.test")
        assert site.look() == [ADMIN]
        text = site.text()
        assert text.startswith("1 request for release on")
        assert JOE in text
        assert "the drawings" in text
        assert "\nBcc" not in text
        assert "https://mail.test/message/a" in text
        assert site.look() == []
        # Refused, and asked again; and another one meanwhile.
        mark(store, "refused", "a", [JOE], "web:ann")
        mark(store, "requested", "a", [JOE, SUE], "web:x")
        assert site.look() == [ADMIN]
        assert site.text().startswith("2 requests")
        assert site.look() == []


def test_a_quarantine_that_is_nearly_full(site: Site) -> None:
    site.use('full = ["admin"]\nfull_percent = 100.0')
    with closing(Store(site.settings.quarantine)) as store:
        store.put(new("a"))
        store.put(new("b"))
    assert site.look(601) == []
    few = replace(site.settings.quarantine, keep_messages=2)
    site.settings = replace(site.settings, quarantine=few)
    assert site.look(601) == [ADMIN]
    assert "keep_messages: 100% are used" in site.text()
    assert site.look(601) == []
    # Told again once there was room.
    many = replace(few, keep_messages=9)
    for quarantine, told in ((many, []), (few, [ADMIN])):
        site.settings = replace(site.settings, quarantine=quarantine)
        assert site.look(601) == told


def test_webhooks_get_each_event(site: Site) -> None:
    site.use(site.hook('"held", "virus"'))
    site.came(held("a"), held("v", action="reject", virus="Evil"), held("s", action="accept"))
    assert site.look() == []
    values = {
        one["type"]: one for one in map(json.loads, (post[2] for post in site.receiver.posts))
    }
    assert {kind: one["data"]["id"] for kind, one in values.items()} == {"held": "a", "virus": "v"}
    assert "subject" not in values["held"]["data"]
    assert site.counts.values == {("webhook", "sent"): 2}


def test_a_webhook_is_tried_again_with_the_same_id(site: Site) -> None:
    site.use(site.hook())
    site.receiver.status = 503
    site.came(held("a"))
    site.look()
    site.receiver.status = 200
    site.look(61)
    first, second = site.receiver.posts
    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    assert first[1]["webhook-timestamp"] < second[1]["webhook-timestamp"]
    assert first[2] == second[2]
    assert len(NoticeQueue.of(site.settings)) == 0


def test_a_webhook_that_is_away_is_asked_once_a_run(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def away(hook: object, id: str, body: bytes, now: float) -> sending.Posted:
        asked.append(id)
        return sending.Posted("later", "Connection refused", reached=False)

    monkeypatch.setattr(sending, "post", away)
    site.use('held = ["admin"]\n' + site.hook())
    site.came(*(held(f"m{number}") for number in range(5)))
    assert site.look() == [ADMIN]
    assert len(asked) == 1
    assert len(NoticeQueue.of(site.settings)) == 5
    assert "/key" not in caplog.text


def test_a_webhook_that_is_not_set_any_more(site: Site) -> None:
    site.use(site.hook())
    site.receiver.status = 503
    site.came(held("a"))
    site.look()
    site.settings = site.configured("")
    site.look(61)
    assert len(NoticeQueue.of(site.settings)) == 0
    assert len(site.receiver.posts) == 1


def test_of_two_hosts_with_one_state_one_looks(site: Site) -> None:
    site.use('held = ["admin"]')
    state = site_state(site.settings)
    state.touch(state_key("notice_look", "lease"), site.now + 1, 120.0)
    site.came(held("a"))
    assert site.look() == []
    # The other one has died.
    assert site.look(130) == [ADMIN]
    state.close()


def test_a_copy_for_one_recipient_alone_is_told(site: Site) -> None:
    """The message goes on for the others."""
    outcomes = (Outcome(JOE, Action.ACCEPT, "d"), Outcome(SUE, Action.QUARANTINE, "strict"))
    site.use('held = ["recipient"]')
    site.came(held("a", JOE, SUE, action="accept", outcomes=outcomes, dropped=(SUE,)))
    assert site.look() == [SUE]


def test_the_command(site: Site) -> None:
    site.configured('held = ["admin"]\nfailed = ["admin"]\n' + site.hook())

    def run(*words: str) -> tuple[int, str]:
        found = CliRunner().invoke(command, [*words, "--config", f"{site.folder}/filterd.toml"])
        return found.exit_code, found.output

    host = f"127.0.0.1:{site.receiver.port}"
    assert run("test") == (
        0,
        f"{ADMIN}: sent (250 2.0.0 Ok: queued as Q1)\n{host}: sent (status 204)\n",
    )
    assert site.text().startswith("Test: 1 message held")
    assert json.loads(site.receiver.posts[0][2])["test"] is True
    assert run("test", "failed", "--to", JOE)[0] == 0
    assert site.mta.taken[-1].rcpt == [JOE]
    site.receiver.status = 500
    assert run("test")[0] == 75
    site.receiver.status = 404
    assert run("test")[0] == 69
    assert run("test", "virus") == (
        78,
        "filterd: nobody is told of virus in [notices]; expected --to ADDRESS\n",
    )
    assert run("test", "nothing")[0] == 64
    status, shown = run("show", "held", "--recipient")
    assert (status, "Auto-Submitted: auto-generated" in shown) == (0, True)
    assert run("queue") == (0, "nothing waits\n")


def test_what_waits_is_listed(site: Site) -> None:
    site.use(site.hook())
    site.receiver.status = 503
    site.came(held("a"))
    site.look()
    found = CliRunner().invoke(command, ["queue", "--config", f"{site.folder}/filterd.toml"])
    assert f"held     webhook  127.0.0.1:{site.receiver.port}  (1 events, tried 1 times)" in (
        found.output
    )
