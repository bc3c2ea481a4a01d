"""Digests: who is told of what, and how a link releases."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from filterd.chain.marks import Verifier, load_key
from filterd.chain.verdict import Action, Failure, FailureKind, Outcome, RemovedPart, Symbol
from filterd.cli.digest import app as command
from filterd.config.digest import DigestSettings
from filterd.config.load import ConfigError, Settings, load
from filterd.digest.compose import DigestError
from filterd.digest.ledger import CLAIM_LIMIT, DigestLedger
from filterd.digest.run import Schedule, due_moment, send_now
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.authentication import Authentication, AuthResult, DmarcCheck, DmarcPolicy
from filterd.quarantine import Store
from filterd.quarantine.release import Releaser, ReleaseRequest
from filterd.review.actions import ActionRequest, ReviewActions
from filterd.web.app import create_app
from tests.helpers.entries import new
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.reports import revised

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)
HOUR = 3600.0
BASE = "https://mail.example"


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


def site(folder: Path, port: int, more: str = "") -> Settings:
    config = folder / "filterd.toml"
    config.write_text(
        '[chain]\nfilters = ["gtube"]\n'
        f'[quarantine]\nfolder = "{folder}/q"\nrelease_port = {port}\nrelease_timeout = 5.0\n'
        f'[web]\nurl = "{BASE}"\n'
        f'[digest]\nenabled = true\nsender = "postmaster@mx.example"\n{more}'
    )
    return load(config)


def put(settings: Settings, id: str, *to: str, hours: float = 1.0, **changes: object) -> None:
    """Keep a message that came some hours ago."""
    entry = revised(
        new(id, f"From: Eve <eve@e.example>\r\nSubject: offer {id}\r\n\r\nbuy\r\n".encode()),
        envelope=Envelope("eve@e.example", tuple(map(Recipient, to)), Client("", "192.0.2.1")),
        held_for=to,
        received=NOW - timedelta(hours=hours),
        **{"removed": (), **changes},  # type: ignore[arg-type]
    )
    Store(settings.quarantine).put(entry)


def mail(data: bytes) -> EmailMessage:
    found = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def text(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def links(body: str) -> list[str]:
    return re.findall(rf"{BASE}(/held/[A-Za-z0-9_-]+)", body)


def test_what_was_found_about_one_recipient_is_not_told_to_another(
    tmp_path: Path, mta: Mta
) -> None:
    settings = site(tmp_path, mta.port)
    shared, own = Symbol("BAYES_SPAM", 5.0), Symbol("LOCAL_BLOCK", 4.0)
    outcomes = (
        Outcome("joe@mx.example", Action.QUARANTINE, "default", symbols=(own,)),
        Outcome("sue@mx.example", Action.QUARANTINE, "default"),
    )
    put(
        settings,
        "a",
        "joe@mx.example",
        "sue@mx.example",
        symbols=(shared, own),
        score=9.0,
        outcomes=outcomes,
    )
    send_now(settings, NOW.timestamp())
    told = {taken.rcpt[0]: text(mail(taken.data)) for taken in mta.taken}
    points = {rcpt: re.findall(r"\b[59]\.0\b", body) for rcpt, body in told.items()}
    assert [points[rcpt] for rcpt in sorted(points)] == [["9.0"], ["5.0"]]


def test_each_recipient_is_told_of_its_own(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    put(settings, "a", "joe@mx.example", "sue@mx.example")
    put(settings, "b", "joe@mx.example")
    put(settings, "old", "joe@mx.example", hours=30)
    put(settings, "v", "joe@mx.example", reason="virus", virus="Evil")
    put(settings, "w", "joe@mx.example", virus="Evil")
    results = send_now(settings, NOW.timestamp())
    assert {r: result.outcome for r, result in results.items()} == {
        "joe@mx.example": "sent",
        "sue@mx.example": "sent",
    }
    by_recipient = {taken.rcpt[0]: mail(taken.data) for taken in mta.taken}
    joe = next(m for rcpt, m in by_recipient.items() if "joe@" in rcpt)
    assert (joe["From"], joe["To"]) == ("postmaster@mx.example", "joe@mx.example")
    assert joe["Auto-Submitted"] == "auto-generated"
    assert re.findall(r"Subject: (.*)", text(joe)) == ["offer b", "offer a"]
    assert len(links(text(joe))) == 2
    assert "offer a" in text(joe, "html")
    assert all(taken.mail.startswith("MAIL FROM:<>") for taken in mta.taken)


def test_mail_that_fails_dmarc_is_listed_with_a_notice(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    fails = DmarcCheck(AuthResult.FAIL, "bank.example", policy=DmarcPolicy.REJECT)
    found = Authentication(dmarc=fails)
    put(settings, "a", "joe@mx.example", reason="dmarc", authentication=found)
    put(settings, "b", "joe@mx.example")
    send_now(settings, NOW.timestamp())
    told = mail(mta.taken[0].data)
    assert re.findall(r"Subject: (offer .)\n(.*)", text(told)) == [
        ("offer b", links_line(told, 0)),
        ("offer a", "It does not prove to be from the sender it names; it may be forged."),
    ]
    assert text(told, "html").count("it may be forged") == 1
    page = TestClient(create_app(settings), base_url=BASE)
    shown = [page.get(path).text for path in links(text(told))]
    assert [
        one.count("claims bank.example, but fails; its owner asks to reject") for one in shown
    ] == [
        0,
        1,
    ]


def links_line(message: EmailMessage, number: int) -> str:
    return BASE + links(text(message))[number]


def test_nobody_is_told_twice(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    put(settings, "a", "joe@mx.example")
    assert len(send_now(settings, NOW.timestamp())) == 1
    assert send_now(settings, NOW.timestamp() + 1) == {}


def test_what_the_mta_puts_off_for_one_is_tried_again_for_that_one(
    tmp_path: Path, mta: Mta
) -> None:
    settings = site(tmp_path, mta.port)
    put(settings, "a", "joe@mx.example", "sue@mx.example")
    mta.answers["RCPT:joe@mx.example"] = "452 4.2.2 mailbox full"
    now = NOW.timestamp()
    outcomes = {r: result.outcome for r, result in send_now(settings, now).items()}
    assert outcomes == {"joe@mx.example": "later", "sue@mx.example": "sent"}
    del mta.answers["RCPT:joe@mx.example"]
    assert send_now(settings, now + CLAIM_LIMIT - 1) == {}
    assert list(send_now(settings, now + CLAIM_LIMIT + 1)) == ["joe@mx.example"]
    assert [taken.rcpt for taken in mta.taken] == [["sue@mx.example"], ["joe@mx.example"]]


def test_who_cannot_be_told_is_not_tried_for_ever(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    put(settings, "a", "joe@mx.example")
    mta.answers["RCPT:joe@mx.example"] = "550 5.1.1 no such user"
    now = NOW.timestamp()
    assert send_now(settings, now)["joe@mx.example"].outcome == "refused"
    assert send_now(settings, now + 2 * CLAIM_LIMIT) == {}


def test_of_two_hosts_with_one_index_only_one_tells(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    put(settings, "a", "joe@mx.example")
    now = NOW.timestamp()
    hosts = [DigestLedger(Store(settings.quarantine).index) for _ in range(2)]
    begun = hosts[0].begun(now - HOUR)
    assert hosts[1].begun(now) == begun
    assert [host.claim("joe@mx.example", begun, now, now) for host in hosts] == [True, False]
    # The first one dies before it has sent.
    later = now + CLAIM_LIMIT + 1
    assert [host.claim("joe@mx.example", begun, now, later) for host in hosts] == [True, False]
    hosts[0].settle("joe@mx.example", now)
    assert not hosts[1].claim("joe@mx.example", begun, now, later + CLAIM_LIMIT + 1)


def test_a_copy_is_told_although_the_release_of_another_failed(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    put(settings, "a", "joe@mx.example", "sue@mx.example")
    mta.answers["RCPT:sue@mx.example"] = "550 no"
    ReviewActions(settings).release(
        ["a"], ActionRequest("cli:root", recipients=("sue@mx.example",))
    )
    assert list(send_now(settings, NOW.timestamp())) == ["joe@mx.example"]


def test_a_mailbox_gets_one_digest_however_its_address_is_spelled(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    put(settings, "a", "Joe@MX.Example", hours=2.0)
    put(settings, "b", '"joe"@mx.example')
    assert list(send_now(settings, NOW.timestamp())) == ['"joe"@mx.example']
    (one,) = mta.taken
    assert text(mail(one.data)).count("/held/") == 2
    assert send_now(settings, NOW.timestamp() + CLAIM_LIMIT + 1) == {}


def test_a_long_list_is_cut_and_says_so(
    tmp_path: Path, mta: Mta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.digest.run.LISTED_LIMIT", 2)
    settings = site(tmp_path, mta.port)
    for number in range(5):
        put(settings, f"n{number}", "joe@mx.example", hours=5 - number / 2)
    send_now(settings, NOW.timestamp())
    (taken,) = mta.taken
    assert re.findall(r"Subject: (.*)", text(mail(taken.data))) == ["offer n4", "offer n3"]
    assert "3 more" in text(mail(taken.data))


def test_links_that_nobody_could_follow_are_not_sent(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    settings = dataclasses.replace(settings, web=dataclasses.replace(settings.web, url=""))
    put(settings, "a", "joe@mx.example")
    with pytest.raises(DigestError, match=r"web\.url is not set"):
        send_now(settings, NOW.timestamp())


@pytest.mark.parametrize(
    ("at", "every", "now", "due"),
    [
        ((), 24.0, "2026-11-23T12:00", "2026-11-23T09:30"),
        ((), 24.0, "2026-11-23T09:00", "2026-11-22T09:30"),
        ((), 0.5, "2026-11-23T12:10", "2026-11-23T12:00"),
        (("07:00", "16:30"), 24.0, "2026-11-23T12:00", "2026-11-23T07:00"),
        (("07:00", "16:30"), 24.0, "2026-11-23T16:30", "2026-11-23T16:30"),
        (("07:00", "16:30"), 24.0, "2026-11-23T06:59", "2026-11-22T16:30"),
    ],
)
def test_when_digests_are_due(at: tuple[str, ...], every: float, now: str, due: str) -> None:
    def seconds(text: str) -> float:
        return datetime.fromisoformat(text).astimezone().timestamp()

    digest = DigestSettings(at=at, every_hours=every)
    assert due_moment(digest, seconds("2026-11-21T09:30"), seconds(now)) == seconds(due)


def test_only_the_domains_of_the_settings(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port, 'domains = ["mx.example"]\n')
    put(settings, "a", "joe@mx.example", "max@other.example", "eve@notmx.example")
    assert list(send_now(settings, NOW.timestamp())) == ["joe@mx.example"]


def test_our_own_filters_let_a_digest_pass(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    put(settings, "a", "joe@mx.example")
    send_now(settings, NOW.timestamp())
    (taken,) = mta.taken
    envid = re.search(r"ENVID=\S+", taken.mail)
    assert envid is not None
    verify = Verifier(load_key(settings.quarantine.folder), ["127.0.0.0/8"])
    to = (Recipient("joe@mx.example"),)
    envelope = Envelope("", to, Client("", "127.0.0.1"), (envid[0],))
    assert verify(Message(taken.data, envelope)) is not None


def test_hostile_texts_stay_texts(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    subject = "<script>alert(1)</script> \u202e{{ 7*7 }}"
    data = f"From: x@y.example\r\nSubject: {subject}\r\n\r\nx\r\n".encode()
    put(settings, "a", "joe@mx.example", '"a b"@mx.example', data=data)
    send_now(settings, NOW.timestamp())
    for taken in mta.taken:
        message = mail(taken.data)
        assert "<script>" not in text(message, "html")
        assert "\u202e" not in text(message)
        assert "{{ 7*7 }}" in text(message)
    assert {mail(t.data)["To"] for t in mta.taken} == {"joe@mx.example", "undisclosed-recipients:;"}


def test_the_schedule(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    now = NOW.timestamp() - 25 * HOUR
    schedule = Schedule(lambda: settings, lambda: now)
    put(settings, "before", "joe@mx.example", hours=26)
    schedule.once()  # the first: from now on
    put(settings, "a", "joe@mx.example", hours=2)
    now += 23 * HOUR
    schedule.once()
    assert mta.taken == []
    now += 2 * HOUR
    mta.answers["DATA"] = "451 not now"
    schedule.once()
    del mta.answers["DATA"]
    schedule.once()
    assert mta.taken == []
    now += CLAIM_LIMIT + 1
    schedule.once()
    schedule.once()
    Schedule(lambda: settings, lambda: now).once()  # the daemon was started again
    (taken,) = mta.taken
    assert re.findall(r"Subject: (.*)", text(mail(taken.data))) == ["offer a"]


def test_a_schedule_that_is_off_or_broken_ends_nothing(
    tmp_path: Path, mta: Mta, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "digest.txt").write_text("line\n{% for %}\n")
    settings = site(tmp_path, mta.port, f'templates = "{tmp_path}/t"\n')
    put(settings, "a", "joe@mx.example")
    with pytest.raises(DigestError, match=r"digest\.txt:2"):
        send_now(settings, NOW.timestamp())
    assert "digest.txt:2" not in caplog.text
    later = NOW.timestamp() + 25 * HOUR
    Schedule(lambda: settings, lambda: later).once()
    assert "digest.txt:2" in caplog.text
    off = dataclasses.replace(settings, digest=dataclasses.replace(settings.digest, enabled=False))
    Schedule(lambda: off, NOW.timestamp).once()
    assert mta.taken == []


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("", r"filterd\.toml:2: digest\.enabled: links in digests .* web\.url is not set"),
        ('sender = ""\n', "is not an address"),
        ('reasons = ["virus"]\n', "never listed"),
        ('reasons = ["spma"]\n', "'spma' is unknown"),
        ("every_hours = 0\n", "every_hours"),
        ('at = ["7 o\'clock"]\n', "not a time of day"),
    ],
)
def test_settings_that_make_no_sense(tmp_path: Path, more: str, complaint: str) -> None:
    config = tmp_path / "filterd.toml"
    sender = "" if "sender" in more else 'sender = "a@b.example"\n'
    config.write_text(f"[digest]\nenabled = true\n{sender}{more}")
    with pytest.raises(ConfigError, match=complaint):
        load(config)


@pytest.fixture
def browser(tmp_path: Path, mta: Mta) -> tuple[TestClient, str]:
    """Somebody with a digest, and the link of its only message."""
    settings = site(tmp_path, mta.port)
    put(settings, "a", "joe@mx.example", "sue@mx.example")
    send_now(settings, NOW.timestamp())
    body = next(text(mail(t.data)) for t in mta.taken if "joe@" in t.rcpt[0])
    mta.taken.clear()
    (path,) = links(body)
    return TestClient(create_app(settings), base_url=BASE, follow_redirects=False), path


def test_a_link_shows_and_only_the_button_releases(
    browser: tuple[TestClient, str], mta: Mta
) -> None:
    client, path = browser
    page = client.get(path)
    assert page.status_code == 200
    assert "offer a" in page.text
    assert client.head(path).status_code == 405
    assert mta.taken == []
    done = client.post(path)
    assert "on its way" in done.text
    (taken,) = mta.taken
    assert taken.rcpt == ["joe@mx.example"]
    assert taken.data.endswith(b"\r\n\r\nbuy\r\n")
    assert client.post(path).status_code == 200
    assert len(mta.taken) == 1
    page = client.get(path).text
    assert "delivered to you already" in page
    assert "<button" not in page.partition("<main")[2].partition("</main>")[0]


def test_what_the_mta_does_not_take_is_told_and_may_be_tried_again(
    browser: tuple[TestClient, str], mta: Mta
) -> None:
    client, path = browser
    mta.answers = {"DOT": "452 4.3.1 no room"}
    answer = client.post(path)
    assert answer.status_code == 503
    assert "still kept" in answer.text
    assert "no room" not in answer.text
    assert "<button" in answer.text
    mta.answers = {}
    assert "on its way" in client.post(path).text
    assert len(mta.taken) == 1


def test_a_second_click_while_the_first_is_carried_out(
    browser: tuple[TestClient, str], mta: Mta
) -> None:
    client, path = browser
    store = client.app.state.filterd.actions.store  # type: ignore[attr-defined]
    who = ReleaseRequest("a", "digest:joe@mx.example", ("joe@mx.example",))
    assert Releaser(store)._claim(store.get("a"), who.recipients, ["held", ""], who)
    answer = client.post(path)
    assert answer.status_code == 200
    assert "on its way" in answer.text
    assert mta.taken == []


def test_the_audit_trail_knows_who(browser: tuple[TestClient, str], mta: Mta) -> None:
    client, path = browser
    client.post(path)
    store = client.app.state.filterd.actions.store  # type: ignore[attr-defined]
    assert [e.who for e in store.journal.events("a") if e.what == "released"] == [
        "digest:joe@mx.example"
    ]


@pytest.mark.parametrize("change", ["", "x", "A" * 5000])
def test_other_links_lead_nowhere(browser: tuple[TestClient, str], mta: Mta, change: str) -> None:
    client, path = browser
    token = path.removeprefix("/held/")[1:]
    if path == f"/held/{change}{token}":
        change = "y"  # one in 64 tokens begins with x
    for method in ("GET", "POST"):
        answer = client.request(method, f"/held/{change}{token}" if change else "/held/x")
        assert answer.status_code == 404
    assert mta.taken == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"removed": (RemovedPart("a.exe", "banned name", 10, 20),)},
            "it carries a.exe, which may not be delivered",
        ),
        (
            {"removed": tuple(RemovedPart(f"{n}.exe", "banned", 1, 2) for n in range(7))},
            "it carries 0.exe, 1.exe, 2.exe, 3.exe, 4.exe and 2 more, which may not be delivered",
        ),
        (
            {"removed": (RemovedPart("", "banned type", 10, 20),)},
            "it carries a part without a name, which may not be delivered",
        ),
        (
            {"banned": True},
            "it carries a part that may not be delivered",
        ),
        (
            {"failures": (Failure("parts", FailureKind.ERROR, "x"),)},
            "it could not be scanned completely",
        ),
    ],
    ids=["a part", "many parts", "no name", "held for it", "not examined"],
)
def test_a_recipient_cannot_have_what_would_be_stripped_from_other_mail(
    tmp_path: Path, mta: Mta, changes: dict[str, object], why: str
) -> None:
    """Held as spam, it was offered whole, while in mail that is not spam the part is removed."""
    settings = site(tmp_path, mta.port)
    put(settings, "a", "joe@mx.example", **changes)
    send_now(settings, NOW.timestamp())
    (path,) = links(text(mail(mta.taken[0].data)))
    mta.taken.clear()
    client = TestClient(create_app(settings), base_url=BASE, follow_redirects=False)
    for answer, status in ((client.get(path), 200), (client.post(path), 403)):
        assert answer.status_code == status
        assert f"It is not delivered because {why}. Ask your postmaster." in answer.text
        assert ">Deliver<" not in answer.text
    assert mta.taken == []


def test_what_is_gone_is_told(browser: tuple[TestClient, str], mta: Mta) -> None:
    client, path = browser
    state = client.app.state.filterd  # type: ignore[attr-defined]
    state.actions.delete(["a"], ActionRequest("cli:root"))
    for method in ("GET", "POST"):
        answer = client.request(method, path)
        assert answer.status_code == 404
        assert "not held any more" in answer.text
    assert mta.taken == []


def test_the_commands(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    put(settings, "a", "joe@mx.example")
    config = ["--config", str(settings.source)]
    shown = CliRunner().invoke(command, ["show", "joe@mx.example", *config])
    assert "offer a" in shown.stdout
    assert mta.taken == []
    nobody = CliRunner().invoke(command, ["show", "sue@mx.example", *config])
    assert nobody.exit_code == 66
    sent = CliRunner().invoke(command, ["send", *config])
    assert sent.stdout.startswith("joe@mx.example: sent")
    assert "nothing new for anybody" in CliRunner().invoke(command, ["send", *config]).stdout


def test_the_subject_has_the_number_and_the_least_suspicious_comes_first(
    tmp_path: Path, mta: Mta
) -> None:
    settings = site(tmp_path, mta.port)
    for id, score in (("worst", 30.0), ("best", 5.1), ("middle", 9.0)):
        put(settings, id, "joe@mx.example", score=score)
    send_now(settings, NOW.timestamp())
    told = mail(mta.taken[0].data)
    assert told["Subject"] == "3 messages held for you"
    assert re.findall(r"Subject: offer (.*)", text(told)) == ["best", "middle", "worst"]
    html = text(told, "html")
    assert html.index("offer best") < html.index("offer worst")
    assert "/my/open/" not in text(told), "users have no pages"


def test_a_subject_of_ones_own_gets_the_number(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port, 'subject = "Quarantine of mx.example"\n')
    put(settings, "a", "joe@mx.example")
    send_now(settings, NOW.timestamp())
    assert mail(mta.taken[0].data)["Subject"] == "Quarantine of mx.example (1)"


def test_german(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port, 'language = "de"\n[users]\nenabled = true\n')
    put(settings, "a", "joe@mx.example")
    send_now(settings, NOW.timestamp())
    told = mail(mta.taken[0].data)
    assert told["Subject"] == "1 Nachricht für Sie zurückgehalten"
    for kind in ("plain", "html"):
        body = text(told, kind)
        assert "Löschen" in body
        assert f"{BASE}/my/open/" in body
        assert "?do=delete" in body
        assert "?do=block" not in body, "there is no list of senders"
    assert 'lang="de"' in text(told, "html")


def test_the_links_of_a_digest_lead_to_the_actions(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port, "[users]\nenabled = true\n")
    for id in ("a", "b"):
        put(settings, id, "joe@mx.example")
    send_now(settings, NOW.timestamp())
    body = text(mail(mta.taken[0].data))
    mta.taken.clear()
    client = TestClient(create_app(settings), base_url=BASE, follow_redirects=False)
    path = links(body)[0]
    page = client.get(f"{path}?do=delete").text
    assert '<button name="do" value="delete" class="main">' in page
    assert "It is deleted." in client.post(path, data={"do": "delete"}).text
    (opened,) = re.findall(rf"{BASE}(/my/open/[A-Za-z0-9_-]+)", body)
    assert client.post(opened).headers["location"] == "/my"
    mine = client.get("/my").text
    assert ("offer a" in mine) != ("offer b" in mine)
    assert mta.taken == []


def test_own_templates_as_they_were_still_work(tmp_path: Path, mta: Mta) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "digest.txt").write_text(
        "{{ recipient }} {% for m in messages %}{{ m.subject }} {{ m.notice }} {{ m.link }}"
        "{% endfor %}{{ more }} {{ until }}\n"
    )
    (folder / "digest.html").write_text("<p>{{ subject }}</p>")
    settings = site(tmp_path, mta.port, f'templates = "{folder}"\n')
    put(settings, "a", "joe@mx.example")
    send_now(settings, NOW.timestamp())
    told = mail(mta.taken[0].data)
    assert told["Subject"] == "Mail held for you (1)"
    assert "<p>Mail held for you (1)</p>" in text(told, "html")
